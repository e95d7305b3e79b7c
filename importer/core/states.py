"""Closed sets of the importer, and the only tables of legal moves between states."""

from collections.abc import Mapping
from enum import StrEnum


class JobStatus(StrEnum):
    PENDING = "pending"
    SCANNING = "scanning"
    EXTRACTING = "extracting"
    PLANNING = "planning"
    PLANNED = "planned"
    TRANSFERRING = "transferring"
    FINISHING = "finishing"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    NEEDS_REVIEW = "needs_review"
    FAILED = "failed"
    CANCELLED = "cancelled"


J = JobStatus
RUNNING = frozenset({J.PENDING, J.SCANNING, J.EXTRACTING, J.PLANNING, J.TRANSFERRING, J.FINISHING})
FINAL = frozenset({J.COMPLETED, J.NEEDS_REVIEW, J.FAILED, J.CANCELLED})
LIVE = frozenset(J) - FINAL - {J.PLANNED}
_STOPS = frozenset({J.PAUSED, J.CANCELLING, J.FAILED})

JOB_NEXT: Mapping[str, frozenset[str]] = {
    J.PENDING: frozenset({J.SCANNING}) | _STOPS,
    J.SCANNING: frozenset({J.EXTRACTING, J.PLANNING}) | _STOPS,
    J.EXTRACTING: frozenset({J.PLANNING}) | _STOPS,
    J.PLANNING: frozenset({J.TRANSFERRING, J.PLANNED, J.FINISHING}) | _STOPS,
    J.PLANNED: frozenset({J.PLANNING, J.CANCELLING}),
    J.TRANSFERRING: frozenset({J.FINISHING}) | _STOPS,
    J.FINISHING: frozenset({J.COMPLETED, J.NEEDS_REVIEW}) | _STOPS,
    J.PAUSED: RUNNING | {J.CANCELLING, J.FAILED},
    J.CANCELLING: frozenset({J.CANCELLED, J.FAILED}),
    J.NEEDS_REVIEW: frozenset({J.COMPLETED}),
    J.COMPLETED: frozenset({J.NEEDS_REVIEW}),
    J.FAILED: frozenset(),
    J.CANCELLED: frozenset(),
}


class ChunkStatus(StrEnum):
    OPEN = "open"
    DONE = "done"
    SPLIT = "split"
    CANCELLED = "cancelled"


CHUNK_NEXT: Mapping[str, frozenset[str]] = {
    ChunkStatus.OPEN: frozenset({ChunkStatus.DONE, ChunkStatus.SPLIT, ChunkStatus.CANCELLED}),
    ChunkStatus.DONE: frozenset(),
    ChunkStatus.SPLIT: frozenset(),
    ChunkStatus.CANCELLED: frozenset(),
}


class Work(StrEnum):
    """What a chunk asks for."""

    EXTRACT = "extract"
    COMPARE = "compare"
    TRANSFER = "transfer"


class ConflictStatus(StrEnum):
    OPEN = "open"
    RESOLVED = "resolved"


CONFLICT_NEXT: Mapping[str, frozenset[str]] = {
    ConflictStatus.OPEN: frozenset({ConflictStatus.RESOLVED}),
    ConflictStatus.RESOLVED: frozenset({ConflictStatus.OPEN}),
}


class ResolutionStatus(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    DONE = "done"
    CANCELLED = "cancelled"


RESOLUTION_NEXT: Mapping[str, frozenset[str]] = {
    ResolutionStatus.RUNNING: frozenset({ResolutionStatus.PAUSED, ResolutionStatus.CANCELLING, ResolutionStatus.DONE}),
    ResolutionStatus.PAUSED: frozenset({ResolutionStatus.RUNNING, ResolutionStatus.CANCELLING}),
    ResolutionStatus.CANCELLING: frozenset({ResolutionStatus.CANCELLED}),
    ResolutionStatus.DONE: frozenset(),
    ResolutionStatus.CANCELLED: frozenset(),
}


class DecisionStatus(StrEnum):
    """REFUSED: it could not be carried out, the conflict stays open."""

    PENDING = "pending"
    APPLIED = "applied"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    UNDONE = "undone"


DECISION_NEXT: Mapping[str, frozenset[str]] = {
    DecisionStatus.PENDING: frozenset({DecisionStatus.APPLIED, DecisionStatus.REFUSED, DecisionStatus.CANCELLED}),
    DecisionStatus.APPLIED: frozenset({DecisionStatus.UNDONE}),
    DecisionStatus.REFUSED: frozenset(),
    DecisionStatus.CANCELLED: frozenset(),
    DecisionStatus.UNDONE: frozenset(),
}


class Outcome(StrEnum):
    """What became of a source file; PLANNED only until its bytes are moved."""

    PLANNED = "planned"
    IMPORTED = "imported"
    SKIPPED = "skipped"
    CONFLICT = "conflict"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Level(StrEnum):
    PROJECT = "project"
    SUBJECT = "subject"
    SESSION = "session"
    ACQUISITION = "acquisition"
    FILE = "file"


class Upsert(StrEnum):
    """What an import did to a container or file on the way."""

    CREATE = "create"
    UPDATE = "update"
    SKIP = "skip"


class ConflictType(StrEnum):
    FILE_NAME = "file_name_already_exists"
    INSTANCE_UID = "instance_uid_has_different_content"
    SERIES_LABELS = "series_labels_disagree"
    MULTIPLE_UID = "multiple_uid_matches_found"
    UID_PARENT = "uid_match_belongs_to_a_different_parent"
    UID_LABEL = "uid_match_has_a_different_label"
    MULTIPLE_LABEL = "multiple_label_matches_found"
    LABEL_UID = "label_match_already_has_a_different_uid"
    LABEL_MISSING = "label_is_missing"


class PlacementKind(StrEnum):
    """SERIES becomes one `.dicom.zip`; ARCHIVE is a `.dicom.zip` that came as one, INSTANCE a DICOM file that stays by
    itself; GROUP is other files in one `.zip`; PLACED goes as it is where a rule said, FILE beside the DICOM around it.
    KNOWN has been taken by an earlier import from the same storage, and its sources are as they were.
    """

    SERIES = "series"
    ARCHIVE = "archive"
    INSTANCE = "instance"
    GROUP = "group"
    PLACED = "placed"
    FILE = "file"
    KNOWN = "known"


# DICOM, whatever it is packed in; that of which each source file is one instance; and what is packed by us, so that
# its version has a manifest.
DICOM_KINDS = frozenset({PlacementKind.SERIES, PlacementKind.ARCHIVE, PlacementKind.INSTANCE})
INSTANCE_KINDS = frozenset({PlacementKind.SERIES, PlacementKind.INSTANCE})
PACKED_KINDS = frozenset({PlacementKind.SERIES, PlacementKind.GROUP})


class SourceKind(StrEnum):
    FOLDER = "folder"
    DROP_FOLDER = "drop_folder"
    STORAGE = "storage"
    UPLOAD = "upload"


class Strategy(StrEnum):
    REVIEW = "review"
    SKIP = "skip"
    UPDATE = "update"


class UidScope(StrEnum):
    SITE = "site"
    GROUP = "group"
    PROJECT = "project"
    NONE = "none"


class MissingMeta(StrEnum):
    HOLD = "hold"
    FAIL = "fail"
    SKIP = "skip"


def sources(table: Mapping[str, frozenset[str]], target: str) -> list[str]:
    """Every state that may become `target`."""
    return [state for state, following in table.items() if target in following]
