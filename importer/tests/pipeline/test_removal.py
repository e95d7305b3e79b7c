"""Sources that go after a proven import, and links: what is ours without a copy, and when a source stays."""

import os
import shutil

import pytest

from hierarchy.errors import Refused
from hierarchy.models import FileVersion
from importer.models import Event, ImportJob
from importer.pipeline import linking, removal
from importer.pipeline.sweep import finish_all
from importer.tests.pipeline.drive import (
    became,
    bytes_under,
    imported,
    leftovers,
    outcomes,
    put,
    put_series,
    run,
    start,
    tree,
    until,
    worker,
    wrongs,
)
from importer.tests.pipeline.stored import imported as from_storage
from importer.tests.pipeline.stored import on_provider, storage_of
from importer.tests.review.cases import decided, waiting
from storages.stores import Kind, StoreConfig

pytestmark = pytest.mark.django_db(transaction=True)
PLAIN = "- mappings: ['path = {subject.label}/{session.label}/{acquisition.label}/*']\n"
LOOSE = "- type: dicom\n  zip: false\n" + PLAIN
GOES = {"delete_source": "on_success"}


@pytest.fixture
def folder(tmp_path):
    put(tmp_path / "in" / "S" / "V" / "A" / "one.nii", b"one")
    put(tmp_path / "in" / "S" / "V" / "A" / "two.nii", b"two")
    return tmp_path / "in"


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


# Links


def test_a_hard_link_is_a_second_name_for_the_same_bytes(project, places, folder):
    before = {path: (path.stat().st_mtime_ns, path.stat().st_mode) for path in folder.rglob("*.nii")}
    job = imported(project, folder, transfer="hardlink", rules_text=PLAIN)
    assert set(became(job).values()) == {"imported"}
    assert {one.transfer for one in job.placements.all()} == {"hardlink"}
    for version in FileVersion.objects.all():
        own = (places.archive / version.path).stat()
        assert own.st_ino == (folder / version.source_path).stat().st_ino
        assert (version.reference, version.digest_of) == (False, "content")
    assert {path: (path.stat().st_mtime_ns, path.stat().st_mode) for path in folder.rglob("*.nii")} == before
    shutil.rmtree(folder)
    assert wrongs() == []


def test_a_link_that_is_refused_fails_that_file_and_copies_nothing(project, places, folder, monkeypatch):
    link = os.link

    def refuse(source, *args, **fields):
        """Of a source's bytes; the place's own mark gets its name."""
        if str(source).startswith("/proc/"):
            raise OSError(18, "Invalid cross-device link")
        return link(source, *args, **fields)

    monkeypatch.setattr(os, "link", refuse)
    job = imported(project, folder, transfer="hardlink", rules_text=PLAIN)
    assert {why for _, why in outcomes(job).values()} == {linking.NOT_LINKED}
    assert (job.imported, job.failed, FileVersion.objects.count()) == (0, 2, 0)
    assert bytes_under(places.archive) == {}


def test_what_changes_before_it_is_linked_is_not_linked(project, places, folder):
    job = until(start(project, folder, transfer="hardlink", rules_text=PLAIN), "transferring")
    put(folder / "S" / "V" / "A" / "one.nii", b"other")
    run(job)
    assert (job.imported, job.failed) == (1, 1)
    assert leftovers(places) == []


def test_a_symbolic_link_stands_for_a_reference_among_our_files(project, places, folder):
    storage = on_provider(StoreConfig(Kind.LOCAL, str(folder)))
    job = from_storage(project, storage, transfer="symlink", rules_text=PLAIN)
    assert job.imported == 2, outcomes(job)
    for version in FileVersion.objects.all():
        assert (version.reference, version.storage, version.digest_of) == (True, storage, "unread")
        link = places.archive / version.link
        assert os.readlink(link) == str(folder / version.path)
        assert link.read_bytes() == (folder / version.path).read_bytes()
    assert leftovers(places) == []
    again = from_storage(project, storage, transfer="symlink", rules_text=PLAIN)
    assert (again.skipped, FileVersion.objects.count()) == (2, 2)


@pytest.mark.parametrize("transfer", ["hardlink", "symlink", "move"])
def test_what_is_packed_cannot_be_linked(project, places, folder, transfer):
    put_series(folder / "P01", 2)
    with pytest.raises(Refused, match="zip: false"):
        start(project, folder, transfer=transfer) if transfer != "symlink" else from_storage(
            project, on_provider(StoreConfig(Kind.LOCAL, str(folder))), transfer=transfer
        )
    assert ImportJob.objects.count() == 0


@pytest.mark.parametrize("transfer", ["hardlink", "move"])
def test_what_conflicts_waits_as_a_copy_of_our_own(project, places, folder, transfer, tmp_path):
    put(tmp_path / "before" / "S" / "V" / "A" / "one.nii", b"before")
    imported(project, tmp_path / "before", rules_text=PLAIN)
    job = imported(project, folder, transfer=transfer, rules_text=PLAIN)
    assert (job.status, job.conflict, job.imported) == ("needs_review", 1, 1)
    assert list(bytes_under(places.quarantine).values()) == [bytes_under(folder)["S/V/A/one.nii"]]
    assert "S/V/A/one.nii" in files(folder)
    decided(waiting(), "replace_existing")
    assert wrongs() == []


# Sources that go


@pytest.mark.parametrize("options", [GOES, {"transfer": "move"}], ids=["copied", "moved"])
def test_what_is_stored_and_proven_goes_with_its_emptied_folders(project, places, folder, options):
    job = imported(project, folder, rules_text=PLAIN, **options)
    assert (job.status, job.imported, job.removal) == ("completed", 2, "removed")
    assert (folder.is_dir(), files(folder)) == (True, [])
    assert job.removal_words == "2 source files were removed."
    assert Event.objects.filter(job_id=job.pk, what="source removed").count() == 1
    assert sorted(bytes_under(places.archive).values()) == sorted(set(tree(project).values()))
    assert wrongs() == []


def test_a_series_goes_when_its_archive_is_proven(project, places, folder):
    put_series(folder / "P01", 3)
    job = imported(project, folder, **GOES)
    assert (job.removal, files(folder)) == ("removed", [])
    assert wrongs() == []


def test_what_equals_what_is_stored_goes_too(project, places, folder, tmp_path):
    shutil.copytree(folder, tmp_path / "again")
    put(tmp_path / "again" / "S" / "V" / "A" / "same.nii", b"one")
    imported(project, folder, rules_text=PLAIN)
    job = imported(project, tmp_path / "again", rules_text=PLAIN, **GOES)
    assert (job.skipped, job.imported, job.removal) == (2, 1, "removed")
    assert files(tmp_path / "again") == []


@pytest.mark.parametrize("bad", ["junk", "empty", "unreadable"])
def test_one_file_that_is_not_stored_keeps_them_all(project, places, folder, bad):
    name, content = {"junk": (".DS_Store", b"x"), "empty": ("a.nii", b""), "unreadable": ("a.dcm", b"no DICOM")}[bad]
    put(folder / "S" / "V" / "A" / name, content)
    before = files(folder)
    job = imported(project, folder, rules_text=LOOSE, **GOES)
    assert (job.status, job.imported, job.removal, files(folder)) == ("completed", 2, "kept", before)
    assert job.removal_words.startswith("The source stays: 1 of 3 files")


def test_an_open_conflict_keeps_all_until_it_is_decided(project, places, folder, tmp_path):
    put(tmp_path / "before" / "S" / "V" / "A" / "one.nii", b"before")
    imported(project, tmp_path / "before", rules_text=PLAIN)
    before = files(folder)
    job = imported(project, folder, rules_text=PLAIN, **GOES)
    assert (job.status, job.removal, files(folder)) == ("needs_review", "", before)
    decided(waiting(), "replace_existing")
    finish_all(worker=worker(), patience_seconds=1)
    job.refresh_from_db()
    assert (job.status, job.removal, files(folder)) == ("completed", "removed", [])


def test_a_rejected_one_keeps_them_all(project, places, folder, tmp_path):
    put(tmp_path / "before" / "S" / "V" / "A" / "one.nii", b"before")
    imported(project, tmp_path / "before", rules_text=PLAIN)
    job = imported(project, folder, rules_text=PLAIN, **GOES)
    decided(waiting(), "reject_incoming")
    finish_all(worker=worker(), patience_seconds=1)
    job.refresh_from_db()
    assert (job.removal, len(list(folder.rglob("*.nii")))) == ("kept", 2)


def harmed(places):
    for version in FileVersion.objects.all():
        path = places.archive / version.path
        path.write_bytes(b"x" * path.stat().st_size)


@pytest.mark.parametrize("harm", ["spoiled", "gone"])
def test_stored_bytes_that_are_not_right_keep_the_source(project, places, folder, harm, monkeypatch):
    before = bytes_under(folder)
    monkeypatch.setattr(removal, "due", lambda _: False)
    job = imported(project, folder, rules_text=PLAIN, **GOES)
    monkeypatch.undo()
    harmed(places) if harm == "spoiled" else shutil.rmtree(places.archive / "lab")
    run(job)
    assert (job.removal, bytes_under(folder)) == ("kept", before)
    assert "changed" in job.removal_words if harm == "spoiled" else "missing" in job.removal_words


def test_a_file_that_was_written_to_since_keeps_them_all_and_a_new_one_keeps_its_folder(
    project, places, folder, monkeypatch
):
    monkeypatch.setattr(removal, "due", lambda _: False)
    job = imported(project, folder, rules_text=PLAIN, **GOES)
    second = imported(project, folder, rules_text=PLAIN, **GOES)
    monkeypatch.undo()
    put(folder / "S" / "V" / "A" / "one.nii", b"later")
    run(job)
    assert (job.removal, len(files(folder))) == ("kept", 5)
    put(folder / "S" / "V" / "A" / "three.nii", b"new")
    os.utime(folder / "S" / "V" / "A" / "one.nii")
    run(second)
    assert second.removal == "kept"


def test_what_came_later_stays(project, places, folder, monkeypatch):
    monkeypatch.setattr(removal, "due", lambda _: False)
    job = imported(project, folder, rules_text=PLAIN, **GOES)
    monkeypatch.undo()
    put(folder / "S" / "V" / "late.nii", b"late")
    run(job)
    assert (job.removal, files(folder)) == ("removed", ["S", "S/V", "S/V/late.nii"])


def test_what_was_begun_is_finished_by_the_next(project, places, folder, monkeypatch):
    monkeypatch.setattr(removal, "due", lambda _: False)
    job = imported(project, folder, rules_text=PLAIN, **GOES)
    monkeypatch.undo()
    (folder / "S" / "V" / "A" / "one.nii").unlink()
    assert finish_all(worker=worker(), patience_seconds=1) == []
    job.refresh_from_db()
    assert (job.removal, files(folder)) == ("removed", [])


def test_a_source_that_is_away_is_tried_again(project, places, folder, monkeypatch):
    monkeypatch.setattr(removal, "due", lambda _: False)
    job = imported(project, folder, rules_text=PLAIN, **GOES)
    monkeypatch.undo()
    folder.rename(folder.with_name("away"))
    finish_all(worker=worker(), patience_seconds=1)
    job.refresh_from_db()
    assert (job.status, job.removal) == ("completed", "")
    folder.with_name("away").rename(folder)
    finish_all(worker=worker(), patience_seconds=1)
    job.refresh_from_db()
    assert (job.removal, files(folder)) == ("removed", [])


def test_a_place_that_became_the_home_of_references_is_kept(project, places, folder, monkeypatch):
    monkeypatch.setattr(removal, "due", lambda _: False)
    job = imported(project, folder, rules_text=PLAIN, **GOES)
    monkeypatch.undo()
    from hierarchy.models import Project

    other = Project.objects.create(group=project.group, label="Other")
    from_storage(other, on_provider(StoreConfig(Kind.LOCAL, str(folder))), rules_text=PLAIN)
    run(job)
    assert (job.removal, len(list(folder.rglob("*.nii")))) == ("kept", 2)
    assert "by reference" in job.removal_words


@pytest.mark.parametrize("options", [GOES, {"transfer": "move", **GOES}], ids=["delete", "move"])
def test_nothing_is_taken_from_a_place_that_is_somebodys_only_home(project, places, folder, options):
    from_storage(project, on_provider(StoreConfig(Kind.LOCAL, str(folder))), rules_text=PLAIN)
    with pytest.raises(Refused, match="only home"):
        start(project, folder, rules_text=PLAIN, **options)


@pytest.mark.service
def test_objects_go_from_every_kind_of_storage(project, places, any_spot):
    any_spot.plant("S/V/A/one.nii", b"one")
    any_spot.plant("S/V/A/two.nii", b"two")
    any_spot.plant("T/V/A/two.nii", b"another's")
    job = from_storage(project, storage_of(any_spot.config), "S/", rules_text=PLAIN, **GOES)
    assert (job.imported, job.removal, job.removal_words) == (2, "removed", "2 source files were removed.")
    from storages.stores import store_for

    # One of the servers keeps the folders that it has emptied, as names that end with a slash.
    left = [one.key for one in store_for(any_spot.config).list()]
    assert [key for key in left if not key.endswith("/")] == ["T/V/A/two.nii"]
    assert wrongs() == []
