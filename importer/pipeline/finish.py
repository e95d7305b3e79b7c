"""FINISH: the sums, and with them the end of the job. The law of conservation is checked here, for every job."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Count, F, Q
from django.db.models.functions import Coalesce

from importer.core.states import ChunkStatus, ConflictStatus, JobStatus, Outcome, ResolutionStatus, Work
from importer.models import Chunk, Conflict, ImportJob, Item, Placement, Resolution, StaleTransition, bulk, move_to
from importer.pipeline import chunks, intents, leases
from importer.pipeline.chunks import SYSTEM
from importer.pipeline.effects import carry_out
from importer.pipeline.heirs import name_winners
from importer.pipeline.leases import Lease
from importer.pipeline.pages import in_pages
from importer.pipeline.remember import remember
from importer.pipeline.worker import Worker

CANCELLED = "Cancelled"
COUNTED = (Outcome.IMPORTED, Outcome.SKIPPED, Outcome.CONFLICT, Outcome.FAILED, Outcome.CANCELLED)


class NotConserved(Exception):
    """A source file has no outcome, or more than one: a fault of ours, which ends the job as failed."""


def outcomes(job_id: int) -> dict[str, int]:
    """Outcome → number of source files; what has none yet is under the empty string."""
    rows = Item.objects.filter(job=job_id).annotate(became=Coalesce("outcome", "placement__outcome"))
    counted = rows.values("became").annotate(times=Count("id")).order_by()
    return {row["became"] or "": row["times"] for row in counted}


def finish(job: ImportJob, lease: Lease, *, worker: Worker) -> None:
    """Raises NotConserved."""
    intents.drop_all_unspoken(job.pk)
    name_winners(job, lease)
    _decide_by_itself(job, worker=worker)
    remember(job, lease)
    waiting = Conflict.objects.filter(job=job, status=ConflictStatus.OPEN).exists()
    end = JobStatus.NEEDS_REVIEW if waiting else JobStatus.COMPLETED
    _end(job, lease, end, worker=worker)


def _decide_by_itself(job: ImportJob, *, worker: Worker) -> None:
    """What a strategy or a standing rule decided belongs to this import: it ends after them."""
    for resolution in Resolution.objects.filter(job=job, status=ResolutionStatus.RUNNING):
        own = leases.take(resolution, worker)
        if own is not None:
            with leases.kept(own, worker):
                carry_out(resolution, own, worker=worker)


def finish_cancelled(job: ImportJob, lease: Lease, *, worker: Worker) -> bool:
    """False while a chunk is still under way: a running slice ends whole before the job does."""
    if Chunk.objects.filter(job=job, status=ChunkStatus.OPEN, leased_until__gt=worker.now()).exists():
        return False
    _write_unread(job, now=worker.now())
    intents.drop_all_unspoken(job.pk)
    _cancel_unmoved(job, lease)
    # A fault of ours ends a job by the same way.
    end = JobStatus.FAILED if job.error else JobStatus.CANCELLED
    _end(job, lease, end, worker=worker)
    return True


def _cancel_unmoved(job: ImportJob, lease: Lease) -> None:
    """What is neither stored nor held by now."""
    unheld = Q(outcome=Outcome.CONFLICT, conflict_row__isnull=True)
    unmoved = Q(outcome__isnull=True) | Q(outcome=Outcome.PLANNED) | unheld
    for page in in_pages(Placement.objects.filter(unmoved, job=job).only("pk")):
        lease.check()
        here = Placement.objects.filter(pk__in=[placement.pk for placement in page])
        here.update(outcome=Outcome.CANCELLED, reason=CANCELLED)


def _write_unread(job: ImportJob, *, now: datetime) -> None:
    """Names that were found and never read have their row in the report all the same."""
    for chunk in Chunk.objects.filter(job=job, status=ChunkStatus.OPEN).order_by("id").iterator(chunk_size=10):
        try:
            _drop(chunk, now=now)
        except StaleTransition:
            # A worker that had not heard of the cancellation has just ended it: its rows are there.
            continue


def _drop(chunk: Chunk, *, now: datetime) -> None:
    entries = bytes(chunk.entries)
    with transaction.atomic():
        move_to(chunk, ChunkStatus.CANCELLED, who=SYSTEM, now=now, quiet=True, entries=b"")
        if chunk.work == Work.EXTRACT:
            _write_cancelled(chunk, entries)
        ImportJob.objects.filter(pk=chunk.job_id).update(open_chunks=F("open_chunks") - 1)


def _write_cancelled(chunk: Chunk, entries: bytes) -> None:
    columns = ["job_id", "seq", "path", "size", "mtime_ns", "inode", "sop_uid", "outcome", "reason"]
    rows = [
        (
            chunk.job_id,
            seq,
            entry.path,
            entry.size,
            entry.mtime_ns,
            entry.inode,
            "",
            str(Outcome.CANCELLED),
            CANCELLED,
        )
        for seq, entry in enumerate(chunks.from_blob(entries), chunk.first_seq)
    ]
    bulk.insert(Item, columns, rows)


def _conserved(job: ImportJob) -> dict[str, int]:
    counts = outcomes(job.pk)
    job.refresh_from_db(fields=["discovered"])
    if set(counts) - set(COUNTED) or sum(counts.values()) != job.discovered:
        raise NotConserved(f"{job.discovered} files were discovered, {counts} are accounted for.")
    return counts


def _end(job: ImportJob, lease: Lease, end: JobStatus, *, worker: Worker) -> None:
    """Counted with the job's row locked: a decision made at this moment moves the counters before or after, whole."""
    with transaction.atomic():
        lease.fence()
        counts = _conserved(job)
        now = worker.now()
        sums: dict[str, Any] = {outcome.value: counts.get(outcome, 0) for outcome in COUNTED}
        move_to(job, end, who=SYSTEM, now=now, finished_at=now, **sums)
