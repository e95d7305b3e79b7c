"""TRANSFER: a slice of Placements is packed, flushed together, named, and told to the database in one transaction."""

from collections.abc import Sequence
from functools import partial

from django.db import transaction
from django.db.models import F

from importer.core.states import Outcome, Work
from importer.models import Chunk, ImportJob, Item, Placement, bulk
from importer.pipeline import chunks, intents
from importer.pipeline.compare import items_of
from importer.pipeline.containers import lock_scope
from importer.pipeline.heirs import Packer, packed_with_heirs, step_in
from importer.pipeline.holding import hold
from importer.pipeline.in_place import Looked, Way, refer, way_of
from importer.pipeline.landing import Landed, land
from importer.pipeline.leases import Lease, LostLease
from importer.pipeline.linking import link
from importer.pipeline.packing import Packed, pack
from importer.pipeline.rules import rules_of
from importer.pipeline.sources import Source, source_of
from importer.pipeline.worker import Worker
from storages.marks import check_ours
from storages.places import archive, quarantine

NOTHING = "Unreadable: no file of it could be read"


def transfer(job: ImportJob, chunk: Chunk, lease: Lease, *, worker: Worker) -> None:
    """Raises PlaceFull, PlaceAway, SourceAway, LostLease or Stopped; then no row speaks of what was written."""
    check_ours(now=worker.now())
    packed: list[Packed] = []
    try:
        _pack_all(job, chunk, lease, packed)
        lying = [one for one in packed if one.staged is not None]
        intents.tell(lease, lying)
        for place in (archive(), quarantine()):
            place.publish([one.staged for one in lying if one.place == place and one.staged is not None])
    except BaseException:
        for one in packed:
            _undo(one)
        raise
    _land(job, chunk, lease, packed, worker=worker)


def _pack_all(job: ImportJob, chunk: Chunk, lease: Lease, packed: list[Packed]) -> None:
    """Appends as it goes, so that the caller can undo whatever was written."""
    asked: list[int] = chunks.unpacked(chunk.entries)
    placements = Placement.objects.filter(outcome__in=[Outcome.PLANNED, Outcome.CONFLICT]).in_bulk(asked)
    items = items_of(list(placements))
    rules = rules_of(job)
    ways = {pk: way_of(one, rules, transfer=job.transfer, items=items.get(pk, [])) for pk, one in placements.items()}
    needed = min(chunk.bytes, sum(placements[pk].bytes for pk, way in ways.items() if way.copies))
    if needed:
        archive().check(needed=needed)
    with source_of(job) as source:
        looked = Looked(source)
        looked.at(item for pk, way in ways.items() if way.stays for item in items.get(pk, []))
        for pk in asked:
            if pk in placements:
                placements[pk].transfer, placements[pk].transfer_reason = ways[pk].transfer, ways[pk].why
                packer = _packer(placements[pk], ways[pk], job=job, looked=looked, source=source, lease=lease)
                packed.append(packed_with_heirs(items.get(pk, []), packer))


def _packer(placement: Placement, way: Way, *, job: ImportJob, looked: Looked, source: Source, lease: Lease) -> Packer:
    if way.stays:
        return partial(refer, placement, way=way, job=job, looked=looked, lease=lease)
    if way.links and placement.outcome != Outcome.CONFLICT:
        return partial(link, placement, job=job, source=source, lease=lease)
    # What conflicts waits as a copy of our own, whatever becomes of its source.
    return partial(pack, placement, project=job.project, source=source, lease=lease)


def _land(job: ImportJob, chunk: Chunk, lease: Lease, packed: list[Packed], *, worker: Worker) -> None:
    lying = [one for one in packed if one.staged is not None]
    found = [one for one in packed if one.members]
    clear, conflicting = [one for one in found if not one.held], [one for one in found if one.held]
    try:
        with transaction.atomic():
            lock_scope(job.project, scope=job.uid_scope)
            lease.fence()
            _tell_bad(packed)
            step_in(job, [one.placement for one in packed if not one.members])
            landed = land(job, clear, now=worker.now())
            landed.unwanted += hold(job, conflicting, now=worker.now())
            _requeue(job, landed)
            left = intents.to_blob(landed.unwanted) if landed.unwanted else b""
            chunks.end(lease, worker=worker, answers=left, bytes_moved=F("bytes_moved") + chunk.bytes)
    except LostLease:
        for one in lying:
            one.place.delete(one.path)
        raise
    intents.drop_unspoken(chunk.pk)


def _tell_bad(packed: Sequence[Packed]) -> None:
    bulk.update(Item, ["outcome", "reason"], [(pk, None, "") for one in packed for pk in one.heirs])
    bulk.update(Item, ["outcome", "reason"], [row for one in packed for row in one.bad])
    nothing = [(one.placement.pk, str(Outcome.FAILED), NOTHING) for one in packed if not one.members]
    bulk.update(Placement, ["outcome", "reason"], nothing)
    ways = [(one.placement.pk, one.placement.transfer, one.placement.transfer_reason) for one in packed if one.held]
    bulk.update(Placement, ["transfer", "transfer_reason"], ways)


def _requeue(job: ImportJob, landed: Landed) -> None:
    """Who lost its place since the plan is read again, into quarantine, by a chunk of its own."""
    rows = [(one.pk, one.first_seq, one.bytes) for one in landed.losers]
    chunks.add(job.pk, list(chunks.sliced(job.pk, Work.TRANSFER, rows)))


def _undo(one: Packed) -> None:
    if one.staged is None:
        return
    one.place.discard(one.staged)
    one.place.delete(one.path)
