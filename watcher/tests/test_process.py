"""Lock, lease and identity: who runs, and who is never signalled."""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command

from conftest import ROOT
from watcher import lease, process, status
from watcher.filesystems import kind_of, tells_of_changes
from watcher.health import SILENT_AFTER
from watcher.identity import Owner, alive, started, this_process
from watcher.models import Batch, DropFolder, Watch
from watcher.tests.running import drop
from watcher.wake import Waker

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ELSEWHERE = Owner(host="far-away", machine="other-boot/pid:[1]", pid=7, started="9")


@pytest.fixture
def lock(tmp_path):
    return tmp_path / "watcher.lock"


@pytest.fixture
def stranger():
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as found:
        yield found
        found.kill()


def note_of(owner):
    return process.Note(owner=owner, since="2026-01-02T00:00:00+00:00").text


def test_the_lock_is_held_by_one_and_free_afterwards(lock):
    with process.locked(lock, now=NOW) as owner:
        assert process.is_held(lock)
        with pytest.raises(process.LockHeld, match=f"pid {owner.pid}, since 2026-01-02"), process.locked(lock, now=NOW):
            pass
    assert not process.is_held(lock)
    assert lock.read_text() == ""


def test_a_text_without_a_lock_stops_nobody(lock):
    lock.write_text(note_of(this_process()))
    with process.locked(lock, now=NOW):
        assert process.read_note(lock).owner == this_process()


def test_a_stop_cleans_a_text_that_nobody_stands_behind(lock, stranger):
    lock.write_text(note_of(Owner(host="h", machine=this_process().machine, pid=stranger.pid, started="1")))
    assert process.stop(lock) == process.Stopped(done=True, said="The watcher is not running.")
    assert lock.read_text() == ""
    assert stranger.poll() is None


def test_a_stop_does_not_signal_a_process_with_another_start_although_the_lock_is_held(lock, stranger):
    with process.locked(lock, now=NOW):
        lock.write_text(note_of(Owner(host="h", machine=this_process().machine, pid=stranger.pid, started="1")))
        stopped = process.stop(lock)
    assert not stopped.done
    assert "not signalled" in stopped.said
    time.sleep(0.2)
    assert stranger.poll() is None


def test_a_stop_does_not_signal_the_number_of_a_process_on_another_machine(lock, stranger):
    same_number = Owner(host="h", machine="other-boot/pid:[1]", pid=stranger.pid, started=started(stranger.pid))
    with process.locked(lock, now=NOW):
        lock.write_text(note_of(same_number))
        assert not process.stop(lock, patience=0.2).done
    assert stranger.poll() is None


@pytest.mark.parametrize("text", ["", "pid: x\n", note_of(ELSEWHERE)], ids=["empty", "broken", "another machine"])
def test_a_stop_does_not_signal_on_a_text_that_proves_nothing(lock, text):
    with process.locked(lock, now=NOW):
        lock.write_text(text)
        assert not process.stop(lock).done


def test_a_stop_that_has_to_wait_too_long_says_so_and_kills_only_when_told(lock):
    script = (
        "import signal, sys, time; from pathlib import Path; from datetime import datetime, UTC\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "from watcher import process\n"
        "with process.locked(Path(sys.argv[1]), now=datetime.now(UTC)):\n"
        "    print('held', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(lock)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as deaf:
        assert deaf.stdout.readline() == "held\n"
        stopped = process.stop(lock, patience=0.3)
        assert not stopped.done
        assert "--kill" in stopped.said
        assert deaf.poll() is None
        assert process.stop(lock, patience=5, kill=True).done
        assert deaf.wait() == -signal.SIGKILL


def test_a_process_is_known_by_number_and_start(stranger):
    owner = Owner(host="h", machine="m", pid=stranger.pid, started=started(stranger.pid))
    assert Owner.parse(owner.text) == owner
    assert alive(owner)
    stranger.kill()
    stranger.wait()
    assert not alive(owner)


def test_a_process_that_has_ended_and_was_not_waited_for_is_not_alive():
    child = os.fork()
    if child == 0:
        os._exit(0)
    time.sleep(0.2)
    assert started(child) == ""
    os.waitpid(child, 0)


def test_a_fresh_heartbeat_of_another_machine_refuses_the_lease(db):
    lease.take(ELSEWHERE, now=NOW)
    with pytest.raises(lease.LeaseHeld, match=r"far-away, pid 7, since 2026-01-02"):
        lease.take(this_process(), now=NOW + SILENT_AFTER)
    assert Watch.objects.get().owner == ELSEWHERE.text


def test_a_silent_watcher_loses_the_lease_and_notices(db):
    lease.take(ELSEWHERE, now=NOW)
    lease.take(this_process(), now=NOW + SILENT_AFTER + timedelta(seconds=1))
    with pytest.raises(lease.LeaseLost):
        lease.beat(ELSEWHERE, {}, now=NOW)


def test_a_watcher_that_died_on_this_machine_is_succeeded_at_once(db):
    dead = Owner(host="h", machine=this_process().machine, pid=2**22 - 1, started="1")
    lease.take(dead, now=NOW)
    lease.take(this_process(), now=NOW)
    assert Watch.objects.get().pid == os.getpid()


def test_a_watcher_that_lives_on_this_machine_is_not_succeeded(db):
    here = this_process()
    lease.take(here, now=NOW)
    with pytest.raises(lease.LeaseHeld):
        lease.take(Owner(host=here.host, machine=here.machine, pid=here.pid + 1, started="1"), now=NOW)


def test_a_released_lease_says_that_nobody_watches(db):
    lease.take(this_process(), now=NOW)
    lease.release(this_process())
    assert status.now(at=NOW, locked=False)["state"] == "stopped"


def test_the_status_tells_running_degraded_silent_and_killed_apart(db, tmp_path):
    folder = DropFolder.objects.create(name="ct", path=str(tmp_path))
    said = {"mode": "scan", "healthy": True, "reason": "", "settling": [], "settling_count": 0, "ready": 0}
    said |= {"refused": [], "loose": [], "loose_count": 0, "scanned_at": None}

    def state(*, healthy=True, owner=ELSEWHERE, age=1.0):
        report = {"roots": {str(folder.pk): said | {"healthy": healthy, "reason": "" if healthy else "Away."}}}
        Watch.objects.update_or_create(pk=1, defaults={"owner": owner.text, "beat_at": NOW, "report": report})
        found = status.now(at=NOW + timedelta(seconds=age), locked=False)
        return found["state"], "\n".join(status.in_words(found))

    assert state()[0] == "healthy"
    assert state(healthy=False)[0] == "degraded"
    assert "in trouble: Away." in state(healthy=False)[1]
    assert state(age=31)[0] == "silent"
    killed = Owner(host="h", machine=this_process().machine, pid=2**22 - 1, started="1")
    assert state(owner=killed)[0] == "stopped"


def test_a_dry_run_prints_what_would_be_taken_and_changes_nothing(folder, root, capsys):
    DropFolder.objects.update(completion="rename")
    drop(root, "ST")
    (root / "later.tmp1").mkdir()
    (root / "link").symlink_to("/")
    (root / "loose.dcm").write_bytes(b"x")
    call_command("start_watcher", "--dry-run")
    said = capsys.readouterr().out
    assert "ST: would be taken now\n" in said
    assert "later.tmp1: has an unfinished name" in said
    assert "link: is a symbolic link" in said
    assert "loose.dcm: a file in the drop folder itself is not imported" in said
    assert not Batch.objects.exists()
    assert not Watch.objects.exists()


def test_a_dry_run_over_a_missing_root_ends_with_1(folder, root):
    root.rmdir()
    with pytest.raises(SystemExit) as ended:
        call_command("start_watcher", "--dry-run")
    assert ended.value.code == 1


def test_events_are_trusted_on_local_file_systems_alone(tmp_path):
    assert tells_of_changes(os.fsencode(tmp_path))
    assert kind_of(b"/proc") == "proc"
    assert not tells_of_changes(b"/proc")
    assert not tells_of_changes(b"/nowhere/at/all")


def test_a_sleeper_is_woken_from_another_thread_and_never_sleeps_after_a_stop():
    waker = Waker()
    threading.Timer(0.1, waker.wake).start()
    began = time.monotonic()
    waker.sleep(30)
    waker.stop()
    waker.sleep(30)
    waker.close()
    assert time.monotonic() - began < 10
    assert waker.stopping()
