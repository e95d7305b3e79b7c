"""What became of decisions, told to every row that speaks of them: set-wise, inside the transaction of the slice."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import F

from importer.core.methods import Action
from importer.core.states import ConflictStatus, ConflictType, DecisionStatus, JobStatus, Outcome, Upsert
from importer.models import (
    Conflict,
    Decision,
    ImportJob,
    Placement,
    Resolution,
    StaleTransition,
    bulk,
    move_all,
    move_to,
)
from importer.pipeline.cases import Case
from importer.pipeline.decide import path_of
from importer.pipeline.followers import follow
from importer.pipeline.holding import cause_key, container_of
from importer.pipeline.landing import Landed
from importer.pipeline.recount import recount

UNDO_DAYS = 30
REJECTED = "Rejected in review"
_DECISION = ["error", "result", "done_at", "undo_until", "file_id", "made_version", "made"]
_CONFLICT = ["action", "action_error", "action_result", "type", "level", "candidates", "cause", "container"]


def tell(job: ImportJob, live: Sequence[Case], landed: Landed, *, now: datetime) -> None:
    """Every case is applied or refused; followers, counters and the job's end come with it."""
    applied: list[Case] = []
    refused: list[Case] = []
    for case in live:
        case.error = _why_not(case, landed)
        (refused if case.error else applied).append(case)
    _refuse(refused, now=now)
    _apply(applied, landed, now=now)
    follow(job, [case for case in live if case.placement.pk not in landed.refused], landed, now=now)
    recount(job, {case.placement.pk: case.placement.outcome or "" for case in applied})
    if live:
        rows = Resolution.objects.filter(pk=live[0].decision.resolution_id)
        rows.update(applied=F("applied") + len(applied), refused=F("refused") + len(refused))
    close(job, now=now)


def _why_not(case: Case, landed: Landed) -> str:
    if case.error:
        return case.error
    if case.placement in landed.losers:
        return f"It still conflicts: {case.placement.reason}"
    return landed.refused.get(case.placement.pk, "")


def _refuse(cases: Sequence[Case], *, now: datetime) -> None:
    """The row stays open and says why; where the conflict has become another one, it says so too."""
    if not cases:
        return
    for case in cases:
        decision, conflict, placement = case.decision, case.conflict, case.placement
        decision.error, decision.done_at = case.error, now
        conflict.action, conflict.action_error = decision.action, case.error
        if not _keeps_its_name(conflict, placement):
            conflict.type, conflict.level = placement.conflict_type, placement.conflict_level
            conflict.candidates = placement.candidates
            conflict.cause, conflict.container = cause_key(conflict.job, placement), container_of(placement)
        placement.outcome = Outcome.CONFLICT
    move_all([c.decision for c in cases], DecisionStatus.REFUSED, who=_who(cases), now=now, quiet=True)
    _write(cases)


def _keeps_its_name(conflict: Conflict, placement: Placement) -> bool:
    """What landing sees may be said better: a series whose instances disagree has no labels either, and a second
    content of one instance meets the archive of its series."""
    better = {
        ConflictType.LABEL_MISSING: {ConflictType.SERIES_LABELS, ConflictType.LABEL_MISSING},
        ConflictType.FILE_NAME: {ConflictType.INSTANCE_UID},
    }
    return conflict.type in better.get(ConflictType(placement.conflict_type), set())


def _apply(cases: Sequence[Case], landed: Landed, *, now: datetime) -> None:
    if not cases:
        return
    for case in cases:
        _fill(case, landed, now=now)
    move_all([c.decision for c in cases], DecisionStatus.APPLIED, who=_who(cases), now=now, quiet=True)
    action = cases[0].decision.resolution.action
    conflicts = [case.conflict for case in cases]
    who = _who(cases)
    move_all(conflicts, ConflictStatus.RESOLVED, who=who, now=now, detail=action, resolved_at=now, resolved_by=who)
    _write(cases)


def _fill(case: Case, landed: Landed, *, now: datetime) -> None:
    decision, conflict, placement = case.decision, case.conflict, case.placement
    if decision.action == Action.REJECT:
        placement.outcome, placement.reason = Outcome.SKIPPED, REJECTED
    elif placement.outcome == Outcome.IMPORTED:
        decision.file_id, decision.made_version = placement.file_id, placement.version
        decision.made = _made(case, landed)
    decision.result = "" if decision.action == Action.REJECT else path_of(placement)
    decision.error, decision.done_at, decision.undo_until = "", now, now + timedelta(days=UNDO_DAYS)
    conflict.action, conflict.action_error, conflict.action_result = decision.action, "", decision.result


def _made(case: Case, landed: Landed) -> list[list[object]]:
    """Containers that exist since this decision, deepest first: its undo removes them if nothing came to lie there."""
    node = landed.nodes.get(case.placement.pk)
    made = case.placement.upserts
    return [[at.level, at.id] for at in node.upwards() if made.get(at.level) == Upsert.CREATE] if node else []


def _write(cases: Sequence[Case]) -> None:
    bulk.update(Decision, _DECISION, [(c.decision.pk, *(getattr(c.decision, n) for n in _DECISION)) for c in cases])
    bulk.update(Conflict, _CONFLICT, [(c.conflict.pk, *(getattr(c.conflict, n) for n in _CONFLICT)) for c in cases])
    rows = [(c.placement.pk, c.placement.outcome, c.placement.reason) for c in cases]
    bulk.update(Placement, ["outcome", "reason"], rows)


def _who(cases: Sequence[Case]) -> str:
    return cases[0].decision.resolution.who


def close(job: ImportJob, *, now: datetime) -> None:
    """With the last decision the import is complete."""
    if Conflict.objects.filter(job=job, status=ConflictStatus.OPEN).exists():
        return
    job.refresh_from_db(fields=["status"])
    if job.status != JobStatus.NEEDS_REVIEW:
        return
    try:
        move_to(job, JobStatus.COMPLETED, who="system", now=now, detail="the last conflict is decided")
    except StaleTransition:
        return
