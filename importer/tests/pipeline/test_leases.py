"""One worker has a lease at a time; who lost it changes nothing, whatever it goes on to do."""

import threading
import time

import pytest
from django.db import connection, transaction

from conftest import ON_SQLITE
from importer.models import Chunk, ImportJob
from importer.pipeline import chunks, compare, extract, leases, scan, transfer
from importer.pipeline.advance import Step, advance
from importer.pipeline.leases import LostLease
from importer.pipeline.worker import this_owner
from importer.tests.pipeline.drive import (
    Clock,
    became,
    imported,
    instance,
    leftovers,
    put,
    put_series,
    reasons,
    run,
    start,
    tree,
    until,
    worker,
)

pytestmark = pytest.mark.django_db(transaction=True)
DEAD = this_owner().rpartition("|")[0].rpartition("|")[0] + "|999999999|1"
FAR = "elsewhere|another kernel||7|7"


@pytest.fixture
def job(project, places, tmp_path):
    for series in (1, 2):
        put_series(tmp_path / "in" / f"{series}", 3, series=series)
    return start(project, tmp_path / "in")


@pytest.fixture
def nothing_broke(caplog):
    """To lose a lease is no fault."""
    yield
    assert "broke" not in caplog.text


def open_chunk(job):
    return Chunk.objects.filter(job=job, status="open").order_by("id").first()


def test_of_two_that_try_one_gets_it_and_not_before_it_ran_out(job):
    clock = Clock()
    until(job, "extracting")
    one, two = open_chunk(job), open_chunk(job)

    first = leases.take(one, worker(now=clock))

    assert first is not None
    assert leases.take(two, worker(now=clock)) is None
    assert leases.take(open_chunk(job), worker(now=clock)) is None
    clock.add(61)
    second = leases.take(open_chunk(job), worker(now=clock))
    assert second.epoch == first.epoch + 1
    assert open_chunk(job).kills == 1
    with pytest.raises(LostLease), transaction.atomic():
        first.fence()
    leases.give_back(first)
    assert open_chunk(job).leased_until is not None


def test_a_clean_end_is_no_kill(job):
    until(job, "extracting")
    for _ in range(5):
        lease = leases.take(open_chunk(job), worker())
        leases.give_back(lease)

    assert open_chunk(job).kills == 0


def test_the_heartbeat_renews_and_hears_that_the_lease_is_lost(job, settings):
    settings.PRATIQUE_LEASE_SECONDS = 3
    until(job, "extracting")
    lease = leases.take(open_chunk(job), worker())
    before = open_chunk(job).leased_until
    with leases.kept(lease, worker()):
        time.sleep(1.4)
        assert open_chunk(job).leased_until > before
        Chunk.objects.filter(pk=lease.pk).update(epoch=lease.epoch + 1)
        assert lease.lost.wait(3)
        with pytest.raises(LostLease):
            lease.check()


def taken_over(job, by):
    """Another worker takes the chunk that this one thinks it has, and does it."""
    Chunk.objects.filter(job=job, status="open").update(leased_until=by.now())
    clock = Clock()
    clock.add(1)
    other = worker(owner=FAR, now=clock)
    assert advance(job.pk, worker=other) is Step.DID


@pytest.mark.usefixtures("nothing_broke")
@pytest.mark.parametrize("work", ["extract", "compare", "transfer"])
def test_who_lost_its_lease_rolls_back_and_its_bytes_are_gone(job, project, places, work, monkeypatch):
    """The other worker has done the whole slice by the time that the first wants to end it."""
    by = worker()
    if work == "compare":
        imported(project, bytes(job.source_root, "utf-8"))
    until(job, {"extract": "extracting", "compare": "planning", "transfer": "transferring"}[work])
    while open_chunk(job) is None or open_chunk(job).work != work:
        advance(job.pk, worker=by)
    # The last thing before each of them opens its transaction.
    module, name = {
        "extract": (extract, "source_of"),
        "compare": (compare, "source_of"),
        "transfer": (transfer, "_land"),
    }[work]
    hooked = getattr(module, name)

    def once(*args, **named):
        monkeypatch.setattr(module, name, hooked)
        taken_over(job, by)
        return hooked(*args, **named)

    monkeypatch.setattr(module, name, once)

    advance(job.pk, worker=by)
    run(job, by=by)

    assert job.status == "completed"
    assert set(became(job).values()) == {"skipped" if work == "compare" else "imported"}
    assert len(tree(project)) == 2
    assert leftovers(places) == []


def test_who_is_proved_dead_is_replaced_at_once_and_who_is_elsewhere_in_time(job):
    clock = Clock()
    until(job, "extracting")
    for owner in (DEAD, FAR, this_owner()):
        lease = leases.take(open_chunk(job), worker(owner=owner, now=clock))
        assert (leases.recover(clock()), owner == DEAD) in {(1, True), (0, False)}
        Chunk.objects.filter(pk=lease.pk).update(leased_until=None, owner="")


def test_what_kills_its_worker_is_found_in_few_steps_and_fails_alone(project, places, tmp_path):
    for number in range(1, 61):
        put(tmp_path / "in" / f"{number:02}.dcm", instance(number))
    job = start(project, tmp_path / "in")
    clock = Clock()
    by = worker(now=clock)
    until(job, "extracting", by=by)
    kills = 0
    while ImportJob.objects.get(pk=job.pk).status == "extracting":
        deadly = [c for c in Chunk.objects.filter(job=job, status="open").order_by("id") if holds(c, "37.dcm")]
        if deadly and deadly[0].kills < (2 if deadly[0].count > 1 else 3):
            assert leases.take(deadly[0], worker(owner=DEAD, now=clock)) is not None
            leases.recover(clock())
            kills += 1
            # The kill is counted by whoever takes it next.
            clock.add(1)
            other = leases.take(Chunk.objects.get(pk=deadly[0].pk), by)
            leases.give_back(other)
            continue
        advance(job.pk, worker=by)

    run(job, by=by)

    assert [path for path, said in reasons(job).items() if said != "imported"] == ["37.dcm"]
    assert reasons(job)["37.dcm"] == "failed: Poison"
    assert kills == 2 + 2 + 3


def holds(chunk, path):
    return any(entry.path == path for entry in chunks.from_blob(chunk.entries))


def test_a_split_changes_neither_the_files_nor_their_order(project, places, tmp_path):
    put_series(tmp_path / "in", 23)
    job = start(project, tmp_path / "in")
    until(job, "extracting")
    Chunk.objects.filter(job=job).update(kills=2)

    advance(job.pk, worker=worker())

    parts = list(Chunk.objects.filter(job=job, status="open").order_by("id"))
    assert [part.count for part in parts] == [3] * 7 + [2]
    assert [part.first_seq for part in parts] == list(range(0, 23, 3))
    assert ImportJob.objects.get(pk=job.pk).open_chunks == 8
    assert run(job).imported == 23


# The barrier


def test_the_barrier_opens_once_whatever_the_interleaving(project, places, tmp_path, monkeypatch):
    """Threads end the slices of one stage together; exactly one of them moves the job on, after the last."""
    from importer.models import Event

    monkeypatch.setattr(scan, "CHUNK_ENTRIES", 1)
    monkeypatch.setattr(chunks, "SLICE_COUNT", 1)
    for series in range(1, 9):
        put_series(tmp_path / "in" / f"{series}", 1, series=series)
    job = start(project, tmp_path / "in")

    together(job, 2 if ON_SQLITE else 6)

    job.refresh_from_db()
    assert (job.status, job.imported, job.open_chunks) == ("completed", 8, 0)
    moved = list(Event.objects.filter(job_id=job.pk).order_by("id").values_list("what", flat=True))
    assert len(moved) == len(set(moved))
    assert leftovers(places) == []


def together(job, count):
    failed = []

    def work():
        try:
            for _ in range(2000):
                step = advance(job.pk, worker=worker(owner=f"{this_owner()}"))
                if step is Step.ENDED:
                    return
                if step is Step.IDLE:
                    time.sleep(0.01)
            failed.append("no end")
        except Exception as error:  # noqa: BLE001
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_the_last_slice_may_end_before_the_scan_does(project, places, tmp_path):
    """All names that were listed so far are read while the scan is still under way: the job waits for the scan."""
    put_series(tmp_path / "in", 3)
    job = start(project, tmp_path / "in")
    until(job, "extracting")
    ImportJob.objects.filter(pk=job.pk).update(status="scanning", scan_done=False)
    held = leases.take(ImportJob.objects.get(pk=job.pk), worker(owner=FAR))

    assert advance(job.pk, worker=worker()) is Step.DID
    assert advance(job.pk, worker=worker()) is Step.IDLE
    assert ImportJob.objects.get(pk=job.pk).status == "scanning"

    leases.give_back(held)
    assert run(job).imported == 3


def test_whoever_is_late_for_a_stage_leaves_it_alone(project, places, tmp_path):
    put_series(tmp_path / "in", 3)
    job = start(project, tmp_path / "in")
    until(job, "transferring")

    from importer.pipeline.leases import take
    from importer.pipeline.plan import plan

    late = ImportJob.objects.get(pk=job.pk)
    late.status = "planning"
    lease = take(ImportJob.objects.get(pk=job.pk), worker())
    before = Chunk.objects.filter(job=job).count()
    with pytest.raises(Exception, match="cannot become"):
        plan(late, lease, worker=worker())
    assert Chunk.objects.filter(job=job).count() == before
    leases.give_back(lease)
    assert run(job).imported == 3


def test_who_comes_too_late_for_many_slices_finds_the_one_that_is_left(project, places, tmp_path, monkeypatch):
    """With as many workers as slices, the last one meets others at all slices but one."""
    monkeypatch.setattr(scan, "CHUNK_ENTRIES", 1)
    put_series(tmp_path / "in", 30)
    job = start(project, tmp_path / "in")
    until(job, "extracting")
    original, tried = leases.take, []

    def take(row, by):
        tried.append(row)
        return None if len(tried) < 30 else original(row, by)

    monkeypatch.setattr(leases, "take", take)

    assert advance(job.pk, worker=worker()) is Step.DID
