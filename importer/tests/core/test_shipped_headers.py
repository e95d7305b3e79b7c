"""Every file that ships with pydicom: judged without raising, and read as pydicom itself reads it."""

import io
from pathlib import Path

import pydicom
import pytest

from importer.core.header import DEFAULT_TAGS
from importer.core.records import Bad, Header
from importer.tests.core import made

SHIPPED = Path(pydicom.__file__).parent / "data"
TEST_FILES = sorted(path for path in SHIPPED.rglob("*") if path.is_file() and path.suffix != ".pyc")


def outcome(path):
    found = made.verdict(path.read_bytes())
    return found.reason.split(":")[0] if isinstance(found, Bad) else "whole"


NOTABLE = {
    "test_files/CT_small.dcm": "whole",
    "test_files/MR_small_padded.dcm": "whole",
    "test_files/MR_truncated.dcm": "Truncated",
    "test_files/rtplan_truncated.dcm": "Truncated",
    "test_files/rtplan.dcm": "whole",
    "test_files/image_dfl.dcm": "whole",
    "test_files/JPEG2000-embedded-sequence-delimiter.dcm": "whole",
    "test_files/SC_rgb_small_odd.dcm": "whole",
    "test_files/SC_ybr_full_422_uncompressed.dcm": "whole",
    "test_files/waveform_ecg.dcm": "whole",
    "test_files/test-SR.dcm": "whole",
    "test_files/badVR.dcm": "whole",
    "test_files/meta_missing_tsyntax.dcm": "No UID",
    "test_files/no_meta.dcm": "Unreadable",
    "test_files/zipMR.gz": "Unreadable",
    "test_files/dicomdirtests/DICOMDIR-bigEnd": "DICOMDIR",
    "test_files/dicomdirtests/DICOMDIR-implicit": "DICOMDIR",
    "test_files/dicomdirtests/TINY_ALPHA/PT000000/ST000000/SE000000/IM000000": "whole",
    "charset_files/chrJapMulti.dcm": "Truncated",
    "charset_files/chrX1.dcm": "whole",
    "palettes/hotiron.dcm": "No UID",
}


@pytest.mark.parametrize(("name", "expected"), NOTABLE.items(), ids=NOTABLE)
def test_notable_shipped_files_are_judged_right(name, expected):
    assert outcome(SHIPPED / name) == expected


def test_no_shipped_file_raises():
    assert {outcome(path) for path in TEST_FILES} == {"whole", "Truncated", "No UID", "Unreadable", "DICOMDIR"}


def theirs(path):
    """Texts as pydicom itself gives them, by another way in: whole file, its own decoding."""
    read = pydicom.dcmread(io.BytesIO(path.read_bytes()))
    return {
        keyword: text(read[keyword].value) for keyword in DEFAULT_TAGS if keyword in read and text(read[keyword].value)
    }


def text(value):
    values = value if isinstance(value, pydicom.multival.MultiValue) else [value]
    return "\\".join(written(one).strip("\0 ") for one in values)


def written(value):
    """A number as it stands in the file, not as Python would print it."""
    original = getattr(value, "original_string", None)
    return original if isinstance(original, str) else "" if value is None else str(value)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", TEST_FILES, ids=lambda path: str(path.relative_to(SHIPPED)))
def test_tags_are_those_that_pydicom_reads(path):
    ours = made.read(path.read_bytes())
    if isinstance(ours, Header):
        assert {keyword: one.rstrip("=") for keyword, one in ours.tags.items()} == theirs(path)
