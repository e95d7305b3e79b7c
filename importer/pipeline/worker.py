"""Who does the work, and how one proves to be alive or dead."""

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.utils import timezone

# Field 22 of /proc/PID/stat, counted from behind the command's name.
START_TIME = 19


def no_wake(job_id: int, count: int) -> None:
    """For workers that poll."""


@dataclass(frozen=True, slots=True)
class Worker:
    """`wake(job id, n)` tells up to n other workers that there is work; `now` is the clock."""

    owner: str
    wake: Callable[[int, int], None] = no_wake
    now: Callable[[], datetime] = field(default=timezone.now)

    def lease_end(self) -> datetime:
        return self.now() + timedelta(seconds=settings.PRATIQUE_LEASE_SECONDS)


@lru_cache(maxsize=1)
def _machine() -> str:
    """One running kernel and one process namespace of it: pids can be compared within, and nowhere else."""
    boot = _read("/proc/sys/kernel/random/boot_id")
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return f"{socket.gethostname()}|{boot}|{space}"


def this_owner() -> str:
    """Names this process, also against a later one with the same pid."""
    return f"{_machine()}|{os.getpid()}|{started(os.getpid())}"


def proved_dead(owner: str) -> bool:
    """True only when the process ran here and is gone; an owner on another machine is never proved dead."""
    machine, _, rest = owner.rpartition("|")
    machine, _, pid = machine.rpartition("|")
    return machine == _machine() and pid.isdigit() and started(int(pid)) != rest


def started(pid: int) -> str:
    """The process's start in clock ticks since boot, empty when there is none or it is a zombie (proc(5), stat)."""
    words = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return words[START_TIME] if words and words[0] not in {"Z", "X"} else ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
