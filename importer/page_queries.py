"""What the pages of imports read. The number of queries is fixed; the rows of a list are one page of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Generic, TypedDict, TypeVar

from django.db.models import Case, Count, F, Model, Q, QuerySet, Sum, TextField, Value, When
from django.db.models.functions import Coalesce

from hierarchy.models import Project
from hierarchy.selectors import Actor, visible_projects
from importer.core.states import FINAL, LIVE, ConflictStatus, JobStatus, Outcome
from importer.models import Conflict, Event, ImportJob, Item
from importer.pipeline.forecast import DESELECTED, MOVES

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

PAGE = 50
REASONS = 40
EVENTS = 100

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Rows(Generic[Row]):
    """One page of a list, and the key behind which the next one begins (None: this is the last)."""

    rows: list[Row]
    next_after: int | None


@dataclass(frozen=True, slots=True)
class Reason:
    """How many source files ended in the same way for the same reason."""

    outcome: str
    reason: str
    count: int


# What a reader may choose in the list of imports: the word in the address, and the states behind it.
JOB_FILTERS: dict[str, frozenset[str]] = {
    "running": frozenset(LIVE),
    "review": frozenset({JobStatus.NEEDS_REVIEW}),
    "planned": frozenset({JobStatus.PLANNED}),
    "completed": frozenset({JobStatus.COMPLETED}),
    "failed": frozenset({JobStatus.FAILED}),
    "cancelled": frozenset({JobStatus.CANCELLED}),
}


def visible_jobs(actor: Actor) -> QuerySet[ImportJob]:
    """Imports into the projects that the actor sees, newest first, with what every list of them shows."""
    jobs = ImportJob.objects.filter(project__in=visible_projects(actor))
    # The texts of rules are long, and one page at most shows one of them.
    jobs = jobs.select_related("project__group", "rules_version").defer("rules_text", "rules_version__text")
    return jobs.order_by("-id")


def job_page(
    actor: Actor, *, chosen: str = "", project: int | None = None, before: int | None = None, step: int = PAGE
) -> Rows[ImportJob]:
    """Newest first. `chosen` is a key of JOB_FILTERS, or empty for all."""
    jobs = visible_jobs(actor)
    if chosen:
        jobs = jobs.filter(status__in=JOB_FILTERS[chosen])
    if project is not None:
        jobs = jobs.filter(project=project)
    if before is not None:
        jobs = jobs.filter(id__lt=before)
    return cut(jobs, step=step, key=lambda job: job.pk)


def live_jobs(actor: Actor, *, most: int = 20) -> list[ImportJob]:
    """What is under way."""
    return list(visible_jobs(actor).filter(status__in=LIVE)[:most])


def ended_jobs(actor: Actor, *, most: int = 8) -> list[ImportJob]:
    """What ended last, and dry runs that wait to be approved."""
    return list(visible_jobs(actor).exclude(status__in=LIVE)[:most])


def cut(found: QuerySet[Row], *, step: int, key: Callable[[Row], int]) -> Rows[Row]:
    """One row more than asked for says whether there is a next page."""
    rows = list(found[: step + 1])
    return Rows(rows=rows[:step], next_after=key(rows[step - 1]) if len(rows) > step else None)


@dataclass(frozen=True, slots=True)
class ItemChoice:
    """Which source files of a job a list shows; empty means any."""

    outcome: str = ""
    reason: str = ""
    words: str = ""


class Ended(TypedDict):
    """What a source file's row says, whether itself or through its Placement."""

    ended: str | None
    because: str


def items_of(job: ImportJob) -> "QuerySet[WithAnnotations[Item, Ended]]":
    """Each with `ended` and `because`: its own outcome and reason, or those of its Placement."""
    left_out = Q(outcome__isnull=True, placement__deselected=True, placement__outcome__in=MOVES)
    return (
        Item.objects.filter(job=job)
        .select_related("placement")
        .annotate(
            ended=Case(
                When(left_out, then=Value(Outcome.SKIPPED.value)),
                default=Coalesce("outcome", "placement__outcome"),
            ),
            because=Case(
                When(outcome__isnull=False, then=F("reason")),
                When(left_out, then=Value(DESELECTED)),
                default=Coalesce("placement__reason", Value(""), output_field=TextField()),
                output_field=TextField(),
            ),
        )
        .order_by("seq")
    )


def item_page(job: ImportJob, *, choice: ItemChoice, after: int | None = None, step: int = PAGE) -> Rows[Item]:
    """In source order, behind `after` (a seq)."""
    found = items_of(job)
    if choice.outcome:
        found = found.filter(ended=choice.outcome)
    if choice.reason:
        found = found.filter(because=choice.reason)
    if choice.words:
        found = found.filter(path__icontains=choice.words)
    if after is not None:
        found = found.filter(seq__gt=after)
    return cut(found, step=step, key=lambda item: item.seq)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The ids of the source files before and after one, in source order; None at the ends."""

    before: int | None
    after: int | None


def neighbours(item: Item) -> Neighbours:
    others = Item.objects.filter(job=item.job_id)
    before = others.filter(seq__lt=item.seq).order_by("-seq").values_list("pk", flat=True).first()
    after = others.filter(seq__gt=item.seq).order_by("seq").values_list("pk", flat=True).first()
    return Neighbours(before=before, after=after)


def reasons(job: ImportJob) -> list[Reason]:
    """Why what was not imported was not, the most frequent first."""
    grouped = (
        items_of(job)
        .exclude(Q(ended__isnull=True) | Q(ended__in=[Outcome.IMPORTED, Outcome.PLANNED]))
        .order_by()
        .values("ended", "because")
        .annotate(files=Count("id"))
        .order_by("-files", "because")[:REASONS]
    )
    return [Reason(row["ended"] or "", row["because"], row["files"]) for row in grouped]


def events_of(job: ImportJob) -> list[Event]:
    """The newest first."""
    return list(Event.objects.filter(job_id=job.pk).order_by("-id")[:EVENTS])


def conflicts_of(job: ImportJob, *, after: int | None = None, step: int = PAGE) -> Rows[Conflict]:
    """What this import could not land, in the order in which it was found; decided ones too."""
    found = Conflict.objects.filter(job=job).order_by("id").select_related("placement").defer("manifest")
    if after is not None:
        found = found.filter(id__gt=after)
    return cut(found, step=step, key=lambda conflict: conflict.pk)


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts for the top of the dashboard; the sums are those of imports that ended since the given moment."""

    running: int
    paused: int
    waiting: int
    imported: int
    failed: int
    bytes_moved: int


def tally(actor: Actor, *, since: datetime) -> Tally:
    """Two queries, whatever the number of imports."""
    projects = visible_projects(actor)
    jobs = ImportJob.objects.filter(project__in=projects)
    recent = Q(finished_at__gte=since)
    found = jobs.filter(Q(status__in=LIVE) | recent).aggregate(
        running=Count("id", filter=Q(status__in=LIVE - {JobStatus.PAUSED})),
        paused=Count("id", filter=Q(status=JobStatus.PAUSED)),
        imported=Sum("imported", filter=recent, default=0),
        failed=Sum("failed", filter=recent, default=0),
        bytes_moved=Sum("bytes_moved", filter=recent, default=0),
    )
    waiting = Conflict.objects.filter(project__in=projects, status=ConflictStatus.OPEN).count()
    return Tally(waiting=waiting, **found)


def project_choices(actor: Actor) -> list[Project]:
    """For a filter: only projects that the actor sees."""
    return list(visible_projects(actor).select_related("group")[:500])


def may_stop(job: ImportJob) -> bool:
    """Whether there is anything left to cancel."""
    return job.status not in FINAL and job.status != JobStatus.CANCELLING
