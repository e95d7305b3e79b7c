"""What a worker that died in the middle leaves behind, somebody else takes away; and it matters not who is first."""

from datetime import timedelta

import pytest
from django.utils import timezone

from hierarchy.models import Session
from importer.core.states import ChunkStatus
from importer.models import Chunk
from importer.pipeline import chunks, transfer
from importer.pipeline.advance import advance
from importer.services import cancel_import
from importer.tests.pipeline.drive import became, imported, leftovers, put, put_series, run, start, until, worker
from storages.places import LocalPlace


class Killed(BaseException):
    """Nothing below catches it and cleans up, as little as it does after SIGKILL."""


def kill_at(monkeypatch, owner, name):
    """The next call, and only that one, is the worker's last."""
    original = getattr(owner, name)

    def last(*args, **named):
        monkeypatch.setattr(owner, name, original)
        raise Killed

    monkeypatch.setattr(owner, name, last)


def die(job, *, kills=1):
    """Steps until the worker dies; its leases have run out."""
    with pytest.raises(Killed):
        run(job)
    past = timezone.now() - timedelta(seconds=1)
    Chunk.objects.filter(job=job, status=ChunkStatus.OPEN).update(leased_until=past, owner="dead", kills=kills - 1)


def killed_between_names_and_rows(project, folder, monkeypatch, *, kills=1):
    job = start(project, folder)
    kill_at(monkeypatch, transfer, "land")
    die(job, kills=kills)
    return job


@pytest.fixture
def folder(tmp_path):
    for number in range(3):
        put(tmp_path / "in" / "subject" / "session" / "acquisition" / f"{number}.txt", b"%d" % number)
    return tmp_path / "in"


def test_named_bytes_that_no_row_speaks_of_are_taken_away(project, places, folder, monkeypatch):
    job = killed_between_names_and_rows(project, folder, monkeypatch)
    assert len(leftovers(places)) == 3
    assert run(job).imported == 3
    assert leftovers(places) == []


def test_they_are_taken_away_when_the_slice_is_split(project, places, folder, monkeypatch):
    job = killed_between_names_and_rows(project, folder, monkeypatch, kills=2)
    assert run(job).imported == 3
    assert job.chunks.filter(status=ChunkStatus.SPLIT).exists()
    assert job.bytes_moved == job.bytes_planned == 3
    assert leftovers(places) == []


def test_they_are_taken_away_when_the_file_is_given_up(project, places, folder, monkeypatch):
    for path in list(folder.rglob("*.txt"))[1:]:
        path.unlink()
    job = killed_between_names_and_rows(project, folder, monkeypatch, kills=3)
    assert set(became(run(job)).values()) == {"failed"}
    assert leftovers(places) == []


def test_they_are_taken_away_when_the_import_is_cancelled(project, places, folder, monkeypatch):
    job = killed_between_names_and_rows(project, folder, monkeypatch)
    cancel_import(job.pk, actor=None, who="system", now=timezone.now())
    assert run(job).cancelled == 3
    assert leftovers(places) == []


def test_bytes_that_turned_out_to_be_unwanted_are_taken_away_by_the_next_worker(project, places, tmp_path, monkeypatch):
    put_series(tmp_path / "in", 2, patient=None)
    imported(project, tmp_path / "in")
    job = start(project, tmp_path / "in")
    kill_at(monkeypatch, LocalPlace, "delete")
    die(job)
    assert len(leftovers(places)) == 1
    assert run(job).skipped == 2
    assert leftovers(places) == []


def test_what_a_session_says_does_not_depend_on_which_slice_lands_first(project, places, tmp_path, monkeypatch):
    put_series(tmp_path / "in" / "a", 1, series=1, OperatorsName="FIRST")
    put_series(tmp_path / "in" / "b", 1, series=2, OperatorsName="SECOND", PatientWeight="80")
    monkeypatch.setattr(chunks, "SLICE_COUNT", 1)
    job = until(start(project, tmp_path / "in"), "transferring")
    first = job.chunks.filter(status=ChunkStatus.OPEN).order_by("id")[:1].get()
    Chunk.objects.filter(pk=first.pk).update(leased_until=timezone.now() + timedelta(hours=1), owner="elsewhere")
    advance(job.pk, worker=worker())
    Chunk.objects.filter(pk=first.pk).update(leased_until=None, owner="")
    assert run(job).imported == 2
    assert list(Session.objects.values_list("operator", "weight_kg")) == [("FIRST", 80.0)]
