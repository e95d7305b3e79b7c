"""Values that cross layers: frozen, without Django, without input or output."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class EntryKind(StrEnum):
    FILE = "file"
    SYMLINK = "symlink"
    SPECIAL = "special"
    UNREADABLE = "unreadable"
    TOO_DEEP = "too_deep"
    # An empty object that stands for a folder.
    PLACEHOLDER = "placeholder"
    # An archive's member, and what speaks against one, or against the archive as a whole.
    MEMBER = "member"
    ENCRYPTED = "encrypted"
    COMPRESSION = "compression"
    BOMB = "bomb"
    OUTSIDE = "outside"
    TWICE = "twice"
    BROKEN = "broken"
    NO_ARCHIVE = "no_archive"
    NO_MEMBERS = "no_members"


@dataclass(frozen=True, slots=True)
class Entry:
    """One name that a scan found. `path` is printable (importer.core.names), relative to the root, with `/`.

    Of an archive's member (`folder/a.zip::inner/b.dcm`) the size is its own, times and inode are the archive's. Of an
    object of a storage the inode is its etag, followed by a blank and its version where a listing tells it.
    """

    path: str
    kind: EntryKind
    size: int
    mtime_ns: int
    inode: str
    ctime_ns: int = 0


@dataclass(frozen=True, slots=True)
class Moment:
    """An aware time and the name of the zone that it was recorded in (`UTC-05:00` for a bare offset)."""

    at: datetime
    zone: str


@dataclass(frozen=True, slots=True)
class Pixels:
    """Where an instance's pixel data begins and how long it says it is (bytes; None: encapsulated, undefined length).

    `expected` is rows x columns x samples x frames x bytes per sample, None where the header does not say.
    """

    offset: int
    length: int | None
    expected: int | None


@dataclass(frozen=True, slots=True)
class Header:
    """The wanted tags of one instance, as text by DICOM keyword (values of one element joined by a backslash),
    empty and absent ones left out; text is decoded by SpecificCharacterSet and stripped of padding."""

    tags: dict[str, str]
    transfer_syntax: str
    pixels: Pixels | None
    # Operators, each as recorded (`DOE^JANE`): the only wanted element that may hold several names.
    operators: tuple[str, ...] = ()

    def get(self, keyword: str) -> str:
        return self.tags.get(keyword, "")


@dataclass(frozen=True, slots=True)
class Bad:
    """Why a file is not taken: `outcome` is `skipped` or `failed`, `reason` has a stable first part."""

    outcome: str
    reason: str


@dataclass(frozen=True, slots=True)
class Mapped:
    """What one header says about where its instance belongs. Labels are clean; an empty one is missing."""

    subject_label: str = ""
    session_label: str = ""
    session_uid: str = ""
    acquisition_label: str = ""
    acquisition_uid: str = ""
    # True where the label was made from a moment, so that it may differ between instances like the moment itself.
    session_label_is_time: bool = False
    acquisition_label_is_time: bool = False
    session_time: Moment | None = None
    acquisition_time: Moment | None = None
    firstname: str = ""
    lastname: str = ""
    sex: str = ""
    # ISO 8601 date; a broken one is none.
    birth_date: str = ""
    age_seconds: int | None = None
    weight_kg: float | None = None
    operator: str = ""
    accession_number: str = ""
    modality: str = ""
    instance_name: str = ""
    # Every other destination field by its full name (`subject.info.site`), with a JSON value.
    extra: dict[str, Any] = field(default_factory=dict)
