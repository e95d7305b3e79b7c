"""The two ways in which an import is carried: by processes of its own, or by a Celery worker."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from crash_state import ENDS
from homes import PATIENCE, Home, Point

Process = subprocess.Popen[bytes]
RAN = {0, 1, 3}  # Exit status of an import that ran to its end: in the tree there are failures and conflicts.
WORKER = ("celery", "-A", "config", "worker", "-c", "2", "-l", "ERROR", "--without-gossip", "--without-mingle")
# Field 4 of /proc/PID/stat, counted from behind the command's name (proc(5)).
PARENT = 1


class Broken(Exception):
    """The text says which command did not do what it should."""


class Driver(Protocol):
    def begin(self, home: Home, source: Path, *, point: Point | None = None) -> Process:
        """Starts an import. Gives the process whose group is to be struck."""

    def end(self, home: Home, process: Process) -> None:
        """Waits for an import that nobody strikes, or that goes on by itself. Raises Broken."""

    def lost_one(self, home: Home, process: Process) -> None:
        """Waits until an import that lost one of its workers has gone as far as it goes by itself."""

    def recover(self, home: Home, *, point: Point | None = None) -> bool:
        """What an operator does after a crash. True when `point` struck it. Raises Broken."""


class Here:
    """`import_folder --workers 2`, then `sweep`."""

    def begin(self, home: Home, source: Path, *, point: Point | None = None) -> Process:
        return home.start(*_import(source), "--workers", "2", point=point)

    def end(self, home: Home, process: Process) -> None:
        if process.wait(PATIENCE) not in RAN or home.status() not in ENDS:
            raise Broken(f"The import ended with {process.returncode} and is {home.status()}.\n{home.said()}")

    def lost_one(self, home: Home, process: Process) -> None:
        """The other worker ends it, with no sweep."""
        self.end(home, process)

    def recover(self, home: Home, *, point: Point | None = None) -> bool:
        status = home.run("sweep", point=point)
        if status not in {0, -signal.SIGKILL}:
            raise Broken(f"The sweep ended with {status}.\n{home.said()}")
        return status == -signal.SIGKILL


class Queued:
    """A Celery worker with two processes and `import_folder --queue`, then a new worker and `sweep --queue`."""

    def begin(self, home: Home, source: Path, *, point: Point | None = None) -> Process:
        if home.run(*_import(source), "--queue"):
            raise Broken(f"The import cannot be queued.\n{home.said()}")
        return home.start(*WORKER, point=point)

    def end(self, home: Home, process: Process) -> None:
        end = time.monotonic() + PATIENCE
        while home.status() not in ENDS:
            if time.monotonic() > end or process.poll() is not None:
                raise Broken(f"The import is still {home.status()}.\n{home.said()}")
            time.sleep(0.05)
        process.terminate()
        process.wait(PATIENCE)

    def lost_one(self, home: Home, process: Process) -> None:
        """The worker makes a new process; what the old one had, only a sweep finds."""

    def recover(self, home: Home, *, point: Point | None = None) -> bool:
        worker = home.start(*WORKER, point=point)
        if home.run("sweep", "--queue"):
            raise Broken(f"The sweep failed.\n{home.said()}")
        if point is None:
            self.end(home, worker)
            return False
        return worker.wait(PATIENCE) == -signal.SIGKILL


def _import(source: Path) -> tuple[str, ...]:
    return ("import_folder", str(source), "--project", "crash/Test", "--create")


def kill(process: Process, *, victim: str) -> None:
    """The whole group, or one of the processes that the process started."""
    if victim == "group":
        os.killpg(process.pid, signal.SIGKILL)
        return
    for child in _children(process.pid):
        os.kill(child, signal.SIGKILL)
        return


def _children(parent: int) -> Iterator[int]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(words[PARENT]) == parent and words[0] != "Z":
            yield int(folder.name)
