"""A source is taken away where that was asked for, and only after a proof: everything of it is stored or equal to what
is stored, what is stored was read again, and each file is still the one that was listed. All of it or nothing.

Whatever comes of it never changes the import's own result. It may be killed and repeated.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from hierarchy.models import FileVersion
from importer.core.checks import CheckState
from importer.core.folder import NotPlain, Opener, Special, Vanished
from importer.core.names import archive_and_member, parts_of, raw
from importer.core.states import JobStatus, Outcome
from importer.core.transfer_rules import DeleteSource, Removal
from importer.models import Conflict, Event, ImportJob, Item, Placement
from importer.pipeline.decide import DUPLICATE, EXISTS
from importer.pipeline.leases import Lease
from importer.pipeline.linking import root_of
from importer.pipeline.reading import VANISHED
from importer.pipeline.remember import forget_removed
from importer.pipeline.sights import OwnBytes, RootAway, Stored
from importer.pipeline.sources import source_of
from importer.pipeline.store_source import StoreSource
from importer.pipeline.worker import Worker
from storages.errors import PlaceAway
from storages.places import archive
from storages.stores import Kind, StoreError

PAGE = 1000
DUE = Q(status=JobStatus.COMPLETED, delete_source=DeleteSource.ON_SUCCESS, removal="")


def due(job: ImportJob) -> bool:
    asked = job.delete_source == DeleteSource.ON_SUCCESS and not job.removal
    return bool(asked and job.status == JobStatus.COMPLETED)


def remove_sources(job: ImportJob, lease: Lease, *, worker: Worker) -> None:
    """Raises SourceAway, PlaceAway, LostLease or Stopped, and is then tried again."""
    why = _why_kept(job) or _unproven(job, lease) or _not_as_listed(job, lease)
    became, words = (Removal.KEPT, why) if why else _removed(job, lease)
    if became == Removal.REMOVED:
        forget_removed(job, lease)
    with transaction.atomic():
        lease.fence()
        ImportJob.objects.filter(pk=job.pk).update(removal=became, removal_words=words)
        what = f"source {became.value}"
        Event.objects.create(at=worker.now(), who="system", what=what, detail=words, job_id=job.pk)


def _why_kept(job: ImportJob) -> str:
    """What the rows alone tell."""
    same = Q(reason__in=[EXISTS, DUPLICATE])
    stored = Q(outcome__isnull=True, placement__outcome=Outcome.IMPORTED)
    stored |= Q(outcome__isnull=True, placement__outcome=Outcome.SKIPPED, placement__reason=EXISTS)
    stored |= Q(outcome=Outcome.SKIPPED, placement__outcome=Outcome.IMPORTED) & same
    stored |= Q(outcome=Outcome.SKIPPED, placement__reason=EXISTS) & same
    other = Item.objects.filter(job=job).exclude(stored).count()
    if other:
        return (
            f"The source stays: {other:,} of {job.discovered:,} files are neither stored nor equal to what is stored."
        )
    if Conflict.objects.filter(job=job, status="open").exists():
        return "The source stays: something of it waits for a decision."
    if _is_home(job):
        return "The source stays: something was imported by reference from where it lies."
    return ""


def _is_home(job: ImportJob) -> bool:
    """Said yes to in doubt: any reference into the same storage, the same bucket, or a folder around or below."""
    rows = FileVersion.objects.filter(reference=True).order_by().values_list(
        "storage_id", "storage__kind", "storage__bucket"
    )  # fmt: skip
    local = job.storage is None or job.storage.kind == Kind.LOCAL
    for pk, kind, bucket in rows.distinct().iterator():
        if pk == job.storage_id or (not local and job.storage is not None and job.storage.bucket == bucket):
            return True
        if local and kind == Kind.LOCAL and _overlap(root_of(job), raw(bucket)):
            return True
    return False


def _overlap(one: bytes, other: bytes) -> bool:
    first, second = one.rstrip(b"/") + b"/", other.rstrip(b"/") + b"/"
    return first.startswith(second) or second.startswith(first)


def _unproven(job: ImportJob, lease: Lease) -> str:
    """Every version that its files became or equal is read again, as it lies in the archive."""
    sight = OwnBytes(archive())
    for page in _versions(job):
        for version in FileVersion.objects.filter(pk__in=page).select_related("manifest"):
            lease.check()
            if version.reference:
                return "The source stays: some of its files are stored by reference only."
            try:
                found = sight.read(_stored(version))
            except RootAway as error:
                raise PlaceAway(str(error)) from error
            if found.state != CheckState.OK:
                return f"The source stays: what is stored of it was read again, and {found.state}. Run `verify`."
        if FileVersion.objects.filter(pk__in=page).count() != len(page):
            return "The source stays: some of what became of it is not in the archive any more."
    return ""


def _versions(job: ImportJob) -> Iterator[list[UUID]]:
    rows = Placement.objects.filter(job=job, version_id__isnull=False).order_by("version_id")
    last: UUID | None = None
    while True:
        here = rows if last is None else rows.filter(version_id__gt=last)
        page = [pk for pk in here.values_list("version_id", flat=True).distinct()[:100] if pk is not None]
        if not page:
            return
        yield page
        last = page[-1]


def _stored(version: FileVersion) -> Stored:
    kept = getattr(version, "manifest", None)
    lines = bytes(kept.lines) if kept is not None else b""
    said: dict[str, Any] = {"digest": version.digest, "digest_of": version.digest_of, "lines": lines}
    return Stored(check=0, state="", path=version.path, size=version.size, **said)


def _not_as_listed(job: ImportJob, lease: Lease) -> str:
    """Before the first one goes. What is gone went by an earlier attempt, or by somebody else."""
    with source_of(job) as source:
        for page in _items(job):
            lease.check()
            wrong = [bad for bad in source.changed(page) if bad is not None and bad != VANISHED]
            if wrong:
                return f"The source stays: {len(wrong):,} of its files or more have changed since they were read."
    return ""


def _removed(job: ImportJob, lease: Lease) -> tuple[Removal, str]:
    far = job.storage is not None and job.storage.kind != Kind.LOCAL
    gone, left = _from_store(job, lease) if far else _from_folder(job, lease)
    words = f"{gone:,} source files were removed."
    return Removal.REMOVED, f"{words} {left:,} could not be: they stay." if left else words


def _from_folder(job: ImportJob, lease: Lease) -> tuple[int, int]:
    """Each looked at once more by its folder's handle, at the moment that it goes."""
    gone, left, folders = 0, 0, set[tuple[bytes, ...]]()
    with source_of(job) as source, Opener(root_of(job)) as opener:
        for page in _items(job):
            lease.check()
            for item, bad in zip(page, source.changed(page), strict=True):
                path = archive_and_member(item.path)[0]
                if bad is not None and bad != VANISHED:
                    left += 1
                elif _unlinked(opener, path):
                    gone += 1
                    folders.add(tuple(raw(part) for part in parts_of(path)[:-1]))
        _drop_emptied(opener, folders)
    return gone, left


def _unlinked(opener: Opener, path: str) -> bool:
    """False for what is gone already. A disk that refuses keeps the file."""
    try:
        opener.unlink(path)
    except (OSError, Vanished, NotPlain, Special):
        return False
    return True


def _drop_emptied(opener: Opener, folders: set[tuple[bytes, ...]]) -> None:
    """Deepest first, and never the source's own root: what came later keeps its folder."""
    above = {folder[:depth] for folder in folders for depth in range(1, len(folder) + 1)}
    for folder in sorted(above, key=len, reverse=True):
        opener.rmdir(folder)


def _from_store(job: ImportJob, lease: Lease) -> tuple[int, int]:
    assert job.storage is not None  # noqa: S101  asked by the caller
    gone, left = 0, 0
    with StoreSource(job.storage) as source:
        for page in _items(job):
            lease.check()
            told = list(zip(page, source.changed(page), strict=True))
            keys = list(dict.fromkeys(archive_and_member(item.path)[0] for item, bad in told if bad is None))
            left += sum(bad is not None and bad != VANISHED for _, bad in told)
            try:
                source.store.delete(keys)
                gone += len(keys)
            except StoreError:
                left += len(keys)
    return gone, left


def _items(job: ImportJob) -> Iterator[list[Item]]:
    last = -1
    items = Item.objects.filter(job=job).order_by("seq")
    while page := list(items.filter(seq__gt=last)[:PAGE]):
        yield page
        last = page[-1].seq
