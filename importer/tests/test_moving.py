"""A storage that was moved as a whole: one act, tried on a sample first; every reference resolves, nothing comes twice."""

import os
import shutil

import pytest
from django.core.management import CommandError, call_command

from hierarchy.errors import NotAllowed
from hierarchy.models import FileVersion
from importer import storage_services
from importer.models import Check, Event
from importer.pipeline.verify import verify
from importer.tests.factories import START
from importer.tests.pipeline.drive import outcomes, put, put_series
from importer.tests.pipeline.stored import aged, imported, storage_of
from storages.models import ExternalStorage
from storages.stores import Kind, StoreConfig
from storages.tests.rows import make_provider

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def scans(tmp_path, places):
    folder = tmp_path / "scans"
    put_series(folder / "P01", 3)
    put(folder / "P01" / "notes.txt", b"some notes")
    aged(folder)
    return folder


@pytest.fixture
def storage(project, scans, tmp_path):
    """Imported by reference, and found right by verify."""
    # The provider is wide enough for both places.
    made = make_provider(kind="fs", bucket=str(tmp_path))
    config = StoreConfig(Kind.LOCAL, str(scans))
    found = storage_of(config, provider=made, acknowledged_by="system", acknowledged_at=made.created_at)
    imported(project, found)
    assert states() == {"ok"}
    return found


def states():
    return {str(one.state) for one in verify() if one.place.startswith("storage")}


def test_every_reference_resolves_at_the_new_place_and_nothing_is_imported_again(
    project, storage, scans, tmp_path, capsys
):
    before = list(FileVersion.objects.order_by("pk").values())
    scans.rename(tmp_path / "moved")
    assert states() == {"away"}

    call_command("move_storage", "scans", str(tmp_path / "moved"))

    assert f"scans is at {tmp_path}/moved now" in capsys.readouterr().out
    assert states() == {"ok"}
    assert list(FileVersion.objects.order_by("pk").values()) == before
    event = Event.objects.get(what="storage moved")
    assert event.detail == (
        f"from {scans} to {tmp_path}/moved; 2 of its files were looked for and are there as they were"
    )
    job = imported(project, ExternalStorage.objects.get())
    assert set(outcomes(job).values()) == {("skipped", "File already exists")}
    assert (job.imported, job.vanished) == (0, 0)


def test_the_same_name_on_another_disk_is_said_by_naming_no_place(storage, scans, tmp_path):
    shutil.copytree(scans, tmp_path / "copy")
    shutil.rmtree(scans)
    (tmp_path / "copy").rename(scans)
    assert states() == {"away"}
    call_command("move_storage", "scans")
    assert states() == {"ok"}


def test_a_place_where_something_is_not_as_it_was_is_refused_and_nothing_changes(storage, scans, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(scans, other)
    (other / "P01" / "notes.txt").unlink()
    with pytest.raises(CommandError, match=r"of 2 files .* 1 are not as they were .*P01/notes.txt, missing") as refused:
        call_command("move_storage", "scans", str(other))
    assert refused.value.returncode == 2
    # Copied by something that keeps no times.
    shutil.copyfile(scans / "P01" / "notes.txt", other / "P01" / "notes.txt")
    with pytest.raises(CommandError, match="rsync"):
        call_command("move_storage", "scans", str(other))
    (tmp_path / "empty").mkdir()
    with pytest.raises(CommandError, match="2 are not as they were"):
        call_command("move_storage", "scans", str(tmp_path / "empty"))
    assert ExternalStorage.objects.get().bucket == str(scans)
    assert not Event.objects.filter(what="storage moved").exists()
    assert states() == {"ok"}


def test_what_was_wrong_before_keeps_nobody_from_moving(storage, scans, tmp_path):
    os.truncate(scans / "P01" / "notes.txt", 3)
    assert states() == {"ok", "changed"}
    scans.rename(tmp_path / "moved")
    call_command("move_storage", "scans", str(tmp_path / "moved"))
    assert states() == {"ok", "changed"}
    assert Check.objects.filter(state="changed").count() == 1


def test_a_storage_of_copies_is_tried_on_what_was_imported_from_it(project, scans, tmp_path):
    found = storage_of(StoreConfig(Kind.LOCAL, str(scans)))
    assert imported(project, found).imported == 4
    (tmp_path / "empty").mkdir()
    with pytest.raises(CommandError, match="4 are not as they were"):
        call_command("move_storage", "scans", str(tmp_path / "empty"))
    scans.rename(tmp_path / "moved")
    call_command("move_storage", "scans", str(tmp_path / "moved"))
    job = imported(project, ExternalStorage.objects.get())
    assert (job.skipped, job.imported) == (4, 0)


def test_only_an_admin_of_the_site_may(storage, people, tmp_path):
    with pytest.raises(NotAllowed):
        storage_services.move(storage.pk, str(tmp_path), actor=people.admin, who="user x", now=START)
    with pytest.raises(CommandError):
        call_command("move_storage", "scans", str(tmp_path), "--as", "data_manager")
