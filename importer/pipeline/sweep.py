"""What lost its worker is found again: leases of the dead, jobs nobody wakes, temporary files nobody finishes."""

import time
from datetime import datetime, timedelta

from importer.pipeline.advance import Step, advance, live_jobs
from importer.pipeline.leases import recover
from importer.pipeline.resolving import open_resolutions, resolve
from importer.pipeline.worker import Worker
from storages.places import archive, quarantine

OLD_SECONDS = 24 * 3600


def sweep(*, worker: Worker) -> list[int]:
    """Ends the leases of dead workers; the jobs that may have something to do, for the caller to wake."""
    recover(worker.now())
    return live_jobs()


def finish_all(*, worker: Worker, patience_seconds: float = 2.0) -> list[int]:
    """Works here until every job ended, or only waits for others or for a pause. The jobs that are left."""
    left = sweep(worker=worker)
    for resolution_id in open_resolutions(now=worker.now()):
        resolve(resolution_id, worker=worker)
    idle_since = time.monotonic()
    while left and time.monotonic() - idle_since < patience_seconds:
        steps = {job_id: advance(job_id, worker=worker) for job_id in left}
        left = [job_id for job_id, step in steps.items() if step is not Step.ENDED]
        if Step.DID in steps.values():
            idle_since = time.monotonic()
        else:
            time.sleep(0.1)
    return left


def drop_leftovers(*, now: datetime) -> int:
    """Temporary files and unfinished uploads that nobody has touched for a day. How many."""
    old = now - timedelta(seconds=OLD_SECONDS)
    return sum(place.drop_leftovers(old) for place in (archive(), quarantine()))
