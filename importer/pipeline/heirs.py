"""Who comes in for a file that failed while it was moved: one that was skipped because it is the same."""

from collections.abc import Callable, Sequence

from django.db import transaction

from importer.core.states import INSTANCE_KINDS, Outcome, Work
from importer.models import ImportJob, Item, Placement, bulk
from importer.pipeline import chunks
from importer.pipeline.decide import DUPLICATE, EXISTS
from importer.pipeline.leases import Lease
from importer.pipeline.packing import Packed
from importer.pipeline.pages import in_pages
from importer.pipeline.place import PLACE

STANDING = ["subject_id", "session_id", "acquisition_id", "file_id", "version", "version_id"]

Packer = Callable[[Sequence[Item]], Packed]


def packed_with_heirs(items: Sequence[Item], packer: Packer) -> Packed:
    """A series whose failed instances came twice is packed again with the others of the same content."""
    one = packer(items)
    bad = list(one.bad)
    while heirs := _heirs(one, items, {pk for pk, *_ in bad}):
        if one.staged is not None:
            one.place.discard(one.staged)
        failed = {pk for pk, *_ in bad}
        items = sorted([*(item for item in items if item.pk not in failed), *heirs], key=lambda item: item.seq)
        before = one.heirs
        one = packer(items)
        one.heirs = before + [heir.pk for heir in heirs]
        bad += one.bad
    one.bad = bad
    return one


def _heirs(one: Packed, items: Sequence[Item], failed: set[int]) -> list[Item]:
    """For each instance that failed last the first by path that is left."""
    if one.placement.kind not in INSTANCE_KINDS or not one.bad:
        return []
    uids = {item.sop_uid for item in items if item.pk in failed}
    same = Item.objects.filter(placement=one.placement, outcome=Outcome.SKIPPED, reason=DUPLICATE, sop_uid__in=uids)
    found: dict[str, Item] = {}
    for item in same.order_by("seq"):
        if item.pk not in failed:
            found.setdefault(item.sop_uid, item)
    return list(found.values())


def step_in(job: ImportJob, failed: Sequence[Placement]) -> None:
    """Inside the transaction that ends the chunk: for each place that stays empty the next in line is moved."""
    empty = {_place(one) for one in failed if one.outcome == Outcome.PLANNED}
    same = Placement.objects.filter(job=job, outcome=Outcome.SKIPPED, reason=EXISTS, file_id__isnull=True)
    heirs: dict[tuple[str, ...], Placement] = {}
    for one in same.filter(file_name__in={place[-1] for place in empty}).order_by("first_seq") if empty else ():
        if _place(one) in empty:
            heirs.setdefault(_place(one), one)
    chosen = sorted(heirs.values(), key=lambda one: one.first_seq)
    Placement.objects.filter(pk__in=[one.pk for one in chosen]).update(outcome=Outcome.PLANNED, reason="")
    rows = [(one.pk, one.first_seq, one.bytes) for one in chosen]
    chunks.add(job.pk, list(chunks.sliced(job.pk, Work.TRANSFER, rows)))


def name_winners(job: ImportJob, lease: Lease) -> None:
    """At a job's end: what was skipped because another of this import has its place says which file that became."""
    same = Placement.objects.filter(job=job, outcome=Outcome.SKIPPED, reason=EXISTS, file_id__isnull=True)
    for page in in_pages(same):
        lease.check()
        names = {one.file_name for one in page}
        landed = Placement.objects.filter(job=job, outcome=Outcome.IMPORTED, file_name__in=names)
        winners = {_place(one): one for one in landed}
        found = [(one.pk, winners[_place(one)]) for one in page if _place(one) in winners]
        rows = [(pk, *(getattr(winner, column) for column in STANDING)) for pk, winner in found]
        with transaction.atomic():
            bulk.update(Placement, STANDING, rows)


def _place(placement: Placement) -> tuple[str, ...]:
    return tuple(str(getattr(placement, name)) for name in PLACE)
