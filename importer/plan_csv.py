"""A plan as CSV: one row for each destination file, and one for each source file that has an end of its own."""

from collections.abc import Iterator, Sequence

from django.db.models import Count, Q

from importer.core.states import Outcome
from importer.models import ImportJob, Item, Placement
from importer.pipeline.forecast import MOVES
from importer.pipeline.pages import in_order
from importer.plan_words import What, what
from importer.report import csv_lines

COLUMNS = (
    "subject", "session", "acquisition", "file", "what", "reason", "files", "bytes", "source", "selected",
)  # fmt: skip
PAGE = 1000
Row = Sequence[object]
_ENDS = {Outcome.FAILED: What.FAIL, Outcome.SKIPPED: What.SKIP}


def plan_csv(job: ImportJob) -> Iterator[str]:
    """Exactly COLUMNS. `files` add up to the source files found; `source` is the first of them. In memory of a page."""
    yield csv_lines([COLUMNS])
    for page in in_order(Placement.objects.filter(job=job).defer("candidates", "said")):
        yield csv_lines(_page(job, page))
    for items in _alone(job):
        yield csv_lines(("", "", "", "", *_end(item)) for item in items)


def _page(job: ImportJob, page: Sequence[Placement]) -> Iterator[Row]:
    """Three queries."""
    items = Item.objects.filter(placement__in=[one.pk for one in page])
    good = Count("id", filter=Q(outcome=None))
    counts = dict(items.order_by().values_list("placement").annotate(good=good))
    firsts = Item.objects.filter(job=job, seq__in=[one.first_seq for one in page])
    paths = dict(firsts.values_list("seq", "path"))
    ends: dict[int | None, list[Item]] = {}
    for item in items.filter(outcome__isnull=False).order_by("seq"):
        ends.setdefault(item.placement_id, []).append(item)
    for one in page:
        place = (one.subject_label, one.session_label, one.acquisition_label, one.file_name)
        if counts.get(one.pk):
            yield (*place, *_said(job, one, counts[one.pk]), paths.get(one.first_seq, ""), _selected(one))
        yield from ((*place, *_end(item)) for item in ends.get(one.pk, []))


def _said(job: ImportJob, one: Placement, files: int) -> Row:
    return (what(one, job).value, one.reason, files, one.bytes)


def _selected(one: Placement) -> str:
    """Empty where there is nothing to choose."""
    if one.outcome not in MOVES:
        return ""
    return "no" if one.deselected else "yes"


def _end(item: Item) -> Row:
    ended = _ENDS.get(Outcome(item.outcome or Outcome.SKIPPED), What.SKIP)
    return (ended.value, item.reason, 1, item.size, item.path, "")


def _alone(job: ImportJob) -> Iterator[list[Item]]:
    """What never got a place."""
    last = -1
    rows = Item.objects.filter(job=job, placement__isnull=True).order_by("seq")
    while page := list(rows.filter(seq__gt=last)[:PAGE]):
        yield page
        last = page[-1].seq
