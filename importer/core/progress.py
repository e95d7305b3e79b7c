"""How far an import is, in steps, shares and words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from importer.core import spans
from importer.core.states import FINAL, LIVE, JobStatus, Outcome
from importer.core.wording import OUTCOME, STAGES, UNDECIDED, Tone, Wording

# Steps differ in length: where each begins on the whole way, in percent.
_BEGINS = (0, 5, 40, 45, 98)
_WHOLE = 100.0
# A part that is there is seen, however small its share.
_THINNEST = 0.8
_COUNTED = (Outcome.IMPORTED, Outcome.SKIPPED, Outcome.CONFLICT, Outcome.FAILED, Outcome.CANCELLED)


class Run(Protocol):
    """What an ImportJob says about how far it is."""

    status: str
    paused_from: str
    scan_done: bool
    discovered: int
    extracted: int
    bytes_found: int
    bytes_planned: int
    bytes_moved: int
    imported: int
    skipped: int
    conflict: int
    failed: int
    cancelled: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Stage:
    """`state` is `done`, `now`, `waiting`, `stopped` or `next`; `share` of the step is done (None: nobody knows)."""

    label: str
    note: str
    state: str
    share: float | None


@dataclass(frozen=True, slots=True)
class Share:
    """One part of the bar; `x` and `width` in percent of its length."""

    outcome: str
    label: str
    tone: Tone
    count: int
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Progress:
    """`percent` of the whole way; `rate` in bytes per second; `left` only while bytes are moved.

    A job is `live` while it changes by itself: a dry run that waits for approval is neither live nor ended.
    """

    stages: tuple[Stage, ...]
    shares: tuple[Share, ...]
    percent: float
    elapsed: timedelta | None
    rate: float | None
    files_rate: float | None
    left: timedelta | None
    accounted: int
    ended: bool
    live: bool


def progress(job: Run, *, now: datetime) -> Progress:
    """Everything that a page says about how far a job is; counters only, so its cost does not grow with the job."""
    elapsed = (job.finished_at or now) - job.started_at if job.started_at else None
    rate = _per_second(job.bytes_moved, elapsed)
    moving = job.status == JobStatus.TRANSFERRING
    return Progress(
        stages=stages(job),
        shares=shares(job),
        percent=percent(job),
        elapsed=elapsed,
        rate=rate,
        files_rate=_per_second(accounted(job) if job.status in FINAL else job.extracted, elapsed),
        left=timedelta(seconds=(job.bytes_planned - job.bytes_moved) / rate) if moving and rate else None,
        accounted=accounted(job),
        ended=job.status in FINAL,
        live=job.status in LIVE,
    )


def accounted(job: Run) -> int:
    """Source files whose end is known."""
    return sum(_count(job, outcome) for outcome in _COUNTED)


def _count(job: Run, outcome: Outcome) -> int:
    return int(getattr(job, outcome.value))


def _per_second(amount: int, elapsed: timedelta | None) -> float | None:
    if not elapsed or not amount or elapsed <= timedelta(0):
        return None
    return amount / elapsed.total_seconds()


def current(job: Run) -> int:
    """The index of the step that the job is in, or was in when it stopped."""
    status = job.paused_from if job.status == JobStatus.PAUSED else job.status
    for index, (_, _, states) in enumerate(STAGES):
        if status in states:
            return index
    return _by_counters(job)


def _by_counters(job: Run) -> int:
    if not job.scan_done:
        return 0
    if job.extracted < job.discovered:
        return 1
    if not job.bytes_planned:
        return 2
    return 3 if job.bytes_moved < job.bytes_planned else 4


def stages(job: Run) -> tuple[Stage, ...]:
    """The five steps, each with what it has done so far."""
    here = len(STAGES) if job.status in {JobStatus.COMPLETED, JobStatus.NEEDS_REVIEW} else current(job)
    notes = _notes(job)
    return tuple(
        Stage(label, notes[index] or what, _state(job.status, index - here), _share(job, index, here))
        for index, (label, what, _) in enumerate(STAGES)
    )


def _share(job: Run, index: int, here: int) -> float | None:
    if index != here:
        return 1.0 if index < here else 0.0
    done, whole = _measured(job, index)
    return min(done / whole, 1.0) if whole else None


def _measured(job: Run, index: int) -> tuple[int, int]:
    """Done and whole of the steps that can be measured: headers read, bytes moved."""
    return {1: (job.extracted, job.discovered), 3: (job.bytes_moved, job.bytes_planned)}.get(index, (0, 0))


def _state(status: str, distance: int) -> str:
    if distance:
        return "done" if distance < 0 else "next"
    if status in {JobStatus.FAILED, JobStatus.CANCELLED}:
        return "stopped"
    return "waiting" if status in {JobStatus.PAUSED, JobStatus.PLANNED, JobStatus.CANCELLING} else "now"


def _notes(job: Run) -> tuple[str, str, str, str, str]:
    found = f"{spans.count(job.discovered)} files found" if job.discovered else ""
    read = f"{spans.count(min(job.extracted, job.discovered))} of {spans.count(job.discovered)}"
    moved = f"{spans.size(job.bytes_moved)} of {spans.size(job.bytes_planned)}"
    return found, read if job.extracted else "", "", moved if job.bytes_planned else "", ""


def percent(job: Run) -> float:
    """Of the whole way, 0 to 100; never goes back while the job goes forward."""
    if job.status in FINAL:
        return _WHOLE
    here = current(job)
    begin, end = (*_BEGINS, _WHOLE)[here : here + 2]
    return round(begin + (end - begin) * (_share(job, here, here) or 0.0), 1)


def shares(job: Run) -> tuple[Share, ...]:
    """The parts of what was discovered, in fixed order; they add up to it, the undecided being the last."""
    counts = [(outcome.value, OUTCOME[outcome], _count(job, outcome)) for outcome in _COUNTED]
    rest = max(job.discovered - accounted(job), 0)
    if rest and job.status not in FINAL:
        counts.append(("", UNDECIDED, rest))
    return split(counts)


def split(counts: Sequence[tuple[str, Wording, int]]) -> tuple[Share, ...]:
    """A bar of parts, given as (outcome, words, count); a part that is there is seen."""
    widths = _widths([count for _, _, count in counts])
    starts = [sum(widths[:index]) for index in range(len(widths))]
    return tuple(
        Share(outcome, words.label, words.tone, count, round(start, 2), round(width, 2))
        for (outcome, words, count), start, width in zip(counts, starts, widths, strict=True)
    )


def _widths(counts: list[int]) -> list[float]:
    whole = sum(counts)
    if not whole:
        return [0.0] * len(counts)
    wanted = [max(_WHOLE * count / whole, _THINNEST) if count else 0.0 for count in counts]
    return [_WHOLE * width / sum(wanted) for width in wanted]
