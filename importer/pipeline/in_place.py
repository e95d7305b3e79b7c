"""What is imported without its bytes: a series or a file by reference is a list of where they lie."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from importer.core.folder import SourceAway
from importer.core.manifest import Member
from importer.core.names import archive_and_member, folder_of, raw
from importer.core.records import Bad
from importer.core.rules.model import RuleSet
from importer.core.states import PACKED_KINDS
from importer.core.transfer_rules import STAYS, Transfer
from importer.models import ImportJob, Item, Placement
from importer.pipeline.compare import member_in_place
from importer.pipeline.leases import Lease
from importer.pipeline.packing import Packed, begun
from importer.pipeline.reading import CHANGED, VANISHED
from importer.pipeline.rules import rule_of
from importer.pipeline.sources import Source
from importer.pipeline.store_source import StoreSource
from storages.errors import PlaceAway
from storages.links import stage_link
from storages.models import ExternalStorage


def where_it_lies(one: Packed) -> dict[str, Any]:
    """Fields of its FileVersion."""
    whole = one.placement.kind not in PACKED_KINDS
    first = one.members[0]
    place = {"path": first.source, "mtime_ns": first.mtime_ns, "etag": first.etag} if whole else {"path": _above(one)}
    link = one.path if one.staged is not None else ""
    return {"reference": True, "storage_id": one.storage, "stamp": one.stamp, "link": link, **place}


def _above(one: Packed) -> str:
    """The folder that all members lie in, with a `/` at its end; empty at the storage's root."""
    folders = [folder_of(member.source).split("/") for member in one.members]
    # What the first and the last in order share, all between them share.
    pairs = zip(min(folders), max(folders), strict=False)
    shared = [part for part, _ in takewhile(lambda pair: pair[0] == pair[1] != "", pairs)]
    return "".join(f"{part}/" for part in shared)


@dataclass(frozen=True, slots=True)
class Way:
    """How a Placement's bytes travel: `zip`, `copy` or a Transfer. `why` says why not by reference where that was
    wanted."""

    transfer: str
    why: str = ""

    @property
    def stays(self) -> bool:
        return self.transfer in STAYS

    @property
    def links(self) -> bool:
        return self.transfer in LINKED

    @property
    def copies(self) -> bool:
        return not self.stays and not self.links


ZIP, COPY = "zip", "copy"
LINKED = frozenset({Transfer.HARDLINK, Transfer.MOVE})
PACKED = "Copied: the rules pack these files (zip: true)."
INSIDE = "Copied: it lies inside an archive."
MERGED = "Copied: merged with what was stored elsewhere."


def way_of(placement: Placement, rules: RuleSet, *, transfer: str, items: Sequence[Item] = ()) -> Way:
    """`transfer` is what was settled for the import; without items it is a forecast."""
    copied = ZIP if placement.kind in PACKED_KINDS else COPY
    if transfer in STAYS:
        why = _why_copied(placement, rules, items)
        return Way(copied, why) if why else Way(transfer)
    return Way(transfer if transfer in LINKED and copied == COPY else copied)


def _why_copied(placement: Placement, rules: RuleSet, items: Sequence[Item]) -> str:
    if placement.kind in PACKED_KINDS and rule_of(rules, placement.rule).zip:
        return PACKED
    return INSIDE if any(archive_and_member(item.path)[1] for item in items) else ""


class Looked:
    """What became of listed files since: asked about many at once, each asked about once."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._found: dict[int, Bad | None] = {}

    def at(self, items: Iterable[Item]) -> None:
        """Raises SourceAway."""
        new = sorted((item for item in items if item.pk not in self._found), key=lambda item: item.seq)
        self._found.update(zip([item.pk for item in new], self._source.changed(new), strict=True))

    def bad(self, item: Item) -> Bad | None:
        return self._found[item.pk]


def refer(
    placement: Placement, items: Sequence[Item], *, way: Way, job: ImportJob, looked: Looked, lease: Lease
) -> Packed:
    """Looks at each file and reads none. Raises SourceAway; for a symbolic link also PlaceFull or PlaceAway."""
    lease.check()
    packed = begun(placement, job.project)
    packed.storage = job.storage_id
    looked.at(items)
    for item in items:
        bad = looked.bad(item)
        if bad is None:
            packed.members.append(member_in_place(placement, item))
        else:
            packed.bad.append((item.pk, str(bad.outcome), bad.reason))
    packed.members.sort()
    if way.transfer == Transfer.SYMLINK and packed.members and not packed.held and job.storage is not None:
        packed.staged = stage_link(packed.place, packed.path, to=target_of(job.storage, packed.members[0]))
    return packed


def target_of(storage: ExternalStorage, member: Member) -> bytes:
    """The path of a file of a folder."""
    return os.path.join(folder_behind(storage), raw(member.source))


def folder_behind(storage: ExternalStorage) -> bytes:
    """Of a storage that is one."""
    return os.path.join(raw(storage.bucket), raw(storage.prefix)) if storage.prefix else raw(storage.bucket)


@dataclass(frozen=True, slots=True)
class _Noted:
    """A file as it was listed, for a Source."""

    path: str
    size: int
    mtime_ns: int
    inode: str


def why_gone(storage: ExternalStorage, members: Sequence[Member]) -> str:
    """What is wrong with the first of these that is not as it was noted; empty where all are. Raises PlaceAway."""
    noted = [_Noted(one.source, one.size, one.mtime_ns or 0, one.etag) for one in members]
    noted.sort(key=lambda one: raw(one.path))
    with _as_place(), StoreSource(storage) as source:
        found = next((bad for bad in source.changed(noted) if bad is not None), None)
    return GONE.get(found.reason, found.reason) if found else ""


GONE = {
    VANISHED.reason: "It is not at its source any more: put it back there, or reject this and deliver it again",
    CHANGED.reason: "Its source has changed since it was noted: reject this and import the source again",
}


@contextmanager
def _as_place() -> Iterator[None]:
    """Whoever carries out decisions waits for a storage as for a place of our own."""
    try:
        yield
    except SourceAway as error:
        raise PlaceAway(str(error)) from error
