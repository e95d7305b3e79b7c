import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.core import labels
from importer.core.names import printable, raw

ROWS = [
    ("T2* ax", "T2star ax"),
    ("a:b", "a_b"),
    ("a?b", "a_b"),
    ("a|b", "a_b"),
    ("a\\b", "a_b"),
    ("???", "_"),
    ("  x ", "x"),
    ("a//b", "a_b"),
    ("abc...", "abc"),
    (".", ""),
    ("..", ""),
    ("x\"y'z%", "x\"y'z%"),
    ("a\tb\nc\x0bd\x00e", "a_b_c_d_e"),
    ("a<>b", "a_b"),
    ("Ünïcødé 山田", "Ünïcødé 山田"),
    ("a. . .", "a"),
    ("a\u00a0.", "a"),
    ("\t \n", ""),
    ("a\ud800b", "a_b"),
    ("a\u202eb\u2028c", "a_b_c"),
]


@pytest.mark.parametrize(("text", "label"), ROWS, ids=[repr(text) for text, _ in ROWS])
def test_a_label_is_cleaned_as_the_table_says(text, label):
    assert labels.clean_label(text) == label


@pytest.mark.parametrize(("clean", "limit"), [(labels.clean_label, 64), (labels.clean_acquisition_label, 128)])
def test_a_label_is_cut_at_its_limit(clean, limit):
    assert clean("x" * 500) == "x" * limit


def test_a_cut_that_lands_on_a_dot_leaves_no_dot():
    assert labels.clean_label("x" * 60 + "....y") == "x" * 60


@given(st.text())
def test_cleaning_a_clean_label_changes_nothing(text):
    once = labels.clean_label(text)
    assert labels.clean_label(once) == once


@given(st.text(alphabet=st.characters(codec=None)))
def test_a_label_always_fits_a_database_and_a_page(text):
    label = labels.clean_label(text)
    label.encode()
    assert not set(label) & set("*/:<>?\\|\0\n\t")
    assert label == label.strip()
    assert len(label) <= 64


@pytest.mark.parametrize(
    ("text", "group"),
    [(" Lab.1 ", "lab.1"), ("a", ""), ("-ab", ""), ("a b", ""), ("ab\n", "ab"), ("x" * 64, "x" * 64), ("x" * 65, "")],
)
def test_a_group_id_is_lowered_or_dropped(text, group):
    assert labels.clean_group_id(text) == group


FILE_NAMES = [
    ("a*b?.txt", "astarb_.txt"),
    (" spaces stay .txt ", " spaces stay .txt "),
    ("...", "_"),
    ("   ", "_"),
    ("x.", "x"),
    (".bidsignore", ".bidsignore"),
    ("a\nb", "a_b"),
    ("x" * 300 + ".dicom.zip", "x" * 245 + ".dicom.zip"),
    ("x" * 300 + ".nii.gz", "x" * 248 + ".nii.gz"),
    ("x" * 300 + ".tar.gz", "x" * 248 + ".tar.gz"),
    ("x" * 300 + ".dcm", "x" * 251 + ".dcm"),
    ("a." + "x" * 300, "a." + "x" * 253),
]


@pytest.mark.parametrize(("name", "cleaned"), FILE_NAMES, ids=[repr(name[-12:]) for name, _ in FILE_NAMES])
def test_a_file_name_is_cleaned_and_keeps_its_extension(name, cleaned):
    assert labels.clean_file_name(name) == cleaned


def test_bytes_that_are_not_utf_8_survive_cleaning():
    assert raw(labels.clean_file_name(printable(b"caf\xe9?.txt"))) == b"caf\xe9_.txt"


def test_a_name_that_only_looks_like_an_escape_is_cleaned_like_any_backslash():
    assert labels.clean_file_name(printable(rb"a\x41b")) == "a_x41b"


def test_an_escape_counts_as_one_character_and_is_never_cut_in_two():
    cleaned = labels.clean_file_name(printable(b"\xff" * 255 + b".txt"))
    assert raw(cleaned) == b"\xff" * 251 + b".txt"


@given(st.binary(min_size=1, max_size=300))
def test_cleaning_a_clean_file_name_changes_nothing(name):
    once = labels.clean_file_name(printable(name))
    assert labels.clean_file_name(once) == once
    assert once
    assert len(once) <= 1020


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a.dicom.zip", ("a", ".dicom.zip")),
        ("a.b.NII.GZ", ("a.b", ".NII.GZ")),
        ("a.tar.bz2", ("a", ".tar.bz2")),
        ("a.b.txt", ("a.b", ".txt")),
        ("noext", ("noext", "")),
        (".hidden", (".hidden", "")),
        ("", ("", "")),
    ],
)
def test_an_extension_of_two_parts_counts_as_one(name, parts):
    assert labels.split_extension(name) == parts


@pytest.mark.parametrize(
    ("text", "component"),
    [("", "_"), (".", "_"), ("..", "_"), ("a/b", "a_b"), ("a\0b", "a_b"), ("BRAIN^ROUTINE", "BRAIN^ROUTINE")],
)
def test_a_component_of_a_path_is_safe(text, component):
    assert labels.on_disk(text) == component


def test_a_component_is_cut_at_200_bytes_on_a_character_with_its_extension():
    component = labels.on_disk("é" * 150 + ".dicom.zip")
    assert component == "é" * 95 + ".dicom.zip"


def test_a_component_without_extension_is_cut_at_200_bytes():
    assert labels.on_disk("x" * 201) == "x" * 200


@given(st.text(alphabet=st.characters(codec=None)))
def test_a_component_never_leaves_its_folder(text):
    component = labels.on_disk(text)
    assert component not in {"", ".", ".."}
    assert "/" not in component
    assert len(component.encode()) <= 200


@given(st.text(alphabet=st.characters(codec=None)))
def test_shown_text_is_one_line_that_a_database_takes(text):
    shown = labels.clean_text(text, 20)
    shown.encode()
    assert "\0" not in shown
    assert "\n" not in shown
    assert len(shown) <= 20
