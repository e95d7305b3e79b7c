"""The second import from a storage: what is as it was is not read, what became of it since is told."""

import os
import time

import pytest

from hierarchy.models import File, FileVersion
from importer.models import Became, Conflict, Decision, Known, Placement
from importer.pipeline.opened import StoreFile
from importer.pipeline.remember import vanished
from importer.tests.pipeline.drive import became, instance, outcomes, put, put_series, reasons, tree, wrongs
from importer.tests.pipeline.stored import aged, imported, storage_of
from importer.tests.review.cases import decided, undone
from storages.stores import Kind, StoreConfig

pytestmark = pytest.mark.django_db


@pytest.fixture
def source(tmp_path):
    """Three instances of a series with notes beside them, and a file that nothing tells a place."""
    root = tmp_path / "bucket"
    put_series(root / "P01" / "MR", 3)
    put(root / "P01" / "notes.txt", b"beside the images")
    put(root / "readme.txt", b"of no place at all")
    aged(root)
    return root


@pytest.fixture
def storage(source):
    return storage_of(StoreConfig(Kind.LOCAL, str(source)))


@pytest.fixture
def reads(monkeypatch):
    """Keys of which bytes were read."""
    found, original = [], StoreFile._fetch

    def counted(self, offset, length):
        found.append(self._listed.key)
        return original(self, offset, length)

    monkeypatch.setattr(StoreFile, "_fetch", counted)
    return found


def standing(job):
    return Placement.objects.filter(job=job, kind="known")


def test_nothing_that_is_as_it_was_is_read_again(project, places, storage, reads):
    first = imported(project, storage)
    before = tree(project)
    assert became(first)["readme.txt"] == "imported"
    reads.clear()

    again = imported(project, storage)

    assert reads == []
    assert set(outcomes(again).values()) == {("skipped", "File already exists")}
    assert again.status == "completed"
    assert tree(project) == before
    # One row for all of a version, with where it is.
    assert standing(again).count() == FileVersion.objects.count() == 3
    series = standing(again).get(file_name__endswith=".dicom.zip")
    file = File.objects.get(name=series.file_name)
    assert (series.file_id, series.version, series.acquisition_label) == (file.pk, 1, file.acquisition.label)
    assert series.items.count() == 3
    assert wrongs() == []


def test_what_changed_and_what_is_new_is_looked_at_and_nothing_else(project, places, storage, source, reads):
    imported(project, storage)
    put(source / "P01" / "MR" / "0002.dcm", instance(2, PatientComments="corrected"))
    put(source / "P02" / "0001.dcm", instance(1, study=2, patient="P02"))
    reads.clear()

    again = imported(project, storage)

    assert set(reads) == {"P01/MR/0002.dcm", "P02/0001.dcm"}
    assert reasons(again)["P01/MR/0002.dcm"] == "conflict: File already exists with other content"
    assert became(again)["P02/0001.dcm"] == "imported"
    assert sum(outcome == "skipped" for outcome in became(again).values()) == 4


def test_a_file_that_was_touched_is_compared_and_is_the_same(project, places, storage, source):
    imported(project, storage)
    os.utime(source / "P01" / "MR" / "0001.dcm", (1_700_000_000, 1_700_000_000))

    again = imported(project, storage)

    assert set(outcomes(again).values()) == {("skipped", "File already exists")}
    assert Known.objects.get(path="P01/MR/0001.dcm").mtime_ns == 1_700_000_000 * 10**9


def test_what_was_written_within_the_last_seconds_is_not_trusted(project, places, storage, source, reads):
    young = put(source / "P02" / "0001.dcm", instance(1, study=2, patient="P02"))
    imported(project, storage)
    assert not Known.objects.filter(path="P02/0001.dcm").exists()
    reads.clear()

    imported(project, storage)

    assert set(reads) == {"P02/0001.dcm"}
    assert young.stat().st_mtime > time.time() - 60


def test_other_rules_or_options_look_at_everything_again(project, places, storage, reads):
    imported(project, storage)
    reads.clear()

    again = imported(project, storage, uid_scope="none")

    assert "P01/MR/0001.dcm" in reads
    assert set(became(again).values()) == {"skipped"}


def test_checksum_reads_every_byte(project, places, storage, reads):
    imported(project, storage)
    reads.clear()

    again = imported(project, storage, checksum=True)

    assert {f"P01/MR/000{n}.dcm" for n in (1, 2, 3)} <= set(reads)
    assert set(outcomes(again).values()) == {("skipped", "File already exists")}


def test_what_waits_is_not_held_twice_and_what_was_rejected_stays_so(project, places, storage, source, reads):
    imported(project, storage)
    put(source / "P01" / "MR" / "0002.dcm", instance(2, PatientComments="corrected"))
    aged(source)
    imported(project, storage)
    reads.clear()

    waiting = imported(project, storage)
    assert reasons(waiting)["P01/MR/0002.dcm"] == "skipped: Already held in review"
    assert reads == []
    assert waiting.status == "completed"

    decided(Conflict.objects.all(), "reject_incoming")
    rejected = imported(project, storage)
    assert outcomes(rejected)["P01/MR/0002.dcm"] == ("skipped", "Rejected in review")

    undone(Decision.objects.get())
    assert reasons(imported(project, storage))["P01/MR/0002.dcm"] == "skipped: Already held in review"
    decided(Conflict.objects.all(), "merge_incoming")
    merged = imported(project, storage)
    assert outcomes(merged)["P01/MR/0002.dcm"] == ("skipped", "File already exists")
    assert reads == []


def test_what_was_deleted_here_does_not_come_back(project, places, storage, source, reads):
    imported(project, storage)
    gone = File.objects.get(name="readme.txt")
    gone.versions.all().delete()
    gone.delete()
    reads.clear()

    for options in ({}, {"checksum": True}, {"uid_scope": "none"}):
        again = imported(project, storage, **options)
        assert reasons(again)["readme.txt"] == "skipped: Deleted here"
    assert "readme.txt" not in reads
    assert Known.objects.get(path="readme.txt").became == Became.DELETED
    assert not File.objects.filter(name="readme.txt").exists()

    put(source / "readme.txt", b"another content")
    assert became(imported(project, storage))["readme.txt"] == "imported"


def test_what_vanished_is_told_once_and_nothing_is_removed(project, places, storage, source):
    imported(project, storage)
    before = tree(project)
    (source / "P01" / "MR" / "0003.dcm").unlink()
    (source / "readme.txt").unlink()

    again = imported(project, storage)

    assert again.vanished == 2
    assert sorted(vanished(again).values_list("path", flat=True)) == ["P01/MR/0003.dcm", "readme.txt"]
    assert tree(project) == before
    assert imported(project, storage).vanished == 0

    put(source / "readme.txt", b"of no place at all")
    aged(source)
    assert became(imported(project, storage))["readme.txt"] == "skipped"
    assert [row.path for row in vanished(again)] == ["P01/MR/0003.dcm"]


def test_an_import_of_a_part_tells_of_nothing_outside_of_it(project, places, storage, source):
    imported(project, storage)
    (source / "readme.txt").unlink()
    (source / "P01" / "notes.txt").unlink()

    part = imported(project, storage, "P01/")
    few = imported(project, storage, limit=1)

    assert list(vanished(part).values_list("path", flat=True)) == ["P01/notes.txt"]
    assert few.vanished == 0


def test_files_beside_dicom_that_is_known_are_placed_by_it(project, places, storage, source):
    imported(project, storage)
    put(source / "P01" / "MR" / "later.csv", b"1,2,3")

    again = imported(project, storage)

    assert became(again)["P01/MR/later.csv"] == "imported"
    acquisition = File.objects.get(name__endswith=".dicom.zip").acquisition
    assert File.objects.get(name="later.csv").acquisition == acquisition


def test_what_matched_no_rule_is_looked_at_no_more(project, places, source, storage, reads):
    rules = "- {level: subject, type: file, include: ['path=~\\.dcm$'], mappings: ['path={sub}/*']}"
    first = imported(project, storage, rules_text=rules)
    reads.clear()

    again = imported(project, storage, rules_text=rules)

    assert reasons(first)["readme.txt"] == reasons(again)["readme.txt"] == "skipped: No rule matched"
    assert reads == []
