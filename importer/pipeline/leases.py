"""Leases on jobs and chunks: taken, renewed, given back, recovered. Every write is fenced by the epoch."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.models import F, Q, QuerySet

from importer.core.states import ChunkStatus, JobStatus, ResolutionStatus
from importer.models import Chunk, ImportJob, Resolution
from importer.pipeline.worker import Worker, proved_dead

KILLS_BEFORE_SPLIT = 2
KILLS_BEFORE_POISON = 3
# Nor can it be given up: whatever is tried with it breaks.
KILLS_BEFORE_HOPELESS = 6


class LostLease(Exception):
    """Somebody else has the work now; whatever this worker did for it is undone."""


class Stopped(Exception):
    """The job is being cancelled or was paused: the work is given back."""


@dataclass(frozen=True, slots=True)
class Lease:
    """On one row at one epoch. `lost` and `stopped` are set by the heartbeat, read between two files."""

    model: type[ImportJob] | type[Chunk] | type[Resolution]
    pk: int
    job_id: int
    epoch: int
    lost: threading.Event
    stopped: threading.Event

    def check(self) -> None:
        """Raises LostLease or Stopped."""
        if self.lost.is_set():
            raise LostLease
        if self.stopped.is_set():
            raise Stopped

    def held(self) -> "QuerySet[Any]":
        """The row while the lease is ours: filter for every write that must be fenced."""
        return self.model._default_manager.filter(pk=self.pk, epoch=self.epoch)

    def fence(self) -> None:
        """Locks the row to the end of the transaction and raises LostLease when it is not ours any more."""
        if not self.held().update(epoch=self.epoch):
            raise LostLease


def free(now: datetime) -> Q:
    return Q(leased_until__isnull=True) | Q(leased_until__lt=now)


def take(row: ImportJob | Chunk | Resolution, worker: Worker) -> Lease | None:
    """Of two that try, one gets it. A lease that ran out counts as one kill of its worker."""
    ran_out = row.leased_until is not None
    changes: dict[str, Any] = {"owner": worker.owner, "leased_until": worker.lease_end(), "epoch": row.epoch + 1}
    if ran_out:
        changes["kills"] = F("kills") + 1
    won = type(row)._default_manager.filter(free(worker.now()), pk=row.pk, epoch=row.epoch).update(**changes)
    if not won:
        return None
    row.epoch += 1
    row.kills += ran_out
    job_id = row.job_id if isinstance(row, Chunk) else row.pk
    return Lease(
        model=type(row), pk=row.pk, job_id=job_id, epoch=row.epoch, lost=threading.Event(), stopped=threading.Event()
    )


def give_back(lease: Lease) -> None:
    """A clean end of work is no kill."""
    lease.held().update(leased_until=None, owner="")


@contextmanager
def kept(lease: Lease, worker: Worker) -> Iterator[Lease]:
    """Renewed by a thread while the block runs; given back at its end unless it was lost."""
    done = threading.Event()
    beat = threading.Thread(target=_beat, args=(lease, worker, done), daemon=True)
    beat.start()
    try:
        yield lease
    finally:
        try:
            done.set()
            beat.join()
        finally:
            _surely_give_back(lease)


def _surely_give_back(lease: Lease) -> None:
    """An interrupt comes at any moment, this one too, but only once (importer.pipeline.processes)."""
    try:
        give_back(lease)
    except KeyboardInterrupt:
        give_back(lease)
        raise


def _beat(lease: Lease, worker: Worker, done: threading.Event) -> None:
    """Renews well before the end, and looks more often whether the job was told to stop."""
    looks, every = 0, max(1, settings.PRATIQUE_LEASE_SECONDS // 3)
    try:
        while not done.wait(1.0):
            looks += 1
            try:
                _look(lease)
                if looks % every == 0 and not lease.held().update(leased_until=worker.lease_end()):
                    lease.lost.set()
            except (DatabaseError, InterfaceError):
                # The database is away: the work itself will meet it and say so; a later beat may find it back.
                connection.close()
    finally:
        connection.close()


def _look(lease: Lease) -> None:
    if lease.model is Resolution:
        if Resolution.objects.filter(pk=lease.pk, status=ResolutionStatus.CANCELLING).exists():
            lease.stopped.set()
        return
    status = ImportJob.objects.filter(pk=lease.job_id).values_list("status", flat=True).first()
    if status in {None, JobStatus.CANCELLING, JobStatus.PAUSED, JobStatus.FAILED} and lease.model is Chunk:
        lease.stopped.set()
    if status in {None, JobStatus.CANCELLING} and lease.model is ImportJob:
        lease.stopped.set()


def recover(now: datetime) -> int:
    """Ends at once the leases of workers that are proved dead; what died elsewhere runs out by itself. How many."""
    ended = 0
    kinds: tuple[QuerySet[Any], ...] = (
        ImportJob.objects.all(),
        Chunk.objects.filter(status=ChunkStatus.OPEN),
        Resolution.objects.all(),
    )
    for rows in kinds:
        held = rows.filter(leased_until__isnull=False).exclude(owner="")
        for owner in held.values_list("owner", flat=True).distinct():
            if proved_dead(owner):
                # Set into the past, not to null: whoever takes it next counts the kill.
                ended += held.filter(owner=owner, leased_until__gt=now).update(leased_until=now)
    return ended
