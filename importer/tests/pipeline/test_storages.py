"""Imports from storages of every kind: the same outcome as from a folder."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from hierarchy.decode.why import NoPicture
from importer.core.names import printable
from importer.instances import header_of, picture_of
from importer.models import Item, Known
from importer.tests.core.made import dataset, file_of, with_pixels
from importer.tests.core.zips import zipped
from importer.tests.pipeline.denied import permissions_count
from importer.tests.pipeline.drive import (
    Clock,
    became,
    instance,
    outcomes,
    put_series,
    reasons,
    run,
    tree,
    until,
    worker,
    wrongs,
)
from importer.tests.pipeline.stored import aged, begun, imported, storage_of
from storages.stores import Kind, StoreConfig

# A heartbeat looks by a connection of its own.
pytestmark = pytest.mark.django_db(transaction=True)

FILES = {
    "P01/MR/1.dcm": instance(1),
    "P01/MR/2.dcm": instance(2),
    "P01/MR/3.dcm": instance(3),
    "P01/notes.txt": b"beside the images",
    "P02/MR/1.dcm": instance(1, study=2, patient="P02"),
    "P02/.DS_Store": b"junk",
    "P02/empty.bin": b"",
}


@pytest.fixture
def planted(any_spot):
    for key, content in FILES.items():
        any_spot.plant(key, content)
    return any_spot


@pytest.mark.service
def test_what_lies_in_a_storage_lands_as_from_a_folder(project, places, planted):
    job = imported(project, storage_of(planted.config))

    assert became(job) == {
        "P01/MR/1.dcm": "imported",
        "P01/MR/2.dcm": "imported",
        "P01/MR/3.dcm": "imported",
        "P01/notes.txt": "imported",
        "P02/.DS_Store": "skipped",
        "P02/MR/1.dcm": "imported",
        "P02/empty.bin": "skipped",
    }
    assert job.status == "completed"
    assert len(tree(project)) == 3
    assert wrongs() == []


@pytest.mark.service
def test_prefixes_narrow_what_is_imported(project, places, planted):
    job = imported(project, storage_of(planted.config), "P02/", "P01/MR/2", "P01/MR/")

    assert job.prefixes == ["P01/MR/", "P02/"]
    assert [path for path in outcomes(job) if path.startswith("P01")] == [f"P01/MR/{n}.dcm" for n in (1, 2, 3)]
    assert job.discovered == 6


ODD = [
    "../outside/1.dcm",
    "/leading/1.dcm",
    "a//b/1.dcm",
    "a/../b/1.dcm",
    "a/./b/1.dcm",
    "both",
    "both/1.dcm",
    "colons::inside/1.dcm",
    "control\x01\x1fname/1.dcm",
    "tab\tin/1.dcm",
    "name with \\x41 in it/1.dcm",
    "right\u202eleft/1.dcm",
    "\U0001f9e0/1.dcm",
    "x" * 1020 + ".dcm",
]


@pytest.mark.service
def test_odd_keys_are_names_like_any_other(project, places, bucket):
    for number, key in enumerate(ODD, 1):
        bucket.plant(key, instance(1, study=number, patient=f"P{number:02}"))
    bucket.plant("stands for a folder/", b"")
    bucket.plant("holds something/", instance(1, study=99, patient="P99"))
    storage = storage_of(bucket.config)

    job = imported(project, storage)

    assert job.imported == len(ODD) + 1
    assert reasons(job)[printable(b"stands for a folder/")] == "skipped: Placeholder"
    assert {path for path, outcome in became(job).items() if outcome == "imported"} == {
        "holds something/",
        *(printable(key.encode()) for key in ODD),
    }
    assert all(path.resolve().is_relative_to(places.archive) for path in places.archive.rglob("*"))
    assert wrongs() == []
    assert set(became(imported(project, storage)).values()) == {"skipped"}


@pytest.mark.service
def test_members_of_archives_in_a_bucket_are_files_of_their_own(project, places, bucket):
    held = zipped({f"MR/{n}.dcm": instance(n) for n in (1, 2, 3)})
    bucket.plant("P01/study.zip", held)
    bucket.plant("P01/broken.zip", b"PK\3\4 and no more")
    rules = "- {level: acquisition, type: dicom, include: ['path=~.zip::*.dcm']}"
    storage = storage_of(bucket.config)

    job = imported(project, storage, rules_text=rules)

    assert became(job) == {
        "P01/broken.zip": "failed",
        **{f"P01/study.zip::MR/{n}.dcm": "imported" for n in (1, 2, 3)},
    }
    again = imported(project, storage, rules_text=rules)
    assert set(became(again).values()) == {"failed", "skipped"}

    bucket.plant("P01/study.zip", held[:-30])
    spoiled = imported(project, storage, rules_text=rules)
    assert set(became(spoiled).values()) == {"failed"}
    # Nobody could look inside: that is no reason to say that its members vanished.
    assert spoiled.vanished == 0


def folder_storage(tmp_path, **fields):
    root = tmp_path / "bucket"
    put_series(root / "P01", 3)
    aged(root)
    return storage_of(StoreConfig(Kind.LOCAL, str(root)), **fields)


def test_another_disk_under_the_same_name_is_away_and_nothing_has_vanished(project, places, tmp_path):
    storage = folder_storage(tmp_path)
    imported(project, storage)
    (tmp_path / "bucket").rename(tmp_path / "unmounted")
    (tmp_path / "bucket").mkdir()
    clock = Clock()

    job = run(begun(project, storage), by=worker(now=clock))
    assert job.status == "paused"
    assert "not the disk or bucket" in job.pause_reason
    assert not Known.objects.filter(gone__isnull=False).exists()

    (tmp_path / "bucket").rmdir()
    (tmp_path / "unmounted").rename(tmp_path / "bucket")
    clock.add(3600)
    run(job, by=worker(now=clock))
    assert (job.status, job.skipped, job.vanished) == ("completed", 3, 0)


def test_a_root_that_goes_away_in_the_middle_pauses(project, places, tmp_path):
    storage, clock = folder_storage(tmp_path), Clock()
    job = until(begun(project, storage), "transferring")
    (tmp_path / "bucket").rename(tmp_path / "away")
    run(job, by=worker(now=clock))
    assert (job.status, job.paused_from) == ("paused", "transferring")
    (tmp_path / "away").rename(tmp_path / "bucket")
    clock.add(3600)
    run(job, by=worker(now=clock))
    assert (job.status, job.imported) == ("completed", 3)


def test_a_storage_that_is_switched_off_in_the_middle_pauses_with_words(project, places, tmp_path):
    storage = folder_storage(tmp_path)
    job = until(begun(project, storage), "transferring")
    type(storage).objects.update(enabled=False)
    run(job)
    assert job.status == "paused"
    assert "switched off" in job.pause_reason


def test_a_folder_that_cannot_be_listed_hides_what_is_in_it(project, places, tmp_path):
    storage = folder_storage(tmp_path)
    put_series(tmp_path / "bucket" / "P02", 2, study=2, patient="P02")
    aged(tmp_path / "bucket")
    imported(project, storage)

    (tmp_path / "bucket" / "P02").chmod(0)
    with permissions_count():
        job = imported(project, storage)
    (tmp_path / "bucket" / "P02").chmod(0o755)

    assert reasons(job)["P02/"] == "failed: Unreadable"
    assert job.vanished == 0


@pytest.mark.service
def test_a_picture_and_a_header_come_from_the_bucket_while_nothing_else_has_them(project, places, bucket):
    image = with_pixels(dataset())
    bucket.plant("P01/1.dcm", file_of(image))
    job = run(begun(project, storage_of(bucket.config), dry_run=True))
    item = Item.objects.select_related("job__storage", "placement").get(job=job)
    assert picture_of(item, width=64).startswith(b"\x89PNG")
    assert any("SeriesInstanceUID" in str(row) for row in header_of(item))

    bucket.plant("P01/1.dcm", file_of(image) + b"\0\0")
    with pytest.raises(NoPicture):
        picture_of(item, width=64)


def test_the_queries_of_an_import_again_do_not_grow_with_its_files(project, places, tmp_path):
    storage, counts = folder_storage(tmp_path), []
    for number in (40, 400):
        put_series(tmp_path / "bucket" / f"P{number}", number, study=number, patient=f"P{number}")
        aged(tmp_path / "bucket")
        imported(project, storage)
        with CaptureQueriesContext(connection) as asked:
            assert set(became(imported(project, storage)).values()) == {"skipped"}
        counts.append(len(asked))
    assert counts[1] <= counts[0] + 4, counts
