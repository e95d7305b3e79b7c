"""Each bad file has its own reason on its own row, the rest is imported, nothing is lost, nothing hangs."""

import os
import shutil
import socket
import zipfile

import pytest
from django.db import connection

from conftest import ON_SQLITE, shipped_dicom
from importer.models import Item
from importer.tests.pipeline.denied import permissions_count
from importer.tests.pipeline.drive import (
    became,
    imported,
    instance,
    leftovers,
    outcomes,
    put,
    put_series,
    reasons,
    run,
    start,
    tree,
    until,
)

pytestmark = pytest.mark.django_db(transaction=True)
SERIES = "P01/study 1/1 - t1/1 - t1.dicom.zip"


@pytest.fixture
def source(project, places, tmp_path):
    """Two good slices, which come in whatever lies beside them."""
    folder = tmp_path / "in"
    put_series(folder / "good", 2)
    yield folder
    assert SERIES in tree(project)
    assert leftovers(places) == []


def said(job):
    """What was said of all but the good ones."""
    return {path: reason for path, reason in reasons(job).items() if not path.startswith("good/")}


def test_content_that_is_not_what_it_should_be(project, source):
    whole = instance(9, series=3, Rows=8, Columns=8, BitsAllocated=16, PixelData=bytes(128))
    put(source / "zero.dcm", b"")
    put(source / "zero.txt", b"")
    put(source / "text.dcm", b"this is no dicom")
    put(source / "12345", b"\0" * 4096)
    put(source / "noise.ima", os.urandom(4096))
    put(source / "half.dcm", whole[: len(whole) // 2])
    put(source / "pixels cut.dcm", whole[:-100])
    put(source / "start only.dcm", whole[:200])
    put(source / "prefix only", whole[:132])
    put(source / "no uid.dcm", instance(1, series=4, SeriesInstanceUID=None))
    put(source / "odd uid.dcm", instance(1, series=4, StudyInstanceUID="1.2.x"))
    put(source / "no zip.dicom.zip", b"PK\x03\x04 or not")
    put(source / ".DS_Store", b"junk")
    put(source / "@eaDir" / "1.dcm", instance(1, series=5))
    put(source / "__MACOSX" / "._1.dcm", b"")

    job = imported(project, source)

    assert job.status == "completed"
    assert said(job) == {
        "zero.dcm": "skipped: Zero-byte file",
        "zero.txt": "skipped: Zero-byte file",
        "text.dcm": "failed: Unreadable",
        "12345": "failed: Unreadable",
        "noise.ima": "failed: Unreadable",
        "half.dcm": "failed: Truncated",
        "pixels cut.dcm": "failed: Truncated",
        "start only.dcm": "failed: No UID",
        "prefix only": "failed: No UID",
        "no uid.dcm": "failed: No UID",
        "odd uid.dcm": "failed: No UID",
        "no zip.dicom.zip": "failed: Unreadable",
        ".DS_Store": "skipped: Junk",
        "@eaDir/1.dcm": "skipped: Junk",
        "__MACOSX/._1.dcm": "skipped: Junk",
    }


def test_a_media_directory_is_skipped_with_its_own_reason(project, places, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copyfile(shipped_dicom() / "dicomdirtests" / "DICOMDIR", folder / "DICOMDIR")

    assert reasons(imported(project, folder)) == {"DICOMDIR": "skipped: DICOMDIR"}


def test_links_are_never_followed(project, source, tmp_path):
    outside = put(tmp_path / "outside" / "secret.dcm", instance(1, series=7))
    (source / "file.dcm").symlink_to(outside)
    (source / "folder").symlink_to(outside.parent)
    (source / "root").symlink_to(source)
    (source / "one").symlink_to(source / "two")
    (source / "two").symlink_to(source / "one")
    (source / "nowhere").symlink_to(tmp_path / "is not there")
    (source / "device").symlink_to("/dev/zero")

    job = imported(project, source)

    assert said(job) == dict.fromkeys(
        ["file.dcm", "folder", "root", "one", "two", "nowhere", "device"], "skipped: Symlink"
    )
    assert list(tree(project)) == [SERIES]


def test_what_is_neither_file_nor_folder_blocks_nobody(project, source):
    os.mkfifo(source / "pipe.dcm")
    listening = socket.socket(socket.AF_UNIX)
    here = os.getcwd()
    os.chdir(source)
    try:
        listening.bind("socket")
    finally:
        os.chdir(here)

    with listening:
        job = imported(project, source)

    assert said(job) == {"pipe.dcm": "skipped: Special file", "socket": "skipped: Special file"}


def test_a_file_with_two_names_is_two_files(project, source):
    put(source / "SUB" / "SES" / "ACQ" / "x.bin", b"x")
    (source / "SUB" / "SES" / "ACQ" / "y.bin").hardlink_to(source / "SUB" / "SES" / "ACQ" / "x.bin")

    assert set(said(imported(project, source)).values()) == {"imported"}


def test_what_may_not_be_read_fails_alone(project, source):
    put(source / "locked.dcm", instance(1, series=2)).chmod(0)
    put(source / "no list" / "1.dcm", instance(1, series=3))
    put(source / "no entry" / "1.dcm", instance(1, series=4))
    put(source / "no entry" / "2.dcm", instance(2, series=4))
    (source / "no list").chmod(0o300)
    (source / "no entry").chmod(0o600)

    try:
        with permissions_count():
            job = imported(project, source)
    finally:
        for name in ("no list", "no entry"):
            (source / name).chmod(0o700)

    assert job.status == "completed"
    assert said(job) == {
        "locked.dcm": "failed: Unreadable",
        "no list/": "failed: Unreadable",
        "no entry/1.dcm": "failed: Unreadable",
        "no entry/2.dcm": "failed: Unreadable",
    }


def swapped_for_link(path, outside):
    path.unlink()
    path.symlink_to(outside)


def swapped_for_pipe(path, outside):
    path.unlink()
    os.mkfifo(path)


def folder_swapped_for_link(path, outside):
    path.parent.rename(path.parent.with_name("moved"))
    path.parent.symlink_to(outside.parent)


MEANWHILE = {
    "gone": (lambda path, _: path.unlink(), "failed: Vanished"),
    "grown": (lambda path, _: path.write_bytes(path.read_bytes() + b"more"), "failed: Changed since listing"),
    "rewritten": (lambda path, _: put(path, bytes(reversed(path.read_bytes()))), "failed: Changed since listing"),
    "replaced": (lambda path, other: shutil.copy2(other, path.with_name("n")) and path.with_name("n").rename(path),
                 "failed: Changed since listing"),
    "a link": (swapped_for_link, "skipped: Symlink"),
    "in a folder that is a link": (folder_swapped_for_link, "skipped: Symlink"),
    "a pipe": (swapped_for_pipe, "skipped: Special file"),
    "a folder": (lambda path, _: path.unlink() or path.mkdir(), "skipped: Special file"),
}  # fmt: skip


@pytest.mark.parametrize("stage", ["extracting", "transferring"])
@pytest.mark.parametrize("what", MEANWHILE)
def test_what_becomes_something_else_meanwhile_fails_alone(project, source, tmp_path, what, stage):
    change, reason = MEANWHILE[what]
    path = put(source / "changing" / "1.dcm", instance(1, series=2))
    outside = put(tmp_path / "outside" / "1.dcm", path.read_bytes())
    shutil.copystat(path, outside)
    job = start(project, source)
    until(job, stage)

    change(path, outside)
    run(job)

    assert said(job) == {"changing/1.dcm": reason}
    assert list(tree(project)) == [SERIES]


def test_of_a_series_only_the_slices_that_changed_fail(project, source):
    put_series(source / "many", 5, series=2)
    job = start(project, source)
    until(job, "transferring")
    (source / "many" / "0003.dcm").unlink()
    put(source / "many" / "0004.dcm", instance(4, series=2, ContentDate="20200101"))

    run(job)

    assert list(said(job).values()) == ["imported", "imported", "failed: Vanished", "failed: Changed since listing",
                                        "imported"]  # fmt: skip
    assert job.placements.get(file_name="2 - t1.dicom.zip").outcome == "imported"


def test_a_large_slice_that_changed_does_not_spoil_its_archive(project, source, places):
    rows = 3000
    big = {"Rows": rows, "Columns": rows, "BitsAllocated": 16, "PixelData": bytes(rows * rows * 2)}
    for number in (1, 2, 3):
        put(source / "big" / f"{number}.dcm", instance(number, series=2, **big))
    job = start(project, source)
    until(job, "transferring")
    os.utime(source / "big" / "2.dcm")

    run(job)

    assert list(said(job).values()) == ["imported", "failed: Changed since listing", "imported"]
    with zipfile.ZipFile(next(places.archive.rglob("2 - t1.dicom.zip"))) as packed:
        assert packed.testzip() is None
        assert [info.filename for info in packed.infolist()] == ["1.2.3.4.1.2.1.MR.dcm", "1.2.3.4.1.2.3.MR.dcm"]


def test_an_archive_full_of_evil_is_judged_by_its_name_alone(project, source):
    """Stored as it came, so nothing of it is unpacked; no member decides where anything lies."""
    bomb = source / "bomb.dicom.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("0.dcm", b"\0" * 128 + b"DICM" + bytes(200 * 1024 * 1024))
    with zipfile.ZipFile(source / "climbs.dicom.zip", "w") as packed:
        packed.writestr("../../../../escaped.dcm", instance(1, series=9))
    with zipfile.ZipFile(source / "empty.dicom.zip", "w"):
        pass

    job = imported(project, source)

    assert said(job) == {
        "bomb.dicom.zip": "failed: Unreadable",
        "climbs.dicom.zip": "imported",
        "empty.dicom.zip": "failed: Unreadable",
    }
    assert not list(source.parent.rglob("escaped.dcm"))


class Largest:
    """Counts the rows that each transaction writes (BEGIN is seen, its end is not)."""

    def __init__(self):
        self.rows = self.most = 0

    def __call__(self, execute, sql, params, many, context):
        if sql.startswith("BEGIN"):
            self.rows = 0
        result = execute(sql, params, many, context)
        if sql.startswith(("INSERT", "UPDATE", "DELETE")):
            self.rows += max(0, context["cursor"].rowcount)
            self.most = max(self.most, self.rows)
        return result


@pytest.mark.slow
def test_ten_thousand_files_in_one_folder_import_like_any_other_in_small_transactions(project, places, tmp_path):
    folder = tmp_path / "in" / "SUB" / "SES" / "ACQ"
    folder.mkdir(parents=True)
    for number in range(10_000):
        (folder / f"{number:05}.bin").write_bytes(b"%d" % number)
    largest = Largest()

    with connection.execute_wrapper(largest):
        job = imported(project, tmp_path / "in")

    assert (job.discovered, job.imported, len(tree(project))) == (10_000, 10_000, 10_000)
    assert list(Item.objects.filter(job=job).order_by("seq").values_list("path", flat=True)[:2]) == [
        "SUB/SES/ACQ/00000.bin", "SUB/SES/ACQ/00001.bin",
    ]  # fmt: skip
    assert 500 < largest.most <= 5000 or not ON_SQLITE


def test_no_reason_repeats_what_a_file_says_about_a_patient(project, source):
    secret = "SECRETNAME"
    put(source / "1.dcm", instance(1, series=2, patient=secret, PatientName=secret, StudyDescription=secret)[:-1])
    put(source / "2.dcm", instance(1, series=3, patient=secret, StudyInstanceUID=secret))
    put(source / "3.dcm", instance(1, series=4, patient=None, PatientName=secret))
    put(source / "4.dcm", instance(1, series=5, SeriesDescription=secret))
    put(source / "5.dcm", instance(2, series=5, SeriesDescription=secret + "2"))

    job = imported(project, source)

    assert not [reason for _, reason in outcomes(job).values() if secret in reason]
    assert became(job)["4.dcm"] == "conflict"


def test_times_that_no_database_holds_are_times_all_the_same(project, source):
    """Nanoseconds since 1970 leave 64 bits in 2262, and had not reached them in 1677; file systems hold more."""
    for name, seconds in (("late", 10**10 + 1), ("early", -(10**10) - 1)):
        path = put(source / "S" / "E" / "A" / name)
        os.utime(path, ns=(0, seconds * 10**9))

    job = imported(project, source)

    assert set(said(job).values()) == {"imported"}
    assert imported(project, source).skipped == job.discovered
