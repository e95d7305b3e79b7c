"""Cancelled at any moment, an import ends with a row for every file that was found; what is stored stays."""

import threading

import pytest
from django.db import connection
from django.utils import timezone

from hierarchy.errors import Refused
from importer.models import Chunk, Conflict, Event
from importer.pipeline.advance import Step, advance
from importer.services import cancel_import
from importer.tests.pipeline.drive import (
    assert_conserved,
    became,
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
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def source(project, places, tmp_path, settings):
    """Two series that land, one that waits, papers and junk."""
    put_series(tmp_path / "before", 1, series=3)
    imported(project, tmp_path / "before")
    folder = tmp_path / "in"
    for series in (1, 2, 3):
        put_series(folder / f"{series}", 3, series=series)
    put(folder / "1" / "report.pdf")
    put(folder / ".DS_Store")
    put(folder / "zero.dcm", b"")
    return folder


def cancel(job):
    return cancel_import(job.pk, actor=None, who="user anna@example.org", now=timezone.now())


@pytest.mark.parametrize("stage", ["pending", "scanning", "extracting", "planning", "transferring", "finishing"])
def test_in_each_state_it_becomes_cancelling_and_then_cancelled(project, places, source, stage):
    job = start(project, source)
    until(job, stage) if stage != "scanning" else half_scanned(job)

    assert cancel(job).status == "cancelling"
    assert cancel(job).status == "cancelling"
    run(job)

    assert job.status == "cancelled"
    assert leftovers(places) == []
    assert set(became(job).values()) <= {"imported", "skipped", "conflict", "cancelled"}
    assert job.discovered == (0 if stage == "pending" else 12)
    assert {reason for outcome, reason in outcomes(job).values() if outcome == "cancelled"} <= {"Cancelled"}
    if stage in {"extracting", "planning", "transferring"}:
        assert job.cancelled == {"extracting": 12, "planning": 10, "transferring": 10}[stage]
    told = Event.objects.filter(job_id=job.pk, what="cancelling").values_list("who", flat=True)
    assert list(told) == ["user anna@example.org"]
    with pytest.raises(Refused, match="already ended"):
        cancel(job)


def half_scanned(job):
    """As a scan leaves it that was killed after its first page of names."""
    until(job, "extracting")
    type(job).objects.filter(pk=job.pk).update(status="scanning", scan_done=False)


def test_what_is_stored_and_what_is_held_stays(project, places, source, monkeypatch):
    from importer.pipeline import chunks

    monkeypatch.setattr(chunks, "SLICE_COUNT", 1)
    job = start(project, source)
    until(job, "transferring")
    while not (Conflict.objects.exists() and tree(project).keys() - {"P01/study 1/3 - t1/3 - t1.dicom.zip"}):
        advance(job.pk, worker=worker())
    before = tree(project), Conflict.objects.count()
    if type(job).objects.get(pk=job.pk).status == "transferring":
        cancel(job)

    run(job)

    assert (tree(project), Conflict.objects.count()) == before
    counted = list(became(job).values())
    assert counted.count("conflict") == 3
    assert counted.count("imported") >= 3


def test_a_slice_under_way_ends_whole_before_the_job_does(project, places, source):
    """It is leased by somebody who does not answer here: the job waits for the lease, and no longer."""
    job = start(project, source)
    until(job, "transferring")
    held = Chunk.objects.filter(job=job, status="open").get()
    Chunk.objects.filter(pk=held.pk).update(
        owner="elsewhere|boot|1|1", leased_until=timezone.now() + timezone.timedelta(seconds=60)
    )
    cancel(job)

    assert advance(job.pk, worker=worker()) is Step.IDLE
    Chunk.objects.filter(pk=held.pk).update(leased_until=timezone.now())
    assert run(job).status == "cancelled"


def test_cancelled_plans_leave_nothing(project, places, source):
    job = run(start(project, source, dry_run=True))
    assert job.status == "planned"

    cancel(job)

    assert run(job).status == "cancelled"
    assert job.cancelled == 10


def test_a_worker_hears_of_it_between_two_files(project, places, source, settings):
    """The heartbeat tells a worker in the middle of a slice; the slice is given back, not ended as if whole."""
    from importer.pipeline import extract

    job = start(project, source)
    until(job, "extracting")
    told = threading.Event()
    original, seen = extract.read, []

    def slow(*args, **named):
        seen.append(args)
        if len(seen) == 2:
            cancel(job)
            told.wait(2.5)
        return original(*args, **named)

    extract.read = slow
    try:
        advance(job.pk, worker=worker())
    finally:
        extract.read = original
        connection.close()

    assert len(seen) < 12
    assert run(job).status == "cancelled"
    assert job.cancelled == 12
    assert_conserved(job)
