"""What people may ask about conflicts. Permission is asked here, so every door has the same guard."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from hierarchy.errors import NotAllowed, Refused
from hierarchy.models import Project, Role
from hierarchy.services import require
from importer import tasks
from importer.core import methods
from importer.core.labels import clean_acquisition_label, clean_label
from importer.core.methods import Action, Unfit
from importer.core.states import ConflictStatus, DecisionStatus, Level, ResolutionStatus
from importer.models import Alias, Conflict, Decision, Event, Resolution, StaleTransition, StandingRule, move_to
from importer.pipeline.resolving import OPEN
from importer.pipeline.undo import CannotUndo, undo

PAGE = 1000
UNDO_AT_ONCE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What to do: an action or one of the four words. `target` is a chosen container, `labels` are assigned ones."""

    action: str
    who: str
    target: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


def decide(
    conflicts: "QuerySet[Conflict]", verdict: Verdict, *, actor: User | None, now: datetime, enqueue: bool = True
) -> Resolution:
    """One decision for every open conflict of the selection; on commit a worker carries it out.

    Raises NotAllowed unless the actor is data manager of every project concerned, Refused where the selection is
    empty or the action fits none of it. Conflicts that it does not fit, or that somebody decides at this moment, are
    left out and stay open.
    """
    labels = _cleaned(verdict.labels)
    waiting = conflicts.filter(status=ConflictStatus.OPEN)
    _guard(waiting, actor)
    chosen = _fitting(waiting, verdict, labels)
    with transaction.atomic():
        resolution = Resolution.objects.create(
            who=verdict.who,
            actor=actor,
            action=chosen[0].action,
            target=verdict.target,
            labels=labels,
            created_at=now,
            project_id=_one_project(waiting),
        )
        _write(resolution, chosen, now=now)
        if enqueue:
            transaction.on_commit(partial(tasks.wake_resolution, resolution.pk))
    return resolution


@dataclass(frozen=True, slots=True)
class Chosen:
    conflict: int
    action: Action


def _guard(waiting: "QuerySet[Conflict]", actor: User | None) -> None:
    projects = Project.objects.filter(pk__in=waiting.order_by().values("project").distinct())
    for project in projects.select_related("group"):
        require(actor, Role.DATA_MANAGER, project=project)


def _one_project(waiting: "QuerySet[Conflict]") -> int | None:
    projects = list(waiting.order_by().values_list("project", flat=True).distinct()[:2])
    return projects[0] if len(projects) == 1 else None


def _cleaned(labels: Mapping[str, str]) -> dict[str, str]:
    """By the same cleaner as a header's; raises Refused for a level that has no label or a label of nothing."""
    found = {}
    for level, label in labels.items():
        if level not in {Level.SUBJECT, Level.SESSION, Level.ACQUISITION}:
            raise Refused(f"{level} has no label to assign: a subject, a session and an acquisition have.")
        clean = clean_acquisition_label(label) if level == Level.ACQUISITION else clean_label(label)
        if not clean:
            raise Refused(f"{label!r} is no label: nothing of it is left once it is cleaned.")
        found[str(level)] = clean
    return found


def _fitting(waiting: "QuerySet[Conflict]", verdict: Verdict, labels: Mapping[str, str]) -> list[Chosen]:
    chosen: list[Chosen] = []
    reason = "Nothing that is open matches: it may have been decided meanwhile."
    rows = waiting.order_by("id").values_list("id", "type", "placement__kind")
    for pk, conflict_type, kind in rows.iterator(chunk_size=PAGE):
        try:
            action = methods.named(verdict.action, conflict_type)
            methods.check(action, conflict_type=conflict_type, kind=kind, target=verdict.target, labels=labels)
        except Unfit as error:
            reason = str(error)
            continue
        chosen.append(Chosen(pk, action))
    if not chosen:
        raise Refused(reason)
    return chosen


def _write(resolution: Resolution, chosen: Sequence[Chosen], *, now: datetime) -> None:
    pending = Decision.objects.filter(status=DecisionStatus.PENDING)
    taken = set(pending.filter(conflict__in=[c.conflict for c in chosen]).values_list("conflict", flat=True))
    rows = [
        Decision(resolution=resolution, conflict_id=c.conflict, action=c.action, created_at=now)
        for c in chosen
        if c.conflict not in taken
    ]
    if not rows:
        raise Refused("Somebody else is deciding about this at the moment: look again.")
    try:
        with transaction.atomic():
            Decision.objects.bulk_create(rows, batch_size=PAGE)
    except IntegrityError as error:
        raise Refused("Somebody else is deciding about some of this at the moment: try again.") from error
    Resolution.objects.filter(pk=resolution.pk).update(total=len(rows))
    resolution.total = len(rows)


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a decision would do: conflicts by action, those left out and why, files and bytes concerned."""

    by_action: dict[str, int]
    left_out: dict[str, int]
    total: int


def forecast(conflicts: "QuerySet[Conflict]", verdict: Verdict, *, actor: User | None) -> Forecast:
    """The dry run of `decide`: changes nothing."""
    labels = _cleaned(verdict.labels)
    waiting = conflicts.filter(status=ConflictStatus.OPEN)
    _guard(waiting, actor)
    by_action: dict[str, int] = {}
    left_out: dict[str, int] = {}
    kinds = waiting.order_by().values_list("type", "placement__kind")
    counts: dict[tuple[str, str], int] = {}
    for pair in kinds.iterator(chunk_size=PAGE):
        counts[pair] = counts.get(pair, 0) + 1
    for (conflict_type, kind), number in counts.items():
        try:
            action = methods.named(verdict.action, conflict_type)
            methods.check(action, conflict_type=conflict_type, kind=kind, target=verdict.target, labels=labels)
            by_action[action] = by_action.get(action, 0) + number
        except Unfit as error:
            left_out[str(error)] = left_out.get(str(error), 0) + number
    return Forecast(by_action, left_out, sum(counts.values()))


def cancel_resolution(resolution_id: int, *, actor: User | None, who: str, now: datetime) -> Resolution:
    """What is carried out stands, what is pending is open again. Raises Refused after the end."""
    resolution = Resolution.objects.get(pk=resolution_id)
    _guard(Conflict.objects.filter(decisions__resolution=resolution), actor)
    if resolution.status not in OPEN:
        raise Refused("This has ended already: single decisions can be taken back.")
    if resolution.status != ResolutionStatus.CANCELLING:
        try:
            move_to(resolution, ResolutionStatus.CANCELLING, who=who, now=now)
        except StaleTransition as error:
            raise Refused("This has just ended: single decisions can be taken back.") from error
    tasks.wake_resolution(resolution.pk)
    return resolution


def undo_decision(decision_id: int, *, actor: User | None, who: str, now: datetime) -> list[Decision]:
    """With all that followed from it. Raises NotAllowed, or Refused with the reason why it cannot be."""
    decision = Decision.objects.select_related("conflict__project__group").get(pk=decision_id)
    require(actor, Role.DATA_MANAGER, project=decision.conflict.project)
    try:
        return undo(decision, who=who, now=now)
    except CannotUndo as error:
        raise Refused(str(error)) from error


def undo_resolution(resolution_id: int, *, actor: User | None, who: str, now: datetime) -> tuple[int, dict[str, int]]:
    """Every decision of it that can be: how many, and for the others the reasons with their numbers.

    Many are taken back by a worker: then the reason says so. Raises NotAllowed.
    """
    done, why = 0, dict[str, int]()
    leaders = Decision.objects.filter(resolution=resolution_id, leader__isnull=True, status=DecisionStatus.APPLIED)
    pks = list(leaders.order_by("-id").values_list("pk", flat=True))
    if len(pks) > UNDO_AT_ONCE:
        _guard(Conflict.objects.filter(decisions__in=pks), actor)
        Resolution.objects.filter(pk=resolution_id).update(undo_by=who)
        tasks.wake_resolution(resolution_id)
        return 0, {"They are being taken back now: look again in a while": len(pks)}
    for pk in pks:
        try:
            done += len(undo_decision(pk, actor=actor, who=who, now=now))
        except NotAllowed:
            raise
        except Refused as error:
            why[str(error)] = why.get(str(error), 0) + 1
    return done, why


def set_standing_rule(
    project: Project, *, conflict_type: str, action: str, enabled: bool, actor: User | None, who: str, now: datetime
) -> StandingRule:
    """Always do this for this project and type. Raises NotAllowed, Refused for what needs a choice each time."""
    require(actor, Role.DATA_MANAGER, project=project)
    chosen = methods.named(action, conflict_type)
    if chosen in {Action.ASSIGN, Action.RETRY} or (chosen == Action.REPLACE and conflict_type in methods.NEEDS_TARGET):
        raise Refused(f"{chosen.value} needs a choice each time: it cannot be a rule.")
    rule, _ = StandingRule.objects.update_or_create(
        project=project,
        type=conflict_type,
        defaults={"action": chosen, "enabled": enabled, "who": who, "created_at": now},
    )
    Event.objects.create(at=now, who=who, what="standing rule", detail=f"{conflict_type}: {chosen.value}, {enabled=}")
    return rule


def rule_effect(rule: StandingRule, *, since: datetime) -> dict[str, int]:
    """What it would have done: conflicts of its type since then, and how people decided them."""
    rows = Conflict.objects.filter(project=rule.project_id, type=rule.type, created_at__gte=since)
    return {
        "conflicts": rows.count(),
        "decided the same": rows.filter(action=rule.action, status=ConflictStatus.RESOLVED).count(),
        "decided otherwise": rows.filter(~Q(action=rule.action), status=ConflictStatus.RESOLVED).count(),
        "open": rows.filter(status=ConflictStatus.OPEN).count(),
    }


def forget_alias(alias_id: int, *, actor: User | None, who: str, now: datetime) -> None:
    """The next delivery of that study is asked about again; what has landed stays. Raises NotAllowed."""
    alias = Alias.objects.select_related("project__group").get(pk=alias_id)
    require(actor, Role.DATA_MANAGER, project=alias.project)
    with transaction.atomic():
        Event.objects.create(at=now, who=who, what="alias forgotten", detail=f"{alias.level} {alias.container_id}")
        alias.delete()
