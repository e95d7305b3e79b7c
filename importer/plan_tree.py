"""What the page of a plan shows: rows of its tree, ready for a template."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse

from importer import plan_queries
from importer.core.progress import Share, split
from importer.core.states import Outcome
from importer.core.wording import OUTCOME, Wording
from importer.models import ImportJob, Item, Placement
from importer.pipeline.forecast import MOVES, files_by_outcome, movable
from importer.plan_queries import DEPTHS, PAGE, Group, PlanChoice, Sources, Summary
from importer.plan_words import LEFT_OUT, PLANNED, WORDS, differences, what
from importer.plans import Branch


@dataclass(frozen=True, slots=True)
class At:
    """A place in a plan, and from where on its rows are shown. `key` addresses it, empty for the top."""

    job: ImportJob
    choice: PlanChoice
    branch: Branch
    key: str = ""
    after: int | None = None
    files_after: int | None = None

    def url(self, name: str, **more: object) -> str:
        """`more` beside the filter; what is empty is left out."""
        said = {"show": self.choice.show, "q": self.choice.words, "at": self.key, **more}
        query = urlencode({key: value for key, value in said.items() if value not in {"", None}}, doseq=True)
        address = reverse(name, args=[self.job.pk])
        return f"{address}?{query}" if query else address


@dataclass(frozen=True, slots=True)
class Entry:
    """A container. `inside` where it is shown opened; `branch_url` gives that to a script, `open_url` without one."""

    group: Group
    branch_url: str
    open_url: str
    inside: "Listing | None"


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A destination file; `wording` says what would become of it, `selection` is `on`, `off` or empty."""

    row: Placement
    wording: Wording
    sources: Sources | None
    selection: str
    differences: Sequence[str]


@dataclass(frozen=True, slots=True)
class Listing:
    """Containers first, then the files on the place itself; `more_url` gives the next ones to a script, `page_url`
    without."""

    entries: Sequence[Entry]
    files: Sequence[FileEntry]
    more_url: str = ""
    page_url: str = ""
    step: int = PAGE


def listing(at: At, *, opened: frozenset[Branch] = frozenset()) -> Listing:
    """Fifty rows of a place. At most eight queries, and as many again for each opened container."""
    groups = plan_queries.Groups((), None)
    if at.files_after is None:
        groups = plan_queries.containers(at.job, at.choice, at.branch, after=at.after)
    entries = [_entry(at, group, opened) for group in groups.rows]
    if groups.next_after is not None:
        return Listing(entries, (), *_more(at, after=groups.next_after))
    found = plan_queries.files(at.job, at.choice, at.branch, after=at.files_after)
    files = _files(at.job, found.rows)
    if found.next_after is not None:
        return Listing(entries, files, *_more(at, **{"from": found.next_after}))
    return Listing(entries, files)


def _more(at: At, **where: int) -> tuple[str, str]:
    return at.url("plan-branch", **where), at.url("plan", **where)


def _entry(at: At, group: Group, opened: frozenset[Branch]) -> Entry:
    branch = _below(at.branch, group)
    inside = At(at.job, at.choice, branch, key=group.key)
    return Entry(
        group=group,
        branch_url=inside.url("plan-branch"),
        open_url=inside.url("plan"),
        inside=listing(inside, opened=opened) if branch in opened else None,
    )


def _below(above: Branch, group: Group) -> Branch:
    labels = {level: getattr(above, level) for level in DEPTHS[: DEPTHS.index(group.level)]}
    return Branch(group.level, **{level.value: label for level, label in labels.items()}, **{group.level: group.label})


def _files(job: ImportJob, rows: Sequence[Placement]) -> list[FileEntry]:
    sources = plan_queries.sources_of(rows) if rows else {}
    return [_file(job, row, sources.get(row.pk)) for row in rows]


def _file(job: ImportJob, row: Placement, sources: Sources | None) -> FileEntry:
    moves = row.outcome in MOVES
    return FileEntry(
        row=row,
        wording=LEFT_OUT if moves and row.deselected else WORDS[what(row, job)],
        sources=sources,
        selection=("off" if row.deselected else "on") if moves else "",
        differences=differences(row, good=sources.good if sources else 0),
    )


@dataclass(frozen=True, slots=True)
class Placeless:
    """Source files that got no place, a page of them."""

    items: Sequence[Item]
    more_url: str


def placeless(job: ImportJob, choice: PlanChoice, *, after: int | None) -> Placeless:
    found = plan_queries.placeless(job, choice, after=after)
    at = At(job, choice, plan_queries.ROOT, key="placeless")
    more = at.url("plan-branch", after=found.next_after) if found.next_after is not None else ""
    return Placeless(found.rows, more)


def crumbs(at: At) -> list[tuple[str, str]]:
    """Of a branch that is looked at alone: the labels above it, with the whole plan in front."""
    if at.branch == plan_queries.ROOT:
        return []
    levels = DEPTHS[: DEPTHS.index(at.branch.level) + 1]
    top = At(at.job, at.choice, plan_queries.ROOT).url("plan")
    pk = at.key.partition(":")[2]
    found = [("Whole plan", top)]
    for level in levels:
        above = At(at.job, at.choice, at.branch, key=f"{level}:{pk}").url("plan")
        found.append((getattr(at.branch, level) or f"No {level} label", above))
    return found


@dataclass(frozen=True, slots=True)
class Head:
    """The sums of a plan, and its picture; `sources` are source files that would be imported."""

    summary: Summary
    shares: Sequence[Share]
    sources: int


def head(job: ImportJob) -> Head:
    """Five queries."""
    summary = plan_queries.summary(job)
    left_out = sum(files_by_outcome(movable(job).filter(deselected=True)).values()) if summary.left_out else 0
    coming = max(job.discovered - job.skipped - job.conflict - job.failed, 0)
    counts = [
        (Outcome.PLANNED.value, PLANNED, coming),
        (Outcome.CONFLICT.value, OUTCOME[Outcome.CONFLICT], job.conflict),
        (Outcome.FAILED.value, OUTCOME[Outcome.FAILED], job.failed),
        (Outcome.SKIPPED.value, OUTCOME[Outcome.SKIPPED], job.skipped - left_out),
        ("", LEFT_OUT, left_out),
    ]
    return Head(summary, split(counts), coming)
