"""PLAN: only the whole of a job shows what clashes, so it waits for all of EXTRACT, and gives final outcomes."""

from typing import Any

from django.db import transaction
from django.db.models import Q, Sum

from importer.core.states import JobStatus, Outcome, Work
from importer.models import Chunk, ImportJob, Placement, move_to
from importer.pipeline import chunks
from importer.pipeline.chunks import SYSTEM
from importer.pipeline.decide import decide_all
from importer.pipeline.forecast import forecast
from importer.pipeline.leases import Lease
from importer.pipeline.place import place_all
from importer.pipeline.replan import asked_anew, begin_again
from importer.pipeline.settle import settle_all
from importer.pipeline.worker import Worker


def plan(job: ImportJob, lease: Lease, *, worker: Worker) -> None:
    """Goes on where a killed one was: labels and places, then (after COMPARE) outcomes, then the slices to move.

    An approved plan keeps its labels; where it comes out otherwise than approved, it waits again instead.
    """
    if not job.compare_done and not Chunk.objects.filter(job=job, work=Work.COMPARE).exists():
        if job.approvals:
            begin_again(job, lease)
        else:
            settle_all(job, lease)
        place_all(job, lease)
        _ask(job, lease, worker=worker)
        job.refresh_from_db()
    if job.compare_done:
        decide_all(job, lease)
        if not asked_anew(job, lease, worker=worker):
            _go_on(job, lease, worker=worker)


def _ask(job: ImportJob, lease: Lease, *, worker: Worker) -> None:
    asked = Placement.objects.filter(job=job, outcome__isnull=True).exclude(asks="").order_by("first_seq")
    slices = list(chunks.sliced(job.pk, Work.COMPARE, asked.values_list("id", "first_seq", "bytes").iterator()))
    with transaction.atomic():
        lease.fence()
        chunks.add(job.pk, slices)
        if not slices:
            ImportJob.objects.filter(pk=job.pk).update(compare_done=True)
        transaction.on_commit(lambda: worker.wake(job.pk, len(slices)))


def _go_on(job: ImportJob, lease: Lease, *, worker: Worker) -> None:
    """One transaction: the slices and the next state, so that neither comes without the other."""
    moves = Placement.objects.filter(Q(outcome=Outcome.PLANNED) | Q(outcome=Outcome.CONFLICT), job=job)
    moves = moves.order_by("first_seq")
    slices = list(chunks.sliced(job.pk, Work.TRANSFER, moves.values_list("id", "first_seq", "bytes").iterator()))
    following = JobStatus.TRANSFERRING if slices else JobStatus.FINISHING
    if job.dry_run:
        slices, following = [], JobStatus.PLANNED
    sums: dict[str, Any] = forecast(job) if following == JobStatus.PLANNED else {}
    with transaction.atomic():
        lease.fence()
        chunks.add(job.pk, slices)
        planned = moves.aggregate(total=Sum("bytes"))["total"] or 0
        move_to(job, following, who=SYSTEM, now=worker.now(), bytes_planned=planned, **sums)
        transaction.on_commit(lambda: worker.wake(job.pk, len(slices)))
