"""Taking a decision back, as long as what it did still stands."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Max
from django.db.models.deletion import ProtectedError, RestrictedError

from hierarchy.models import Acquisition, Container, File, FileVersion, Manifest, Session, Subject
from importer.core.states import ConflictStatus, DecisionStatus, JobStatus, Level, Outcome
from importer.models import Alias, Conflict, Decision, ImportJob, Placement, StaleTransition, move_to
from importer.pipeline.containers import lock_scope
from importer.pipeline.recount import recount
from storages.places import archive, quarantine

CONTAINERS: dict[Level, type[Container]] = {
    Level.SUBJECT: Subject,
    Level.SESSION: Session,
    Level.ACQUISITION: Acquisition,
}


class CannotUndo(Exception):
    """The text says why."""


def undo(decision: Decision, *, who: str, now: datetime) -> list[Decision]:
    """The decision and all that followed from it; gives back what was undone. Raises CannotUndo, then nothing is."""
    job = ImportJob.objects.select_related("project__group").get(pk=decision.conflict.job_id)
    dropped: list[str] = []
    with transaction.atomic():
        lock_scope(job.project, scope=job.uid_scope)
        chain = _chain(decision)
        for one in chain:
            dropped += _undo_one(one, who=who, now=now)
    for path in dropped:
        archive().delete(path)
    return chain


def _chain(decision: Decision) -> list[Decision]:
    """Followers first: what came last goes first."""
    rows = Decision.objects.select_for_update().filter(status=DecisionStatus.APPLIED)
    followers = list(rows.filter(leader=decision).order_by("-id").select_related("conflict"))
    own = list(rows.filter(pk=decision.pk).select_related("conflict"))
    if not own:
        raise CannotUndo("This decision is not in force: it was refused, cancelled or taken back already.")
    return [*followers, *own]


def _undo_one(decision: Decision, *, who: str, now: datetime) -> list[str]:
    conflict = decision.conflict
    _check(decision, conflict, now=now)
    dropped = _drop_version(decision)
    Alias.objects.filter(decision=decision).delete()
    _drop_containers(decision)
    before = Placement.objects.get(pk=conflict.placement_id)
    move_to(decision, DecisionStatus.UNDONE, who=who, now=now, quiet=True)
    try:
        with transaction.atomic():
            _reopen(conflict, who=who, now=now)
    except StaleTransition as error:
        raise CannotUndo("The conflict is open already.") from error
    _put_back(conflict, before, now=now)
    return dropped


def _check(decision: Decision, conflict: Conflict, *, now: datetime) -> None:
    if decision.undo_until is None or decision.undo_until < now:
        raise CannotUndo("The time for taking it back is over: 30 days.")
    held = conflict.storage_id is not None or (conflict.purged_at is None and quarantine().exists(conflict.path))
    if not held:
        raise CannotUndo("The held bytes are not there any more, so the conflict cannot be opened again.")
    again = Conflict.objects.filter(project=conflict.project_id, held_key=conflict.held_key, status=ConflictStatus.OPEN)
    if again.exclude(pk=conflict.pk).exists():
        raise CannotUndo("The same content has been delivered since and waits for a decision of its own.")


def _drop_version(decision: Decision) -> list[str]:
    """The version that it made, if it is still the newest; the one before it stands again."""
    if decision.made_version is None:
        return []
    file = File.objects.select_for_update().filter(pk=decision.file_id or 0).first()
    made = FileVersion.objects.filter(file=decision.file_id, pk=decision.token).first()
    if file is None or made is None:
        raise CannotUndo("The file that it made has been deleted.")
    if file.version != decision.made_version:
        raise CannotUndo("The file has a newer version since: take that back first.")
    Manifest.objects.filter(version=made).delete()
    made.delete()
    number = FileVersion.objects.filter(file=file).aggregate(newest=Max("number"))["newest"]
    if number is None:
        file.delete()
    else:
        File.objects.filter(pk=file.pk).update(version=number)
    # Of a reference only a link is ours.
    return [path for path in [made.link if made.reference else made.path] if path]


def _drop_containers(decision: Decision) -> None:
    """Those that it made, deepest first, unless something else lies in them by now."""
    for level, pk in decision.made:
        try:
            with transaction.atomic():
                CONTAINERS[Level(level)]._default_manager.filter(pk=pk).delete()
        except (ProtectedError, RestrictedError):
            return


def _reopen(conflict: Conflict, *, who: str, now: datetime) -> None:
    move_to(
        conflict,
        ConflictStatus.OPEN,
        who=who,
        now=now,
        detail="undone",
        resolved_at=None,
        resolved_by="",
        action="",
        action_error="",
        action_result="",
    )


def _put_back(conflict: Conflict, before: Placement, *, now: datetime) -> None:
    """Labels as they came in; counters; an import that was complete needs review again."""
    job = ImportJob.objects.get(pk=conflict.job_id)
    Placement.objects.filter(pk=before.pk).update(
        **conflict.incoming, outcome=Outcome.CONFLICT, reason=_reason(conflict), file_id=None, version=None, upserts={}
    )
    recount(job, {before.pk: Outcome.CONFLICT}, before=before.outcome or "")
    job.refresh_from_db(fields=["status"])
    if job.status == JobStatus.COMPLETED:
        move_to(job, JobStatus.NEEDS_REVIEW, who="system", now=now, detail="undone")


def _reason(conflict: Conflict) -> str:
    return f"Held again: {conflict.type.replace('_', ' ')}"


def undoable(decisions: Sequence[Decision], *, now: datetime) -> list[Decision]:
    """Those of these that may still be taken back, as far as their rows tell."""
    return [d for d in decisions if d.status == DecisionStatus.APPLIED and d.undo_until and d.undo_until > now]
