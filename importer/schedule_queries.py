"""Which schedules there are for an actor. Nothing in here changes anything."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import BooleanField, ExpressionWrapper, OuterRef, Q, QuerySet, Subquery

from hierarchy.errors import Refused
from hierarchy.selectors import Actor, visible_projects
from importer.core.names import shown
from importer.models import Event, ImportJob, ImportSchedule
from importer.storage_queries import NUMBER

EVENTS = 50

# What a reader may choose in the list: the word in the address, and the rows behind it.
STATES = {
    "on": Q(next_run_at__isnull=False),
    "trouble": Q(active=True) & ~Q(trouble=""),
    "over": Q(active=True, next_run_at__isnull=True),
    "off": Q(active=False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleChoice:
    """Which schedules a list shows; empty means any."""

    state: str = ""
    project: int | None = None
    storage: int | None = None
    words: str = ""


def visible(actor: Actor) -> "QuerySet[ImportSchedule]":
    """Those of the projects that the actor sees, each with `own_rules`: whether it has a text of its own."""
    rows = ImportSchedule.objects.select_related("project__group", "storage__provider", "actor")
    rows = rows.defer("rules_text", "storage__credentials")
    rows = rows.annotate(own_rules=ExpressionWrapper(~Q(rules_text=""), output_field=BooleanField()))
    return rows.filter(project__in=visible_projects(actor).order_by().values("pk"))


def listed(actor: Actor, choice: ScheduleChoice) -> "QuerySet[ImportSchedule]":
    """Newest first."""
    rows = visible(actor).order_by("-id")
    if choice.state:
        rows = rows.filter(STATES[choice.state])
    if choice.project is not None:
        rows = rows.filter(project=choice.project)
    if choice.storage is not None:
        rows = rows.filter(storage=choice.storage)
    if choice.words:
        rows = rows.filter(Q(name__icontains=choice.words) | Q(storage__label__icontains=choice.words))
    return rows


def with_last_run(rows: "QuerySet[ImportSchedule]") -> "QuerySet[ImportSchedule]":
    """Each with `last_job` and `last_status`, of its newest import: one query for all."""
    newest = ImportJob.objects.filter(schedule=OuterRef("pk")).order_by("-id")
    return rows.annotate(last_job=Subquery(newest.values("pk")[:1]), last_status=Subquery(newest.values("status")[:1]))


def find(actor: Actor, said: str) -> ImportSchedule:
    """By name, whatever its case, or by number. Raises Refused."""
    rows = visible(actor)
    found = rows.filter(name__iexact=said).first()
    if found is None and NUMBER.fullmatch(said):
        found = rows.filter(pk=int(said)).first()
    if found is None:
        raise Refused(f"There is no schedule {shown(said)}: look at the list of schedules.")
    return found


def events_of(kept: ImportSchedule) -> Sequence[Event]:
    """The newest first."""
    return list(Event.objects.filter(schedule_id=kept.pk).order_by("-id")[:EVENTS])
