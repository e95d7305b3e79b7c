"""Folders that may not be read, looked at by a process without root's rights."""

import os
import pickle
import shutil
import tempfile
from pathlib import Path

import pytest

from watcher import manifest
from watcher.hints import NOTHING
from watcher.readiness import Policy
from watcher.scan import Root, RootScanner

NOBODY = 65_534


@pytest.fixture
def root():
    """Where nobody may look, too: a test's own folder is closed to other users."""
    path = Path(tempfile.mkdtemp(prefix="pratique-open-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def as_nobody(work):
    """What `work` returns in a child process that gave up root's rights."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        os.write(write, pickle.dumps(work()))
        os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read, "rb") as said:
        return pickle.loads(said.read())


def looks(root, at):
    """Looks at the given seconds; `at` may hold steps to do between them."""
    clock = [0.0]
    policy = Policy(quiet_seconds=30)
    scanner = RootScanner(root=Root(id=1, name="ct", path=os.fsencode(root), policy=policy), clock=lambda: clock[0])
    found = []
    for step in at:
        if callable(step):
            step()
        else:
            clock[0] = step
            found.append(scanner.look(hint=NOTHING, known={}))
    return found


def delivery(root, mode):
    folder = root / "ST"
    (folder / "closed").mkdir(parents=True)
    (folder / "a").write_bytes(b"x")
    folder.chmod(mode)
    return folder


@pytest.mark.parametrize("mode", [0o000, 0o444, 0o311])
def test_a_delivery_that_may_not_be_read_waits_and_says_so_and_is_not_empty(root, mode):
    delivery(root, mode)
    last = as_nobody(lambda: looks(root, [0, 30, 1000]))[-1]
    assert last.ready == ()
    assert [one.why for one in last.waiting] == ["cannot be read: Permission denied"]


def test_a_delivery_that_becomes_readable_is_taken_without_anybody_doing_more(root):
    folder = delivery(root, 0o000)
    os.chown(folder, NOBODY, NOBODY)
    steps = [0, lambda: folder.chmod(0o755), 60, 90]
    assert as_nobody(lambda: looks(root, steps))[-1].ready == (b"ST",)


def test_a_closed_folder_inside_is_noted_and_holds_nothing_up(root):
    folder = delivery(root, 0o755)
    (folder / "closed").chmod(0o000)
    assert as_nobody(lambda: looks(root, [0, 30]))[-1].ready == (b"ST",)

    def counted():
        with manifest.opened(os.fsencode(folder)) as handle:
            found = manifest.read(handle)
        return found.files, found.unreadable, found.empty

    assert as_nobody(counted) == (1, 1, False)


def test_a_root_that_may_not_be_read_is_unhealthy(root):
    root.chmod(0o000)
    look = as_nobody(lambda: looks(root, [0]))[-1]
    root.chmod(0o755)
    assert (look.healthy, look.reason) == (False, "It may not be read: check its permissions.")
