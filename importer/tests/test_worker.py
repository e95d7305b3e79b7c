"""Who works, and how one knows that somebody does not any more."""

import subprocess
import sys
import time

from importer.pipeline.worker import proved_dead, started, this_owner


def owner_of(pid, ticks):
    machine = this_owner().rpartition("|")[0].rpartition("|")[0]
    return f"{machine}|{pid}|{ticks}"


def test_the_living_are_not_dead():
    assert not proved_dead(this_owner())
    child = subprocess.Popen(["sleep", "30"])
    try:
        assert not proved_dead(owner_of(child.pid, started(child.pid)))
    finally:
        child.kill()
        child.wait()


def test_who_was_killed_is_dead_also_while_nobody_collected_it():
    child = subprocess.Popen(["sleep", "30"])
    owner = owner_of(child.pid, started(child.pid))
    child.kill()
    deadline = time.monotonic() + 5
    while not proved_dead(owner):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.wait()
    assert proved_dead(owner)


def test_a_later_process_of_the_same_number_is_not_the_same():
    import os

    assert proved_dead(owner_of(os.getpid(), int(started(os.getpid())) - 1))


def test_nobody_elsewhere_is_ever_proved_dead():
    for owner in ("", "elsewhere|boot|pid:[1]|999999999|1", "x", owner_of("", ""), owner_of("x", "1")):
        assert not proved_dead(owner)


def test_a_name_with_spaces_and_brackets_does_not_confuse():
    code = (
        "import ctypes,time; ctypes.CDLL(None).prctl(15, b'a) Z 1 (b', 0, 0, 0); print(1, flush=True); time.sleep(30)"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        child.stdout.readline()
        assert started(child.pid).isdigit()
        assert not proved_dead(owner_of(child.pid, started(child.pid)))
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def test_an_owner_fits_its_column():
    from importer.models import Chunk

    assert len(this_owner()) <= Chunk._meta.get_field("owner").max_length
