"""SCAN: the source's names, in order, become chunks for EXTRACT; a killed scan goes on behind its cursor."""

import time
from collections.abc import Iterator
from itertools import islice

from django.db import transaction
from django.db.models import F

from importer.core.names import BETWEEN
from importer.core.records import Entry
from importer.core.states import JobStatus, Outcome, Work
from importer.models import Chunk, ImportJob, Item, move_to
from importer.pipeline import chunks
from importer.pipeline.chunks import SYSTEM
from importer.pipeline.leases import Lease
from importer.pipeline.rules import rules_of
from importer.pipeline.sources import Source, source_of
from importer.pipeline.unpacking import Wanted, go_on, look, unpacked_entries, wanted_by
from importer.pipeline.worker import Worker

CHUNK_ENTRIES = 500
# Chunks written with one cursor: a killed scan walks at most so many entries again.
PER_WRITE = 8
WRITE_AFTER_SECONDS = 0.5


def scan(job: ImportJob, lease: Lease, *, worker: Worker) -> None:
    """Raises SourceAway, LostLease or Stopped."""
    with source_of(job) as source:
        entries = _entries(job, source)
        if job.limit is not None:
            entries = islice(entries, max(0, job.limit - job.discovered))
        _scan(job, lease, entries, worker=worker)
    _done(job, lease, worker=worker)


def _scan(job: ImportJob, lease: Lease, entries: Iterator[Entry], *, worker: Worker) -> None:
    seq, found = job.discovered, []
    since = time.monotonic()
    while part := list(islice(entries, CHUNK_ENTRIES)):
        lease.check()
        found.append(_chunk(job.pk, seq, part))
        seq += len(part)
        if len(found) >= PER_WRITE or time.monotonic() - since > WRITE_AFTER_SECONDS:
            _write(lease, found, part[-1].path, worker=worker)
            found, since = [], time.monotonic()
        cursor = part[-1].path
    if found:
        _write(lease, found, cursor, worker=worker)


def _entries(job: ImportJob, source: Source) -> Iterator[Entry]:
    rules = rules_of(job)
    if job.only_failed:
        return _failed_before(job, source, wanted_by(rules))
    if not rules.archives:
        return source.entries(after=job.scan_cursor)
    return unpacked_entries(source, after=job.scan_cursor, wanted=wanted_by(rules))


def _failed_before(job: ImportJob, source: Source, wanted: Wanted) -> Iterator[Entry]:
    """What failed in the run that is run again, as it is now; what is gone by now is not there to be run again."""
    failed = Item.objects.filter(job=job.rerun_of_id).order_by("seq")
    own = failed.filter(outcome=Outcome.FAILED)
    theirs = failed.filter(outcome__isnull=True, placement__outcome=Outcome.FAILED)
    seen = job.scan_cursor
    for path in (own | theirs).values_list("path", flat=True).iterator(chunk_size=2000):
        if _holds(path, seen):
            yield from go_on(source, path, after=seen, wanted=wanted)
        elif not seen or source.order(path) > source.order(seen):
            yield from look(source, path, wanted=wanted)
            seen = path


def _holds(path: str, seen: str) -> bool:
    """What was seen lies below the folder, or is a member of the archive."""
    above = path.rstrip("/")
    return seen != path and seen.startswith((f"{above}/", f"{above}{BETWEEN}"))


def _chunk(job_id: int, seq: int, part: list[Entry]) -> Chunk:
    size = sum(entry.size for entry in part)
    return Chunk(
        job_id=job_id, work=Work.EXTRACT, first_seq=seq, count=len(part), bytes=size, entries=chunks.to_blob(part)
    )


def _write(lease: Lease, found: list[Chunk], cursor: str, *, worker: Worker) -> None:
    with transaction.atomic():
        lease.fence()
        chunks.add(lease.job_id, found)
        ImportJob.objects.filter(pk=lease.job_id).update(
            scan_cursor=cursor,
            discovered=F("discovered") + sum(chunk.count for chunk in found),
            bytes_found=F("bytes_found") + sum(chunk.bytes for chunk in found),
        )
        transaction.on_commit(lambda: worker.wake(lease.job_id, len(found)))


def _done(job: ImportJob, lease: Lease, *, worker: Worker) -> None:
    with transaction.atomic():
        lease.fence()
        ImportJob.objects.filter(pk=job.pk).update(scan_done=True)
        job.refresh_from_db(fields=["open_chunks", "status"])
        if job.status == JobStatus.SCANNING and job.open_chunks:
            move_to(job, JobStatus.EXTRACTING, who=SYSTEM, now=worker.now())
        else:
            chunks.on_barrier(job.pk, worker=worker)
