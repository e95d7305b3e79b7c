"""States change through one door, by the table, and the database has the same table."""

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from importer.core.states import (
    CHUNK_NEXT,
    CONFLICT_NEXT,
    FINAL,
    JOB_NEXT,
    ChunkStatus,
    ConflictStatus,
    JobStatus,
)
from importer.models import Chunk, Conflict, Event, ImportJob, Item, Placement, StaleTransition, move_to
from importer.tests.factories import make_conflict, make_item, make_job, make_placement

pytestmark = pytest.mark.django_db


def job_in(status):
    return make_job(status=status)


def needed(status):
    """What the constraints of the target state ask for."""
    now = timezone.now()
    return {
        "finished_at": now if status in FINAL else None,
        **({"next_attempt_at": now} if status == JobStatus.PAUSED else {}),
    }


@pytest.mark.parametrize("old", JobStatus)
def test_a_job_moves_where_the_table_lets_it_and_nowhere_else(old):
    for new in JobStatus:
        job = job_in(old)
        if new in JOB_NEXT[old]:
            move_to(job, new, who="system", now=timezone.now(), **needed(new))
            assert ImportJob.objects.get(pk=job.pk).status == new
            assert Event.objects.filter(job_id=job.pk, what=new).count() == 1
        else:
            with pytest.raises(StaleTransition):
                move_to(job, new, who="system", now=timezone.now(), **needed(new))
            assert ImportJob.objects.get(pk=job.pk).status == old
            assert not Event.objects.filter(job_id=job.pk).exists()


def test_every_state_that_does_not_end_leads_to_an_end():
    for start in JobStatus:
        reached, found = {start}, [start]
        while found:
            found = [n for s in found for n in JOB_NEXT[s] if n not in reached]
            reached.update(found)
        assert reached & FINAL, start


def test_the_tables_know_every_state():
    assert set(JOB_NEXT) == set(JobStatus)
    assert set(CHUNK_NEXT) == set(ChunkStatus)
    assert set(CONFLICT_NEXT) == set(ConflictStatus)


def test_of_two_who_saw_the_same_state_one_moves_it():
    job = job_in("extracting")
    one, other = ImportJob.objects.get(pk=job.pk), ImportJob.objects.get(pk=job.pk)
    move_to(one, "planning", who="system", now=timezone.now())
    with pytest.raises(StaleTransition):
        move_to(other, "planning", who="system", now=timezone.now())
    assert Event.objects.filter(job_id=job.pk).count() == 1


def test_state_other_changes_and_event_come_together_or_not_at_all():
    job = job_in("finishing")
    with pytest.raises(IntegrityError), transaction.atomic():
        # Finished without a date: the database refuses, and so no event stays either.
        move_to(job, "completed", who="system", now=timezone.now(), imported=0)
    assert not Event.objects.filter(job_id=job.pk).exists()


def test_a_quiet_move_is_no_news():
    chunk = Chunk.objects.create(job=job_in("extracting"), work="extract", first_seq=0, count=1)
    move_to(chunk, "done", who="system", now=timezone.now(), quiet=True)
    assert not Event.objects.exists()
    with pytest.raises(StaleTransition):
        move_to(chunk, "cancelled", who="system", now=timezone.now(), quiet=True)


REFUSED = {
    "an unknown state": lambda job: ImportJob.objects.filter(pk=job.pk).update(status="odd"),
    "an end without its date": lambda job: ImportJob.objects.filter(pk=job.pk).update(status="failed"),
    "a date without an end": lambda job: ImportJob.objects.filter(pk=job.pk).update(finished_at=timezone.now()),
    "a pause without end": lambda job: ImportJob.objects.filter(pk=job.pk).update(status="paused"),
    "a clean end with files unaccounted for": lambda job: ImportJob.objects.filter(pk=job.pk).update(
        status="completed", finished_at=timezone.now(), discovered=5, imported=4
    ),
    "an unknown option": lambda job: ImportJob.objects.filter(pk=job.pk).update(uid_scope="world"),
    "two items of one place in the walk": lambda job: [make_item(job, seq=1) for _ in range(2)],
    "an item that nothing became of": lambda job: make_item(job, outcome=None),
    "an item of unknown outcome": lambda job: make_item(job, outcome="odd"),
    "two placements of one key": lambda job: [make_placement(job, key="k") for _ in range(2)],
    "a placement of unknown kind": lambda job: make_placement(job, kind="odd"),
    "two open conflicts over one content": lambda job: [make_conflict(job, held_key="k") for _ in range(2)],
    "a conflict of unknown type": lambda job: make_conflict(job, type="odd"),
    "a decision without its date": lambda job: Conflict.objects.filter(pk=make_conflict(job).pk).update(
        status="resolved"
    ),
    "a slice of unknown work": lambda job: Chunk.objects.create(job=job, work="odd", first_seq=0, count=1),
}


@pytest.mark.parametrize("wrong", REFUSED.values(), ids=REFUSED)
def test_the_database_refuses(wrong):
    job = job_in("extracting")
    with pytest.raises(IntegrityError), transaction.atomic():
        wrong(job)


def test_one_content_may_wait_again_once_it_was_decided():
    job = job_in("completed")
    make_conflict(job, held_key="k", status="resolved")
    make_conflict(job, held_key="k", status="resolved")
    make_conflict(job, held_key="k")
    assert Conflict.objects.count() == 3
    assert Placement.objects.count() == 3
    assert not Item.objects.exists()


def test_only_the_door_writes_a_state():
    """No other line of the project updates `status` or assigns it."""
    import re
    from pathlib import Path

    root = Path(__file__).resolve().parents[3]
    written = re.compile(r"(\.status\s*=[^=]|update\([^)]*\bstatus=)")
    found = []
    for app in ("importer", "watcher", "hierarchy"):
        for path in (root / app).rglob("*.py"):
            if "tests" in path.parts or "migrations" in path.parts or path.name == "status.py":
                continue
            found += [f"{path.name}: {line.strip()}" for line in path.read_text().splitlines() if written.search(line)]
    # The barrier is a compare-and-set of its own, inside the transaction that ends the slice.
    assert [line for line in found if "chunks.py: if not done.update(status=ChunkStatus.DONE" not in line] == []
