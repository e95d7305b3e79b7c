"""The fast reader against pydicom: it may give up on any file, and never says anything else than pydicom."""

import io
import random
import warnings
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from importer.core.dataset import contents, quick
from importer.core.header import DEFAULT_TAGS
from importer.tests.core import made

SHIPPED = Path(pydicom.__file__).parent / "data"
FILES = sorted(path for path in SHIPPED.rglob("*") if path.is_file() and path.suffix != ".pyc")
DICOM = [path for path in FILES if path.read_bytes()[128:132] == b"DICM"]
START = 16 * 1024
SYNTAXES = ("explicit little", "implicit little", "explicit big", "deflated")


def fast(data, start=START):
    def more(offset, length):
        return data[offset : offset + length]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return quick(data[:start], size=len(data), more=more, wanted=DEFAULT_TAGS)


def slow(data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return contents(io.BytesIO(data), size=lambda: len(data), wanted=DEFAULT_TAGS)


def said(read):
    return read.tags, read.transfer_syntax, read.media_class, read.found.pixels, read.found.whole


def agree(data, start=START):
    """True where the fast reader read it."""
    found = fast(data, start)
    if found is None:
        return False
    assert said(found) == said(slow(data))
    return True


@pytest.mark.parametrize("path", DICOM, ids=lambda path: str(path.relative_to(SHIPPED)))
def test_shipped_files_are_read_as_pydicom_reads_them(path):
    data = path.read_bytes()
    agree(data)
    agree(data, start=600)


def test_most_shipped_files_are_ordinary():
    read = sum(agree(path.read_bytes()) for path in DICOM)
    assert read / len(DICOM) > 0.9, f"{read} of {len(DICOM)}"


@pytest.mark.parametrize(("syntax", "ordinary"), list(zip(SYNTAXES, (True, True, False, False), strict=True)))
def test_what_is_for_pydicom_alone_is_left_to_it(syntax, ordinary):
    assert agree(made.file_of(made.with_pixels(made.dataset()), syntax=syntax)) is ordinary


def test_sequences_of_undefined_length_are_stepped_over():
    assert agree(made.file_of(made.nested(5)))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(DICOM), st.integers(1, 12))
def test_mutated_files_never_raise_and_never_differ(seed, path, changes):
    """Bytes changed anywhere before the pixels; where pydicom itself gives up, the fast reader must have, too."""
    dice = random.Random(seed)
    data = bytearray(path.read_bytes()[: 64 * 1024])
    for _ in range(changes):
        data[dice.randrange(128, min(len(data), 4096))] = dice.choice([0, 1, 8, 32, 65, 255, dice.randrange(256)])
    found = fast(bytes(data))
    if found is not None:
        assert said(found) == said(slow(bytes(data)))


@settings(max_examples=100, deadline=None)
@given(st.integers(132, 4000), st.sampled_from(DICOM))
def test_files_cut_anywhere_never_differ(size, path):
    data = path.read_bytes()[:size]
    found = fast(data)
    if found is not None:
        assert said(found) == said(slow(data))


_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=40)


@settings(max_examples=100, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "PatientName": _TEXT,
            "PatientID": _TEXT,
            "StudyDescription": _TEXT,
            "SeriesDescription": _TEXT,
            "OperatorsName": st.lists(_TEXT, max_size=3),
            "SeriesNumber": st.integers(-(2**31), 2**31 - 1),
            "PatientWeight": st.floats(0, 999, allow_nan=False),
        },
    ),
    st.sampled_from(SYNTAXES[:2]),
    st.integers(200, 2000),
)
def test_any_header_is_read_as_pydicom_reads_it(tags, syntax, start):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = made.file_of(made.with_pixels(made.dataset(SpecificCharacterSet="ISO_IR 192", **tags)), syntax=syntax)
    agree(data, start)
