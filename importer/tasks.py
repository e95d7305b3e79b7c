"""What the broker may ask for. Every task takes ids, may run twice, and may be lost."""

import logging
import time

from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from config import celery_app
from importer import samples
from importer.pipeline import sweep as sweeping
from importer.pipeline.advance import Step, advance
from importer.pipeline.resolving import open_resolutions, purge, resolve
from importer.pipeline.verify_due import due_roots, run_due
from importer.pipeline.worker import Worker, this_owner

log = logging.getLogger(__name__)

# After so long a worker goes to the back of the queue, so that one big job does not keep the small ones waiting.
TURN_SECONDS = 10
MOST_WAKES = 8


def wake(job_id: int, count: int) -> None:
    """Tells up to `count` workers that a job has work; one that finds none ends at once.

    A broker that does not answer is no fault of the job: the sweeper wakes a worker once it is back.
    """
    try:
        for _ in range(min(count, MOST_WAKES)):
            work.delay(job_id)
    except (BrokerError, OSError) as error:
        log.warning("job=%s nobody could be woken: %s", job_id, type(error).__name__)


@celery_app.task(name="importer.tasks.work")
def work(job_id: int) -> None:
    worker = Worker(owner=this_owner(), wake=wake)
    end = time.monotonic() + TURN_SECONDS
    while advance(job_id, worker=worker) is Step.DID:
        if time.monotonic() > end:
            wake(job_id, 1)
            return


@celery_app.task(name="importer.tasks.sweep")
def sweep() -> None:
    for job_id in sweeping.sweep(worker=Worker(owner=this_owner(), wake=wake)):
        wake(job_id, 1)
    for resolution_id in open_resolutions(now=timezone.now()):
        wake_resolution(resolution_id)


@celery_app.task(name="importer.tasks.drop_leftovers")
def drop_leftovers() -> None:
    """Now and then: what nobody finishes, held bytes whose decision cannot be taken back any more, old samples."""
    sweeping.drop_leftovers(now=timezone.now())
    purge(now=timezone.now())
    samples.drop_old(now=timezone.now())


def wake_resolution(resolution_id: int) -> None:
    """Where the broker does not answer, the sweeper finds it."""
    try:
        resolve_conflicts.delay(resolution_id)
    except (BrokerError, OSError) as error:
        log.warning("resolution=%s nobody could be woken: %s", resolution_id, type(error).__name__)


@celery_app.task(name="importer.tasks.resolve_conflicts")
def resolve_conflicts(resolution_id: int) -> None:
    resolve(resolution_id, worker=Worker(owner=this_owner(), wake=wake))


@celery_app.task(name="importer.tasks.verify_due")
def verify_due() -> None:
    """One task for each place, so that one that hangs keeps no other waiting."""
    for root_id in due_roots():
        try:
            verify_root.delay(root_id)
        except (BrokerError, OSError) as error:
            log.warning("place=%s its verification could not be handed over: %s", root_id, type(error).__name__)


@celery_app.task(name="importer.tasks.verify_root")
def verify_root(root_id: int) -> None:
    run_due(root_id, worker=Worker(owner=this_owner(), wake=wake))
