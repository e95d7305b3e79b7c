"""EXTRACT, of a storage: what an earlier import took and what is as it was then is not read again."""

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hierarchy.models import File, FileVersion
from importer.core.records import Bad, Entry, Header
from importer.core.rules.builtin import BUILT_IN
from importer.core.states import DICOM_KINDS, ConflictStatus, Level, Outcome, PlacementKind
from importer.models import Became, Conflict, ImportJob, Known, Placement
from importer.models.known import path_key
from importer.pipeline.decide import EXISTS
from importer.pipeline.holding import HELD
from importer.pipeline.taken import Found
from importer.pipeline.verdicts import REJECTED

DELETED = "Deleted here: it was imported before, and has been deleted since"
# In `Placement.said` of what is KNOWN: DICOM places the files beside it, and waits where it is held.
DICOM, WAITS = "dicom", "waits"

Listed = tuple[int, Entry]


class NotDicom:
    """`importer.core.rules.model.Content` of a file that was looked into before, and is no DICOM."""

    def is_dicom(self) -> bool:
        return False

    def header(self) -> Header | Bad:
        return Bad(Outcome.FAILED, "Unreadable: no DICM prefix")


@dataclass(frozen=True, slots=True)
class Recalled:
    """By the number of the entry: what is told without reading, and what is known to be no DICOM. `met` are the rows
    of all that is still there, whatever it is like."""

    found: Mapping[int, Found] = field(default_factory=dict)
    beside: frozenset[int] = frozenset()
    met: Sequence[int] = ()


def options_of(job: ImportJob) -> uuid.UUID:
    """Of all that decides what becomes of a file, beside the file."""
    rules = job.rules_text or BUILT_IN[job.rules].text
    said = json.dumps([rules, job.zone, job.uid_scope, job.missing_meta])
    return uuid.UUID(bytes=hashlib.blake2b(said.encode(), digest_size=16).digest())


def recall(job: ImportJob, listed: Sequence[Listed]) -> Recalled:
    """A few queries for all of them."""
    if job.storage_id is None:
        return Recalled()
    rows = Known.objects.filter(
        project=job.project_id, storage=job.storage_id, path_key__in=[path_key(entry.path) for _, entry in listed]
    )
    known = {row.path: row for row in rows}
    same = {seq: (entry, known[entry.path]) for seq, entry in listed if _same(entry, known.get(entry.path))}
    standing = _Standing.of([row for _, row in same.values()])
    options, found, beside = options_of(job), {}, set()
    for seq, (entry, row) in same.items():
        told = standing.told(seq, entry, row)
        trusted = row.options == options and not job.checksum
        if told is not None and (trusted or (told.bad is not None and told.bad.reason == DELETED)):
            found[seq] = told
        elif trusted and row.became == Became.BESIDE:
            beside.add(seq)
    return Recalled(found, frozenset(beside), [row.pk for row in known.values()])


def meet(job: ImportJob, met: Sequence[int]) -> None:
    """Inside the transaction that ends the chunk: these are there."""
    if met:
        Known.objects.filter(pk__in=met, seen__lt=job.pk).update(seen=job.pk, gone=None)


def _same(entry: Entry, row: Known | None) -> bool:
    """By the service's mark of a content; where there is none, by its time."""
    if row is None or entry.size != row.size:
        return False
    return entry.inode == row.etag if entry.inode or row.etag else entry.mtime_ns == row.mtime_ns


@dataclass(frozen=True, slots=True)
class _Standing:
    """What became of these since: conflicts are decided, and files deleted."""

    conflicts: Mapping[int, Conflict]
    files: Mapping[int, File]
    numbers: Mapping[uuid.UUID, int]
    # One Placement for all that became one version, or waits in one conflict.
    made: dict[str, Placement] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Sequence[Known]) -> "_Standing":
        conflicts = Conflict.objects.select_related("placement").defer("manifest").in_bulk(_ids(rows, "conflict_id"))
        ended = [conflict.placement for conflict in conflicts.values()]
        above = ("project", "subject", "session__subject", "acquisition__session__subject")
        files = File.objects.select_related(*above).in_bulk(_ids([*rows, *ended], "file_id"))
        versions = FileVersion.objects.filter(pk__in=_ids([*rows, *ended], "version_id"))
        return cls(conflicts, files, dict(versions.values_list("pk", "number")))

    def told(self, seq: int, entry: Entry, row: Known) -> Found | None:
        """None where it has to be looked at again."""
        match row.became:
            case Became.SKIPPED:
                return Found(seq, entry, Bad(Outcome.SKIPPED, row.reason))
            case Became.DELETED:
                return Found(seq, entry, Bad(Outcome.SKIPPED, DELETED))
            case Became.VERSION:
                return self._version(seq, entry, row.file_id, row.version_id)
            case Became.CONFLICT:
                return self._conflict(seq, entry, self.conflicts.get(row.conflict_id or 0))
        return None

    def _version(self, seq: int, entry: Entry, file_id: int | None, version_id: uuid.UUID | None) -> Found:
        file = self.files.get(file_id or 0)
        if file is None:
            return Found(seq, entry, Bad(Outcome.SKIPPED, DELETED))
        key = f"version {version_id}"
        if key not in self.made:
            number = self.numbers.get(version_id, file.version) if version_id else file.version
            self.made[key] = _standing(file, number=number, version_id=version_id)
        return _known(seq, entry, key, self.made[key])

    def _conflict(self, seq: int, entry: Entry, conflict: Conflict | None) -> Found | None:
        if conflict is None:
            return None
        placement = conflict.placement
        if conflict.status == ConflictStatus.OPEN:
            return self._waiting(seq, entry, conflict, HELD)
        if placement.outcome == Outcome.SKIPPED and placement.reason == REJECTED:
            return self._waiting(seq, entry, conflict, REJECTED)
        if placement.file_id is None:
            return None
        return self._version(seq, entry, placement.file_id, placement.version_id)

    def _waiting(self, seq: int, entry: Entry, conflict: Conflict, reason: str) -> Found:
        key = f"conflict {conflict.pk}"
        if key not in self.made:
            self.made[key] = _copy(conflict.placement, reason)
        return _known(seq, entry, key, self.made[key])


def _ids(rows: Iterable[Any], name: str) -> set[Any]:
    return {getattr(row, name) for row in rows} - {None}


def _known(seq: int, entry: Entry, key: str, placement: Placement) -> Found:
    return Found(seq, entry, kind=PlacementKind.KNOWN, key=hashlib.sha256(key.encode()).hexdigest(), known=placement)


def _standing(file: File, *, number: int, version_id: uuid.UUID | None) -> Placement:
    """Where the file is now, by the labels of now."""
    acquisition = file.acquisition
    session = acquisition.session if acquisition else file.session
    subject = session.subject if session else file.subject
    made = Placement(
        kind=PlacementKind.KNOWN, level=_level(file), outcome=Outcome.SKIPPED, reason=EXISTS, file_name=file.name,
        file_id=file.pk, version=number, version_id=version_id, said={DICOM: True} if file.type == "dicom" else {},
    )  # fmt: skip
    if subject is not None:
        made.subject_id, made.subject_label = subject.pk, subject.label
    if session is not None:
        made.session_id, made.session_label, made.session_uid = session.pk, session.label, session.uid
    if acquisition is not None:
        made.acquisition_id, made.acquisition_label = acquisition.pk, acquisition.label
        made.acquisition_uid = acquisition.uid
    return made


def _level(file: File) -> Level:
    levels = {Level.ACQUISITION: file.acquisition_id, Level.SESSION: file.session_id, Level.SUBJECT: file.subject_id}
    return next((level for level, pk in levels.items() if pk is not None), Level.PROJECT)


_COPIED = (
    "level", "subject_label", "session_label", "session_uid", "acquisition_label", "acquisition_uid", "file_name",
    "subject_id", "session_id", "acquisition_id", "file_id", "version", "version_id",
)  # fmt: skip


def _copy(held: Placement, reason: str) -> Placement:
    said = {DICOM: True, WAITS: True} if held.kind in DICOM_KINDS else {}
    copied = {name: getattr(held, name) for name in _COPIED}
    return Placement(kind=PlacementKind.KNOWN, outcome=Outcome.SKIPPED, reason=reason, said=said, **copied)
