"""What lost its worker is found again, by whoever looks."""

import os
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from importer import tasks
from importer.models import Chunk, ImportJob
from importer.pipeline import leases
from importer.pipeline.sweep import drop_leftovers, finish_all, sweep
from importer.tests.pipeline.drive import put, put_series, start, until, worker
from importer.tests.pipeline.test_leases import DEAD, FAR

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def job(project, places, tmp_path):
    put_series(tmp_path / "in", 5)
    return start(project, tmp_path / "in")


def left_behind(job, stage, owner):
    """As a worker leaves it that died in the middle of a stage."""
    until(job, stage)
    for row in [*Chunk.objects.filter(job=job, status="open"), ImportJob.objects.get(pk=job.pk)]:
        assert leases.take(row, worker(owner=owner)) is not None


@pytest.mark.parametrize("stage", ["pending", "scanning", "extracting", "planning", "transferring", "finishing"])
def test_whatever_a_dead_worker_left_is_finished_at_once(job, stage):
    if stage == "scanning":
        until(job, "extracting")
        ImportJob.objects.filter(pk=job.pk).update(status="scanning", scan_done=False)
        stage = "scanning"
    left_behind(job, stage, DEAD)

    assert finish_all(worker=worker()) == []

    job.refresh_from_db()
    assert (job.status, job.imported) == ("completed", 5)


def test_what_a_worker_elsewhere_has_is_left_to_it_until_its_lease_runs_out(job):
    left_behind(job, "extracting", FAR)

    assert finish_all(worker=worker(), patience_seconds=0.3) == [job.pk]
    Chunk.objects.filter(job=job).update(leased_until=timezone.now())
    ImportJob.objects.filter(pk=job.pk).update(leased_until=timezone.now())
    assert finish_all(worker=worker()) == []


def test_only_jobs_that_go_on_are_woken(project, job):
    from importer.tests.factories import make_job

    for status in ("completed", "failed", "cancelled", "needs_review", "planned"):
        make_job(project, status=status)
    paused = make_job(project, status="paused")
    assert sweep(worker=worker()) == [job.pk, paused.pk]


def test_the_command_finishes_here_or_hands_it_on(job, monkeypatch, capsys):
    sent = []
    monkeypatch.setattr(tasks.work, "delay", lambda *args: sent.append(args))
    call_command("sweep", "--queue")
    assert sent == [(job.pk,)]
    call_command("sweep")
    job.refresh_from_db()
    assert job.status == "completed"
    assert "Nothing is left to do" in capsys.readouterr().out


def test_old_temporary_files_go_and_young_ones_stay(db, places):
    old, young = put(places.archive / ".incoming" / "old"), put(places.quarantine / ".incoming" / "young")
    yesterday = (timezone.now() - timedelta(hours=25)).timestamp()
    os.utime(old, (yesterday, yesterday))
    final = put(places.archive / "lab" / "final")
    os.utime(final, (yesterday, yesterday))

    assert drop_leftovers(now=timezone.now()) == 1

    assert (old.exists(), young.exists(), final.exists()) == (False, True, True)


def test_everything_that_is_to_happen_by_itself_is_on_the_clock(settings):
    from config import celery_app

    planned = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert {"importer.tasks.sweep", "importer.tasks.drop_leftovers"} <= planned
    celery_app.loader.import_default_modules()
    assert planned <= set(celery_app.tasks)
