import io
import struct
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from importer.core.archives import MOST_INFLATED, first_member_header
from importer.core.records import Bad, Header
from importer.tests.core import made

NOT_A_ZIP = Bad("failed", "Unreadable: not a zip archive")


def instance(patient, **changes):
    return made.file_of(made.with_pixels(made.dataset(PatientID=patient, **changes)))


def zipped(members, *, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def first(data):
    return first_member_header(io.BytesIO(data))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_first_member_in_name_order_speaks_for_the_archive(method):
    data = zipped({"b.dcm": instance("B"), "a.dcm": instance("A")}, method=method)
    assert first(data).get("PatientID") == "A"


def test_members_that_are_no_dicom_are_passed_over():
    data = zipped({"__MACOSX/a.dcm": b"junk", "README": b"hello", "folder/": b"", "z.dcm": instance("Z")})
    assert first(data).get("PatientID") == "Z"


def test_dicom_without_a_telling_name_counts_by_its_content():
    assert first(zipped({"IM0001": instance("A"), "z.dcm": instance("Z")})).get("PatientID") == "A"


def test_a_dicomdir_inside_is_passed_over():
    directory = made.file_of(made.dataset(SOPClassUID="1.2.840.10008.1.3.10"))
    assert first(zipped({"DICOMDIR": directory, "z.dcm": instance("Z")})).get("PatientID") == "Z"


def test_a_first_member_that_is_broken_fails_the_archive():
    assert first(zipped({"a.dcm": b"no", "z.dcm": instance("Z")})) == Bad("failed", "Unreadable: no DICM prefix")


def test_an_archive_without_dicom_says_so():
    assert first(zipped({"a.txt": b"hello"})) == Bad("failed", "Unreadable: no DICOM in the archive")


@pytest.mark.parametrize(
    "data", [b"", b"no zip", bytes(5000), b"PK\5\6" + b"\xff" * 18], ids=["empty", "text", "zeros", "lies"]
)
def test_what_is_no_archive_says_so(data):
    assert first(data) == NOT_A_ZIP


def test_an_archive_that_is_cut_short_is_no_archive():
    assert first(zipped({"a.dcm": instance("A")})[:-30]) == NOT_A_ZIP


def test_an_encrypted_member_is_not_asked_for_its_password():
    data = bytearray(zipped({"a.dcm": instance("A")}))
    data[data.index(b"PK\1\2") + 8] |= 1
    assert first(bytes(data)) == Bad("failed", "Unreadable: the archive is encrypted")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_method_that_inflates_without_bound_is_refused(method):
    found = first(zipped({"a.dcm": instance("A")}, method=method))
    assert found == Bad("failed", "Unreadable: the archive's compression is not supported")


class Counted(io.BytesIO):
    """Counts what is read."""

    taken = 0

    def read(self, size=-1):
        data = super().read(size)
        self.taken += len(data)
        return data


def test_a_bomb_of_one_member_is_given_up_after_a_mebibyte():
    data = made.file_of(made.dataset(SeriesInstanceUID=None))
    bomb = data + struct.pack("<HH2sHL", 0x0009, 0x1001, b"OB", 0, 64 * MOST_INFLATED) + bytes(65 * MOST_INFLATED)
    assert first(zipped({"a.dcm": bomb})).reason.startswith("Unreadable")


def test_a_bomb_of_many_members_is_given_up_as_well():
    found = first(zipped({f"{n:05}": bytes(140) for n in range(9000)}))
    assert found.outcome == "failed"


def test_a_header_beyond_the_first_windows_is_still_read():
    data = made.dataset(PatientID="A")
    for element in range(100):
        data.add_new(0x00091000 + element, "OB", bytes(3000))
    assert first(zipped({"a.dcm": made.file_of(made.with_pixels(data))})).get("PatientID") == "A"


def test_only_the_start_of_a_large_stored_member_is_read():
    big = made.file_of(made.with_pixels(made.dataset(), rows=2048, columns=2048))
    stream = Counted(zipped({"a.dcm": big}, method=zipfile.ZIP_STORED))
    assert isinstance(first_member_header(stream), Header)
    assert stream.taken < 200_000


def test_trouble_of_the_disk_is_not_the_archives_fault():
    class Broken(io.BytesIO):
        def read(self, _size=-1):
            raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        first_member_header(Broken(zipped({"a.dcm": instance("A")})))


GOOD = zipped({"a.dcm": instance("A"), "b.dcm": instance("B")})


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_an_archive_with_any_bytes_changed_never_raises(changes):
    data = bytearray(GOOD)
    for place, value in changes:
        data[place] = value
    assert isinstance(first(bytes(data)), Bad | Header)
