"""Closed sets of the watcher."""

from collections.abc import Mapping
from enum import StrEnum


class BatchStatus(StrEnum):
    """HELD waits for the drop folder to get a project, PLANNED for somebody to approve what its import would do;
    PARTIAL means that some files failed."""

    HELD = "held"
    IMPORTING = "importing"
    PLANNED = "planned"
    IMPORTED = "imported"
    NEEDS_REVIEW = "needs_review"
    PARTIAL = "partial"
    EMPTY = "empty"
    FAILED = "failed"
    CANCELLED = "cancelled"


B = BatchStatus
OPEN = frozenset({B.HELD, B.IMPORTING, B.PLANNED})
_ENDS = frozenset(BatchStatus) - OPEN

BATCH_NEXT: Mapping[str, frozenset[str]] = {
    B.HELD: frozenset({B.IMPORTING, B.EMPTY, B.FAILED, B.CANCELLED}),
    B.IMPORTING: _ENDS | {B.PLANNED},
    B.PLANNED: _ENDS | {B.IMPORTING},
    B.NEEDS_REVIEW: frozenset({B.IMPORTED, B.PARTIAL}),
    **{end: frozenset() for end in sorted(_ENDS - {B.NEEDS_REVIEW})},
}


class Completion(StrEnum):
    """When a delivery counts as whole: see docs/operations.md."""

    AUTO = "auto"
    RENAME = "rename"
    MARKER = "marker"
    QUIET = "quiet"


class WatchMode(StrEnum):
    """AUTO uses the kernel's events where the file system has them; SCAN needs none."""

    AUTO = "auto"
    EVENTS = "events"
    POLL = "poll"
    SCAN = "scan"


class FoundBy(StrEnum):
    START = "start"
    EVENT = "event"
    SCAN = "scan"
