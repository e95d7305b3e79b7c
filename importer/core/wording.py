"""States in words for people, each with its colour: the only place that knows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from importer.core.states import (
    ConflictStatus,
    ConflictType,
    JobStatus,
    MissingMeta,
    Outcome,
    SourceKind,
    Strategy,
    UidScope,
)
from importer.core.transfer_rules import Transfer


class Tone(StrEnum):
    """The stylesheet has one colour for each."""

    IDLE = "idle"
    BUSY = "busy"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    FAINT = "faint"
    REST = "rest"


@dataclass(frozen=True, slots=True)
class Wording:
    """`hint` is a sentence that says what the word means; `live` things change by themselves."""

    label: str
    tone: Tone
    hint: str = ""
    live: bool = False


JOB: Mapping[str, Wording] = {
    JobStatus.PENDING: Wording("Waiting to start", Tone.BUSY, "A worker takes it as soon as one is free.", live=True),
    JobStatus.SCANNING: Wording("Finding files", Tone.BUSY, "The source is being listed.", live=True),
    JobStatus.EXTRACTING: Wording("Reading headers", Tone.BUSY, "Each file says where it belongs.", live=True),
    JobStatus.PLANNING: Wording("Planning", Tone.BUSY, "Places are found and clashes looked for.", live=True),
    JobStatus.PLANNED: Wording("Planned", Tone.WARN, "A dry run: nothing moves until it is approved."),
    JobStatus.TRANSFERRING: Wording("Moving files", Tone.BUSY, "Bytes are copied into the archive.", live=True),
    JobStatus.FINISHING: Wording("Finishing", Tone.BUSY, "Every file is being accounted for.", live=True),
    JobStatus.PAUSED: Wording("Paused", Tone.WARN, "Something outside is broken; it goes on by itself.", live=True),
    JobStatus.CANCELLING: Wording("Cancelling", Tone.WARN, "It stops at the end of the step it is in.", live=True),
    JobStatus.COMPLETED: Wording("Completed", Tone.GOOD, "Every file is accounted for."),
    JobStatus.NEEDS_REVIEW: Wording("Needs review", Tone.WARN, "Some files wait in quarantine for a decision."),
    JobStatus.FAILED: Wording("Failed", Tone.BAD, "The import could not go on."),
    JobStatus.CANCELLED: Wording("Cancelled", Tone.IDLE, "Stopped by a person; what had landed stays."),
}

OUTCOME: Mapping[str, Wording] = {
    Outcome.PLANNED: Wording("Planned", Tone.BUSY, "Would be imported."),
    Outcome.IMPORTED: Wording("Imported", Tone.GOOD, "Stands in the archive."),
    Outcome.SKIPPED: Wording("Skipped", Tone.IDLE, "Left out on purpose; the reason says why."),
    Outcome.CONFLICT: Wording("In conflict", Tone.WARN, "Waits in quarantine for a decision."),
    Outcome.FAILED: Wording("Failed", Tone.BAD, "Could not be imported; the reason says why."),
    Outcome.CANCELLED: Wording("Cancelled", Tone.FAINT, "Not reached before the import was stopped."),
}
UNDECIDED = Wording("To do", Tone.REST, "Nothing is known about it yet.")

CONFLICT: Mapping[str, Wording] = {
    ConflictStatus.OPEN: Wording("Waiting", Tone.WARN, "Held in quarantine until somebody decides."),
    ConflictStatus.RESOLVED: Wording("Decided", Tone.GOOD),
}

CONFLICT_TYPE: Mapping[str, str] = {
    ConflictType.FILE_NAME: "A file of this name is there already, with other content",
    ConflictType.INSTANCE_UID: "One instance UID, two contents",
    ConflictType.SERIES_LABELS: "The images of one series say different places",
    ConflictType.MULTIPLE_UID: "Several places carry this UID",
    ConflictType.UID_PARENT: "The UID is known under another parent",
    ConflictType.UID_LABEL: "The UID is known under another label",
    ConflictType.MULTIPLE_LABEL: "Several places carry this label",
    ConflictType.LABEL_UID: "The label is taken by another UID",
    ConflictType.LABEL_MISSING: "Nobody says where it goes",
}

SOURCE_KIND: Mapping[str, str] = {
    SourceKind.FOLDER: "Folder",
    SourceKind.DROP_FOLDER: "Drop folder",
    SourceKind.STORAGE: "Storage",
    SourceKind.UPLOAD: "Upload",
}

STRATEGY: Mapping[str, str] = {
    Strategy.REVIEW: "wait for a decision",
    Strategy.SKIP: "keep what stands",
    Strategy.UPDATE: "make a new version",
}

UID_SCOPE: Mapping[str, str] = {
    UidScope.SITE: "everywhere",
    UidScope.GROUP: "in the group",
    UidScope.PROJECT: "in the project",
    UidScope.NONE: "nowhere",
}

MISSING_META: Mapping[str, str] = {
    MissingMeta.HOLD: "wait for a decision",
    MissingMeta.FAIL: "count as failed",
    MissingMeta.SKIP: "are skipped",
}

TRANSFER: Mapping[str, str] = {
    Transfer.AUTO: "by reference where the storage stands on a provider, else a copy",
    Transfer.COPY: "a copy in the archive",
    Transfer.HARDLINK: "a hard link in the archive",
    Transfer.SYMLINK: "a symbolic link in the archive",
    Transfer.MOVE: "moved into the archive",
    Transfer.REFERENCE: "by reference: they stay where they are",
}

# The five steps that a person sees, and the states in which each is the current one.
STAGES: tuple[tuple[str, str, frozenset[str]], ...] = (
    ("Scan", "list the source", frozenset({JobStatus.PENDING, JobStatus.SCANNING})),
    ("Read", "headers", frozenset({JobStatus.EXTRACTING})),
    ("Plan", "places and clashes", frozenset({JobStatus.PLANNING, JobStatus.PLANNED})),
    ("Move", "into the archive", frozenset({JobStatus.TRANSFERRING})),
    ("Finish", "count and report", frozenset({JobStatus.FINISHING})),
)
