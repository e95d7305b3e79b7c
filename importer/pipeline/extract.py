"""EXTRACT and MAP: a chunk of names becomes Items, Placements and what each series says about itself."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import F

from importer.core import archives, recognise
from importer.core.folder import NotPlain, Opener, Vanished
from importer.core.header import read_header, truncation
from importer.core.labels import clean_file_name
from importer.core.mapping import map_header
from importer.core.names import base_name, folder_of, raw
from importer.core.records import Bad, Entry, EntryKind, Header, Mapped
from importer.core.series import gather
from importer.core.states import Outcome, PlacementKind
from importer.models import Chunk, Contribution, ImportJob, Item, Placement, bulk
from importer.pipeline import chunks
from importer.pipeline.leases import Lease
from importer.pipeline.reading import CHANGED, LINK, SPECIAL, reader, same, why
from importer.pipeline.worker import Worker

REFUSED = {
    EntryKind.SYMLINK: LINK,
    EntryKind.SPECIAL: SPECIAL,
    EntryKind.UNREADABLE: Bad(Outcome.FAILED, "Unreadable: the folder cannot be listed"),
    EntryKind.TOO_DEEP: Bad(Outcome.FAILED, "Too deep: more than 64 folders"),
}
NO_ENTRY = Bad(Outcome.FAILED, "Unreadable: its folder may be listed but not entered")
JUNK = Bad(Outcome.SKIPPED, "Junk: a file that an operating system leaves behind")
ZERO = Bad(Outcome.SKIPPED, "Zero-byte file")


@dataclass(frozen=True, slots=True)
class Found:
    """One source file, read. Without `bad` it belongs to the Placement of `key`."""

    seq: int
    entry: Entry
    bad: Bad | None = None
    kind: PlacementKind = PlacementKind.FILE
    key: str = ""
    mapped: Mapped | None = None
    sop_uid: str = ""


def extract(job: ImportJob, chunk: Chunk, lease: Lease, *, worker: Worker) -> None:
    """Raises SourceAway, LostLease or Stopped; whatever a single file does is in its row."""
    found = []
    with Opener(raw(job.source_root)) as opener:
        for seq, entry in enumerate(chunks.from_blob(chunk.entries), chunk.first_seq):
            lease.check()
            found.append(read(opener, seq, entry, zone=ZoneInfo(job.zone)))
    with transaction.atomic():
        # First of all: the rows of whoever took the chunk over are there already.
        lease.fence()
        _write(job.pk, chunk, found)
        chunks.end(lease, worker=worker, extracted=F("extracted") + len(found))


def poison(job: ImportJob, chunk: Chunk, lease: Lease, *, worker: Worker) -> None:
    """The one file of this chunk killed its worker again and again."""
    bad = Bad(Outcome.FAILED, "Poison: reading it killed the worker three times")
    found = [Found(seq, entry, bad) for seq, entry in enumerate(chunks.from_blob(chunk.entries), chunk.first_seq)]
    with transaction.atomic():
        lease.fence()
        _write(job.pk, chunk, found)
        chunks.end(lease, worker=worker, extracted=F("extracted") + len(found))


def read(opener: Opener, seq: int, entry: Entry, *, zone: ZoneInfo) -> Found:
    refused = _by_listing(entry)
    if refused is not None:
        return Found(seq, entry, refused)
    try:
        handle = opener.open(entry.path)
    except (Vanished, NotPlain, OSError) as error:
        return Found(seq, entry, why(error))
    try:
        return _opened(handle, seq, entry, zone=zone) if same(handle, entry) else Found(seq, entry, CHANGED)
    except OSError as error:
        return Found(seq, entry, why(error))
    finally:
        os.close(handle)


def _by_listing(entry: Entry) -> Bad | None:
    if recognise.is_junk(entry.path):
        return JUNK
    if entry.kind is EntryKind.UNREADABLE and not entry.path.endswith("/"):
        return NO_ENTRY
    if entry.kind is not EntryKind.FILE:
        return REFUSED[entry.kind]
    return ZERO if entry.size == 0 else None


def _opened(handle: int, seq: int, entry: Entry, *, zone: ZoneInfo) -> Found:
    name = base_name(entry.path)
    if recognise.is_series_archive(name):
        return _archive(handle, seq, entry, zone=zone)
    if not recognise.claims_dicom(name) and not recognise.has_preamble(os.pread(handle, 132, 0)):
        return Found(seq, entry, key=_key("path", entry.path))
    header = read_header(reader(handle), size=entry.size)
    bad = header if isinstance(header, Bad) else truncation(header, reader(handle), entry.size)
    if bad is not None:
        return Found(seq, entry, bad)
    assert isinstance(header, Header)  # noqa: S101  narrows: a Bad returned above
    return _instance(header, seq, entry, zone=zone)


def _instance(header: Header, seq: int, entry: Entry, *, zone: ZoneInfo) -> Found:
    mapped = map_header(header, zone=zone)
    key = _key("series", mapped.subject_label, mapped.session_uid, mapped.acquisition_uid)
    sop_uid = header.get("SOPInstanceUID")
    return Found(seq, entry, kind=PlacementKind.SERIES, key=key, mapped=mapped, sop_uid=sop_uid)


def _archive(handle: int, seq: int, entry: Entry, *, zone: ZoneInfo) -> Found:
    """A `.dicom.zip` that came as one is stored as it is and placed by its first member's header."""
    with os.fdopen(os.dup(handle), "rb") as stream:
        header = archives.first_member_header(stream)
    if isinstance(header, Bad):
        return Found(seq, entry, header)
    mapped = map_header(header, zone=zone)
    return Found(seq, entry, kind=PlacementKind.ARCHIVE, key=_key("path", entry.path), mapped=mapped)


def _key(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _write(job_id: int, chunk: Chunk, found: Sequence[Found]) -> None:
    """Inside the transaction that ends the chunk."""
    ids = _placements(job_id, [one for one in found if one.bad is None])
    bulk.insert(
        Item,
        ["job_id", "seq", "path", "size", "mtime_ns", "inode", "sop_uid", "placement_id", "outcome", "reason"],
        [_row(job_id, one, ids) for one in found],
    )
    _contributions(chunk, found, ids)


def _row(job_id: int, one: Found, ids: dict[str, int]) -> tuple[object, ...]:
    entry, bad = one.entry, one.bad
    placement = None if bad else ids[one.key]
    outcome, reason = (str(bad.outcome), bad.reason) if bad else (None, "")
    stat = (entry.size, entry.mtime_ns, entry.inode)
    return (job_id, one.seq, entry.path, *stat, one.sop_uid, placement, outcome, reason)


def _placements(job_id: int, found: Sequence[Found]) -> dict[str, int]:
    """Upserted in key order, so that two chunks that share series never wait for each other in a circle."""
    first = {one.key: one for one in reversed(found)}
    rows = [_placement(job_id, first[key]) for key in sorted(first)]
    Placement.objects.bulk_create(rows, ignore_conflicts=True)
    return dict(Placement.objects.filter(job=job_id, key__in=first).values_list("key", "id"))


def _placement(job_id: int, one: Found) -> Placement:
    row = Placement(job_id=job_id, key=one.key, kind=one.kind, first_seq=one.seq)
    if one.kind is not PlacementKind.SERIES:
        row.count, row.bytes = 1, one.entry.size
        row.file_name = clean_file_name(base_name(one.entry.path)) or "_"
    if one.mapped is not None:
        row.session_uid, row.acquisition_uid = one.mapped.session_uid, one.mapped.acquisition_uid
        row.subject_label = one.mapped.subject_label
    return row


def _contributions(chunk: Chunk, found: Sequence[Found], ids: dict[str, int]) -> None:
    of: dict[str, list[Found]] = {}
    for one in found:
        if one.mapped is not None:
            of.setdefault(one.key, []).append(one)
    Contribution.objects.bulk_create(
        Contribution(chunk=chunk, placement_id=ids[key], first_seq=ones[0].seq, said=_said(ones))
        for key, ones in of.items()
    )


def _said(ones: list[Found]) -> bytes:
    said = gather((one.seq, one.mapped) for one in ones if one.mapped is not None)
    folders = sorted({folder_of(one.entry.path) for one in ones})
    size = sum(one.entry.size for one in ones)
    return chunks.packed({"said": said.to_json(), "folders": folders, "count": len(ones), "bytes": size})
