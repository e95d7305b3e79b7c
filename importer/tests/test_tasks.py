"""Real workers behind a real broker: it only wakes them; messages may come twice, late, or never."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from celery import Celery
from django.db import transaction
from django.utils import timezone

from importer import tasks
from importer.core.states import SourceKind
from importer.models import Chunk, Event, ImportJob
from importer.services import ImportRequest, cancel_import, start_import
from importer.tests.pipeline.drive import assert_conserved, leftovers, put_series, start, tree
from scripts.private_services import free_port

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.service, pytest.mark.slow]


@pytest.fixture
def source(project, places, tmp_path):
    for series in range(1, 5):
        put_series(tmp_path / "in" / f"{series}", 3, series=series)
    return tmp_path / "in"


class Workers:
    """Celery workers as an installation runs them."""

    def __init__(self, environment):
        self.environment, self.started = environment, []

    def start(self, *words):
        log = (Path(self.environment["PRATIQUE_HOME"]) / f"worker-{len(self.started)}-{os.getpid()}.log").open("w+b")
        command = [sys.executable, "-m", "celery", "-A", "config", "worker", "--loglevel", "INFO", "-c", "1",
                   "--without-gossip", "--without-mingle", *words]  # fmt: skip
        process = subprocess.Popen(
            command, env=self.environment, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
        )
        self.started.append((process, log))
        return process

    def said(self):
        for _, log in self.started:
            log.flush()
        return "\n".join(Path(log.name).read_text() for _, log in self.started)

    def stop(self):
        for process, log in self.started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            log.close()


@pytest.fixture
def workers(environment):
    crew = Workers(environment)
    yield crew
    crew.stop()


def enqueued(project, source):
    request = ImportRequest(
        project=project, source_kind=SourceKind.FOLDER, source_root=os.fsencode(source), label="L", who="system"
    )
    return start_import(request, actor=None, now=timezone.now())


def ended(job, workers, *, seconds=60, status="completed"):
    deadline = time.monotonic() + seconds
    while True:
        job.refresh_from_db()
        if job.status == status:
            assert_conserved(job)
            return job
        assert time.monotonic() < deadline, (job.status, workers.said()[-3000:])
        time.sleep(0.05)


def test_workers_do_what_was_asked_before_and_after_they_came_and_messages_come_as_often_as_they_like(
    project, source, places, workers
):
    job = enqueued(project, source)
    for _ in range(3):
        tasks.wake(job.pk, 8)
    workers.start()
    workers.start("-n", "other@%h")

    ended(job, workers)
    again = ended(enqueued(project, source), workers)
    for one in (job, again):
        tasks.wake(one.pk, 3)
    last = ended(enqueued(project, source), workers)

    assert (job.imported, again.skipped, last.skipped) == (12, 12, 12)
    moved = list(Event.objects.filter(job_id=job.pk).values_list("what", flat=True))
    assert len(moved) == len(set(moved))
    assert leftovers(places) == []
    said = workers.said()
    assert "Traceback" not in said
    assert "P01" not in said


def test_what_a_killed_worker_had_is_found_by_the_sweep(project, source, places, workers):
    first = workers.start()
    job = enqueued(project, source)
    deadline = time.monotonic() + 40
    while ImportJob.objects.get(pk=job.pk).status == "pending":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    workers.start()
    tasks.sweep.delay()

    ended(job, workers)

    assert job.imported == 12
    assert leftovers(places) == []


def test_a_lost_message_is_found_by_the_sweep(project, source, workers):
    job = start(project, source)
    workers.start()
    tasks.sweep.delay()
    ended(job, workers)


def test_cancelled_while_nobody_runs_it_is_cancelled_by_the_next_worker(project, source, workers):
    job = enqueued(project, source)
    cancel_import(job.pk, actor=None, who="system", now=timezone.now())
    workers.start()
    ended(job, workers, status="cancelled")


def test_a_polite_end_gives_the_work_back(project, source, workers, places):
    """Warm shutdown, as systemd and Docker ask for it: what is under way ends, and no lease stays."""
    first = workers.start()
    job = enqueued(project, source)
    deadline = time.monotonic() + 40
    while ImportJob.objects.get(pk=job.pk).status == "pending":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    first.terminate()
    assert first.wait(30) == 0

    assert not Chunk.objects.exclude(owner="").filter(status="open").exists()
    assert not Chunk.objects.filter(kills__gt=0).exists()
    workers.start()
    tasks.sweep.delay()
    ended(job, workers)
    assert len(tree(project)) == 4


def test_a_broker_that_is_down_keeps_nobody_from_importing(project, source, monkeypatch, caplog):
    """A real address where nobody listens; the job is there, and the sweeper will wake somebody for it."""
    nobody = Celery("nobody", broker=f"redis://127.0.0.1:{free_port()}/0")
    nobody.conf.broker_connection_timeout = 1
    monkeypatch.setattr(tasks.work, "delay", lambda pk: nobody.send_task("importer.tasks.work", args=(pk,)))
    began = time.monotonic()
    with transaction.atomic():
        job = enqueued(project, source)

    assert time.monotonic() - began < 20
    assert ImportJob.objects.get(pk=job.pk).status == "pending"
    assert f"job={job.pk} nobody could be woken" in caplog.text
