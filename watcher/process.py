"""One watcher per machine: the kernel's lock says who runs, and a stop reaches only a process that is proved ours."""

import fcntl
import os
import select
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hierarchy.errors import Refused
from watcher.identity import Owner, alive, machine, this_process

# A status or a stop holds the lock for a moment to ask whether it is free: a start waits that out.
_TRIES, _PAUSE = 10, 0.05
STOP_PATIENCE = 10.0


class LockHeld(Refused):
    """A watcher runs on this machine; the text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What the lock file says, for people. It decides nothing: a killed watcher leaves it behind."""

    owner: Owner
    since: str

    @property
    def text(self) -> str:
        one = self.owner
        return (
            f"host: {one.host}\npid: {one.pid}\nsince: {self.since}\nstarted: {one.started}\nmachine: {one.machine}\n"
        )

    @staticmethod
    def parse(text: str) -> "Note | None":
        said = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
        if not said.get("pid", "").isdecimal():
            return None
        owner = Owner(
            host=said.get("host", ""),
            machine=said.get("machine", ""),
            pid=int(said["pid"]),
            started=said.get("started", ""),
        )
        return Note(owner=owner, since=said.get("since", ""))


@contextmanager
def locked(path: Path, *, now: datetime) -> Iterator[Owner]:
    """Holds the lock as long as it is entered; the kernel lets go of it even after a kill -9. Raises LockHeld."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _take(handle, path)
        owner = this_process()
        _write(handle, Note(owner=owner, since=now.isoformat(timespec="seconds")).text)
        try:
            yield owner
        finally:
            _write(handle, "")
    finally:
        os.close(handle)


def is_held(path: Path) -> bool:
    """Asks the kernel; whatever the text says."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _try(handle, fcntl.LOCK_SH)
    finally:
        os.close(handle)


def read_note(path: Path) -> Note | None:
    try:
        return Note.parse(path.read_text())
    except FileNotFoundError:
        return None


@dataclass(frozen=True, slots=True)
class Stopped:
    """`done`: nobody watches on this machine now. `said` is a sentence."""

    done: bool
    said: str


def stop(path: Path, *, kill: bool = False, patience: float = STOP_PATIENCE) -> Stopped:
    """Asks the watcher of this machine to end, and waits for it, `patience` seconds at most.

    Never signals a process on the strength of a number in a file: the lock has to be held, and that very process, by
    its start time in this boot, has to be the one that wrote the text.
    """
    if not is_held(path):
        _clean(path)
        return Stopped(done=True, said="The watcher is not running.")
    note = read_note(path)
    if note is None or note.owner.machine != machine():
        return Stopped(
            done=False,
            said="A watcher holds the lock, but not in reach of this command: stop it where it was started.",
        )
    try:
        process = os.pidfd_open(note.owner.pid)
    except ProcessLookupError:
        return Stopped(done=False, said="Somebody holds the lock who is not the process in its text: not signalled.")
    try:
        return _stop_process(process, note.owner, kill=kill, patience=patience)
    finally:
        os.close(process)


def _stop_process(process: int, owner: Owner, *, kill: bool, patience: float) -> Stopped:
    # After the handle was opened: from here on the number cannot be given to anybody else behind it.
    if not alive(owner):
        return Stopped(done=False, said="Somebody holds the lock who is not the process in its text: not signalled.")
    signal.pidfd_send_signal(process, signal.SIGTERM)
    if _ended(process, patience):
        return Stopped(done=True, said=f"The watcher (pid {owner.pid}) has stopped.")
    if not kill:
        said = f"The watcher (pid {owner.pid}) was asked to stop and still works after {patience:g} s. --kill ends it."
        return Stopped(done=False, said=said)
    signal.pidfd_send_signal(process, signal.SIGKILL)
    return Stopped(done=_ended(process, patience), said=f"The watcher (pid {owner.pid}) was killed.")


def _ended(process: int, patience: float) -> bool:
    """A process handle is readable when its process has ended, also while nobody has waited for it."""
    ready, _, _ = select.select([process], [], [], patience)
    return bool(ready)


def _clean(path: Path) -> None:
    """Removes the text of a watcher that was killed, unless a new one has just begun."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if _try(handle, fcntl.LOCK_EX):
            _write(handle, "")
    finally:
        os.close(handle)


def _take(handle: int, path: Path) -> None:
    for _ in range(_TRIES):
        if _try(handle, fcntl.LOCK_EX):
            return
        time.sleep(_PAUSE)
    note = read_note(path)
    who = f"host {note.owner.host}, pid {note.owner.pid}, since {note.since}" if note else "it is just starting"
    raise LockHeld(f"A watcher is running already: {who}.")


def _try(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write(handle: int, text: str) -> None:
    os.ftruncate(handle, 0)
    os.pwrite(handle, text.encode(), 0)
