"""Names of any bytes as text, and back."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.core.names import (
    archive_and_member,
    base_name,
    folder_of,
    member_path,
    parts_of,
    printable,
    raw,
    shown,
)


@given(st.binary(max_size=40))
def test_every_name_comes_back_byte_for_byte(name):
    text = printable(name)
    assert raw(text) == name
    assert text.encode().decode() == text


@given(st.lists(st.binary(min_size=1, max_size=6), min_size=2, max_size=2, unique=True))
def test_two_names_are_two_texts(names):
    assert printable(names[0]) != printable(names[1])


def test_what_is_utf_8_stays_as_it_is():
    assert printable("Zo\u00eb/e\u0301\n\u202e".encode()) == "Zo\u00eb/e\u0301\n\u202e"


def test_what_is_not_is_spelled_out():
    assert printable(b"caf\xe9") == r"caf\xe9"
    assert printable(rb"caf\xe9") == r"caf\x5cxe9"
    assert printable(rb"\x5cxe9 \y \x") == r"\x5cx5cxe9 \y \x"


def test_what_is_shown_has_no_control_character_or_direction_mark():
    assert shown("a\nb\x1b\u202eb\u2066\x85\u2028") == r"a\nb\x1b\u202eb\u2066\x85\u2028"
    assert shown("Zo\u00eb \\ plain") == "Zo\u00eb \\ plain"
    row = next(csv.reader(io.StringIO(shown("a\r\nb"))))
    assert row == [r"a\r\nb"]


COLONS = st.text(alphabet=":\\x3a/5c", max_size=12).map(str.encode)


@given(COLONS)
def test_two_colons_never_stand_side_by_side(name):
    text = printable(name)
    assert "::" not in text
    assert raw(text) == name


def test_one_colon_stays_as_it_is():
    assert printable(b"12:00/a:b::c:::d") == r"12:00/a:b\x3a:c\x3a\x3a:d"


@given(COLONS, COLONS.filter(bool))
def test_an_archive_is_told_from_its_member(archive, member):
    path = member_path(printable(archive), printable(member))
    assert tuple(map(raw, archive_and_member(path))) == (archive, member)


@pytest.mark.parametrize(
    ("path", "folder", "name", "parts"),
    [
        ("a", "", "a", ["a"]),
        ("a/b", "a", "b", ["a", "b"]),
        ("a/", "a", "", ["a", ""]),
        ("a:b/c:d", "a:b", "c:d", ["a:b", "c:d"]),
        ("a.zip::b", "a.zip", "b", ["a.zip", "b"]),
        ("x/a.zip::in/b", "x/a.zip::in", "b", ["x", "a.zip", "in", "b"]),
        ("x/a.zip::in", "x/a.zip", "in", ["x", "a.zip", "in"]),
    ],
)
def test_a_path_comes_apart_at_folders_and_archives(path, folder, name, parts):
    assert (folder_of(path), base_name(path), parts_of(path)) == (folder, name, parts)


@given(st.text(alphabet="a:/", max_size=12))
def test_upwards_always_ends(path):
    for _ in range(len(path)):
        path = folder_of(path)
    assert path == ""
