"""The heartbeat's report: what the watcher says about each root, as JSON (`Watch.report`, read by watcher.health)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from importer.core.names import printable
from watcher.scan import Look
from watcher.states import FoundBy

# Names per list: a root with thousands must not make a heartbeat of megabytes.
NAMES_KEPT = 50


@dataclass(slots=True)
class RootReport:
    """What happened in one root since the watcher began with it. `trouble` is a claim that could not be made."""

    mode: str
    scanned_at: datetime | None = None
    look: Look | None = None
    trouble: str = ""
    found: dict[FoundBy, int] = field(default_factory=lambda: dict.fromkeys(FoundBy, 0))

    @property
    def healthy(self) -> bool:
        return not self.reason

    @property
    def reason(self) -> str:
        return (self.look.reason if self.look else "") or self.trouble


def as_json(report: RootReport, *, now: datetime, at: float) -> dict[str, Any]:
    """One root. `at` is the monotonic time of `now`."""
    look = report.look or Look(healthy=True)
    return {
        "mode": report.mode,
        "healthy": report.healthy,
        "reason": report.reason,
        "scanned_at": report.scanned_at.isoformat() if report.scanned_at else None,
        "settling": [
            {
                "name": printable(one.name),
                "since": (now - timedelta(seconds=at - one.since)).isoformat(),
                "why": one.why,
                "overdue": one.overdue,
            }
            for one in look.waiting[:NAMES_KEPT]
        ],
        "settling_count": len(look.waiting),
        "ready": len(look.ready),
        "found": {found_by.value: count for found_by, count in report.found.items()},
        "loose": [printable(name) for name in look.loose[:NAMES_KEPT]],
        "loose_count": len(look.loose),
        "refused": [{"name": printable(name), "why": why} for name, why in look.refused[:NAMES_KEPT]],
    }


def whole(roots: Mapping[int, RootReport], *, now: datetime, at: float, overflows: int, rebuilt: int) -> dict[str, Any]:
    """The report of all roots. `overflows`: the kernel lost events; `rebuilt`: the observer was made anew."""
    return {
        "roots": {str(root): as_json(report, now=now, at=at) for root, report in roots.items()},
        "overflows": overflows,
        "rebuilt": rebuilt,
    }
