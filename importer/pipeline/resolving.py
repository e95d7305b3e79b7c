"""Resolutions are worked off like imports: leased, killable, pausable, swept."""

import logging
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from importer.core.states import DecisionStatus, ResolutionStatus
from importer.models import Conflict, Decision, Resolution, StaleTransition, move_to
from importer.pipeline import leases
from importer.pipeline.effects import carry_out
from importer.pipeline.leases import Lease, LostLease, Stopped
from importer.pipeline.undo import CannotUndo, undo
from importer.pipeline.worker import Worker
from storages.errors import PlaceError
from storages.places import quarantine

log = logging.getLogger(__name__)

PAUSE_SECONDS = 30
KEPT_DAYS = 30
OPEN = (ResolutionStatus.RUNNING, ResolutionStatus.PAUSED, ResolutionStatus.CANCELLING)


def resolve(resolution_id: int, *, worker: Worker) -> Resolution:
    """Carries out what is pending, if nobody else is at it. A broken place pauses it, with the reason."""
    resolution = Resolution.objects.get(pk=resolution_id)
    lease = leases.take(resolution, worker)
    if lease is None:
        return resolution
    with leases.kept(lease, worker):
        resolution.refresh_from_db()
        try:
            _go_on(resolution, worker=worker)
            _take_back(resolution, lease, worker=worker)
            if resolution.status == ResolutionStatus.RUNNING:
                carry_out(resolution, lease, worker=worker)
        except PlaceError as error:
            _pause(resolution, str(error), now=worker.now())
        except (LostLease, Stopped, StaleTransition) as error:
            log.info("resolution=%s gave way: %s", resolution_id, type(error).__name__)
        resolution.refresh_from_db()
        if resolution.status == ResolutionStatus.CANCELLING:
            _cancel(resolution, now=worker.now())
    return resolution


def _take_back(resolution: Resolution, lease: Lease, *, worker: Worker) -> None:
    """All of it that still can be; a killed worker's is gone on with, because the wish stays until it is met."""
    if not resolution.undo_by:
        return
    leaders = resolution.decisions.filter(leader__isnull=True, status=DecisionStatus.APPLIED).order_by("-id")
    for pk in list(leaders.values_list("pk", flat=True)):
        lease.check()
        decision = Decision.objects.select_related("conflict__project__group").get(pk=pk)
        try:
            undo(decision, who=resolution.undo_by, now=worker.now())
        except CannotUndo as error:
            Decision.objects.filter(pk=pk).update(error=str(error))
    Resolution.objects.filter(pk=resolution.pk).update(undo_by="")


def _go_on(resolution: Resolution, *, worker: Worker) -> None:
    due = resolution.next_attempt_at is None or resolution.next_attempt_at <= worker.now()
    if resolution.status == ResolutionStatus.PAUSED and due:
        move_to(resolution, ResolutionStatus.RUNNING, who="system", now=worker.now(), next_attempt_at=None, reason="")


def _pause(resolution: Resolution, reason: str, *, now: datetime) -> None:
    again = now + timedelta(seconds=PAUSE_SECONDS)
    move_to(
        resolution, ResolutionStatus.PAUSED, who="system", now=now, detail=reason, reason=reason, next_attempt_at=again
    )


def _cancel(resolution: Resolution, *, now: datetime) -> None:
    """What was carried out stands; what was pending is open again."""
    with transaction.atomic():
        resolution.decisions.filter(status=DecisionStatus.PENDING).delete()
        move_to(resolution, ResolutionStatus.CANCELLED, who=resolution.who, now=now, finished_at=now)


def open_resolutions(*, now: datetime) -> list[int]:
    """Those that may have something to do."""
    wanted = Q(status__in=OPEN, job__isnull=True) | ~Q(undo_by="")
    rows = Resolution.objects.filter(leases.free(now), wanted)
    return list(rows.order_by("id").values_list("id", flat=True))


def purge(*, now: datetime) -> int:
    """Held bytes whose decision cannot be taken back any more are let go: first the row, then the bytes. How many."""
    over = Decision.objects.filter(status=DecisionStatus.APPLIED, undo_until__lt=now).values("conflict")
    # What was only noted lies with somebody else.
    done = Conflict.objects.filter(status="resolved", purged_at__isnull=True, storage__isnull=True, pk__in=over)
    paths = dict(done.values_list("pk", "path")[:1000])
    Conflict.objects.filter(pk__in=paths).update(purged_at=now)
    for path in paths.values():
        quarantine().delete(path)
    return len(paths)
