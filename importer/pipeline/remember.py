"""FINISH, of a storage: what became of each file is kept for the next import, and what vanished is told."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from hierarchy.models import File
from importer.core.members import REFUSED
from importer.core.names import BETWEEN, raw
from importer.core.records import EntryKind
from importer.core.states import ConflictStatus, Outcome, PlacementKind
from importer.models import Became, Conflict, ImportJob, Item, Known, Placement
from importer.models.known import path_key
from importer.pipeline.decide import DUPLICATE, EXISTS, path_of
from importer.pipeline.extract import DECIDED_BY_LISTING
from importer.pipeline.holding import HELD
from importer.pipeline.leases import Lease
from importer.pipeline.recall import DELETED, options_of
from importer.pipeline.verdicts import REJECTED
from storages.stores import Kind

PAGE = 2000
# File systems count in steps of up to so much: of what was written in the last of them nobody can say that it is whole.
TOO_YOUNG_NS = 2_000_000_000
_WRITTEN = (
    "path", "size", "mtime_ns", "etag", "options", "became", "reason", "file_id", "version_id", "conflict_id",
    "seen", "gone",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fate:
    became: Became
    reason: str = ""
    file_id: int | None = None
    version_id: UUID | None = None
    conflict_id: int | None = None


def remember(job: ImportJob, lease: Lease) -> None:
    """Writes the same rows however often it runs. Raises LostLease or Stopped."""
    if job.storage_id is None or job.storage is None:
        return
    youngest = _youngest(job)
    for page in _items(job):
        lease.check()
        fates = _fates(job, [item for item in page if youngest is None or item.mtime_ns < youngest])
        with transaction.atomic():
            lease.fence()
            _write(job, fates)
    if not job.only_failed and job.limit is None:
        _tell_vanished(job, lease)


def _youngest(job: ImportJob) -> int | None:
    """Of a folder; a service's mark of a content is trusted however new."""
    if job.storage is None or job.storage.kind != Kind.LOCAL or job.started_at is None:
        return None
    return int(job.started_at.timestamp() * 1_000_000_000) - TOO_YOUNG_NS


def _items(job: ImportJob) -> Iterator[list[Item]]:
    """All but those whose fate was known before."""
    rows = Item.objects.filter(Q(placement=None) | ~Q(placement__kind=PlacementKind.KNOWN), job=job)
    last = -1
    while page := list(rows.filter(seq__gt=last).order_by("seq")[:PAGE]):
        yield page
        last = page[-1].seq


def _fates(job: ImportJob, page: Sequence[Item]) -> list[tuple[Item, Fate]]:
    ids = {item.placement_id for item in page if item.placement_id is not None}
    placements = Placement.objects.defer("said", "candidates", "approved").in_bulk(ids)
    own = dict(Conflict.objects.filter(placement__in=ids).values_list("placement_id", "id"))
    conflicts = own | _held_before(job, [one for one in placements.values() if one.reason == HELD])
    told = ((item, _fate(item, placements.get(item.placement_id or 0), conflicts)) for item in page)
    return [(item, fate) for item, fate in told if fate is not None]


def _held_before(job: ImportJob, placements: Sequence[Placement]) -> dict[int, int]:
    """Placement → the conflict that its content waits in, where only one can be meant."""
    paths = {one.pk: path_of(one) for one in placements}
    rows = Conflict.objects.filter(project=job.project_id, status=ConflictStatus.OPEN, upload_path__in=paths.values())
    of: dict[str, list[int]] = {}
    for pk, path in rows.values_list("pk", "upload_path") if paths else ():
        of.setdefault(path, []).append(pk)
    return {placement: of[path][0] for placement, path in paths.items() if len(of.get(path, [])) == 1}


def _fate(item: Item, placement: Placement | None, conflicts: Mapping[int, int]) -> Fate | None:
    """None of what is tried again, and of what the listing alone tells."""
    if placement is None:
        return _of_itself(item)
    if item.outcome is not None and (item.outcome, item.reason) != (Outcome.SKIPPED, DUPLICATE):
        return None
    if placement.outcome == Outcome.CONFLICT or placement.reason in {HELD, REJECTED}:
        conflict = conflicts.get(placement.pk)
        return Fate(Became.CONFLICT, conflict_id=conflict) if conflict else None
    stands = placement.outcome == Outcome.IMPORTED or placement.reason == EXISTS
    if stands and placement.file_id is not None and placement.version_id is not None:
        return Fate(Became.VERSION, file_id=placement.file_id, version_id=placement.version_id)
    beside = placement.kind == PlacementKind.FILE and placement.outcome == Outcome.SKIPPED and not stands
    return Fate(Became.BESIDE) if beside else None


def _of_itself(item: Item) -> Fate | None:
    if item.outcome != Outcome.SKIPPED or item.reason in DECIDED_BY_LISTING:
        return None
    return Fate(Became.DELETED) if item.reason == DELETED else Fate(Became.SKIPPED, item.reason)


def _write(job: ImportJob, fates: Sequence[tuple[Item, Fate]]) -> None:
    """What is written down already is not written again."""
    options = options_of(job)
    wanted = {path_key(item.path): _row(job, item, fate, options) for item, fate in fates}
    there = Known.objects.filter(project=job.project_id, storage=job.storage_id, path_key__in=wanted)
    for row in there:
        if all(getattr(row, name) == getattr(wanted[row.path_key], name) for name in _WRITTEN):
            del wanted[row.path_key]
    Known.objects.bulk_create(
        [wanted[key] for key in sorted(wanted)],
        update_conflicts=True,
        unique_fields=["project", "storage", "path_key"],
        update_fields=_WRITTEN,
        batch_size=1000,
    )


def _row(job: ImportJob, item: Item, fate: Fate, options: UUID) -> Known:
    return Known(
        project_id=job.project_id, storage=job.storage, path_key=path_key(item.path), path=item.path,
        size=item.size, mtime_ns=item.mtime_ns, etag=item.inode, options=options, became=fate.became,
        reason=fate.reason, file_id=fate.file_id, version_id=fate.version_id, conflict_id=fate.conflict_id,
        seen=job.pk, gone=None,
    )  # fmt: skip


def _tell_vanished(job: ImportJob, lease: Lease) -> None:
    """What earlier imports met and this one, which looked everywhere there, did not."""
    _excuse_hidden(job)
    for page in _unseen(job):
        lease.check()
        gone = [pk for pk, path in page if not job.prefixes or _below(path, job.prefixes)]
        with transaction.atomic():
            lease.fence()
            # Another import may have met it meanwhile.
            Known.objects.filter(pk__in=gone, seen__lt=job.pk, gone=None).update(gone=job.pk)
    ImportJob.objects.filter(pk=job.pk).update(vanished=vanished(job).count())


def vanished(job: ImportJob) -> "QuerySet[Known]":
    """What this import was the first not to meet any more, and what has not come back since."""
    return Known.objects.filter(gone=job.pk, project=job.project_id)


def _unseen(job: ImportJob) -> Iterator[list[tuple[int, str]]]:
    rows = Known.objects.filter(project=job.project_id, storage=job.storage_id, gone=None, seen__lt=job.pk)
    if len(job.prefixes) == 1:
        rows = rows.filter(path__startswith=job.prefixes[0])
    return _pages(rows)


def _pages(rows: "QuerySet[Known]") -> Iterator[list[tuple[int, str]]]:
    last = 0
    while page := list(rows.filter(pk__gt=last).order_by("pk").values_list("pk", "path")[:PAGE]):
        yield page
        last = page[-1][0]


def _below(path: str, prefixes: Sequence[str]) -> bool:
    """The database's own comparison forgets about case, or follows a language."""
    return raw(path).startswith(tuple(map(raw, prefixes)))


def forget_deleted(job: ImportJob) -> int:
    """Of what this import will meet, all that was deleted here is as if it had never come. How many files."""
    there = File.objects.filter(pk=OuterRef("file_id"))
    deleted = Q(became=Became.DELETED) | (Q(file_id__isnull=False) & ~Exists(there))
    rows = Known.objects.filter(deleted, project=job.project_id, storage=job.storage_id)
    forgotten = 0
    for page in _pages(rows):
        wanted = [pk for pk, path in page if not job.prefixes or _below(path, job.prefixes)]
        forgotten += Known.objects.filter(pk__in=wanted).delete()[0]
    return forgotten


def forget_removed(job: ImportJob, lease: Lease) -> None:
    """What we took away ourselves has not vanished. May be repeated; what was left behind is only read once more."""
    if job.storage_id is None:
        return
    rows = Known.objects.filter(project=job.project_id, storage=job.storage_id, seen=job.pk)
    for page in _pages(rows):
        lease.check()
        with transaction.atomic():
            lease.fence()
            # What another import has met since, lies there again.
            Known.objects.filter(pk__in=[pk for pk, _ in page], seen=job.pk).delete()


def _excuse_hidden(job: ImportJob) -> None:
    """What lies in a folder or an archive that could not be opened has not vanished: nobody knows."""
    hides = Q(path__endswith="/") | Q(reason=REFUSED[EntryKind.NO_ARCHIVE].reason)
    failed = Item.objects.filter(hides, job=job, outcome=Outcome.FAILED)
    for path in failed.values_list("path", flat=True).iterator(chunk_size=PAGE):
        above = path if path.endswith("/") else f"{path}{BETWEEN}"
        below: dict[str, Any] = {"project": job.project_id, "storage": job.storage_id, "seen__lt": job.pk}
        Known.objects.filter(path__startswith=above, **below).update(seen=job.pk)
