"""What the page of a plan reads: its tree a level at a time, its sums. The number of queries is fixed; rows are a page.

A branch is addressed by its level and one Placement in it (`session:123`): no label ever stands in an address.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, Max, Min, OuterRef, Q, QuerySet, Sum

from hierarchy.models import Acquisition, Session, Subject
from importer.core.states import Level, Outcome
from importer.models import ImportJob, Item, Placement
from importer.page_queries import Rows, cut
from importer.pipeline.forecast import MOVES
from importer.plans import Branch

PAGE = 50
ROOT = Branch(Level.PROJECT)
BELOW: dict[Level, Level] = {
    Level.PROJECT: Level.SUBJECT,
    Level.SUBJECT: Level.SESSION,
    Level.SESSION: Level.ACQUISITION,
}
DEPTHS = (Level.SUBJECT, Level.SESSION, Level.ACQUISITION)
MODELS: dict[Level, Any] = {Level.SUBJECT: Subject, Level.SESSION: Session, Level.ACQUISITION: Acquisition}

TAKEN = Q(outcome__in=MOVES, deselected=False)
LEFT_OUT = Q(outcome__in=MOVES, deselected=True)
COMES = Q(outcome=Outcome.PLANNED, deselected=False)
# What never got a place in the tree: the rules said so, or its header did.
PLACELESS = Q(level__in=["", Level.PROJECT], outcome__in=[Outcome.SKIPPED, Outcome.FAILED], file_id__isnull=True)
PLACELESS_ITEM = Q(placement__isnull=True) | Q(
    placement__level__in=["", Level.PROJECT],
    placement__outcome__in=[Outcome.SKIPPED, Outcome.FAILED],
    placement__file_id__isnull=True,
)


@dataclass(frozen=True, slots=True)
class PlanChoice:
    """What of a plan is shown: `show` is a key of SHOWN, or empty for all; `words` are part of a label or a path."""

    show: str = ""
    words: str = ""


def _failed() -> Q:
    items = Item.objects.filter(placement=OuterRef("pk"), outcome=Outcome.FAILED)
    return Q(outcome=Outcome.FAILED) | Q(Exists(items))


SHOWN: dict[str, Q] = {
    "new": COMES,
    "conflicts": Q(outcome=Outcome.CONFLICT),
    "skipped": Q(outcome=Outcome.SKIPPED) | LEFT_OUT,
    "failed": _failed(),
    "changed": Q(approved__changed=True),
}


def matching(choice: PlanChoice) -> Q:
    """Of Placements."""
    found = SHOWN.get(choice.show, Q())
    if not choice.words:
        return found
    paths = Item.objects.filter(placement=OuterRef("pk"), path__icontains=choice.words)
    labels = ("subject_label", "session_label", "acquisition_label", "file_name")
    said = Q(Exists(paths))
    for label in labels:
        said |= Q(**{f"{label}__icontains": choice.words})
    return found & said


def rows_of(job: ImportJob, choice: PlanChoice) -> "QuerySet[Placement]":
    """Destination files with a place in the tree."""
    return Placement.objects.filter(matching(choice), job=job).exclude(PLACELESS)


@dataclass(frozen=True, slots=True)
class Group:
    """A container of the plan. `sample` is a Placement in it; counts are destination files, `sources` source files.

    `state` is `new`, `exists` or empty where nothing would be made of it; `stands_as` is the label of the existing
    container where that is another one.
    """

    level: Level
    label: str
    sample: int
    files: int
    sources: int
    size: int
    comes: int
    conflicts: int
    skipped: int
    failed: int
    changed: int
    movable: int
    left_out: int
    state: str
    stands_as: str = ""

    @property
    def key(self) -> str:
        return f"{self.level}:{self.sample}"

    @property
    def choice(self) -> str:
        return selection(self.movable, self.left_out)


@dataclass(frozen=True, slots=True)
class Groups:
    """One page of containers; behind the Placement `next_after` the next one begins."""

    rows: Sequence[Group]
    next_after: int | None


def selection(movable: int, left_out: int) -> str:
    """`on`, `off`, `part`, or empty where there is nothing to choose."""
    if not movable:
        return ""
    return "on" if not left_out else "off" if left_out == movable else "part"


def branch_at(job: ImportJob, at: str) -> Branch | None:
    """None for an address of nothing."""
    return branches_at(job, [at]).get(at)


def branches_at(job: ImportJob, keys: Sequence[str]) -> dict[str, Branch]:
    """By address. One query."""
    asked = {key: split for key in keys if (split := _split(key)) is not None}
    found = Placement.objects.filter(job=job).in_bulk([pk for _, pk in asked.values()])
    return {key: _branch(level, found[pk]) for key, (level, pk) in asked.items() if pk in found}


def _split(key: str) -> tuple[Level, int] | None:
    level, _, number = key.partition(":")
    if level not in DEPTHS or not (number.isascii() and number.isdecimal()):
        return None
    return Level(level), int(number[:18])


def _branch(level: Level, row: Placement) -> Branch:
    labels = (row.subject_label, row.session_label, row.acquisition_label)
    return Branch(level, *labels[: DEPTHS.index(level) + 1])


def containers(
    job: ImportJob, choice: PlanChoice, above: Branch, *, after: int | None = None, step: int = PAGE
) -> Groups:
    """The containers one level below, by label, behind that of the Placement `after`. Two or three queries."""
    level = BELOW.get(above.level)
    if level is None:
        return Groups((), None)
    label = f"{level}_label"
    rows = _within(rows_of(job, choice), above)
    behind = Placement.objects.filter(job=job, pk=after).values_list(label, flat=True).first() if after else None
    if behind is not None:
        rows = rows.filter(**{f"{label}__gt": behind})
    grouped = rows.order_by().values(label).annotate(**_sums(level)).order_by(label)[: step + 1]
    found = [_group(level, row) for row in grouped]
    shown = _with_standing(level, found[:step])
    return Groups(shown, shown[-1].sample if len(found) > step else None)


def _within(rows: "QuerySet[Placement]", above: Branch) -> "QuerySet[Placement]":
    """What lies in containers below, not on the container itself."""
    if above.level == Level.PROJECT:
        return rows.exclude(level=Level.PROJECT)
    return rows.filter(above.rows()).exclude(level=above.level)


def _sums(level: Level) -> dict[str, Any]:
    return {
        "sample": Min("id"),
        "files": Count("id"),
        "sources": Sum("count"),
        "size": Sum("bytes"),
        "comes": Count("id", filter=COMES),
        "conflicts": Count("id", filter=Q(outcome=Outcome.CONFLICT, deselected=False)),
        "skipped": Count("id", filter=Q(outcome=Outcome.SKIPPED)),
        "failed": Count("id", filter=Q(outcome=Outcome.FAILED)),
        "changed": Count("id", filter=Q(approved__changed=True)),
        "movable": Count("id", filter=Q(outcome__in=MOVES)),
        "left_out": Count("id", filter=LEFT_OUT),
        "made": Count("id", filter=COMES & Q(**{f"{level}_id__isnull": True})),
        "there": Max(f"{level}_id"),
    }


def _group(level: Level, row: dict[str, Any]) -> Group:
    state = "new" if row["made"] else "exists" if row["there"] is not None else ""
    counts = (
        "sample",
        "files",
        "sources",
        "size",
        "comes",
        "conflicts",
        "skipped",
        "failed",
        "changed",
        "movable",
        "left_out",
    )
    return Group(
        level=level,
        label=row[f"{level}_label"],
        state=state,
        # Until it is looked up: the number of the standing container.
        stands_as=str(row["there"]) if state == "exists" else "",
        **{name: row[name] for name in counts},
    )


def _with_standing(level: Level, groups: Sequence[Group]) -> list[Group]:
    """An alias or a decision may lead elsewhere than the label says."""
    wanted = [int(group.stands_as) for group in groups if group.stands_as]
    labels = dict(MODELS[level].objects.filter(pk__in=wanted).values_list("pk", "label")) if wanted else {}
    return [_renamed(group, labels.get(int(group.stands_as or 0), group.label)) for group in groups]


def _renamed(group: Group, stands: str) -> Group:
    values = {name: getattr(group, name) for name in Group.__slots__}
    return Group(**{**values, "stands_as": "" if stands == group.label else stands})


def files(
    job: ImportJob, choice: PlanChoice, at: Branch, *, after: int | None = None, step: int = PAGE
) -> Rows[Placement]:
    """The destination files on one container itself, in the order of their first source paths, behind a seq."""
    rows = rows_of(job, choice).filter(at.rows(), level=at.level).defer("candidates", "said").order_by("first_seq")
    if after is not None:
        rows = rows.filter(first_seq__gt=after)
    return cut(rows, step=step, key=lambda one: one.first_seq)


@dataclass(frozen=True, slots=True)
class Sources:
    """Of one destination file: its first source file, how many would be read, and what of the others became."""

    path: str
    item: int | None
    good: int
    failed: int
    duplicates: int


def sources_of(rows: Sequence[Placement]) -> dict[int, Sources]:
    """By Placement. Two queries."""
    items = Item.objects.filter(placement__in=[row.pk for row in rows]).order_by()
    counts = items.values_list("placement").annotate(
        first=Min("id"),
        good=Count("id", filter=Q(outcome=None)),
        failed=Count("id", filter=Q(outcome=Outcome.FAILED)),
        duplicates=Count("id", filter=Q(outcome=Outcome.SKIPPED)),
    )
    found = {placement: told for placement, *told in counts}
    paths = dict(Item.objects.filter(pk__in=[told[0] for told in found.values()]).values_list("pk", "path"))
    return {pk: Sources(paths[first], first, *numbers) for pk, (first, *numbers) in found.items()}


def placeless(job: ImportJob, choice: PlanChoice, *, after: int | None = None, step: int = PAGE) -> Rows[Item]:
    """Source files that no rule, or no header, gave a place: behind a seq."""
    rows = placeless_items(job, choice).select_related("placement").order_by("seq")
    if after is not None:
        rows = rows.filter(seq__gt=after)
    return cut(rows, step=step, key=lambda one: one.seq)


def placeless_items(job: ImportJob, choice: PlanChoice) -> "QuerySet[Item]":
    rows = Item.objects.filter(PLACELESS_ITEM, job=job)
    if choice.show in {"skipped", "failed"}:
        outcome = Outcome.SKIPPED if choice.show == "skipped" else Outcome.FAILED
        rows = rows.filter(Q(outcome=outcome) | Q(outcome=None, placement__outcome=outcome))
    elif choice.show:
        return rows.none()
    return rows.filter(path__icontains=choice.words) if choice.words else rows


@dataclass(frozen=True, slots=True)
class Summary:
    """What an approval would do. `files` are destination files; `new` counts containers by level."""

    new: dict[str, int]
    files: int
    size: int
    conflicts: int
    movable: int
    left_out: int
    left_out_size: int

    @property
    def choice(self) -> str:
        return selection(self.movable, self.left_out)


def summary(job: ImportJob) -> Summary:
    """Four queries over the Placements of the job."""
    rows = Placement.objects.filter(job=job)
    sums = rows.aggregate(
        files=Count("id", filter=COMES),
        size=Sum("bytes", filter=COMES, default=0),
        conflicts=Count("id", filter=Q(outcome=Outcome.CONFLICT, deselected=False)),
        movable=Count("id", filter=Q(outcome__in=MOVES)),
        left_out=Count("id", filter=LEFT_OUT),
        left_out_size=Sum("bytes", filter=LEFT_OUT, default=0),
    )
    coming = rows.filter(COMES).exclude(level=Level.PROJECT)
    return Summary(new={level.value: _new(coming, level) for level in DEPTHS}, **sums)


def _new(coming: "QuerySet[Placement]", level: Level) -> int:
    depth = DEPTHS.index(level) + 1
    rows = coming.filter(level__in=DEPTHS[depth - 1 :], **{f"{level}_id__isnull": True})
    labels = [f"{above}_label" for above in DEPTHS[:depth]]
    return int(rows.order_by().values(*labels).distinct().count())


def states_of(job: ImportJob, choice: PlanChoice, branches: Sequence[Branch]) -> list[str]:
    """Of each branch, what of it is chosen: a query each, for the few above a file."""
    rows = rows_of(job, choice)
    counts = [
        rows.filter(Q() if one == ROOT else one.rows()).aggregate(
            movable=Count("id", filter=Q(outcome__in=MOVES)), left_out=Count("id", filter=LEFT_OUT)
        )
        for one in branches
    ]
    return [selection(count["movable"], count["left_out"]) for count in counts]
