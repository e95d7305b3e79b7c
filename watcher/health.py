"""Whether somebody watches, as the heartbeat row tells it: no pid file, no signal, so it holds for another host too."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.utils.dateparse import parse_datetime

from watcher.models import Watch

# The watcher beats every 10 seconds; three beats missed are no accident.
SILENT_AFTER = timedelta(seconds=30)


class Health(StrEnum):
    """Of the watcher as a whole, or of one drop folder (OFF, UNKNOWN)."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    SILENT = "silent"
    STOPPED = "stopped"
    OFF = "off"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Settling:
    """A delivery that is there and not whole yet; `name` is printable, `why` a sentence."""

    name: str
    since: datetime | None
    why: str


@dataclass(frozen=True, slots=True)
class RootReport:
    """What the watcher last said about one drop folder. Lists hold the first names, `*_count` how many there are.

    `loose` are files that lie in the folder itself: a delivery is a folder, so nobody imports them. `refused` are
    links and special files, each with the reason as its `why`.
    """

    healthy: bool
    reason: str
    mode: str
    scanned_at: datetime | None
    settling: tuple[Settling, ...]
    settling_count: int
    loose: tuple[str, ...]
    loose_count: int
    refused: tuple[Settling, ...]


@dataclass(frozen=True, slots=True)
class WatchState:
    """`roots` by drop folder id; empty when nobody watches: an old report is no news."""

    health: Health
    host: str
    pid: int | None
    since: datetime | None
    beat_at: datetime | None
    roots: dict[int, RootReport]

    @property
    def alive(self) -> bool:
        return self.health in {Health.HEALTHY, Health.DEGRADED}


def state_of(watch: Watch | None, *, now: datetime) -> WatchState:
    """What the row says, read at `now`."""
    if watch is None or watch.beat_at is None:
        return WatchState(Health.STOPPED, "", None, None, None, {})
    health = _health(watch, now=now)
    alive = health in {Health.HEALTHY, Health.DEGRADED}
    roots = roots_of(watch.report) if alive else {}
    return WatchState(health, watch.host, watch.pid, watch.since, watch.beat_at, roots)


def _health(watch: Watch, *, now: datetime) -> Health:
    if not watch.owner:
        return Health.STOPPED
    if watch.beat_at is None or now - watch.beat_at > SILENT_AFTER:
        return Health.SILENT
    roots = roots_of(watch.report).values()
    return Health.HEALTHY if all(root.healthy for root in roots) else Health.DEGRADED


def roots_of(report: dict[str, Any]) -> dict[int, RootReport]:
    """The report's JSON as records; what an older watcher did not write is left empty."""
    return {int(key): _root(said) for key, said in report.get("roots", {}).items()}


def _root(said: dict[str, Any]) -> RootReport:
    settling, loose = _settling(said.get("settling", [])), tuple(str(name) for name in said.get("loose", []))
    return RootReport(
        healthy=bool(said.get("healthy", True)),
        reason=str(said.get("reason") or ""),
        mode=str(said.get("mode", "")),
        scanned_at=_moment(said.get("scanned_at")),
        settling=settling,
        settling_count=int(said.get("settling_count", len(settling))),
        loose=loose,
        loose_count=int(said.get("loose_count", len(loose))),
        refused=_settling(said.get("refused", [])),
    )


def _settling(entries: list[dict[str, Any]]) -> tuple[Settling, ...]:
    return tuple(
        Settling(name=str(one.get("name", "")), since=_moment(one.get("since")), why=str(one.get("why", "")))
        for one in entries
    )


def _moment(text: object) -> datetime | None:
    return parse_datetime(text) if isinstance(text, str) else None


def folder_health(folder_id: int, *, enabled: bool, watch: WatchState) -> Health:
    """Of one drop folder."""
    if not enabled:
        return Health.OFF
    if not watch.alive:
        return watch.health
    said = watch.roots.get(folder_id)
    if said is None:
        return Health.UNKNOWN
    return Health.HEALTHY if said.healthy else Health.DEGRADED
