"""An import in processes of its own, with no broker: `import_folder --workers N`."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from types import FrameType

from django.db import connections
from django.utils import timezone

from importer.pipeline.advance import Step, advance
from importer.pipeline.leases import recover
from importer.pipeline.worker import Worker, this_owner

IDLE_SECONDS = 0.02
LOOK_SECONDS = 0.25
# Finding one deadly file among 500 costs nine workers.
MOST_LOST = 200
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(job_id: int, *, workers: int, look: Callable[[], None]) -> None:
    """Until the job has ended, or so many workers died that there is no hope. `look` is called now and then.

    An interrupt, a closed terminal or a polite kill ends it as KeyboardInterrupt, with the job able to go on.
    """
    for number in ENDS:
        signal.signal(number, _interrupt)
    if workers == 1:
        _alone(job_id, look)
    else:
        _together(job_id, workers, look)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """Only the first counts: a terminal tells all, then the parent its children, who are giving back by then."""
    for number in ENDS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _alone(job_id: int, look: Callable[[], None]) -> None:
    worker = Worker(owner=this_owner())
    shown = time.monotonic()
    while (step := advance(job_id, worker=worker)) is not Step.ENDED:
        if time.monotonic() - shown > LOOK_SECONDS:
            look()
            shown = time.monotonic()
        if step is Step.IDLE:
            recover(worker.now())
            time.sleep(LOOK_SECONDS)


def _together(job_id: int, workers: int, look: Callable[[], None]) -> None:
    """A worker that dies is replaced: a file that kills its readers is found that way, and fails alone."""
    crew, lost = _started(job_id, workers), 0
    try:
        while crew:
            wait([process.sentinel for process in crew], LOOK_SECONDS)
            look()
            died = sum(process.exitcode not in {None, 0} for process in crew)
            crew = [process for process in crew if process.exitcode is None]
            lost += died
            if died and lost <= MOST_LOST:
                recover(timezone.now())
                crew += _started(job_id, died)
    except BaseException:
        for process in crew:
            process.terminate()
        for process in crew:
            process.join()
        raise


def _started(job_id: int, workers: int) -> list[BaseProcess]:
    # A connection that two processes share answers both of them with each other's rows.
    connections.close_all()
    fork = multiprocessing.get_context("fork")
    crew: list[BaseProcess] = [fork.Process(target=_child, args=(job_id, os.getpid())) for _ in range(workers)]
    for process in crew:
        process.start()
    return crew


def _child(job_id: int, parent: int) -> None:
    """Ends with the job, or when the parent is gone: nobody would see what it does."""
    worker = Worker(owner=this_owner())
    try:
        while os.getppid() == parent:
            step = advance(job_id, worker=worker)
            if step is Step.ENDED:
                return
            if step is Step.IDLE:
                time.sleep(IDLE_SECONDS)
    except KeyboardInterrupt:
        return
