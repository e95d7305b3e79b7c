"""Verifying on a schedule: a little at a time, the longest unread first, one run over a place at once."""

from datetime import timedelta

import pytest
from django.core.management import call_command

from importer import tasks
from importer.core.checks import CheckState
from importer.models import Check, CheckedRoot, Event
from importer.pipeline.checked import stored, tell
from importer.pipeline.roots import roots
from importer.pipeline.sights import Found
from importer.pipeline.verify import Budget, Due, run
from importer.pipeline.verify_due import due_roots, run_due
from importer.pipeline.worker import this_owner
from importer.tests.pipeline.drive import Clock, imported, put, worker
from importer.verify_queries import coverage_of

pytestmark = pytest.mark.django_db(transaction=True)
FILES, EACH = 8, 1000


@pytest.fixture
def papers(project, places, tmp_path, settings):
    """Their paths in the archive; a run reads three of them."""
    settings.PRATIQUE_VERIFY_BYTES = 3 * EACH
    for number in range(FILES):
        put(tmp_path / "in" / "S" / "E" / "A" / f"{number}.bin", bytes([number]) * EACH)
    imported(project, tmp_path / "in")
    return sorted(places.archive.rglob("*.bin"))


@pytest.fixture
def clock():
    return Clock()


def archive_root():
    return next(root for root in roots() if root.place == "archive")


def once(clock):
    return run_due(archive_root().pk, worker=worker(now=clock))


def covered(clock):
    return coverage_of(actor=None, now=clock()).words


def test_each_run_reads_as_much_as_its_budget_allows_until_all_is_read(papers, clock):
    said = []
    for _ in range(4):
        tally = once(clock)
        said.append((tally.looked, tally.read, str(tally.ended), covered(clock)))
        clock.add(3600)
    assert said == [
        (8, 3, "bytes", "37% re-read in 30 days (3 of 8 files)."),
        (0, 3, "bytes", "75% re-read in 30 days (6 of 8 files)."),
        (0, 2, "done", "100% re-read in 30 days (8 of 8 files)."),
        (0, 0, "done", "100% re-read in 30 days (8 of 8 files)."),
    ]
    root = archive_root()
    assert (root.read, root.ended, root.owner, root.leased_until) == (0, "done", "", None)


def test_everything_is_looked_at_once_a_day_and_read_again_after_a_month_the_longest_unread_first(
    papers, clock, settings
):
    for _ in range(3):
        once(clock)
        clock.add(3600)
    order = list(Check.objects.order_by("read_at", "pk").values_list("pk", flat=True))
    clock.add(86_400)
    assert (once(clock).looked, once(clock).looked) == (8, 0)
    clock.add(30 * 86_400)
    assert covered(clock).startswith("0% ")
    once(clock)
    again = Check.objects.filter(read_at=clock())
    assert sorted(again.values_list("pk", flat=True)) == sorted(order[:3])
    settings.PRATIQUE_VERIFY_DAYS = 90
    clock.add(3600)
    assert once(clock).read == 0


def test_a_file_that_is_larger_than_the_budget_is_read_all_the_same(papers, clock, settings):
    settings.PRATIQUE_VERIFY_BYTES = 10
    assert [once(clock).read for _ in range(FILES)] == [1] * FILES
    assert covered(clock).startswith("100%")


def test_time_is_a_budget_too(papers):
    ticks = iter(range(100))
    root = archive_root()
    now = Clock()
    due = Due(look_before=now() - timedelta(days=1), read_before=now())
    tally = run(root, due=due, budget=Budget(seconds=5, clock=lambda: next(ticks)), now=now)
    assert (str(tally.ended), tally.looked) == ("time", 8)
    assert 0 < tally.read < FILES
    assert Check.objects.exclude(read_at=None).count() == tally.read


def test_what_is_wrong_is_looked_at_in_every_run_and_told_once(papers, clock, places):
    once(clock)
    whole = papers[0].read_bytes()
    papers[0].unlink()
    clock.add(2 * 86_400)
    once(clock)
    assert Check.objects.get(state="missing").words == "It is not there."
    since = Check.objects.get(state="missing").since
    clock.add(3600)
    assert once(clock).looked == 1
    assert Check.objects.get(state="missing").since == since
    papers[0].write_bytes(whole)
    clock.add(3600)
    assert once(clock).looked == 1
    assert not Check.objects.exclude(state="ok").exists()
    told = Event.objects.filter(what="verified").order_by("pk").values_list("detail", flat=True)
    assert list(told) == ["archive: 1 missing", "archive: all is well again"]


def test_of_two_workers_one_verifies_a_place_and_a_dead_ones_work_is_taken_up_at_once(papers, clock):
    root = archive_root()
    until = clock() + timedelta(minutes=15)
    CheckedRoot.objects.filter(pk=root.pk).update(owner="elsewhere|1|1", leased_until=until)
    assert once(clock) is None
    CheckedRoot.objects.filter(pk=root.pk).update(owner=this_owner().rsplit("|", 1)[0] + "|0")
    assert once(clock).read == 3
    CheckedRoot.objects.filter(pk=root.pk).update(owner="elsewhere|1|1", leased_until=until)
    clock.add(16 * 60)
    assert once(clock).read == 3


def test_a_place_that_is_away_costs_nothing_but_the_question(papers, clock, places):
    once(clock)
    aside = places.archive.with_name("aside")
    places.archive.rename(aside)
    clock.add(2 * 86_400)
    tally = once(clock)
    assert (str(tally.ended), tally.looked, tally.read) == ("away", 0, 0)
    assert covered(clock) == "0% re-read in 30 days (0 of 8 files)."
    aside.rename(places.archive)
    clock.add(3600)
    assert str(once(clock).ended) == "bytes"
    assert covered(clock).startswith("75%")


def test_the_beat_hands_each_place_to_a_worker_unless_it_is_switched_off(papers, settings):
    assert "importer.tasks.verify_due" in {one["task"] for one in settings.CELERY_BEAT_SCHEDULE.values()}
    for root_id in due_roots():
        tasks.verify_root(root_id)
    assert Check.objects.exclude(read_at=None).count() == 3
    settings.PRATIQUE_VERIFY_SECONDS = 0
    assert due_roots() == []


def test_what_is_stored_later_is_found_and_what_was_let_go_forgotten(project, papers, clock, tmp_path):
    once(clock)
    put(tmp_path / "more" / "S" / "E" / "A" / "late.bin", b"x" * EACH)
    put(tmp_path / "more" / "S" / "E" / "A" / "0.bin", b"other")
    imported(project, tmp_path / "more")
    once(clock)
    quarantine = next(root for root in roots() if root.place == "quarantine")
    run_due(quarantine.pk, worker=worker(now=clock))
    assert Check.objects.filter(conflict=None).count() == FILES + 1
    held = Check.objects.get(version=None)
    held.conflict.purged_at = clock()
    held.conflict.save()
    run_due(quarantine.pk, worker=worker(now=clock))
    assert not Check.objects.filter(version=None).exists()


def test_a_sample_is_what_was_not_read_for_longest(papers, capsys):
    for _ in range(2):
        with pytest.raises(SystemExit):
            call_command("verify", "--sample", "50%")
    said = capsys.readouterr().out
    assert "50% re-read in 30 days (4 of 8 files)." in said
    assert "100% re-read in 30 days (8 of 8 files)." in said


def test_no_query_is_made_for_a_single_file(project, places, tmp_path, clock, django_assert_max_num_queries):
    for number in range(120):
        put(tmp_path / "in" / "S" / "E" / "A" / f"{number}.bin", b"x" * (number + 1))
    imported(project, tmp_path / "in")
    with django_assert_max_num_queries(80):
        assert once(clock).read == 120


def test_what_somebody_else_told_meanwhile_stands(papers, clock):
    """A run that read the spoiled bytes before they were repaired writes nothing over the repair."""
    once(clock)
    (one, *_) = stored(Check.objects.order_by("pk"))
    begun = clock()
    clock.add(5)
    tell([(one, Found(CheckState.OK))], begun=None, now=clock(), read=True)
    tell([(one, Found(CheckState.CHANGED, "spoiled"))], begun=begun, now=clock(), read=True)
    assert Check.objects.get(pk=one.check).state == "ok"
    tell([(one, Found(CheckState.CHANGED, "spoiled"))], begun=clock(), now=clock(), read=True)
    assert Check.objects.get(pk=one.check).words == "spoiled"
