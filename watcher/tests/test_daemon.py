"""The watcher as a process: what is dropped is claimed once, whatever happens to the process."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

from conftest import ROOT
from importer.models import ImportJob
from watcher.models import Batch, DropFolder, Watch
from watcher.tests.running import drop, labels, until

pytestmark = pytest.mark.service


def change(folder, **fields):
    DropFolder.objects.filter(pk=folder.pk).update(**fields)


def test_a_rename_is_claimed_at_once_although_scans_are_rare_and_the_quiet_period_is_long(daemon, folder, root):
    change(folder, quiet_seconds=600, scan_seconds=3600)
    daemon.start()
    (root / "ST-000001.tmp2343").mkdir()
    for file in "abc":
        (root / "ST-000001.tmp2343" / file).write_bytes(b"x")
    time.sleep(1)
    assert not Batch.objects.exists()
    (root / "ST-000001.tmp2343").rename(root / "ST-000001")
    batch = until(Batch.objects.first)
    assert (batch.label, batch.files, batch.found_by) == ("ST-000001", 3, "event")
    time.sleep(1)
    assert (labels(), ImportJob.objects.count()) == (["ST-000001"], 1)


def test_a_rename_that_follows_at_once_is_still_known_for_one(daemon, folder, root):
    change(folder, quiet_seconds=600, scan_seconds=3600)
    daemon.start()
    for number in range(5):
        drop(root, f"ST-{number}")
    until(lambda: len(labels()) == 5)


def test_of_three_renames_the_quickest_is_claimed_within_two_seconds(daemon, folder, root):
    """Of three, because the machine may be busy with something else."""
    change(folder, quiet_seconds=600, scan_seconds=3600)
    daemon.start()
    took = []
    for number in range(3):
        drop(root, f"ST-{number}")
        renamed = time.time()
        batch = until(Batch.objects.filter(label=f"ST-{number}").first)
        took.append(batch.claimed_at.timestamp() - renamed)
    assert min(took) < 2


def test_without_events_a_rename_is_claimed_within_one_scan(daemon, folder, root):
    change(folder, quiet_seconds=600, scan_seconds=0.5, watch_mode="scan")
    daemon.start()
    (root / "ST.tmp1").mkdir()
    (root / "ST.tmp1" / "a").write_bytes(b"x")
    time.sleep(1.2)
    (root / "ST.tmp1").rename(root / "ST")
    batch = until(Batch.objects.first)
    assert batch.found_by == "scan"


def test_polling_notices_a_new_name_without_events_long_before_the_next_scan(daemon, folder, root):
    change(folder, completion="rename", scan_seconds=3600, watch_mode="poll")
    daemon.start()
    time.sleep(1.5)
    drop(root, "ST")
    until(Batch.objects.first)


def test_a_folder_filled_slowly_under_its_final_name_is_one_whole_batch(daemon, folder, root):
    daemon.start()
    (root / "ST").mkdir()
    for number in range(15):
        (root / "ST" / f"{number}").write_bytes(b"x")
        time.sleep(0.3)
    written = time.time()
    batch = until(Batch.objects.first)
    assert batch.files == 15
    assert batch.claimed_at.timestamp() - written > 0.6
    time.sleep(1)
    assert labels() == ["ST"]


def test_a_finished_folder_moved_in_waits_where_nothing_is_promised_and_goes_at_once_where_it_is(
    daemon, folder, root, project, tmp_path
):
    (tmp_path / "promised").mkdir()
    promised = DropFolder.objects.create(
        name="p", path=str(tmp_path / "promised"), project=project, completion="rename"
    )
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_bytes(b"x")
    daemon.start()
    (tmp_path / "one").rename(root / "ST")
    (tmp_path / "two").rename(tmp_path / "promised" / "ST")
    until(lambda: len(labels()) == 2)
    first, second = Batch.objects.order_by("claimed_at")
    assert (first.drop_folder_id, second.drop_folder_id) == (promised.pk, folder.pk)
    assert (second.claimed_at - first.claimed_at).total_seconds() > 0.8


def test_what_was_dropped_while_nobody_watched_is_found_at_the_start_once_each(daemon, folder, root):
    for number in range(5):
        drop(root, f"ST-{number}")
    daemon.start()
    until(lambda: len(labels()) == 5)
    assert set(Batch.objects.values_list("found_by", flat=True)) == {"start"}
    time.sleep(1)
    assert len(labels()) == 5


def test_a_killed_watcher_loses_nothing_and_takes_nothing_twice(daemon, folder, root):
    change(folder, project=None)
    moments = random.Random(7)
    names = [f"ST-{number:03}" for number in range(60)]
    for part in range(4):
        process = daemon.start()
        for name in names[part * 15 : part * 15 + 15]:
            drop(root, name)
        time.sleep(moments.uniform(0, 0.4))
        process.kill()
        process.wait()
    daemon.start()
    until(lambda: len(labels()) >= 60)
    time.sleep(1)
    assert labels() == names


def test_a_second_watcher_is_refused_with_who_runs(daemon, folder):
    process = daemon.start()
    second = daemon.run("start_watcher", "--foreground")
    assert second.returncode == 2
    for word in (socket.gethostname(), f"pid {process.pid}", "since 20"):
        assert word in second.stderr
    assert process.poll() is None
    assert f"pid: {process.pid}\n" in daemon.note()


def test_a_watcher_in_the_background_is_started_asked_and_stopped(daemon, folder, root):
    started = daemon.run("start_watcher")
    assert started.returncode == 0, started.stderr
    drop(root, "ST")
    until(Batch.objects.first)
    status = daemon.run("watcher_status")
    assert status.returncode == 0, status.stdout
    assert "ct" in status.stdout
    assert daemon.run("start_watcher").returncode == 2
    asked = time.monotonic()
    stopped = daemon.run("stop_watcher")
    assert stopped.returncode == 0, stopped.stderr
    assert time.monotonic() - asked < 10
    assert daemon.note() == ""
    assert daemon.run("watcher_status").returncode == 1
    log = (daemon.home / "log" / "watcher.log").read_text()
    assert "The watcher stops." in log


def test_a_background_start_that_fails_says_why(daemon, folder):
    daemon.start()
    second = daemon.run("start_watcher")
    assert second.returncode == 2
    assert "running already" in second.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_with_status_0(daemon, folder, number):
    process = daemon.start()
    process.send_signal(number)
    assert process.wait(10) == 0
    assert Watch.objects.get().owner == ""


def test_after_a_kill_the_start_succeeds_at_once_and_the_text_is_its_own(daemon, folder):
    first = daemon.start()
    first.kill()
    first.wait()
    assert f"pid: {first.pid}\n" in daemon.note()
    assert daemon.run("watcher_status").returncode == 1
    second = daemon.start()
    assert f"pid: {second.pid}\n" in daemon.note()


def test_a_stop_never_signals_a_stranger_who_got_the_number(daemon, folder):
    first = daemon.start()
    first.kill()
    first.wait()
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as stranger:
        text = daemon.note().replace(f"pid: {first.pid}\n", f"pid: {stranger.pid}\n")
        (daemon.home / "watcher.lock").write_text(text)
        stopped = daemon.run("stop_watcher")
        assert (stopped.returncode, stopped.stdout.strip()) == (0, "The watcher is not running.")
        assert stranger.poll() is None
        stranger.kill()
    assert daemon.note() == ""


def test_drop_folders_are_added_changed_and_removed_while_it_runs(daemon, folder, root, project, tmp_path):
    daemon.start()
    (tmp_path / "new").mkdir()
    new = DropFolder.objects.create(name="new", path=str(tmp_path / "new"), project=project, completion="rename")
    until(lambda: str(new.pk) in Watch.objects.get().report.get("roots", {}))
    drop(tmp_path / "new", "A")
    until(lambda: labels() == ["A"])
    change(folder, enabled=False)
    time.sleep(3)
    drop(root, "B")
    drop(tmp_path / "new", "C")
    until(lambda: "C" in labels())
    assert "B" not in labels()
    change(folder, enabled=True, completion="rename")
    until(lambda: "B" in labels())


def test_a_drop_folder_that_gets_a_project_lets_its_held_deliveries_go(daemon, folder, root, project):
    change(folder, project=None)
    daemon.start()
    drop(root, "ST")
    until(lambda: Batch.objects.filter(status="held").exists())
    change(folder, project=project)
    until(lambda: Batch.objects.filter(status="importing").exists())


@pytest.mark.parametrize("recreated", [False, True])
def test_a_root_that_was_away_is_watched_again_by_itself(daemon, folder, root, recreated):
    change(folder, scan_seconds=3600)
    daemon.start()
    root.rename(root.with_name("away"))
    time.sleep(1.5)
    if recreated:
        root.mkdir()
    else:
        root.with_name("away").rename(root)
    time.sleep(6)
    drop(root, "ST")
    until(lambda: labels() == ["ST"])


def test_names_of_any_bytes_stop_nobody_and_stay_out_of_the_log(daemon, folder, root):
    daemon.start()
    names = [b"\xff\xfe", b"two\nlines", b"n" * 245, b"DOE^JOHN", "\u202eabc".encode()]
    for name in names:
        drop(root, os.fsdecode(name))
    (root / "link").symlink_to("/")
    os.mkfifo(root / "fifo")
    until(lambda: len(labels()) == len(names))
    assert "DOE" not in daemon.errors()


@pytest.mark.slow
def test_thirty_thousand_folders_during_a_pause_are_all_seen(daemon, folder, root):
    change(folder, completion="quiet", quiet_seconds=3600, scan_seconds=3600)
    process = daemon.start()
    process.send_signal(signal.SIGSTOP)
    for number in range(30_000):
        os.mkdir(root / f"{number:05}")
    process.send_signal(signal.SIGCONT)

    def report():
        return Watch.objects.get().report

    until(lambda: report()["roots"][str(folder.pk)]["settling_count"] == 30_000, within=60)
    until(lambda: report()["overflows"] == 1, within=30)
    drop(root, "after")
    until(lambda: report()["roots"][str(folder.pk)]["settling_count"] == 30_001, within=30)


SCANNER = """
import os, sys, time
sys.path.insert(0, {root!r})
import django
django.setup()
from django.utils import timezone
from watcher import services
from watcher.tests.dropping import seen
delivery = seen({drop!r}, b"ST")
open(sys.argv[1], "w").close()
while not os.path.exists({go!r}):
    time.sleep(0.005)
print("won" if services.claim({folder}, delivery, now=timezone.now()) else "lost")
"""


def test_of_eight_scanners_at_once_one_gets_the_delivery(daemon, folder, root, tmp_path):
    drop(root, "ST")
    go = tmp_path / "go"
    script = SCANNER.format(root=str(ROOT), drop=str(root), go=str(go), folder=folder.pk)
    environment = daemon.environment | {"DJANGO_SETTINGS_MODULE": "config.settings"}
    scanners = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path / f"ready{number}")],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(8)
    ]
    daemon.processes += scanners
    until(lambda: len(list(tmp_path.glob("ready*"))) == 8, within=60)
    go.touch()
    said = [scanner.communicate(timeout=60)[0].strip() for scanner in scanners]
    assert sorted(said) == ["lost"] * 7 + ["won"]
    assert (Batch.objects.count(), ImportJob.objects.count()) == (1, 1)


def test_the_same_name_dropped_again_while_it_is_imported_waits_and_is_the_next_generation(daemon, folder, root):
    daemon.start()
    drop(root, "ST")
    first = until(Batch.objects.first)
    shutil.rmtree(root / "ST")
    drop(root, "ST", files=("d",))
    time.sleep(2)
    assert labels() == ["ST"]
    ImportJob.objects.update(status="completed", finished_at=first.claimed_at, discovered=3, imported=3)
    until(lambda: labels() == ["ST", "ST (2)"])
    assert Batch.objects.get(generation=2).files == 1
