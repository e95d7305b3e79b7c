"""Imports whose own bytes lie in an object store: the same result, and nothing left behind."""

import os
import uuid

import pytest

from hierarchy.models import FileVersion
from importer.core.states import Level
from importer.models import Conflict, Placement
from importer.pipeline import transfer
from importer.pipeline.packing import LONGEST_PATH, archive_path
from importer.pipeline.verify import State, verify
from importer.tests.pipeline.drive import Clock, imported, put_series, run, start, tree, until, worker, wrongs
from importer.tests.pipeline.test_killed import die, kill_at
from importer.tests.pipeline.test_pauses import paused
from storages.place_contract import MARK
from storages.places import archive, place, quarantine
from storages.stores import patience
from storages.tests.faults import proxy_before, says

pytestmark = [pytest.mark.service, pytest.mark.django_db(transaction=True)]


def use(settings, bucket, endpoint):
    """Archive and quarantine in one bucket; staging stays a folder."""
    place.cache_clear()
    settings.PRATIQUE_S3_ACCESS_KEY, settings.PRATIQUE_S3_SECRET_KEY = "pratique", "only-for-tests"
    settings.PRATIQUE_ARCHIVE_URL = f"s3://{bucket}/archive?endpoint={endpoint}&region=us-east-1"
    settings.PRATIQUE_QUARANTINE_URL = f"s3://{bucket}/quarantine?endpoint={endpoint}&region=us-east-1"


@pytest.fixture
def bucket(s3_spot, places, settings):
    use(settings, s3_spot.config.bucket, s3_spot.config.endpoint)
    return s3_spot


@pytest.fixture
def source(tmp_path):
    for series in (1, 2):
        put_series(tmp_path / "in" / f"{series}", 3, series=series)
    return tmp_path / "in"


def stored(where):
    return sorted(name for name, _ in where.walk())


def on_its_way(places):
    incoming = places.staging / ".incoming"
    return os.listdir(incoming) if incoming.is_dir() else []


def test_a_study_lands_and_every_byte_is_what_it_was(project, bucket, places, dicom_study):
    job = imported(project, dicom_study)
    assert (job.status, job.imported) == ("completed", 17)
    assert stored(archive()) == sorted(FileVersion.objects.values_list("path", flat=True))
    assert {check.state for check in verify()} == {State.OK}
    assert on_its_way(places) == []
    assert not places.archive.exists()
    assert [one.key for one in bucket.store.list() if one.key.endswith(MARK)] == [
        f"archive/{MARK}", f"quarantine/{MARK}",
    ]  # fmt: skip


def test_what_conflicts_is_held_there_and_a_second_import_is_skipped(project, bucket, source):
    imported(project, source)
    again = imported(project, source)
    assert (again.imported, again.skipped) == (0, 6)
    first = tree(project)
    put_series(source / "1", 3, SeriesDescription="corrected")
    held = imported(project, source)
    assert held.status == "needs_review"
    assert tree(project) == first
    assert stored(quarantine()) == sorted(Conflict.objects.exclude(path="").values_list("path", flat=True))
    assert len(stored(quarantine())) == 1
    assert wrongs() == []


def test_bytes_that_were_named_and_never_told_are_taken_away(project, bucket, places, source, monkeypatch):
    job = start(project, source)
    kill_at(monkeypatch, transfer, "land")
    die(job)
    assert len(wrongs()) == 2
    assert run(job).imported == 6
    assert wrongs() == []
    assert on_its_way(places) == []


def test_a_service_that_is_away_pauses_the_import_and_it_goes_on(project, bucket, source, settings, monkeypatch):
    monkeypatch.setattr(patience, "FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(patience, "CLIENT_ATTEMPTS", 1)
    clock = Clock()
    by = worker(now=clock)
    with proxy_before(bucket.config.endpoint) as proxy:
        use(settings, bucket.config.bucket, proxy.endpoint)
        job = until(start(project, source), "transferring", by=by)
        proxy.breaks(says(503), method="PUT", times=10**6)
        paused(job, by)
        assert "cannot answer now" in job.pause_reason
        assert stored(archive()) == []
        proxy.faults.clear()
        clock.add(600)
        assert run(job, by=by).imported == 6
        assert wrongs() == []


def test_a_bucket_that_is_not_the_one_of_yesterday_pauses_it(project, bucket, source, settings):
    imported(project, source)
    put_series(source / "3", 3, series=3)
    use(settings, bucket.config.bucket + "/typing-mistake", bucket.config.endpoint)
    clock = Clock()
    by = worker(now=clock)
    job = paused(start(project, source), by)
    assert "not the one that was used before" in job.pause_reason
    assert stored(archive()) == []
    use(settings, bucket.config.bucket, bucket.config.endpoint)
    clock.add(600)
    assert run(job, by=by).imported == 3
    assert wrongs() == []


def test_the_longest_path_fits_into_a_key_with_room_for_a_prefix(project):
    project.label = "漢" * 64
    labels = {"subject_label": "漢" * 64, "session_label": "漢" * 64, "acquisition_label": "漢" * 128}
    placement = Placement(level=Level.ACQUISITION, file_name="漢" * 80 + ".dicom.zip", version=None, **labels)
    path = archive_path(placement, project, uuid.UUID(int=1))
    assert len(path.encode()) <= LONGEST_PATH
    assert path.endswith("漢.dicom.zip")
    assert f"/v1-{0:08}/" in path
    short = Placement(level=Level.ACQUISITION, file_name="a.dcm", version=1, **dict.fromkeys(labels, "x"))
    project.label = "Brain"
    assert archive_path(short, project, uuid.UUID(int=1)) == f"lab/Brain/x/x/x/v2-{0:08}/a.dcm"
