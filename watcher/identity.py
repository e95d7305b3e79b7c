"""Which process somebody is, so that a number used again is never taken for the process that had it before."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """`machine` is the boot and the pid namespace that `pid` counts in; `started` is proc(5) stat field 22."""

    host: str
    machine: str
    pid: int
    started: str

    @property
    def text(self) -> str:
        return f"{self.host} {self.machine} {self.pid} {self.started}"

    @staticmethod
    def parse(text: str) -> "Owner | None":
        """None for a text that another version wrote."""
        parts = text.split(" ")
        if len(parts) != 4 or not parts[2].isdecimal():  # noqa: PLR2004  the four fields of `text`
            return None
        return Owner(host=parts[0], machine=parts[1], pid=int(parts[2]), started=parts[3])


def this_process() -> Owner:
    host = socket.gethostname().replace(" ", "-")[:100]
    pid = os.getpid()
    return Owner(host=host, machine=machine(), pid=pid, started=started(pid))


def machine() -> str:
    """Two containers on one host share the boot, but count their processes apart."""
    try:
        return f"{_BOOT.read_text().strip()}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return "unknown"


def started(pid: int) -> str:
    """When the process began, in clock ticks since the boot; empty when there is none of that number."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return ""
    # The name in parentheses may hold spaces and parentheses itself.
    fields = stat.rpartition(b")")[2].split()
    state, began = fields[0], fields[19]
    return "" if state in {b"Z", b"X"} else began.decode()


def alive(owner: Owner) -> bool:
    """Asked on the owner's own machine: whether that very process still runs."""
    return bool(owner.started) and started(owner.pid) == owner.started
