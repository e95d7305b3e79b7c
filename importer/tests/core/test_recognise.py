import pytest

from importer.core import recognise

DICOM = [
    "a.dcm", "a.DCM", ".dcm", "a.dicom", "a.ima", "a.IMA", "123", "00000001", "1.3.6.1.4.1.14519.5.2.1.dcm",
    "1.2.3.4.5", "MR.1.2.3.4.5.6", "CT.1.2.3.4.5", "folder/IM.1.2.3.4.5",
]  # fmt: skip
OTHER = [
    "IM0001", "IMG00001", "noext", "DICOMDIR", "a.dcm.gz", "a.dcm.zip", "a.dic", "file.dc3", "a.txt", "1.2.3.4",
    "MR1.2.3.4.5", "secondary.1.2.3.4.5.6", "i1234.MRDC.1", "123\n", "12\u0663", "a.dcm/readme", "",
]  # fmt: skip


@pytest.mark.parametrize("name", DICOM)
def test_these_names_claim_to_be_dicom(name):
    assert recognise.claims_dicom(name)


@pytest.mark.parametrize("name", OTHER)
def test_these_names_claim_nothing(name):
    assert not recognise.claims_dicom(name)


JUNK = [
    ".DS_Store", "a/.ds_store", "Thumbs.db", "a/THUMBS.DB", "desktop.ini", "._a.dcm", "a/._b/c.dcm", "__MACOSX/a/b.dcm",
    "@eaDir/x", "a/@EADIR/b", ".Trashes/501/x", ".Spotlight-V100/x", ".stfolder", ".stversions/x", "lost+found/x",
    ".snapshot/a/b", "$RECYCLE.BIN/x", "System Volume Information/x",
]  # fmt: skip


@pytest.mark.parametrize("path", JUNK)
def test_what_an_operating_system_left_behind_is_junk(path):
    assert recognise.is_junk(path)


@pytest.mark.parametrize("path", ["a.dcm", "_a/b", ".hidden", "DS_Store", "lost+found.txt", "a.Thumbs.db", "notes._x"])
def test_somebodys_file_is_not_junk(path):
    assert not recognise.is_junk(path)


def test_the_prefix_counts_at_its_place_only():
    assert recognise.has_preamble(bytes(128) + b"DICM")
    assert not recognise.has_preamble(b"DICM" + bytes(200))
    assert not recognise.has_preamble(bytes(128) + b"DIC")


@pytest.mark.parametrize(("name", "is_archive"), [("a.dicom.zip", True), ("A.DICOM.ZIP", True), ("a.zip", False)])
def test_a_series_archive_goes_by_its_double_ending(name, is_archive):
    assert recognise.is_series_archive(name) is is_archive


@pytest.mark.parametrize("uid", ["1.2.840.10008.1.2", "1", "0.0", "1.02.3", "1." + "2" * 62])
def test_a_uid_is_well_formed(uid):
    assert recognise.well_formed_uid(uid)


@pytest.mark.parametrize("uid", ["", ".", "1.", ".1", "1..2", "1.2a", "1.2 ", "1.2\n", "1\\2", "1.\u0662", "1" * 65])
def test_a_uid_is_malformed(uid):
    assert not recognise.well_formed_uid(uid)


def test_what_a_system_leaves_in_an_archive_is_junk_too():
    assert recognise.is_junk("x/a.zip::__MACOSX/b.dcm")
    assert recognise.is_junk("x/a.zip::._b.dcm")
    assert recognise.is_junk("x/._a.zip::b.dcm")
    assert not recognise.is_junk("x/a.zip::b.dcm")


def test_a_member_is_dicom_by_its_own_name():
    assert recognise.claims_dicom("x/a.zip::123")
    assert not recognise.claims_dicom("x/123::a.zip")
