"""What clashes waits in quarantine, whole; what stands is untouched; what is clear lands all the same."""

import pytest
from django.utils import timezone

from hierarchy.models import File, FileVersion
from importer.core import manifest
from importer.core.states import MissingMeta
from importer.models import Chunk, Conflict
from importer.pipeline import chunks
from importer.tests.pipeline.drive import (
    became,
    bytes_under,
    conflicts,
    digest,
    imported,
    instance,
    leftovers,
    members,
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


def held(places):
    """The one conflict's bytes in quarantine."""
    waiting = Conflict.objects.get()
    return waiting, places.quarantine / waiting.path


# A name that is taken


def test_a_series_with_other_content_waits_with_its_bytes_and_nothing_else_does(project, places, one):
    files = put_series(one, 3, ContentDate="20200103")
    put_series(one / "clear", 1, series=2)

    job = imported(project, one)

    waiting, path = held(places)
    assert (job.status, job.conflict, job.imported) == ("needs_review", 3, 1)
    assert (waiting.level, waiting.type) == ("file", "file_name_already_exists")
    assert waiting.upload_path == "P01/study 1/1 - t1/1 - t1.dicom.zip"
    assert members(path) == {f"1.2.3.4.1.1.{n}.MR.dcm": file.read_bytes() for n, file in enumerate(files, 1)}
    assert waiting.size == path.stat().st_size
    assert waiting.digest == manifest.digest(manifest.from_lines(waiting.manifest))
    assert [c["id"] for c in waiting.candidates] == [File.objects.get(name="1 - t1.dicom.zip").pk]
    assert {r for p, r in reasons(job).items() if "/" not in p} == {"conflict: File already exists with other content"}


def test_a_series_that_grew_waits_as_a_whole(project, places, one):
    put_series(one, 5)

    job = imported(project, one)

    assert conflicts() == [("file_name_already_exists", "P01/study 1/1 - t1/1 - t1.dicom.zip")]
    assert (job.conflict, job.placements.get().version) == (5, 1)


def test_another_file_of_a_taken_name_waits(project, places, tmp_path):
    put(tmp_path / "one" / "S" / "E" / "A" / "notes.txt", b"first")
    put(tmp_path / "two" / "S" / "E" / "A" / "notes.txt", b"second")
    imported(project, tmp_path / "one")

    job = imported(project, tmp_path / "two")

    _, path = held(places)
    assert path.read_bytes() == b"second"
    assert tree(project) == {"S/E/A/notes.txt": digest(b"first")}
    assert became(job) == {"S/E/A/notes.txt": "conflict"}


def test_what_waits_is_not_held_twice(project, places, one):
    put_series(one, 3, ContentDate="20200103")
    imported(project, one)
    before = bytes_under(places.quarantine)

    again = imported(project, one)

    assert (again.status, again.skipped, again.conflict) == ("completed", 3, 0)
    assert set(reasons(again).values()) == {"skipped: Already held in review"}
    assert bytes_under(places.quarantine) == before
    assert Conflict.objects.count() == 1


def test_of_equal_ones_that_clash_the_first_by_path_waits_whichever_is_moved_first(project, places, one, monkeypatch):
    put_series(one / "b", 1, patient="P02")
    put(one / "b" / "notes.txt", b"same")
    put(one / "a" / "notes.txt", b"same")
    put_series(one / "a", 1, patient="P02", first=2)
    monkeypatch.setattr(chunks, "SLICE_COUNT", 1)
    job = start(project, one)
    until(job, "transferring")
    first = Chunk.objects.filter(job=job, work="transfer", first_seq=1)
    assert first.update(owner="elsewhere", leased_until=timezone.now() + timezone.timedelta(seconds=600)) == 1
    run(job)
    assert Conflict.objects.filter(upload_path__endswith="notes.txt").exists()
    first.update(owner="", leased_until=None)
    run(job)

    assert became(job)["a/notes.txt"] == "conflict"
    assert reasons(job)["b/notes.txt"] == "skipped: Already held in review"
    waiting = Conflict.objects.get(upload_path__endswith="notes.txt")
    assert [line.source for line in manifest.from_lines(waiting.manifest)] == ["a/notes.txt"]


# Two of one job want one place


def test_of_two_files_for_one_place_the_first_by_path_lands_equal_ones_are_skipped_others_wait(
    project, places, tmp_path
):
    for folder, data in [("a", b"one"), ("b", b"one"), ("c", b"two"), ("d", b"two"), ("e", b"one"), ("f", b"three")]:
        put(tmp_path / "in" / folder / "S" / "E" / "A" / "x.txt", data)

    job = imported(project, tmp_path / "in")

    assert reasons(job) == {
        "a/S/E/A/x.txt": "imported",
        "b/S/E/A/x.txt": "skipped: File already exists",
        "c/S/E/A/x.txt": "conflict: File already exists with other content",
        "d/S/E/A/x.txt": "skipped: Already held in review",
        "e/S/E/A/x.txt": "skipped: File already exists",
        "f/S/E/A/x.txt": "conflict: File already exists with other content",
    }
    assert tree(project) == {"S/E/A/x.txt": digest(b"one")}
    standing = FileVersion.objects.get()
    skipped = job.placements.filter(reason="File already exists").values_list("file_id", "version", "version_id")
    assert set(skipped) == {(standing.file_id, 1, standing.pk)}
    assert sorted(bytes_under(places.quarantine).values()) == sorted([digest(b"two"), digest(b"three")])


def test_instances_that_come_twice(project, places, tmp_path):
    put(tmp_path / "in" / "a.dcm", instance(1))
    put(tmp_path / "in" / "b.dcm", instance(2))
    put(tmp_path / "in" / "c" / "same.dcm", instance(1))
    put(tmp_path / "in" / "d" / "other.dcm", instance(1, ContentDate="20200103"))

    job = imported(project, tmp_path / "in")

    assert reasons(job) == {
        "a.dcm": "imported",
        "b.dcm": "imported",
        "c/same.dcm": "skipped: Duplicate instance",
        "d/other.dcm": "conflict: Instance UID has different content",
    }
    waiting, path = held(places)
    assert (waiting.level, waiting.type) == ("file", "instance_uid_has_different_content")
    assert members(path) == {"1.2.3.4.1.1.1.MR.dcm": (tmp_path / "in/d/other.dcm").read_bytes()}
    assert FileVersion.objects.get().members == 2
    again = imported(project, tmp_path / "in")
    assert (again.skipped, again.discovered, Conflict.objects.count()) == (4, 4, 1)
    assert leftovers(places) == []


def test_a_series_that_waits_has_no_member_twice_either(project, places, one):
    put_series(one, 2, ContentDate="20200103")
    put(one / "twin.dcm", instance(1, ContentDate="20200104"))
    put(one / "same.dcm", instance(2, ContentDate="20200103"))

    job = imported(project, one)

    assert sorted(kind for kind, _ in conflicts(job)) == [
        "file_name_already_exists", "instance_uid_has_different_content",
    ]  # fmt: skip
    for waiting in Conflict.objects.all():
        names = [member.name for member in manifest.from_lines(waiting.manifest)]
        assert len(names) == len(set(names))
    assert reasons(job)["same.dcm"] == "skipped: Duplicate instance"


# Missing labels


@pytest.mark.parametrize(
    "case",
    [
        (MissingMeta.HOLD, "needs_review", "conflict: Missing label"),
        (MissingMeta.FAIL, "completed", "failed: Missing label"),
        (MissingMeta.SKIP, "completed", "skipped: Missing label"),
    ],
)
def test_dicom_without_a_patient_id(project, places, tmp_path, case):
    how, status, said = case
    for name in ("anon 1/b.dcm", "anon 1/c.dcm"):
        put(tmp_path / "in" / "given" / name, instance(ord(name[-5]), patient=None))
    put_series(tmp_path / "in" / "known", 1, study=2)

    job = imported(project, tmp_path / "in", missing_meta=how)

    assert job.status == status
    assert [r for p, r in reasons(job).items() if p.startswith("given")] == [said, said]
    assert {reason for path, (_, reason) in outcomes(job).items() if path.startswith("given")} == {
        "Missing label: subject"
    }
    assert job.imported == 1
    if how == MissingMeta.HOLD:
        waiting, path = held(places)
        assert (waiting.level, waiting.type) == ("subject", "label_is_missing")
        assert [c["suggestion"] for c in waiting.candidates] == ["anon 1", "given"]
        assert len(members(path)) == 2
    else:
        assert not Conflict.objects.exists()


def test_what_one_instance_lacks_another_gives(project, places, tmp_path):
    put(tmp_path / "in" / "a.dcm", instance(1, patient=None))
    put(tmp_path / "in" / "b.dcm", instance(2))
    put(tmp_path / "in" / "c.dcm", instance(3, patient=None, StudyDescription=None))

    job = imported(project, tmp_path / "in")

    assert set(became(job).values()) == {"imported"}
    assert list(tree(project)) == ["P01/study 1/1 - t1/1 - t1.dicom.zip"]
    assert FileVersion.objects.get().members == 3


def test_a_nameless_part_of_a_series_that_two_patients_claim_belongs_to_neither(project, places, tmp_path):
    put(tmp_path / "in" / "a.dcm", instance(1, patient=None))
    put(tmp_path / "in" / "b.dcm", instance(2, patient="P01"))
    put(tmp_path / "in" / "c.dcm", instance(3, patient="P02"))

    job = imported(project, tmp_path / "in")

    assert reasons(job) == {
        "a.dcm": "conflict: Missing label",
        "b.dcm": "imported",
        "c.dcm": "conflict: UID match belongs to a different parent",
    }


# Who stood in for another


def test_what_was_skipped_for_the_sake_of_a_file_that_then_failed_comes_in_instead(project, places, tmp_path):
    for folder, data in [("a", b"one"), ("b", b"one"), ("c", b"two"), ("d", b"one")]:
        put(tmp_path / "in" / folder / "S" / "E" / "A" / "x.txt", data)
    job = start(project, tmp_path / "in")
    until(job, "transferring")
    (tmp_path / "in" / "a" / "S" / "E" / "A" / "x.txt").unlink()

    run(job)

    assert [said.partition(":")[0] for said in reasons(job).values()] == ["failed", "imported", "conflict", "skipped"]
    assert tree(project) == {"S/E/A/x.txt": digest(b"one")}
    assert leftovers(places) == []


def test_of_an_instance_that_came_twice_one_is_enough(project, places, tmp_path):
    put_series(tmp_path / "in" / "a", 2)
    put_series(tmp_path / "in" / "b", 2)
    put_series(tmp_path / "in" / "c", 2)
    job = start(project, tmp_path / "in")
    until(job, "transferring")
    (tmp_path / "in" / "a" / "0001.dcm").unlink()
    (tmp_path / "in" / "b" / "0001.dcm").unlink()

    run(job)

    assert reasons(job) == {
        "a/0001.dcm": "failed: Vanished",
        "a/0002.dcm": "imported",
        "b/0001.dcm": "failed: Vanished",
        "b/0002.dcm": "skipped: Duplicate instance",
        "c/0001.dcm": "imported",
        "c/0002.dcm": "skipped: Duplicate instance",
    }
    lines = list(manifest.from_lines(FileVersion.objects.get().manifest.lines))
    assert [line.source for line in lines] == ["c/0001.dcm", "a/0002.dcm"]
    assert leftovers(places) == []
