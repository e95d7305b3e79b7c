"""COMPARE: only where a name is taken or an instance comes twice, the source's bytes are read and digested."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db import transaction

from importer.core import archives, manifest
from importer.core.folder import NotPlain, Opener, Vanished
from importer.core.manifest import Member
from importer.core.names import raw
from importer.core.records import Bad
from importer.core.states import PlacementKind
from importer.models import Chunk, ImportJob, Item, Placement
from importer.pipeline import chunks
from importer.pipeline.leases import Lease
from importer.pipeline.reading import CHANGED, unchanged, why
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
    with Opener(raw(job.source_root)) as opener:
        answers = [_answer(placements[pk], items.get(pk, []), opener, lease) for pk in asked]
    with transaction.atomic():
        chunks.end(lease, worker=worker, answers=to_blob(answers))


def items_of(placements: Sequence[int]) -> dict[int, list[Item]]:
    """Placement → its source files that have no outcome of their own, in source order: one query for all."""
    of: dict[int, list[Item]] = {}
    for item in Item.objects.filter(placement__in=placements, outcome__isnull=True).order_by("placement", "seq"):
        if item.placement_id is not None:
            of.setdefault(item.placement_id, []).append(item)
    return of


def _answer(placement: Placement, items: list[Item], opener: Opener, lease: Lease) -> Answer:
    if placement.asks == "twins":
        items = _only_twins(items)
    kept: dict[str, Member] = {}
    duplicates: list[int] = []
    twins: list[int] = []
    bad = []
    for item in items:
        lease.check()
        found = digested(opener, item)
        name = member_name(placement, item)
        if isinstance(found, Bad):
            bad.append((item.pk, str(found.outcome), found.reason))
        elif name not in kept:
            kept[name] = Member(name, item.size, found)
        else:
            (duplicates if kept[name].sha256 == found else twins).append(item.pk)
    digest = "" if placement.asks == "twins" or not kept else total(placement, list(kept.values()))
    inside = _inside(opener, items[0]) if digest and placement.kind == PlacementKind.ARCHIVE else ""
    return Answer(placement.pk, digest, tuple(duplicates), tuple(twins), tuple(bad), inside)


def _inside(opener: Opener, item: Item) -> str:
    """Empty where nobody can say: then it is compared as the file that it is."""
    try:
        with os.fdopen(opener.open(item.path), "rb") as stream:
            found = archives.member_digests(stream, most=MOST_INFLATED * item.size)
            return manifest.digest(found) if found else ""
    except (Vanished, NotPlain, OSError) as error:
        why(error)
        return ""


def _only_twins(items: list[Item]) -> list[Item]:
    times: dict[str, int] = {}
    for item in items:
        times[item.sop_uid] = times.get(item.sop_uid, 0) + 1
    return [item for item in items if times[item.sop_uid] > 1]


def member_name(placement: Placement, item: Item) -> str:
    """Of a series: `<SOPInstanceUID>.<Modality>.dcm`; of anything else the file's own name."""
    if placement.kind != PlacementKind.SERIES:
        return placement.file_name
    return f"{item.sop_uid}.{placement.said.get('modality') or 'NA'}.dcm"


def total(placement: Placement, members: Sequence[Member]) -> str:
    """The digest by which a Placement's content is compared with a stored version's."""
    return manifest.digest(members) if placement.kind == PlacementKind.SERIES else members[0].sha256


def digested(opener: Opener, item: Item) -> str | Bad:
    """SHA-256 of the source file as it was listed, in hex."""
    try:
        handle = opener.open(item.path)
    except (Vanished, NotPlain, OSError) as error:
        return why(error)
    try:
        content = hashlib.sha256()
        while block := os.read(handle, BLOCK):
            content.update(block)
        listed = unchanged(handle, size=item.size, mtime_ns=item.mtime_ns, inode=item.inode)
        return content.hexdigest() if listed else CHANGED
    except OSError as error:
        return why(error)
    finally:
        os.close(handle)
