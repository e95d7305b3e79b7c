"""What may happen to a delivery: claimed, held, released, settled. Each is one compare-and-set in the database."""

import os
from collections.abc import Mapping
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Count, Q

from hierarchy.errors import Refused
from hierarchy.models import Project
from importer.core.names import printable, raw
from importer.core.states import FINAL, JobStatus, SourceKind
from importer.models import Event, ImportJob, StaleTransition, move_to
from importer.services import ImportRequest, start_import
from watcher import manifest
from watcher.deliveries import Delivery, Known, same_delivery
from watcher.manifest import Manifest
from watcher.models import Batch, DropFolder
from watcher.states import OPEN, BatchStatus

# Imports of deliveries under way at once; the rest waits in its drop folder, where it is safe.
MAX_INFLIGHT = 25
SETTLED_AT_ONCE = 500
EMPTY_REASON = "There was no file in it."
PLANNED_REASON = "Its plan waits for approval: look at it on the page of its import. Nothing is imported before."

# PostgreSQL names the constraint, SQLite the columns.
_RACES = ("batch_one_open_per_name", "batch_identity", "watcher_batch.drop_folder_id, watcher_batch.name")


def device(folder: DropFolder) -> str:
    """The Who of what a drop folder brings."""
    return f"device {folder.name}"


def claim(drop_folder_id: int, delivery: Delivery, *, now: datetime) -> Batch | None:
    """One delivery becomes one Batch, with its import; held where the drop folder has no project.

    None when somebody else claimed it, when it was delivered before and has not changed, or when the drop folder was
    switched off meanwhile. Raises Refused when the import cannot be started: then there is no Batch either.
    """
    try:
        with transaction.atomic():
            return _claim(drop_folder_id, delivery, now=now)
    except IntegrityError as error:
        # Of several scanners that saw one folder, the constraints let one through.
        if any(race in str(error) for race in _RACES):
            return None
        raise


def _claim(drop_folder_id: int, delivery: Delivery, *, now: datetime) -> Batch | None:
    folder = DropFolder.objects.select_related("project__group").filter(pk=drop_folder_id, enabled=True).first()
    if folder is None:
        return None
    earlier = Batch.objects.filter(drop_folder=folder, name=printable(delivery.name))
    latest = earlier.order_by("-id").first()
    if latest is not None and not _is_new(latest, delivery):
        return None
    earlier.filter(left_at=None).update(left_at=now)
    batch = _new_batch(folder, delivery, generation=latest.generation + 1 if latest else 1, now=now)
    if batch.status == BatchStatus.IMPORTING and folder.project is not None:
        batch.job = _start(folder, folder.project, batch, now=now)
    batch.save(force_insert=True)
    Event.objects.create(at=now, who=device(folder), what="claimed", detail=batch.reason, batch_id=batch.pk)
    return batch


def _is_new(latest: Batch, delivery: Delivery) -> bool:
    if latest.status in OPEN:
        return False
    unchanged = same_delivery(
        known_of(latest), device=delivery.device, inode=delivery.inode, fingerprint=delivery.fingerprint
    )
    return latest.left_at is not None or not unchanged


def _new_batch(folder: DropFolder, delivery: Delivery, *, generation: int, now: datetime) -> Batch:
    name = printable(delivery.name)
    status, reason = _first_status(folder, delivery)
    return Batch(
        drop_folder=folder,
        name=name,
        label=name if generation == 1 else f"{name} ({generation})",
        device=str(delivery.device),
        inode=str(delivery.inode),
        generation=generation,
        fingerprint=delivery.fingerprint,
        files=delivery.files,
        bytes=delivery.size,
        found_by=delivery.found_by,
        status=status,
        reason=reason,
        seen_at=delivery.seen_at,
        claimed_at=now,
        finished_at=None if status in OPEN else now,
    )


def _first_status(folder: DropFolder, delivery: Delivery) -> tuple[BatchStatus, str]:
    if delivery.empty:
        return BatchStatus.EMPTY, EMPTY_REASON
    if folder.project is None:
        return BatchStatus.HELD, (
            f"The drop folder {folder.name} has no project. Give it one, and this delivery is imported: "
            "in the admin, or with drop_folder add PATH --project GROUP/PROJECT."
        )
    return BatchStatus.IMPORTING, ""


def _start(folder: DropFolder, project: Project, batch: Batch, *, now: datetime) -> ImportJob:
    request = ImportRequest(
        project=project,
        source_kind=SourceKind.DROP_FOLDER,
        source_root=folder_of(folder, batch),
        label=batch.label,
        who=device(folder),
        rules=folder.rule_set or None,
        dry_run=folder.preview,
    )
    return start_import(request, actor=None, now=now)


def folder_of(folder: DropFolder, batch: Batch) -> bytes:
    """Where the delivery lies."""
    return os.path.join(raw(folder.path), raw(batch.name))


def known_of(batch: Batch) -> Known:
    return Known(
        batch_id=batch.pk,
        device=int(batch.device),
        inode=int(batch.inode),
        fingerprint=batch.fingerprint,
        open=batch.status in OPEN,
    )


def known_batches(drop_folder_id: int) -> dict[bytes, Known]:
    """The newest Batch of every name that still lies in the drop folder."""
    lying = Batch.objects.filter(drop_folder=drop_folder_id, left_at=None).order_by("id")
    fields = ("id", "name", "device", "inode", "fingerprint", "status")
    return {raw(batch.name): known_of(batch) for batch in lying.only(*fields).iterator()}


def open_batches(drop_folder_id: int) -> set[int]:
    """Ids of those that are held or being imported."""
    return set(Batch.objects.filter(drop_folder=drop_folder_id, status__in=OPEN).values_list("id", flat=True))


def importing_by_folder() -> dict[int, int]:
    """How many imports of deliveries are under way, by drop folder id."""
    open_ones = Batch.objects.filter(status=BatchStatus.IMPORTING).order_by()
    return dict(open_ones.values_list("drop_folder").annotate(Count("id")))


def note_gone(batch_ids: tuple[int, ...], *, now: datetime) -> None:
    """Their folders have left the drop folder: what comes under their names is a new delivery."""
    if batch_ids:
        Batch.objects.filter(pk__in=batch_ids, left_at=None).exclude(status__in=OPEN).update(left_at=now)


def note_moved(moved: Mapping[int, tuple[int, int]]) -> None:
    """Recognised by content under another device and inode, by batch id: the whole root was moved or mounted anew."""
    rows = list(Batch.objects.filter(pk__in=moved))
    for batch in rows:
        batch.device, batch.inode = (str(number) for number in moved[batch.pk])
    Batch.objects.bulk_update(rows, ["device", "inode"], batch_size=SETTLED_AT_ONCE)


def release_held(*, now: datetime) -> int:
    """Starts what waited for a project, oldest first, as far as MAX_INFLIGHT goes; how many were started."""
    free = MAX_INFLIGHT - sum(importing_by_folder().values())
    if free <= 0:
        return 0
    waiting = Batch.objects.filter(
        status=BatchStatus.HELD, drop_folder__project__isnull=False, drop_folder__enabled=True
    )
    chosen = waiting.select_related("drop_folder__project__group").order_by("id")[:free]
    return sum(_release(batch, now=now) for batch in chosen)


def _release(batch: Batch, *, now: datetime) -> bool:
    folder = batch.drop_folder
    try:
        found = _walked(folder_of(folder, batch))
        with transaction.atomic():
            job = _start(folder, folder.project, batch, now=now) if folder.project else None
            move_to(
                batch,
                BatchStatus.IMPORTING,
                who=device(folder),
                now=now,
                job=job,
                reason="",
                fingerprint=found.fingerprint,
                files=found.files,
                bytes=found.size,
            )
    except StaleTransition:
        return False
    except (OSError, Refused) as error:
        return _give_up_held(batch, error, now=now)
    return True


def _walked(path: bytes) -> Manifest:
    with manifest.opened(path) as handle:
        return manifest.read(handle)


def _give_up_held(batch: Batch, error: OSError | Refused, *, now: datetime) -> bool:
    """What has left a readable root is over; anything else is tried again, and a refusal says why."""
    if isinstance(error, Refused):
        Batch.objects.filter(pk=batch.pk, status=BatchStatus.HELD).update(reason=str(error))
    if isinstance(error, FileNotFoundError) and os.path.isdir(raw(batch.drop_folder.path)):
        reason = "The folder left the drop folder before it got a project: drop it again."
        try:
            move_to(batch, BatchStatus.FAILED, who="system", now=now, reason=reason, finished_at=now, left_at=now)
        except StaleTransition:
            pass
    return False


def settle_batches(*, now: datetime) -> int:
    """Moves batches on whose import has ended, or waits with its plan; how many.

    Safe to run twice at once: each move is a compare-and-set.
    """
    under_way = Q(status__in=[BatchStatus.IMPORTING, BatchStatus.PLANNED])
    ended = (under_way | Q(status=BatchStatus.NEEDS_REVIEW)) & Q(job__status__in=FINAL)
    waits = Q(status=BatchStatus.IMPORTING, job__status=JobStatus.PLANNED)
    goes_on = Q(status=BatchStatus.PLANNED) & ~Q(job__status=JobStatus.PLANNED)
    unsettled = Batch.objects.filter(ended | waits | goes_on).exclude(
        status=BatchStatus.NEEDS_REVIEW, job__status=JobStatus.NEEDS_REVIEW
    )
    chosen = unsettled.select_related("job").order_by("id")[:SETTLED_AT_ONCE]
    return sum(_settle(batch, batch.job, now=now) for batch in chosen if batch.job is not None)


def _settle(batch: Batch, job: ImportJob, *, now: datetime) -> bool:
    status, reason = standing_of(job)
    finished = None if status in OPEN else job.finished_at or now
    try:
        move_to(batch, status, who="system", now=now, detail=reason, reason=reason, finished_at=finished)
    except StaleTransition:
        return False
    return True


def standing_of(job: ImportJob) -> tuple[BatchStatus, str]:
    """What an import, wherever it is, means for its delivery, and a sentence."""
    if job.status == JobStatus.PLANNED:
        return BatchStatus.PLANNED, PLANNED_REASON
    return outcome_of(job) if job.status in FINAL else (BatchStatus.IMPORTING, "")


def outcome_of(job: ImportJob) -> tuple[BatchStatus, str]:
    """What the end of an import means for its delivery, and a sentence."""
    match job.status:
        case JobStatus.NEEDS_REVIEW:
            return BatchStatus.NEEDS_REVIEW, f"{job.conflict:,} of {job.discovered:,} files wait for a decision."
        case JobStatus.FAILED:
            return BatchStatus.FAILED, job.error or "The import could not go on."
        case JobStatus.CANCELLED:
            return BatchStatus.CANCELLED, "The import was cancelled; what had landed stays."
    if job.discovered == 0:
        return BatchStatus.EMPTY, EMPTY_REASON
    if job.failed:
        return BatchStatus.PARTIAL, f"{job.failed:,} of {job.discovered:,} files failed: the report says which and why."
    return BatchStatus.IMPORTED, ""
