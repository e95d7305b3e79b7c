from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.core.progress import progress
from importer.core.states import (
    FINAL,
    ConflictStatus,
    ConflictType,
    JobStatus,
    MissingMeta,
    Outcome,
    SourceKind,
    Strategy,
    UidScope,
)
from importer.core.wording import (
    CONFLICT,
    CONFLICT_TYPE,
    JOB,
    MISSING_META,
    OUTCOME,
    SOURCE_KIND,
    STAGES,
    STRATEGY,
    UID_SCOPE,
)

NOW = datetime(2025, 11, 24, 12, tzinfo=UTC)


@dataclass
class Job:
    status: str = JobStatus.TRANSFERRING
    paused_from: str = ""
    scan_done: bool = True
    discovered: int = 0
    extracted: int = 0
    bytes_found: int = 0
    bytes_planned: int = 0
    bytes_moved: int = 0
    imported: int = 0
    skipped: int = 0
    conflict: int = 0
    failed: int = 0
    cancelled: int = 0
    created_at: datetime = NOW
    started_at: datetime | None = NOW - timedelta(seconds=100)
    finished_at: datetime | None = None


def of(**fields):
    return progress(Job(**fields), now=NOW)


def states(**fields) -> list[str]:
    return [stage.state for stage in of(**fields).stages]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (JobStatus.PENDING, ["now", "next", "next", "next", "next"]),
        (JobStatus.SCANNING, ["now", "next", "next", "next", "next"]),
        (JobStatus.EXTRACTING, ["done", "now", "next", "next", "next"]),
        (JobStatus.PLANNING, ["done", "done", "now", "next", "next"]),
        (JobStatus.PLANNED, ["done", "done", "waiting", "next", "next"]),
        (JobStatus.TRANSFERRING, ["done", "done", "done", "now", "next"]),
        (JobStatus.FINISHING, ["done", "done", "done", "done", "now"]),
        (JobStatus.COMPLETED, ["done"] * 5),
        (JobStatus.NEEDS_REVIEW, ["done"] * 5),
    ],
)
def test_each_state_is_one_step_of_five(status, expected):
    assert states(status=status) == expected


def test_a_paused_job_waits_in_the_step_that_it_was_paused_in():
    assert states(status=JobStatus.PAUSED, paused_from=JobStatus.EXTRACTING)[1] == "waiting"


@pytest.mark.parametrize(
    ("counters", "step"),
    [
        ({"scan_done": False}, 0),
        ({"discovered": 9, "extracted": 3}, 1),
        ({"discovered": 9, "extracted": 9}, 2),
        ({"discovered": 9, "extracted": 9, "bytes_planned": 5, "bytes_moved": 1}, 3),
        ({"discovered": 9, "extracted": 9, "bytes_planned": 5, "bytes_moved": 5}, 4),
    ],
)
def test_a_job_that_ended_early_stopped_in_the_step_that_its_counters_tell(counters, step):
    for status, word in (
        (JobStatus.FAILED, "stopped"),
        (JobStatus.CANCELLED, "stopped"),
        (JobStatus.CANCELLING, "waiting"),
    ):
        assert states(status=status, **counters).index(word) == step


counts = st.integers(min_value=0, max_value=10**9)


@given(
    parts=st.tuples(counts, counts, counts, counts, counts),
    rest=counts,
    status=st.sampled_from(sorted(set(JobStatus) - FINAL)),
)
def test_the_parts_add_up_to_what_was_discovered_and_fill_the_bar(parts, rest, status):
    named = dict(zip(("imported", "skipped", "conflict", "failed", "cancelled"), parts, strict=True))
    found = of(status=status, discovered=sum(parts) + rest, **named).shares
    assert tuple(share.count for share in found[:5]) == parts
    assert sum(share.count for share in found) == sum(parts) + rest
    if sum(parts) + rest:
        assert sum(share.width for share in found) == pytest.approx(100, abs=0.1)


def test_a_single_failure_among_a_million_is_still_seen():
    failed = of(status=JobStatus.COMPLETED, discovered=1_000_000, imported=999_999, failed=1).shares[3]
    assert failed.width > 0.5


def test_progress_never_goes_back_from_step_to_step():
    road = [
        {"status": JobStatus.PENDING, "scan_done": False},
        {"status": JobStatus.SCANNING, "scan_done": False, "discovered": 10, "extracted": 4},
        {"status": JobStatus.EXTRACTING, "discovered": 10, "extracted": 4},
        {"status": JobStatus.EXTRACTING, "discovered": 10, "extracted": 9},
        {"status": JobStatus.PLANNING, "discovered": 10, "extracted": 10},
        {"status": JobStatus.TRANSFERRING, "discovered": 10, "extracted": 10, "bytes_planned": 8},
        {"status": JobStatus.TRANSFERRING, "discovered": 10, "extracted": 10, "bytes_planned": 8, "bytes_moved": 7},
        {"status": JobStatus.FINISHING, "discovered": 10, "extracted": 10, "bytes_planned": 8, "bytes_moved": 8},
        {"status": JobStatus.COMPLETED, "discovered": 10, "extracted": 10},
    ]
    percents = [of(**step).percent for step in road]
    assert percents == sorted(percents)
    assert (percents[0], percents[-1]) == (0, 100)


def test_what_is_left_is_told_from_the_rate_so_far():
    found = of(bytes_planned=400, bytes_moved=100)
    assert found.rate == 1
    assert found.left == timedelta(seconds=300)


def test_nothing_is_promised_before_anything_has_moved():
    found = of(bytes_planned=400)
    assert (found.rate, found.left) == (None, None)


def test_a_job_that_has_not_started_has_taken_no_time():
    assert of(status=JobStatus.PENDING, started_at=None).elapsed is None


def test_an_ended_job_took_what_it_took_and_no_longer():
    ended = NOW - timedelta(seconds=40)
    assert of(status=JobStatus.COMPLETED, finished_at=ended).elapsed == timedelta(seconds=60)


def test_every_closed_set_has_its_words():
    assert set(JOB) == set(JobStatus)
    assert set(OUTCOME) == set(Outcome)
    assert set(CONFLICT) == set(ConflictStatus)
    assert set(CONFLICT_TYPE) == set(ConflictType)
    assert set(SOURCE_KIND) == set(SourceKind)
    assert set(STRATEGY) == set(Strategy)
    assert set(UID_SCOPE) == set(UidScope)
    assert set(MISSING_META) == set(MissingMeta)


def test_every_state_that_runs_is_in_exactly_one_step():
    in_steps = [status for _, _, inside in STAGES for status in inside]
    assert sorted(in_steps) == sorted(set(in_steps))
    assert set(in_steps) == set(JobStatus) - FINAL - {JobStatus.PAUSED, JobStatus.CANCELLING}
