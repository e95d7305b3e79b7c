"""EXTRACT and MAP: a chunk of names becomes Items, Placements and what each series says about itself."""

from collections.abc import Sequence

from django.db import transaction
from django.db.models import F

from importer.core import localizer, members, recognise
from importer.core.names import folder_of
from importer.core.records import Bad, Entry, EntryKind
from importer.core.series import gather
from importer.core.states import PACKED_KINDS, Outcome
from importer.models import Chunk, Contribution, ImportJob, Item, Placement, bulk
from importer.pipeline import chunks
from importer.pipeline.leases import Lease
from importer.pipeline.opened import FIRST_BLOCK
from importer.pipeline.reading import LINK, SPECIAL
from importer.pipeline.recall import NotDicom, Recalled, meet, recall
from importer.pipeline.sources import Source, source_of
from importer.pipeline.taken import Asked, Found, found_by, found_of
from importer.pipeline.worker import Worker

REFUSED = {
    EntryKind.SYMLINK: LINK,
    EntryKind.SPECIAL: SPECIAL,
    EntryKind.UNREADABLE: Bad(Outcome.FAILED, "Unreadable: the folder cannot be listed"),
    EntryKind.PLACEHOLDER: Bad(Outcome.SKIPPED, "Placeholder: an empty object that stands for a folder"),
    EntryKind.TOO_DEEP: Bad(Outcome.FAILED, "Too deep: more than 64 folders"),
    **members.REFUSED,
}
NO_ENTRY = Bad(Outcome.FAILED, "Unreadable: its folder may be listed but not entered")
JUNK = Bad(Outcome.SKIPPED, "Junk: a file that an operating system leaves behind")
ZERO = Bad(Outcome.SKIPPED, "Zero-byte file")
# Reasons for which nobody has to look at a file.
DECIDED_BY_LISTING = frozenset(
    {JUNK.reason, ZERO.reason, NO_ENTRY.reason, *(refused.reason for refused in REFUSED.values())}
)
ITEM_COLUMNS = [
    "job_id", "seq", "path", "size", "mtime_ns", "inode", "sop_uid", "member", "placement_id", "outcome", "reason",
]  # fmt: skip


def extract(job: ImportJob, chunk: Chunk, lease: Lease, *, worker: Worker) -> None:
    """Raises SourceAway, LostLease or Stopped; whatever a single file does is in its row."""
    listed = list(enumerate(chunks.from_blob(chunk.entries), chunk.first_seq))
    recalled = recall(job, listed)
    found = _read_all(job, listed, recalled, lease)
    with transaction.atomic():
        # First of all: the rows of whoever took the chunk over are there already.
        lease.fence()
        _write(job.pk, chunk, found)
        meet(job, recalled.met)
        chunks.end(lease, worker=worker, extracted=F("extracted") + len(found))


def _read_all(job: ImportJob, listed: Sequence[tuple[int, Entry]], recalled: Recalled, lease: Lease) -> list[Found]:
    """In the order of the listing."""
    asked = Asked.of(job)
    if len(recalled.found) == len(listed):
        return [recalled.found[seq] for seq, _ in listed]

    with source_of(job) as source:

        def one(pair: tuple[int, Entry]) -> Found:
            seq, entry = pair
            if seq in recalled.beside:
                return found_by(NotDicom(), seq, entry, asked)
            return recalled.found.get(seq) or read(source, seq, entry, asked=asked)

        found = []
        for each in source.ahead(listed, one, weight=lambda _: FIRST_BLOCK):
            lease.check()
            found.append(each)
        return found


def poison(job: ImportJob, chunk: Chunk, lease: Lease, *, worker: Worker) -> None:
    """The one file of this chunk killed its worker again and again."""
    bad = Bad(Outcome.FAILED, "Poison: reading it killed the worker three times")
    listed = list(enumerate(chunks.from_blob(chunk.entries), chunk.first_seq))
    found, recalled = [Found(seq, entry, bad) for seq, entry in listed], recall(job, listed)
    with transaction.atomic():
        lease.fence()
        _write(job.pk, chunk, found)
        meet(job, recalled.met)
        chunks.end(lease, worker=worker, extracted=F("extracted") + len(found))


def read(source: Source, seq: int, entry: Entry, *, asked: Asked) -> Found:
    refused = by_listing(entry)
    return Found(seq, entry, refused) if refused is not None else found_of(source, seq, entry, asked)


def by_listing(entry: Entry) -> Bad | None:
    """What is refused without a look at its bytes."""
    if recognise.is_junk(entry.path):
        return JUNK
    if entry.kind is EntryKind.UNREADABLE and not entry.path.endswith("/"):
        return NO_ENTRY
    if entry.kind not in {EntryKind.FILE, EntryKind.MEMBER}:
        return REFUSED[entry.kind]
    return ZERO if entry.size == 0 else None


def _write(job_id: int, chunk: Chunk, found: Sequence[Found]) -> None:
    """Inside the transaction that ends the chunk."""
    ids = _placements(job_id, [one for one in found if one.bad is None])
    bulk.insert(
        Item,
        ITEM_COLUMNS,
        [_row(job_id, one, ids) for one in found],
    )
    _contributions(chunk, found, ids)


def _row(job_id: int, one: Found, ids: dict[str, int]) -> tuple[object, ...]:
    entry, bad = one.entry, one.bad
    placement = None if bad else ids[one.key]
    outcome, reason = (str(bad.outcome), bad.reason) if bad else (None, "")
    stat = (entry.size, entry.mtime_ns, entry.inode)
    return (job_id, one.seq, entry.path, *stat, one.sop_uid, one.member, placement, outcome, reason)


def _placements(job_id: int, found: Sequence[Found]) -> dict[str, int]:
    """Upserted in key order, so that two chunks that share series never wait for each other in a circle."""
    first = {one.key: one for one in reversed(found)}
    rows = [_placement(job_id, first[key]) for key in sorted(first)]
    Placement.objects.bulk_create(rows, ignore_conflicts=True)
    return dict(Placement.objects.filter(job=job_id, key__in=first).values_list("key", "id"))


def _placement(job_id: int, one: Found) -> Placement:
    if one.known is not None:
        one.known.job_id, one.known.key, one.known.first_seq = job_id, one.key, one.seq
        return one.known
    row = Placement(job_id=job_id, key=one.key, kind=one.kind, first_seq=one.seq, rule=one.rule, level=one.level)
    if one.kind not in PACKED_KINDS:
        row.count, row.bytes = 1, one.entry.size
    row.file_name, row.said = one.file_name, one.said
    row.subject_label, row.session_label, row.session_uid = one.labels[:3]
    row.acquisition_label, row.acquisition_uid = one.labels[3:]
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
    shapes = localizer.gather((one.seq, one.geometry) for one in ones if one.geometry is not None)
    parts = {"said": said.to_json(), "folders": folders, "count": len(ones), "bytes": size}
    return chunks.packed({**parts, "shapes": shapes.to_json()} if shapes.kinds or shapes.too_many else parts)
