"""What a strategy or a standing rule decides at once: by the same decisions that a person would make."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F

from importer.core.methods import FITS, NEEDS_TARGET, Action
from importer.core.states import ConflictType, PlacementKind, ResolutionStatus, Strategy
from importer.models import Conflict, Decision, ImportJob, Resolution, StandingRule


@dataclass(frozen=True, slots=True)
class Automatism:
    who: str
    action: Action
    union: bool = False


def decide_by_itself(job: ImportJob, rows: Sequence[Conflict], *, now: datetime) -> None:
    """Inside the transaction that holds the conflicts: pending decisions, carried out before the import ends."""
    rules = dict(StandingRule.objects.filter(project=job.project, enabled=True).values_list("type", "action"))
    of: dict[Automatism, list[Conflict]] = {}
    for row in rows:
        chosen = _by_rule(row, rules) or _by_strategy(job, row)
        if chosen is not None:
            of.setdefault(chosen, []).append(row)
    for automatism, conflicts in of.items():
        _decide(job, automatism, conflicts, now=now)


def _by_rule(row: Conflict, rules: dict[str, str]) -> Automatism | None:
    action = rules.get(row.type)
    if action is None or (action == Action.MERGE and row.placement.kind != PlacementKind.SERIES):
        return None
    return Automatism(who=f"rule {row.type}", action=Action(action))


def _by_strategy(job: ImportJob, row: Conflict) -> Automatism | None:
    """`update` where exactly one target is named; what needs a choice or a label waits for review all the same."""
    if job.strategy == Strategy.SKIP:
        return Automatism(who=job.who, action=Action.REJECT)
    waits = row.type in NEEDS_TARGET or row.type == ConflictType.LABEL_MISSING
    if job.strategy == Strategy.UPDATE and not waits and Action.REPLACE in FITS[row.type]:
        return Automatism(who=job.who, action=Action.REPLACE, union=True)
    return None


def _decide(job: ImportJob, automatism: Automatism, conflicts: Sequence[Conflict], *, now: datetime) -> None:
    resolution, _ = Resolution.objects.get_or_create(
        job=job,
        action=automatism.action,
        who=automatism.who,
        defaults={"project": job.project, "union": automatism.union, "created_at": now},
    )
    Decision.objects.bulk_create(
        Decision(resolution=resolution, conflict=row, action=automatism.action, created_at=now) for row in conflicts
    )
    still = {"status": ResolutionStatus.RUNNING}
    Resolution.objects.filter(pk=resolution.pk, **still).update(total=F("total") + len(conflicts))
