"""Is what is stored still what was stored? Our own bytes and those that we refer to: there, of their size and digest.

A run over one place looks at all that is due, which is cheap, and then reads what was not read for the longest time, as
far as its budget goes. It writes down what it found (`importer.models.Check`) and changes nothing else.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from hierarchy.models import FileVersion
from importer.core.checks import WRONG, CheckState, Ended, Lies
from importer.models import Check, CheckedRoot, Conflict, Event
from importer.pipeline import checked
from importer.pipeline.checked import PAGE
from importer.pipeline.roots import SYSTEM, WITNESSES, came_back, place_of, roots, sight_of, went_away
from importer.pipeline.sights import Found, RootAway, Sight, Stored
from storages.errors import PlaceError

# What is read between two looks at the clock's end and two writes of what was found.
READ_PAGE = 50
READ_BYTES = 256 * 1024 * 1024


class State(StrEnum):
    """As CheckState, and what only a walk through our own places finds."""

    OK = CheckState.OK
    CHANGED = CheckState.CHANGED
    MISSING = CheckState.MISSING
    UNREADABLE = CheckState.UNREADABLE
    AWAY = CheckState.AWAY
    UNKNOWN = "no row"


@dataclass(frozen=True, slots=True)
class Finding:
    """One stored thing; `path` is inside its place, `words` say what is wrong with it."""

    place: str
    path: str
    state: State
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Looked at is what was not since `look_before`, read what was not since `read_before`, at most `most` of it."""

    look_before: datetime
    read_before: datetime
    most: int | None = None


@dataclass(slots=True, kw_only=True)
class Budget:
    """Seconds and bytes for one run; None is as many as it takes. The first file is read whatever it costs."""

    seconds: float | None = None
    bytes: int | None = None
    clock: Callable[[], float] = time.monotonic
    begun: float = field(init=False)
    spent: int = 0

    def __post_init__(self) -> None:
        self.begun = self.clock()

    def over(self, next_bytes: int = 0) -> Ended | None:
        if self.seconds is not None and self.clock() - self.begun >= self.seconds:
            return Ended.TIME
        if self.bytes is not None and self.spent and self.spent + next_bytes > self.bytes:
            return Ended.BYTES
        return None


@dataclass(slots=True)
class Tally:
    looked: int = 0
    read: int = 0
    bytes_read: int = 0
    ended: Ended = Ended.DONE


def verify(
    *, percent: float = 100.0, which: Sequence[CheckedRoot] | None = None, now: Callable[[], datetime] = timezone.now
) -> Iterator[Finding]:
    """All that is stored is looked at; `percent` of it, what was not read for the longest time, is read whole.

    `which` places: None is all of them, our own also walked through for what no row speaks of.
    """
    for root in roots() if which is None else which:
        run_all(root, percent=percent, now=now)
        yield from findings(root)
        if root.storage is None and root.away_since is None:
            yield from (Finding(root.place, path, State.UNKNOWN) for path in _unknown(root))


def run_all(root: CheckedRoot, *, percent: float, now: Callable[[], datetime] = timezone.now) -> Tally:
    start = now()
    checked.enrol(root, now=start)
    most = ceil(Check.objects.filter(root=root).count() * percent / 100)
    # A moment later, so that what another run did within the same tick is done again.
    after = start + timedelta(microseconds=1)
    return run(root, due=Due(look_before=after, read_before=after, most=most), budget=Budget(), now=now)


def run(root: CheckedRoot, *, due: Due, budget: Budget, now: Callable[[], datetime] = timezone.now) -> Tally:
    """One run over one place. Nothing is concluded about a place that is away, also where it goes away on the way."""
    start, tally = now(), Tally()
    checked.enrol(root, now=start)
    wrong = _wrong(root)
    try:
        sight = sight_of(root, checked.witnesses(root, most=WITNESSES), now=start)
        came_back(root, now=now())
        tally.ended = (
            _look(root, sight, due, budget, tally, start=start, now=now)
            or _read(root, sight, due, budget, tally, now=now)
            or Ended.DONE
        )
    except RootAway as away:
        tally.ended = Ended.AWAY
        went_away(root, str(away), now=now())
    _tell_new(root, wrong, now=now())
    CheckedRoot.objects.filter(pk=root.pk).update(
        started_at=start, ended_at=now(), ended=tally.ended,
        looked=tally.looked, read=tally.read, bytes_read=tally.bytes_read,
    )  # fmt: skip
    return tally


def _look(
    root: CheckedRoot,
    sight: Sight,
    due: Due,
    budget: Budget,
    tally: Tally,
    *,
    start: datetime,
    now: Callable[[], datetime],
) -> Ended | None:
    """What was wrong is looked at in every run, and read where it seems to be there again."""
    waits = Q(looked_at=None) | Q(looked_at__lt=due.look_before) | Q(state__in=sorted(WRONG), looked_at__lt=start)
    for page in checked.in_pages(Check.objects.filter(waits, root=root)):
        if ended := budget.over():
            return ended
        begun, looked, read = now(), [], []
        for one in page:
            found = sight.look(one)
            tally.looked += 1
            if found.state == CheckState.OK and one.state in WRONG and budget.over(one.size) is None:
                read.append((one, _whole(sight, one, budget, tally)))
            else:
                looked.append((one, found))
        checked.tell(looked, begun=begun, now=now(), read=False)
        checked.tell(read, begun=begun, now=now(), read=True)
    return None


def _read(
    root: CheckedRoot, sight: Sight, due: Due, budget: Budget, tally: Tally, *, now: Callable[[], datetime]
) -> Ended | None:
    waits = Check.objects.filter(Q(read_at=None) | Q(read_at__lt=due.read_before), root=root)
    # What is not there, or is another by size alone, costs nothing to find out and needs no reading.
    waits = waits.exclude(state__in=[CheckState.MISSING, CheckState.UNREADABLE])
    left = due.most
    while left is None or left > 0:
        page = checked.longest_unread(waits, most=min(READ_PAGE, left or READ_PAGE))
        if not page:
            return None
        done, ended = _read_page(sight, page, budget, tally, now=now)
        if ended is not None:
            return ended
        left = None if left is None else left - done
    return None


def _read_page(
    sight: Sight, page: Sequence[Stored], budget: Budget, tally: Tally, *, now: Callable[[], datetime]
) -> tuple[int, Ended | None]:
    """How many were read; written down also where the place goes away among them."""
    found: list[tuple[Stored, Found]] = []
    begun, before = now(), budget.spent
    try:
        for one in page:
            if ended := budget.over(one.size):
                return len(found), ended
            found.append((one, _whole(sight, one, budget, tally)))
            if budget.spent - before > READ_BYTES:
                break
    finally:
        checked.tell(found, begun=begun, now=now(), read=True)
    return len(found), None


def _whole(sight: Sight, one: Stored, budget: Budget, tally: Tally) -> Found:
    found = sight.read(one)
    tally.read += 1
    tally.bytes_read += found.bytes_read
    budget.spent += found.bytes_read
    return found


def _wrong(root: CheckedRoot) -> dict[str, int]:
    rows = Check.objects.filter(root=root, state__in=sorted(WRONG)).order_by()
    return dict(rows.values_list("state").annotate(n=Count("pk")))


def _tell_new(root: CheckedRoot, before: dict[str, int], *, now: datetime) -> None:
    """One event for a run that found more or less wrong than there was."""
    after = _wrong(root)
    if after != before:
        said = ", ".join(f"{count:,} {state}" for state, count in sorted(after.items())) or "all is well again"
        Event.objects.create(at=now, who=SYSTEM, what="verified", detail=f"{root}: {said}", storage_id=root.storage_id)


def findings(root: CheckedRoot) -> Iterator[Finding]:
    """How everything there was found the last time; all of it away while the place is."""
    place = root.place if root.storage is None else str(root)
    rows = Check.objects.filter(root=root).order_by("pk")
    found = rows.values_list("version__path", "conflict__path", "conflict__upload_path", "state", "words")
    for version, held, noted, state, words in found.iterator(chunk_size=PAGE):
        path = version or held or noted
        if root.away_since is not None:
            yield Finding(place, path, State.AWAY, root.words)
        elif state != CheckState.UNCHECKED:
            yield Finding(place, path, State(state), words)


def _unknown(root: CheckedRoot) -> Iterator[str]:
    """Bytes that no row speaks of, page by page."""
    rows: QuerySet[Any] = Conflict.objects.all()
    if root.place == Lies.ARCHIVE:
        rows = FileVersion.objects.filter(reference=False)
    links = FileVersion.objects.exclude(link="")
    page: list[str] = []
    try:
        for path, _ in place_of(root).walk():
            page.append(path)
            if len(page) == PAGE:
                yield from _without_row(page, rows, links)
                page = []
    except (OSError, PlaceError):
        return
    yield from _without_row(page, rows, links)


def _without_row(page: Sequence[str], rows: "QuerySet[Any]", links: "QuerySet[FileVersion]") -> list[str]:
    known = set(rows.filter(path__in=page).values_list("path", flat=True))
    known |= set(links.filter(link__in=page).values_list("link", flat=True))
    return sorted(set(page) - known)
