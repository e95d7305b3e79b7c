"""COMPARE: only where a name is taken or an instance comes twice, the source's bytes are read and digested."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from django.db import transaction

from hierarchy import references
from hierarchy.models import DigestOf, FileVersion
from importer.core import archives, manifest
from importer.core.manifest import Member
from importer.core.records import Bad
from importer.core.states import PACKED_KINDS, PlacementKind
from importer.core.transfer_rules import STAYS
from importer.models import Chunk, ImportJob, Item, Placement
from importer.pipeline import chunks
from importer.pipeline.leases import Lease
from importer.pipeline.opened import NEXT_BLOCK
from importer.pipeline.reading import CHANGED, UNOPENED, why
from importer.pipeline.sources import Source, source_of
from importer.pipeline.worker import Worker
from storages.stores import StoreError

BLOCK = 1 << 20
# An archive that inflates to more than so many times its size is a bomb, or not worth the time.
MOST_INFLATED = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """About one Placement: the digest of what would land, Items that are duplicates or differing twins, bad Items.

    `members` is the digest of what is inside an archive that came as one: equal content may be packed otherwise.
    `stamp` is that of a reference which is known again without reading.
    """

    placement: int
    digest: str
    duplicates: tuple[int, ...]
    twins: tuple[int, ...]
    bad: tuple[tuple[int, str, str], ...]
    members: str = ""
    stamp: str = ""


def to_blob(answers: Sequence[Answer]) -> bytes:
    return chunks.packed([[a.placement, a.digest, a.duplicates, a.twins, a.bad, a.members, a.stamp] for a in answers])


def from_blob(blob: bytes) -> Iterator[Answer]:
    for placement, digest, duplicates, twins, bad, *more in chunks.unpacked(blob):
        found = tuple((item, outcome, reason) for item, outcome, reason in bad)
        yield Answer(placement, digest, tuple(duplicates), tuple(twins), found, *more)


def compare(job: ImportJob, chunk: Chunk, lease: Lease, *, worker: Worker) -> None:
    """Raises SourceAway, LostLease or Stopped."""
    asked = chunks.unpacked(chunk.entries)
    placements, items = Placement.objects.in_bulk(asked), items_of(asked)
    known = known_again(job, placements, items)
    with source_of(job) as source:
        answers = [known.get(pk) or _answer(placements[pk], items.get(pk, []), source, lease) for pk in asked]
    read_standing([placements[answer.placement] for answer in answers if answer.digest], items, lease)
    with transaction.atomic():
        chunks.end(lease, worker=worker, answers=to_blob(answers))


def known_again(
    job: ImportJob, placements: Mapping[int, Placement], items: Mapping[int, Sequence[Item]]
) -> dict[int, Answer]:
    """What stands there already as a reference to these very files, as they were listed: nothing is read."""
    if job.storage_id is None or job.checksum or job.transfer not in STAYS:
        return {}
    standing = standing_references(list(placements.values()))
    found = {}
    for pk, version in standing.items():
        own = manifest.stamp(job.storage_id, [member_in_place(placements[pk], item) for item in items.get(pk, [])])
        if version.stamp == own:
            found[pk] = Answer(pk, "", (), (), (), stamp=own)
    return found


def standing_references(placements: Sequence[Placement]) -> dict[int, FileVersion]:
    """By Placement, the version that its plan started from, where that is a reference. One query."""
    asked = {one.file_id: one for one in placements if one.asks == "whole" and one.file_id is not None}
    rows = FileVersion.objects.filter(file__in=asked, reference=True).select_related("storage", "file")
    return {asked[row.file_id].pk: row for row in rows if row.number == asked[row.file_id].version}


def read_standing(placements: Sequence[Placement], items: Mapping[int, Sequence[Item]], lease: Lease) -> None:
    """A reference that nobody has read yet is read, where names and sizes alone do not tell that it is another.
    Where it cannot be read, it is not the same."""
    by_id = {one.pk: one for one in placements}
    for pk, version in standing_references(placements).items():
        lease.check()
        own = {(member_name(by_id[pk], item), item.size) for item in items.get(pk, [])}
        if version.digest_of == DigestOf.UNREAD and own == _names_and_sizes(version):
            with suppress(StoreError):
                references.read(version)


def _names_and_sizes(version: FileVersion) -> set[tuple[str, int]]:
    return {(one.name, one.size) for one in references.reference_of(version).members}


def member_in_place(placement: Placement, item: Item) -> Member:
    """Of a reference, as its listing has it."""
    return Member(member_name(placement, item), item.size, "", item.path, item.mtime_ns, item.inode)


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
    if digest and source.far:
        inside = inside or _stored_with(placement, kept.values())
    return Answer(placement.pk, digest, tuple(duplicates), tuple(twins), tuple(bad), inside)


def _stored_with(placement: Placement, incoming: Iterable[Member]) -> str:
    """The digest of the archive that stands there, where all of these are in it: of a storage only what is not as it
    was comes in, and the others are in that archive already. One query."""
    if placement.kind not in PACKED_KINDS or placement.file_id is None:
        return ""
    own = FileVersion.objects.filter(file=placement.file_id, number=placement.version or 0, reference=False)
    standing = own.values_list("digest", "manifest__lines").first()
    if standing is None or standing[1] is None:
        return ""
    stored = {(member.name, member.sha256) for member in manifest.from_lines(standing[1])}
    return standing[0] if all((member.name, member.sha256) in stored for member in incoming) else ""


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
