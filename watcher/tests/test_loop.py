"""The loop in this process: lost events, failing roots, bounded imports, a database that is away."""

import os
import shutil
import threading
import time

import pytest
from django.db import OperationalError
from django.utils import timezone
from watchdog.events import DirCreatedEvent

from importer.models import ImportJob
from watcher import lease, loop, rootwatch, scan, serving
from watcher.hints import RootHandler
from watcher.identity import this_process
from watcher.loop import Watcher
from watcher.models import Batch, DropFolder, Watch
from watcher.states import FoundBy
from watcher.tests.running import drop, labels
from watcher.wake import Waker


@pytest.fixture
def other(project, tmp_path):
    """A second root, with promised names."""
    (tmp_path / "other").mkdir()
    DropFolder.objects.create(name="other", path=str(tmp_path / "other"), project=project, completion="rename")
    return tmp_path / "other"


@pytest.fixture
def once(transactional_db, places, settings, tmp_path):
    """`start_watcher --once`: its exit status and what it says."""
    settings.PRATIQUE_WATCHER_LOCK = tmp_path / "watcher.lock"
    said = []
    return lambda: (serving.once(say=said.append), said)


@pytest.fixture
def watcher(transactional_db, places):
    """Holds the lease; nobody runs it yet."""
    owner = this_process()
    lease.take(owner, now=timezone.now())
    found = Watcher(owner=owner, waker=Waker())
    yield found
    found.hints.close()
    found.waker.close()


def steps_until(watcher, true, within=30.0):
    end = time.monotonic() + within
    while not true():
        assert time.monotonic() < end, f"not within {within} s"
        watcher.waker.sleep(min(watcher.until_next(), 0.2))
        watcher.step()


def finish_imports():
    """Plays the pipeline."""
    ImportJob.objects.filter(finished_at=None).update(
        status="completed", finished_at=timezone.now(), discovered=5, imported=5
    )


def only(watcher):
    return next(iter(watcher.roots.values()))


def test_a_folder_that_appears_before_the_first_scan_is_found(watcher, folder, root):
    DropFolder.objects.update(completion="rename")

    threading.Timer(1.5, watcher.waker.stop).start()
    watcher.run(started=lambda: drop(root, "ST"))
    assert labels() == ["ST"]


def test_a_folder_that_appears_behind_the_back_of_the_first_scan_is_found(watcher, folder, root, monkeypatch):
    DropFolder.objects.update(completion="rename", scan_seconds=3600)
    listed, late = scan.listed, []

    def listed_too_early(handle):
        found = listed(handle)
        if not late:
            late.append(drop(root, "ST"))
        return found

    monkeypatch.setattr(scan, "listed", listed_too_early)
    watcher.step()
    assert labels() == []
    steps_until(watcher, lambda: labels() == ["ST"])


def test_a_watcher_that_hears_nothing_finds_everything_by_its_scans(watcher, folder, root, monkeypatch):
    DropFolder.objects.update(completion="rename", scan_seconds=0.3)
    monkeypatch.setattr(RootHandler, "dispatch", lambda *_: None)
    watcher.step()
    drop(root, "ST")
    steps_until(watcher, lambda: labels() == ["ST"])
    assert Batch.objects.get().found_by == "scan"
    assert watcher.report()["roots"][str(folder.pk)]["found"] == {"start": 0, "event": 0, "scan": 1}


def test_a_dead_emitter_is_noticed_everything_is_scanned_and_events_work_again(watcher, folder, root):
    DropFolder.objects.update(completion="rename", scan_seconds=3600)
    watcher.step()
    for emitter in watcher.hints._observer.emitters:
        emitter.stop()
    drop(root, "unheard")
    steps_until(watcher, lambda: labels() == ["unheard"])
    assert watcher.hints.rebuilt >= 1
    drop(root, "heard")
    steps_until(watcher, lambda: labels() == ["heard", "unheard"])
    assert Batch.objects.get(label="heard").found_by == FoundBy.EVENT


def test_an_event_that_cannot_be_read_kills_nobody_and_asks_for_a_look(caplog):
    woken = []
    handler = RootHandler(wake=lambda: woken.append(True))
    handler.dispatch(DirCreatedEvent(src_path=7))
    assert woken
    assert handler.drain().changed


def test_a_name_that_was_used_again_after_its_rename_proves_nothing(watcher, folder, root):
    DropFolder.objects.update(quiet_seconds=600, scan_seconds=3600)
    watcher.step()
    drop(root, "ST")
    shutil.rmtree(root / "ST")
    (root / "ST").mkdir()
    (root / "ST" / "half").write_bytes(b"x")
    end = time.monotonic() + 1.5
    steps_until(watcher, lambda: time.monotonic() > end)
    assert labels() == []


def test_a_root_whose_scan_fails_is_said_and_the_others_go_on(watcher, folder, root, other, caplog):
    watcher.load_folders()
    broken, text = watcher.roots[folder.pk], "DOE" + "^JOHN"

    def fails(**_):
        raise RuntimeError(text)

    broken.scanner = type("Broken", (), {"look": staticmethod(fails)})()
    drop(other, "ST")
    steps_until(watcher, lambda: labels() == ["ST"])
    assert not broken.report.healthy
    assert "RuntimeError" in caplog.text
    assert text not in caplog.text


def test_a_missing_root_is_reported_and_the_others_go_on(watcher, folder, root, other):
    root.rmdir()
    drop(other, "ST")
    steps_until(watcher, lambda: labels() == ["ST"])
    said = watcher.report()["roots"][str(folder.pk)]
    assert (said["healthy"], said["reason"]) == (False, "The folder is not there.")


def test_an_import_that_cannot_be_started_is_said_and_tried_again(watcher, folder, root, settings, monkeypatch):
    monkeypatch.setattr(rootwatch, "RETRY_AFTER", 0.2)
    DropFolder.objects.update(completion="rename")
    allowed, settings.PRATIQUE_LOCAL_ROOTS = settings.PRATIQUE_LOCAL_ROOTS, []
    drop(root, "ST")
    watcher.step()
    assert "PRATIQUE_LOCAL_ROOTS" in only(watcher).report.reason
    settings.PRATIQUE_LOCAL_ROOTS = allowed
    steps_until(watcher, lambda: labels() == ["ST"])
    assert only(watcher).report.healthy


def test_a_database_that_is_away_is_waited_for(watcher, folder, root, monkeypatch):
    DropFolder.objects.update(completion="rename")
    drop(root, "ST")
    real, away = watcher.step.__func__, [True]

    def step(self):
        if away:
            away.pop()
            raise OperationalError("server closed the connection unexpectedly")
        real(self)
        self.waker.stop()

    monkeypatch.setattr(Watcher, "step", step)
    monkeypatch.setattr(loop, "connection", type("Kept", (), {"close": staticmethod(lambda: None)}))
    watcher.run(started=lambda: None)
    assert labels() == ["ST"]


def test_a_fault_that_does_not_pass_ends_it(watcher, monkeypatch):
    def step(_self):
        raise ZeroDivisionError

    monkeypatch.setattr(Watcher, "step", step)
    monkeypatch.setattr(loop, "LONGEST_PAUSE", 0.01)
    with pytest.raises(ZeroDivisionError):
        watcher.run(started=lambda: None)


def test_another_watcher_that_took_over_ends_this_one(watcher, folder):
    Watch.objects.update(owner="somebody else 1 1")
    with pytest.raises(lease.LeaseLost):
        watcher.run(started=lambda: None)


def test_a_stop_ends_a_walk_in_the_middle(watcher, folder, root):
    for number in range(200):
        (root / "ST" / str(number)).mkdir(parents=True)
    threading.Timer(0.3, watcher.waker.stop).start()
    watcher.run(started=lambda: None)
    assert watcher.waker.stopping()


def test_deliveries_in_flight_are_bounded_and_fair_and_the_oldest_go_first(watcher, folder, root, other):
    DropFolder.objects.update(completion="rename", scan_seconds=3600)
    for number in range(30):
        drop(root, f"A{number:02}")
    drop(other, "B")
    watcher.step()
    assert Batch.objects.filter(status="importing").count() == 25
    assert "B" in labels()
    assert labels()[:24] == [f"A{number:02}" for number in range(24)]
    assert watcher.report()["roots"][str(folder.pk)]["ready"] == 6
    finish_imports()
    steps_until(watcher, lambda: len(labels()) == 31)


@pytest.mark.slow
def test_a_thousand_folders_at_once_become_a_thousand_batches_never_more_than_a_few_in_flight(
    watcher, folder, root, other
):
    DropFolder.objects.update(completion="rename", scan_seconds=3600)
    watcher.step()
    for number in range(1000):
        drop(root if number % 2 else other, f"ST-{number:04}", files="abcde")
    most = 0

    def done():
        nonlocal most
        in_flight = Batch.objects.filter(status="importing").count()
        most = max(most, in_flight)
        finish_imports()
        return Batch.objects.filter(status="imported").count() == 1000

    steps_until(watcher, done, within=170)
    assert most <= 25
    assert Batch.objects.count() == 1000
    assert sum(Batch.objects.values_list("files", flat=True)) == 5000


def test_one_round_takes_what_is_whole_waits_for_what_settles_and_leaves_the_rest(once, folder, root):
    DropFolder.objects.update(quiet_seconds=0.5)
    (root / "settles").mkdir()
    (root / "settles" / "a").write_bytes(b"x")
    (root / "empty").mkdir()
    (root / "unfinished.tmp1").mkdir()
    assert once() == (0, ["1 taken, 2 left for later."])
    assert labels() == ["settles"]
    assert Watch.objects.get().owner == ""


def test_one_round_over_a_missing_root_ends_with_1_and_says_so(once, folder, root):
    root.rmdir()
    assert once() == (1, ["0 taken, 0 left for later.", "ct: The folder is not there."])


def test_thousands_of_names_do_not_make_a_heartbeat_of_megabytes(watcher, folder, root):
    for number in range(500):
        os.mkdir(root / f"{number:03}{'n' * 200}")
    watcher.step()
    said = Watch.objects.get().report["roots"][str(folder.pk)]
    assert (len(said["settling"]), said["settling_count"]) == (50, 500)
