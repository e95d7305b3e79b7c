"""What the review page reads. The number of queries is fixed; a list is one page of rows, a row one cause at one
container, however many files wait for the same answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet, Sum

from hierarchy.models import Project, Role
from hierarchy.selectors import Actor, memberships, sees_all, visible_projects
from importer.core.states import ConflictStatus, ResolutionStatus
from importer.models import Alias, Conflict, Decision, Event, ImportJob, Item, Resolution, StandingRule
from importer.page_queries import Rows, cut

STEP = 25
# Conflicts that are looked through for the rows of a page before all of them are grouped.
WINDOW = 1000
FILES = 50
# Choices of a filter that a page lists; what is beyond is found by its address or by search.
MOST = 12
# The bar above counts no further: enough to know that there is much.
COUNTED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which conflicts a list shows; empty means any. `words` is part of a path, or the beginning of a UID."""

    type: str = ""
    level: str = ""
    project: int | None = None
    job: int | None = None
    words: str = ""
    decided: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Rows by their newest conflict's number, or (`whole`) all that the choice finds. What came after `upto` was on
    nobody's screen and is left alone."""

    choice: Choice
    rows: tuple[int, ...] = ()
    whole: bool = False
    upto: int | None = None
    single: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """`newest` stands for the others: it names the row and has the latest try's error."""

    newest: Conflict
    files: int
    bytes: int
    instances: int


@dataclass(frozen=True, slots=True)
class Facet:
    """One choice of a filter, and how many waiting files it finds."""

    value: str
    label: str
    count: int


@dataclass(frozen=True, slots=True)
class Facets:
    total: int = 0
    types: Sequence[Facet] = ()
    projects: Sequence[Facet] = ()
    imports: Sequence[Facet] = ()


def visible_conflicts(actor: Actor) -> QuerySet[Conflict]:
    if sees_all(actor):
        return Conflict.objects.all()
    return Conflict.objects.filter(project__in=visible_projects(actor).order_by().values("pk"))


def managed_projects(actor: Actor) -> QuerySet[Project]:
    """Where the actor may decide. For pages; the services ask again."""
    if sees_all(actor):
        return Project.objects.all()
    enough = [role.value for role in Role if role.rank >= Role.DATA_MANAGER.rank]
    mine = memberships(actor).filter(role__in=enough)
    return Project.objects.filter(
        Q(pk__in=mine.filter(project__isnull=False).values("project"))
        | Q(group__in=mine.filter(group__isnull=False).values("group"))
        | Q(Exists(mine.filter(project=None, group=None)))
    )


def chosen(actor: Actor, choice: Choice) -> QuerySet[Conflict]:
    """In no order."""
    status = ConflictStatus.RESOLVED if choice.decided else ConflictStatus.OPEN
    found = visible_conflicts(actor).filter(status=status).order_by()
    wanted = {"type": choice.type, "level": choice.level, "project": choice.project, "job": choice.job}
    found = found.filter(**{name: value for name, value in wanted.items() if value})
    return found.filter(_holds(choice.words)) if choice.words else found


def _holds(words: str) -> Q:
    asked = Q(upload_path__icontains=words) | Q(container__icontains=words)
    if words.replace(".", "").isdigit():
        asked |= Q(placement__session_uid__startswith=words) | Q(placement__acquisition_uid__startswith=words)
    return asked


def row_page(
    actor: Actor, choice: Choice, *, after: int | None = None, upto: int | None = None, step: int = STEP
) -> Rows[Any]:
    """Rows whose newest conflict came before `after`, the newest first."""
    rows = chosen(actor, choice)
    if upto is not None:
        rows = rows.filter(id__lte=upto)
    heads = _heads(rows, after=after, wanted=step + 1)
    found = heads[:step]
    more = found[-1].newest if len(heads) > step else None
    return Rows(rows=_with_newest(actor, choice, found), next_after=more)


@dataclass(frozen=True, slots=True)
class Head:
    """A row before it is filled in."""

    project: int
    cause: str
    newest: int


def _heads(rows: QuerySet[Conflict], *, after: int | None, wanted: int) -> list[Head]:
    """The next rows below `after`. Looks through the newest conflicts, so that a page costs the same in a queue of any
    length; only where they all belong to a few large rows are all of them grouped."""
    behind = rows if after is None else rows.filter(id__lt=after)
    seen = list(behind.order_by("-id").values_list("id", "project", "cause")[:WINDOW])
    found = _newest_among(rows, seen)
    if len(found) >= wanted or len(seen) < WINDOW:
        return found[:wanted]
    grouped: Any = rows.values_list("project", "cause").annotate(newest=Max("id")).order_by("-newest")
    grouped = grouped if after is None else grouped.filter(newest__lt=after)
    return [Head(project, cause, pk) for project, cause, pk in grouped[:wanted]]


def _newest_among(rows: QuerySet[Conflict], seen: Sequence[tuple[int, int, str]]) -> list[Head]:
    """Those of these conflicts that are the newest of their row, in the order given."""
    if not seen:
        return []
    pairs = {(project, cause) for _, project, cause in seen}
    grouped: Any = rows.filter(of_causes(list(pairs))).values_list("project", "cause").annotate(newest=Max("id"))
    newest = {(project, cause): pk for project, cause, pk in grouped}
    return [Head(project, cause, pk) for pk, project, cause in seen if newest[project, cause] == pk]


def _with_newest(actor: Actor, choice: Choice, heads: Sequence[Head]) -> list[Row]:
    newest = with_all(Conflict.objects.all()).in_bulk([head.newest for head in heads])
    sums = _sums(chosen(actor, choice), heads)
    return [
        Row(newest[head.newest], *sums[head.project, head.cause])
        for head in heads
        if head.newest in newest and (head.project, head.cause) in sums
    ]


def _sums(found: QuerySet[Conflict], heads: Sequence[Head]) -> dict[tuple[int, str], tuple[int, int, int]]:
    """Files, bytes and source files of each row."""
    if not heads:
        return {}
    rows: Any = found.filter(of_causes([(head.project, head.cause) for head in heads])).values("project", "cause")
    rows = rows.annotate(files=Count("id"), held=Sum("size"), sources=Sum("placement__count"))
    return {(row["project"], row["cause"]): (row["files"], row["held"], row["sources"]) for row in rows}


def of_causes(pairs: Sequence[tuple[int, str]]) -> Q:
    """Conflicts of rows; at least one pair."""
    causes: dict[int, list[str]] = {}
    for project, cause in pairs:
        causes.setdefault(project, []).append(cause)
    found = Q()
    for project, some in causes.items():
        found |= Q(project=project, cause__in=some)
    return found


def with_all(rows: QuerySet[Conflict]) -> QuerySet[Conflict]:
    """What a row shows, without the manifests, which may be large."""
    return rows.select_related("project__group", "job", "placement").defer("manifest")


def selected(actor: Actor, selection: Selection) -> QuerySet[Conflict]:
    """Waiting conflicts of the selection in projects where the actor may decide."""
    found = chosen(actor, selection.choice).filter(project__in=managed_projects(actor).order_by().values("pk"))
    if selection.upto is not None:
        found = found.filter(id__lte=selection.upto)
    if selection.single is not None:
        return found.filter(pk=selection.single)
    if selection.whole:
        return found
    pairs = list(visible_conflicts(actor).filter(pk__in=selection.rows).values_list("project", "cause"))
    return found.filter(of_causes(pairs)) if pairs else found.none()


def facets(actor: Actor, choice: Choice) -> Facets:
    """Counts of what the filters find: one query over the conflicts, two for names."""
    kinds = list(chosen(actor, choice).values_list("type", "project", "job").annotate(n=Count("id")))
    types, projects, jobs = (_largest([(kind[at], kind[3]) for kind in kinds]) for at in range(3))
    rows = Project.objects.select_related("group").filter(pk__in=projects)
    names = {project.pk: str(project) for project in rows}
    return Facets(
        total=sum(kind[3] for kind in kinds),
        types=[Facet(value, value, n) for value, n in types.items()],
        projects=[Facet(str(pk), names[pk], n) for pk, n in projects.items() if pk in names],
        imports=_imports(jobs),
    )


def _largest(pairs: Sequence[tuple[Any, int]]) -> dict[Any, int]:
    total: dict[Any, int] = {}
    for key, n in pairs:
        total[key] = total.get(key, 0) + n
    return dict(sorted(total.items(), key=lambda pair: -pair[1])[:MOST])


def _imports(counts: dict[int, int]) -> list[Facet]:
    labels = dict(ImportJob.objects.filter(pk__in=counts).values_list("pk", "label"))
    return [Facet(str(pk), labels[pk], n) for pk, n in counts.items() if pk in labels]


def waiting_count(actor: Actor) -> int:
    """Files that wait for a decision, counted to COUNTED at most."""
    if isinstance(actor, User) or actor is None:
        rows = visible_conflicts(actor).filter(status=ConflictStatus.OPEN).order_by()
        return rows.values("pk")[:COUNTED].count()
    return 0


def files_of(
    actor: Actor, conflict: Conflict, *, decided: bool, before: int | None = None, step: int = FILES
) -> Rows[Conflict]:
    """The files of a row, the newest first."""
    rows = with_all(chosen(actor, Choice(decided=decided)))
    rows = rows.filter(project=conflict.project_id, cause=conflict.cause).order_by("-id")
    if before is not None:
        rows = rows.filter(id__lt=before)
    return cut(rows, step=step, key=lambda one: one.pk)


def neighbours(actor: Actor, conflict: Conflict, *, choice: Choice) -> tuple[int | None, int | None]:
    """Numbers of the rows above and below in the queue."""
    rows = chosen(actor, choice)
    own = rows.filter(project=conflict.project_id, cause=conflict.cause).order_by("-id")
    here = own.values_list("id", flat=True).first() or conflict.pk
    below = _heads(rows, after=here, wanted=1)
    seen = list(rows.filter(id__gt=here).order_by("id").values_list("id", "project", "cause")[:WINDOW])
    above = _newest_among(rows, seen)
    if not above and len(seen) == WINDOW:
        return _smallest_above(rows, here), _first(below)
    return _first(above), _first(below)


def _first(heads: Sequence[Head]) -> int | None:
    return heads[0].newest if heads else None


def _smallest_above(rows: QuerySet[Conflict], here: int) -> int | None:
    grouped: Any = rows.values("project", "cause").annotate(newest=Max("id")).filter(newest__gt=here)
    found: int | None = grouped.order_by("newest").values_list("newest", flat=True).first()
    return found


def sources_of(conflict: Conflict, *, most: int = FILES) -> list[Item]:
    """Source files that the held file is made of, in the source's order."""
    return list(Item.objects.filter(placement=conflict.placement_id, outcome__isnull=True).order_by("seq")[:most])


def history(conflict: Conflict) -> list[Event]:
    return list(Event.objects.filter(conflict_id=conflict.pk).order_by("-id")[:FILES])


def decisions_of(conflict: Conflict) -> list[Decision]:
    return list(conflict.decisions.select_related("resolution", "leader").order_by("-id")[:FILES])


def visible_resolutions(actor: Actor) -> QuerySet[Resolution]:
    """Acts of deciding about anything that the actor sees; what an import decided by itself is told by the import."""
    rows = Resolution.objects.filter(job__isnull=True).select_related("project__group")
    if sees_all(actor):
        return rows
    seen = visible_projects(actor).order_by().values("pk")
    inside = Decision.objects.filter(resolution=OuterRef("pk"), conflict__project__in=seen)
    return rows.filter(Q(project__in=seen) | Q(Q(project=None), Exists(inside)))


def last_resolution(actor: Actor) -> Resolution | None:
    """The reader's own latest act, if it has ended, for the notice with its undo."""
    if not isinstance(actor, User):
        return None
    return Resolution.objects.filter(actor=actor, job__isnull=True).order_by("-id").first()


def is_over(resolution: Resolution) -> bool:
    return resolution.status in {ResolutionStatus.DONE, ResolutionStatus.CANCELLED}


def aliases_of(actor: Actor) -> QuerySet[Alias]:
    """What decisions taught, in projects that the actor sees."""
    return Alias.objects.filter(project__in=visible_projects(actor)).select_related("project__group", "decision")


def rules_of(actor: Actor) -> QuerySet[StandingRule]:
    return StandingRule.objects.filter(project__in=visible_projects(actor)).select_related("project__group")
