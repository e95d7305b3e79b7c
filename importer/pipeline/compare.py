"""COMPARE: only where a name is taken or an instance comes twice, the source's bytes are read and digested."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db import transaction

from importer.core import archives, manifest
from importer.core.manifest import Member
from importer.core.records import Bad
from importer.core.states import PACKED_KINDS, PlacementKind
from importer.models import Chunk, ImportJob, Item, Placement
from importer.pipeline import chunks
from importer.pipeline.leases import Lease
from importer.pipeline.opened import NEXT_BLOCK
from importer.pipeline.reading import CHANGED, UNOPENED, why
from importer.pipeline.sources import Source, source_of
from importer.pipeline.worker import Worker

BLOCK = 1 << 20
# An archive that inflates to more than so many times its size is a bomb, or not worth the time.
MOST_INFLATED = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """About one Placement: the digest of what would land, Items that are duplicates or differing twins, bad Items.

    `members` is the digest of what is inside an archive that came as one: equal content may be packed otherwise.
    """

    placement: int
    digest: str
    duplicates: tuple[int, ...]
    twins: tuple[int, ...]
    bad: tuple[tuple[int, str, str], ...]
    members: str = ""


def to_blob(answers: Sequence[Answer]) -> bytes:
    return chunks.packed([[a.placement, a.digest, a.duplicates, a.twins, a.bad, a.members] for a in answers])


def from_blob(blob: bytes) -> Iterator[Answer]:
    for placement, digest, duplicates, twins, bad, members in chunks.unpacked(blob):
        found = tuple((item, outcome, reason) for item, outcome, reason in bad)
        yield Answer(placement, digest, tuple(duplicates), tuple(twins), found, members)


def compare(job: ImportJob, chunk: Chunk, lease: Lease, *, worker: Worker) -> None:
    """Raises SourceAway, LostLease or Stopped."""
    asked = chunks.unpacked(chunk.entries)
    placements, items = Placement.objects.in_bulk(asked), items_of(asked)
    with source_of(job) as source:
        answers = [_answer(placements[pk], items.get(pk, []), source, lease) for pk in asked]
    with transaction.atomic():
        chunks.end(lease, worker=worker, answers=to_blob(answers))


def items_of(placements: Sequence[int]) -> dict[int, list[Item]]:
    """Placement → its source files that have no outcome of their own, in source order: one query for all."""
    of: dict[int, list[Item]] = {}
    for item in Item.objects.filter(placement__in=placements, outcome__isnull=True).order_by("placement", "seq"):
        if item.placement_id is not None:
            of.setdefault(item.placement_id, []).append(item)
    return of


def _answer(placement: Placement, items: list[Item], source: Source, lease: Lease) -> Answer:
    if placement.asks == "twins":
        items = _only_twins(items)
    # By the instance's UID: a name that a rule gives may differ where an UID does not.
    kept: dict[str, Member] = {}
    duplicates: list[int] = []
    twins: list[int] = []
    bad = []
    for item, found in zip(items, _digests(source, items), strict=True):
        lease.check()
        name = member_name(placement, item)
        same = item.sop_uid or name
        if isinstance(found, Bad):
            bad.append((item.pk, str(found.outcome), found.reason))
        elif same not in kept:
            kept[same] = Member(name, item.size, found)
        else:
            (duplicates if kept[same].sha256 == found else twins).append(item.pk)
    digest = "" if placement.asks == "twins" or not kept else total(placement, list(kept.values()))
    inside = _inside(source, items[0]) if digest and placement.kind == PlacementKind.ARCHIVE else ""
    return Answer(placement.pk, digest, tuple(duplicates), tuple(twins), tuple(bad), inside)


def _inside(source: Source, item: Item) -> str:
    """Empty where nobody can say: then it is compared as the file that it is."""
    try:
        with source.open(item) as file, file.stream() as stream:
            found = archives.member_digests(stream, most=MOST_INFLATED * item.size)
            return manifest.digest(found) if found else ""
    except UNOPENED as error:
        why(error)
        return ""


def _only_twins(items: list[Item]) -> list[Item]:
    times: dict[str, int] = {}
    for item in items:
        times[item.sop_uid] = times.get(item.sop_uid, 0) + 1
    return [item for item in items if times[item.sop_uid] > 1]


def member_name(placement: Placement, item: Item) -> str:
    """As a rule names it, else of a series `<SOPInstanceUID>.<Modality>.dcm`; of what is not packed its own name."""
    if placement.kind not in PACKED_KINDS:
        return placement.file_name
    return item.member or f"{item.sop_uid}.{placement.said.get('modality') or 'NA'}.dcm"


def total(placement: Placement, members: Sequence[Member]) -> str:
    """The digest by which a Placement's content is compared with a stored version's."""
    return manifest.digest(members) if placement.kind in PACKED_KINDS else members[0].sha256


def _digests(source: Source, items: Sequence[Item]) -> Iterator[str | Bad]:
    return source.ahead(items, lambda item: digested(source, item), weight=lambda item: min(item.size, NEXT_BLOCK))


def digested(source: Source, item: Item) -> str | Bad:
    """SHA-256 of the source file as it was listed, in hex."""
    try:
        with source.open(item) as file:
            content = hashlib.sha256()
            while block := file.read(BLOCK):
                content.update(block)
            return content.hexdigest() if file.as_listed() else CHANGED
    except UNOPENED as error:
        return why(error)
