"""Slices of work: made, ended at the barrier, split when they kill."""

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db import transaction
from django.db.models import F

from importer.core.records import Entry, EntryKind
from importer.core.states import ChunkStatus, JobStatus, Work
from importer.models import Chunk, ImportJob, Placement, move_to
from importer.models.status import StaleTransition
from importer.pipeline.leases import Lease, LostLease
from importer.pipeline.worker import Worker

SYSTEM = "system"
SPLIT_IN = 10
SLICE_BYTES = 64 * 1024 * 1024
SLICE_COUNT = 250


def packed(value: Any) -> bytes:
    return zlib.compress(json.dumps(value, separators=(",", ":")).encode(), 1)


def unpacked(blob: bytes | memoryview) -> Any:
    return json.loads(zlib.decompress(bytes(blob)))


def to_blob(entries: Sequence[Entry]) -> bytes:
    return packed([[e.path, e.kind, e.size, e.mtime_ns, e.inode, e.ctime_ns] for e in entries])


def from_blob(blob: bytes | memoryview) -> list[Entry]:
    return [
        Entry(path, EntryKind(kind), size, mtime_ns, inode, *later)
        for path, kind, size, mtime_ns, inode, *later in unpacked(blob)
    ]


def add(job_id: int, chunks: Sequence[Chunk]) -> None:
    """Inside the caller's transaction, which also holds what the chunks are about."""
    Chunk.objects.bulk_create(chunks)
    ImportJob.objects.filter(pk=job_id).update(open_chunks=F("open_chunks") + len(chunks))


def end(lease: Lease, *, worker: Worker, answers: bytes = b"", **progress: Any) -> None:
    """The barrier: last statement of the transaction that holds the chunk's results.

    The lease's epoch is compared and set, the job's count of open chunks goes down, and who reaches 0 moves the job
    on. `progress` are fields of the job. Raises LostLease, whereupon the caller's transaction rolls everything back.
    """
    lease.fence()
    ended: dict[str, Any] = {"leased_until": None, "owner": "", "entries": b"", "answers": answers}
    try:
        move_to(Chunk(pk=lease.pk), ChunkStatus.DONE, who=SYSTEM, now=worker.now(), quiet=True, **ended)
    except StaleTransition as error:
        raise LostLease from error
    ImportJob.objects.filter(pk=lease.job_id).update(open_chunks=F("open_chunks") - 1, **progress)
    on_barrier(lease.job_id, worker=worker)


def on_barrier(job_id: int, *, worker: Worker) -> None:
    """Called with the job's row locked by an update of the same transaction, so exactly one caller sees the 0."""
    job = ImportJob.objects.get(pk=job_id)
    if job.open_chunks or not job.scan_done:
        return
    following = {
        JobStatus.SCANNING: JobStatus.PLANNING,
        JobStatus.EXTRACTING: JobStatus.PLANNING,
        JobStatus.TRANSFERRING: JobStatus.FINISHING,
    }.get(JobStatus(job.status))
    if following:
        move_to(job, following, who=SYSTEM, now=worker.now())
    elif job.status == JobStatus.PLANNING:
        ImportJob.objects.filter(pk=job_id).update(compare_done=True)
    elif job.status == JobStatus.PAUSED:
        _after_the_pause(job)
    transaction.on_commit(lambda: worker.wake(job_id, 1))


def _after_the_pause(job: ImportJob) -> None:
    """A chunk that was under way when the job paused may be the last of its stage."""
    following = {
        JobStatus.SCANNING: JobStatus.PLANNING,
        JobStatus.EXTRACTING: JobStatus.PLANNING,
        JobStatus.TRANSFERRING: JobStatus.FINISHING,
    }.get(JobStatus(job.paused_from))
    if following:
        ImportJob.objects.filter(pk=job.pk).update(paused_from=following)
    else:
        ImportJob.objects.filter(pk=job.pk).update(compare_done=True)


def sliced(job_id: int, work: Work, rows: Iterable[tuple[int, int, int]]) -> Iterator[Chunk]:
    """Placements given as (id, first seq, bytes) in chunks of about SLICE_BYTES."""
    part: list[int] = []
    first = size = 0
    for pk, seq, weight in rows:
        if part and (size + weight > SLICE_BYTES or len(part) >= SLICE_COUNT):
            yield _slice(job_id, work, part, first, size)
            part, size = [], 0
        first = first if part else seq
        part.append(pk)
        size += weight
    if part:
        yield _slice(job_id, work, part, first, size)


def _slice(job_id: int, work: Work, part: list[int], first: int, size: int) -> Chunk:
    return Chunk(job_id=job_id, work=work, first_seq=first, count=len(part), bytes=size, entries=packed(part))


def split(chunk: Chunk, lease: Lease, *, worker: Worker) -> None:
    """A chunk that killed its workers is cut in ten, so that the file that kills is found in few steps."""
    smaller = list(_smaller(chunk))
    with transaction.atomic():
        if not lease.held().filter(status=ChunkStatus.OPEN).update(leased_until=None, owner="", entries=b""):
            raise LostLease
        try:
            detail = f"chunk {chunk.pk} killed its worker {chunk.kills} times: split in {len(smaller)}"
            move_to(chunk, ChunkStatus.SPLIT, who=SYSTEM, now=worker.now(), detail=detail, quiet=True)
        except StaleTransition as error:
            raise LostLease from error
        Chunk.objects.bulk_create(smaller)
        ImportJob.objects.filter(pk=chunk.job_id).update(open_chunks=F("open_chunks") + len(smaller) - 1)


def _smaller(chunk: Chunk) -> Iterator[Chunk]:
    entries = unpacked(chunk.entries)
    weights, step = _weights(chunk, entries), max(1, -(-len(entries) // SPLIT_IN))
    for start in range(0, len(entries), step):
        part = entries[start : start + step]
        yield Chunk(
            job_id=chunk.job_id,
            work=chunk.work,
            first_seq=chunk.first_seq + start if chunk.work == Work.EXTRACT else chunk.first_seq,
            count=len(part),
            bytes=sum(weights[start : start + step]),
            entries=packed(part),
        )


def _weights(chunk: Chunk, entries: list[Any]) -> list[int]:
    """The bytes of each entry."""
    if chunk.work == Work.EXTRACT:
        return [entry.size for entry in from_blob(chunk.entries)]
    sizes = dict(Placement.objects.filter(pk__in=entries).values_list("pk", "bytes"))
    return [sizes.get(pk, 0) for pk in entries]
