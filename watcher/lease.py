"""The watcher's lease on the whole installation: one row, taken and kept by compare-and-set.

The kernel's lock decides on one machine; the row decides between machines that share the database.
"""

from datetime import datetime
from typing import Any

from hierarchy.errors import Refused
from watcher.health import SILENT_AFTER
from watcher.identity import Owner, alive
from watcher.models import Watch


class LeaseHeld(Refused):
    """Somebody else watches; the text says who, and since when."""


class LeaseLost(Exception):
    """Another watcher took over, because this one was silent for too long."""


def take(owner: Owner, *, now: datetime) -> None:
    """Raises LeaseHeld while another watcher's heart beats, unless it is proved to have died."""
    row, _ = Watch.objects.get_or_create(pk=1)
    if row.owner and not _abandoned(row, owner, now=now):
        raise LeaseHeld(_holder(row))
    unchanged = Watch.objects.filter(pk=1, owner=row.owner, beat_at=row.beat_at)
    won = unchanged.update(owner=owner.text, host=owner.host, pid=owner.pid, since=now, beat_at=now, report={})
    if not won:
        raise LeaseHeld("Another watcher is just starting.")


def beat(owner: Owner, report: dict[str, Any], *, now: datetime) -> None:
    """Raises LeaseLost."""
    if not Watch.objects.filter(pk=1, owner=owner.text).update(beat_at=now, report=report):
        raise LeaseLost("Another watcher has taken over: this one stops.")


def release(owner: Owner) -> None:
    """The row says that nobody watches; what was reported last is no news any more."""
    Watch.objects.filter(pk=1, owner=owner.text).update(owner="", pid=None, beat_at=None, report={})


def _abandoned(row: Watch, owner: Owner, *, now: datetime) -> bool:
    if row.beat_at is None or now - row.beat_at > SILENT_AFTER:
        return True
    holder = Owner.parse(row.owner)
    return holder is not None and holder.machine == owner.machine and not alive(holder)


def _holder(row: Watch) -> str:
    since = row.since.isoformat(timespec="seconds") if row.since else "unknown"
    return f"A watcher is running already: host {row.host}, pid {row.pid}, since {since}."
