"""What stays where it came from is verified there: present, of its listing, and of the bytes that were read first."""

import os
import shutil

import pytest
from django.core.management import call_command

from hierarchy.models import FileVersion
from importer.models import Check, CheckedRoot, Event
from importer.pipeline.verify import verify
from importer.tests.pipeline.denied import permissions_count
from importer.tests.pipeline.drive import bytes_under, put, put_series
from importer.tests.pipeline.drive import imported as copied
from importer.tests.pipeline.stored import aged, imported, storage_of
from storages.models import ExternalStorage
from storages.stores import Kind, StoreConfig
from storages.tests.rows import make_provider

pytestmark = pytest.mark.django_db(transaction=True)


def on_provider(config):
    made = make_provider(kind=config.kind, bucket=config.bucket, endpoint=config.endpoint)
    return storage_of(config, provider=made, acknowledged_by="system", acknowledged_at=made.created_at)


@pytest.fixture
def scans(tmp_path, places):
    """A folder with a series of three and a paper."""
    folder = tmp_path / "scans"
    put_series(folder / "P01", 3)
    put(folder / "P01" / "notes.txt", b"some notes")
    aged(folder)
    return folder


@pytest.fixture
def referred(project, scans):
    """That folder, imported by reference."""
    storage = on_provider(StoreConfig(Kind.LOCAL, str(scans)))
    assert imported(project, storage).imported == 4
    return storage


def found(**named):
    """State by path, of what is not of ours."""
    return {one.path: str(one.state) for one in verify(**named) if one.place.startswith("storage")}


def words():
    return list(Check.objects.exclude(words="").order_by("pk").values_list("words", flat=True))


ALL_OK = {"P01/": "ok", "P01/notes.txt": "ok"}


def test_a_look_reads_nothing_and_the_first_reading_keeps_digests(project, referred, scans, places, tmp_path):
    assert found(percent=0) == ALL_OK
    assert set(FileVersion.objects.values_list("digest_of", flat=True)) == {"unread"}
    assert set(Check.objects.values_list("read_at", flat=True)) == {None}

    assert found() == ALL_OK

    assert dict(FileVersion.objects.values_list("file__name", "digest_of")) == {
        "1 - t1.dicom.zip": "manifest",
        "notes.txt": "content",
    }
    assert not Check.objects.filter(read_at=None).exists()
    by_reference = set(FileVersion.objects.values_list("digest", flat=True))
    from hierarchy.models import Group, Project

    copied(Project.objects.create(group=Group.objects.create(name="other"), label="Other"), scans)
    assert set(FileVersion.objects.filter(reference=False).values_list("digest", flat=True)) == by_reference


@pytest.mark.parametrize("name", ["notes.txt", "0002.dcm"])
def test_one_flipped_byte_is_found_by_its_time_and_without_it_by_reading(referred, scans, name):
    """As a program changes a file, and as a disk does, which tells no time."""
    assert found() == ALL_OK
    path = scans / "P01" / name
    key = "P01/notes.txt" if name == "notes.txt" else "P01/"
    whole, before = path.read_bytes(), path.stat()
    path.write_bytes(whole[:-5] + bytes([whole[-5] ^ 1]) + whole[-4:])
    assert found(percent=0) == ALL_OK | {key: "changed"}
    assert "It was written since" in words()[0]

    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert found() == ALL_OK | {key: "changed"}
    assert "content is not what it was when it was first read" in words()[0]

    path.write_bytes(whole)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert found(percent=0) == ALL_OK
    assert words() == []


def test_gone_cut_and_closed_are_three_things_and_each_comes_back(referred, scans):
    first, paper = scans / "P01" / "0001.dcm", scans / "P01" / "notes.txt"
    first.rename(scans / "elsewhere")
    assert found() == ALL_OK | {"P01/": "missing"}
    assert words() == ["1 of 3 files missing, the first is P01/0001.dcm. The object is not there."]
    (scans / "elsewhere").rename(first)
    assert found() == ALL_OK

    paper.write_bytes(b"some note")
    assert found() == ALL_OK | {"P01/notes.txt": "changed"}
    assert words() == ["It has 9 bytes instead of 10."]
    paper.write_bytes(b"some notes")
    aged(scans)
    assert found() == ALL_OK


def test_what_nobody_may_read_is_unreadable_and_not_away(referred, scans):
    paper = scans / "P01" / "notes.txt"
    paper.chmod(0)
    with permissions_count():
        assert found() == ALL_OK | {"P01/notes.txt": "unreadable"}
    assert words() == ["The object may not be read with the credentials given."]
    paper.chmod(0o644)
    with permissions_count():
        assert found() == ALL_OK


def test_a_root_that_is_away_is_no_deletion_and_all_is_well_when_it_is_back(referred, scans):
    assert found() == ALL_OK
    before = list(Check.objects.order_by("pk").values())
    aside = scans.with_name("aside")
    scans.rename(aside)
    assert set(found().values()) == {"away"}
    # The empty folder that a disk is mounted on.
    scans.mkdir()
    assert set(found().values()) == {"away"}
    assert list(Check.objects.order_by("pk").values()) == before
    root = CheckedRoot.objects.get(storage=referred)
    assert "is the right one mounted" in root.words
    assert FileVersion.objects.filter(reference=True).count() == 2

    scans.rmdir()
    aside.rename(scans)
    assert found() == ALL_OK
    root.refresh_from_db()
    assert (root.away_since, root.words) == (None, "")
    told = Event.objects.filter(storage_id=referred.pk, what__startswith="place").order_by("pk")
    assert list(told.values_list("what", flat=True)) == ["place away", "place back"]


def test_a_disk_below_the_storages_folder_that_is_away_is_no_deletion_either(project, scans):
    """The bucket is there, the folder that the prefix names is another one."""
    storage = on_provider(StoreConfig(Kind.LOCAL, str(scans.parent), prefix="scans"))
    imported(project, storage)
    assert found() == ALL_OK
    shutil.move(scans, scans.with_name("aside"))
    scans.mkdir()
    assert set(found().values()) == {"away"}
    scans.rmdir()
    shutil.move(scans.with_name("aside"), scans)
    assert found() == ALL_OK


def test_a_storage_that_is_switched_off_is_away(referred):
    ExternalStorage.objects.update(enabled=False)
    assert set(found().values()) == {"away"}


def test_a_place_that_goes_away_on_the_way_leaves_what_was_known(referred, scans, monkeypatch):
    assert found() == ALL_OK
    from importer.pipeline import sights

    def gone(self, stored):
        raise sights.RootAway("The disk fell out.")

    monkeypatch.setattr(sights.References, "read", gone)
    assert set(found().values()) == {"away"}
    monkeypatch.undo()
    assert set(Check.objects.values_list("state", flat=True)) == {"ok"}
    assert found() == ALL_OK


def test_nothing_of_a_source_is_touched(referred, scans, places):
    before = {path: path.lstat()[:9] for path in scans.rglob("*")}
    found()
    assert {path: path.lstat()[:9] for path in scans.rglob("*")} == before
    assert bytes_under(places.archive) == {}


def test_the_command_names_each_and_only_what_is_asked_for(referred, scans, capsys):
    (scans / "P01" / "notes.txt").unlink()
    with pytest.raises(SystemExit) as ill:
        call_command("verify", "--storage", "scans")
    said = capsys.readouterr().out
    assert ill.value.code == 1
    assert "missing\tstorage scans\tP01/notes.txt\tThe object is not there." in said
    assert "2 stored files: 1 missing, 1 ok" in said
    assert "50% re-read in 30 days (1 of 2 files)." in said
    scans.rename(scans.with_name("aside"))
    with pytest.raises(SystemExit) as away:
        call_command("verify", "--storage", "scans")
    said = capsys.readouterr().out
    assert away.value.code == 1
    assert "away\tstorage scans\tThe folder cannot be opened" in said
    assert "P01/notes.txt" not in said
    with pytest.raises(SystemExit):
        call_command("verify", "--storage", "scans", "--repair")
    assert list(scans.parent.glob("aside/P01/*.txt")) == []


@pytest.mark.service
def test_objects_of_a_bucket_are_verified_in_the_same_way(project, places, any_spot, tmp_path):
    for path in put_series(tmp_path / "made", 6):
        any_spot.plant(f"P01/{path.name}", path.read_bytes())
    any_spot.plant("P01/notes.txt", b"some notes")
    imported(project, on_provider(any_spot.config))
    assert found() == ALL_OK
    assert set(FileVersion.objects.values_list("digest_of", flat=True)) == {"manifest", "content"}

    any_spot.store.delete(["P01/0003.dcm", "P01/notes.txt"])
    any_spot.plant("P01/notes.txt", b"some Notes")
    assert found() == {"P01/": "missing", "P01/notes.txt": "changed"}
    said = sorted(words())
    assert said[0].startswith("1 of 6 files missing, the first is P01/0003.dcm.")
    assert said[1] == "It was written since: its time or etag is another."
