"""One step of one job, whatever it is that the job needs next. Workers call it until there is nothing to do."""

import logging
from collections.abc import Callable
from datetime import timedelta
from enum import Enum, auto

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F, Q

from importer.core.folder import SourceAway
from importer.core.states import FINAL, ChunkStatus, JobStatus, Work
from importer.models import Chunk, ImportJob, StaleTransition, move_to
from importer.pipeline import chunks, intents, leases, removal
from importer.pipeline.chunks import SYSTEM
from importer.pipeline.compare import compare
from importer.pipeline.extract import extract, poison
from importer.pipeline.faults import described
from importer.pipeline.finish import NotConserved, finish, finish_cancelled
from importer.pipeline.leases import Lease, LostLease, Stopped
from importer.pipeline.plan import plan
from importer.pipeline.scan import scan
from importer.pipeline.spoiled import poison_placement
from importer.pipeline.transfer import transfer
from importer.pipeline.worker import Worker
from storages.errors import PlaceError

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 5
LONGEST_PAUSE_SECONDS = 300
# So many slices are tried before one that others are faster at is left to them.
AHEAD = 64

WORK: dict[str, Callable[..., None]] = {Work.EXTRACT: extract, Work.COMPARE: compare, Work.TRANSFER: transfer}
# What one worker does for the whole job, once its chunks are done.
STAGES: dict[str, Callable[..., bool | None]] = {
    JobStatus.PLANNING: plan,
    JobStatus.FINISHING: finish,
    JobStatus.CANCELLING: finish_cancelled,
}


class Step(Enum):
    """DID: there may be more. IDLE: others are at it, or it is paused. ENDED: nothing is left to do."""

    DID = auto()
    IDLE = auto()
    ENDED = auto()


def advance(job_id: int, *, worker: Worker) -> Step:
    """Does one step. A broken world pauses the job; a fault of ours ends it as failed, with the reason."""
    job = ImportJob.objects.select_related("project__group", "storage").filter(pk=job_id).first()
    if job is not None and removal.due(job):
        return _remove(job, worker)
    if job is None or job.status in FINAL or job.status == JobStatus.PLANNED:
        return Step.ENDED
    try:
        return _step(job, worker)
    except (SourceAway, PlaceError) as error:
        pause(job, str(error), worker=worker)
    except (LostLease, Stopped, StaleTransition) as error:
        log.info("job=%s gave way: %s", job_id, type(error).__name__)
    return Step.DID


def _remove(job: ImportJob, worker: Worker) -> Step:
    """After the end of the import, whose result it never changes. What is away now is tried again by the sweeper."""
    lease = leases.take(job, worker)
    if lease is None:
        return Step.ENDED
    with leases.kept(lease, worker):
        try:
            removal.remove_sources(job, lease, worker=worker)
        except (SourceAway, PlaceError, LostLease, Stopped) as error:
            log.info("job=%s keeps its source for now: %s", job.pk, type(error).__name__)
    return Step.ENDED


def _step(job: ImportJob, worker: Worker) -> Step:
    if job.status == JobStatus.PAUSED:
        return _resume(job, worker)
    if job.status in {JobStatus.PENDING, JobStatus.SCANNING}:
        return _scanning(job, worker)
    if job.status != JobStatus.CANCELLING and _chunk(job, worker):
        return Step.DID
    stage = STAGES.get(JobStatus(job.status))
    if stage is None or (job.status == JobStatus.PLANNING and job.open_chunks):
        return Step.IDLE
    return _with_job(job, worker, stage)


def _scanning(job: ImportJob, worker: Worker) -> Step:
    """Who gets the job's lease lists names, the others read the headers of what is listed already."""
    if _with_job(job, worker, _scan) is Step.DID:
        return Step.DID
    return Step.DID if _chunk(job, worker) else Step.IDLE


def _scan(job: ImportJob, lease: Lease, *, worker: Worker) -> None:
    if job.status == JobStatus.PENDING:
        move_to(job, JobStatus.SCANNING, who=SYSTEM, now=worker.now(), started_at=worker.now())
    scan(job, lease, worker=worker)


def _with_job(job: ImportJob, worker: Worker, stage: Callable[..., bool | None]) -> Step:
    looked_at = {job.status, JobStatus.SCANNING} if job.status == JobStatus.PENDING else {job.status}
    lease = leases.take(job, worker)
    if lease is None:
        return Step.IDLE
    with leases.kept(lease, worker):
        job.refresh_from_db()
        if job.status not in looked_at:
            # Between the look and the lease another worker did this stage: doing it twice would spoil the next one.
            return Step.DID
        try:
            return Step.IDLE if stage(job, lease, worker=worker) is False else Step.DID
        except (SourceAway, PlaceError, LostLease, Stopped, StaleTransition, OperationalError, InterfaceError):
            raise
        except Exception as error:  # noqa: BLE001
            # A fault of ours in a stage that no file can be blamed for: the job ends with it, nothing is hidden.
            log.error("job=%s broke: %s", job.pk, described(error))
            fail(job, error, worker=worker)
            return Step.DID


def _chunk(job: ImportJob, worker: Worker) -> bool:
    """Takes the next open chunk, if there is one that nobody has."""
    waiting = Chunk.objects.filter(leases.free(worker.now()), job=job, status=ChunkStatus.OPEN).order_by("id")
    # The entries are read by who gets the lease: as they are then, and not for all that are looked at.
    for chunk in waiting.defer("entries", "answers")[:AHEAD]:
        lease = leases.take(chunk, worker)
        if lease is not None:
            with leases.kept(lease, worker):
                _guarded(job, chunk, lease, worker)
            return True
    return False


def _guarded(job: ImportJob, chunk: Chunk, lease: Lease, worker: Worker) -> None:
    """A fault of ours counts like a kill, so the file that provokes it is found and the others go on."""
    try:
        _work(job, chunk, lease, worker)
    except (SourceAway, PlaceError, LostLease, Stopped, StaleTransition, OperationalError, InterfaceError):
        raise
    except Exception as error:  # noqa: BLE001
        log.error("job=%s chunk=%s broke: %s", job.pk, chunk.pk, described(error))
        lease.held().update(kills=F("kills") + 1)
        if chunk.kills + 1 >= leases.KILLS_BEFORE_HOPELESS:
            fail(job, error, worker=worker)


def _work(job: ImportJob, chunk: Chunk, lease: Lease, worker: Worker) -> None:
    if chunk.work == Work.TRANSFER:
        # Whatever comes next, even a split: who worked on it before may have been killed with bytes named.
        intents.drop_unspoken(chunk.pk)
    if chunk.kills >= leases.KILLS_BEFORE_SPLIT and chunk.count > 1:
        chunks.split(chunk, lease, worker=worker)
    elif chunk.kills >= leases.KILLS_BEFORE_POISON:
        poisoned = poison if chunk.work == Work.EXTRACT else poison_placement
        poisoned(job, chunk, lease, worker=worker)
    else:
        WORK[chunk.work](job, chunk, lease, worker=worker)


def pause(job: ImportJob, reason: str, *, worker: Worker) -> None:
    """Goes on by itself: after 5 s, then twice as long each time, at most 5 minutes."""
    job.refresh_from_db(fields=["pauses"])
    wait = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(job.pauses, 10))
    try:
        move_to(
            job,
            JobStatus.PAUSED,
            who=SYSTEM,
            now=worker.now(),
            detail=reason,
            # As the database has it now: another worker may have moved the job on since it was read.
            paused_from=F("status"),
            pause_reason=reason,
            pauses=job.pauses + 1,
            next_attempt_at=worker.now() + timedelta(seconds=wait),
        )
    except StaleTransition:
        log.info("job=%s is paused or ended already", job.pk)
    job.refresh_from_db()


def _resume(job: ImportJob, worker: Worker) -> Step:
    if job.next_attempt_at is not None and job.next_attempt_at > worker.now():
        return Step.IDLE
    move_to(job, job.paused_from, who=SYSTEM, now=worker.now(), detail="tries again", next_attempt_at=None)
    worker.wake(job.pk, job.open_chunks)
    return Step.DID


def fail(job: ImportJob, error: Exception, *, worker: Worker) -> None:
    """By way of cancelling, so that every file that was found has its row; at once where just that is broken."""
    said = str(error) if isinstance(error, NotConserved) else type(error).__name__
    reason, now = f"Internal error: {said}", worker.now()
    if job.status == JobStatus.CANCELLING or isinstance(error, NotConserved):
        move_to(job, JobStatus.FAILED, who=SYSTEM, now=now, detail=reason, error=reason, finished_at=now)
    else:
        move_to(job, JobStatus.CANCELLING, who=SYSTEM, now=now, detail=reason, error=reason)


def live_jobs() -> list[int]:
    """Jobs that are neither ended nor waiting for an approval, and those whose source is to go, oldest first."""
    over = Q(status__in=sorted(FINAL)) | Q(status=JobStatus.PLANNED)
    live = ImportJob.objects.filter(~over | removal.DUE)
    return list(live.order_by("id").values_list("id", flat=True))


def ask_to_cancel(job: ImportJob, *, who: str, worker: Worker) -> None:
    """Running slices end whole, queued ones are dropped, then the job is cancelled."""
    with transaction.atomic():
        move_to(job, JobStatus.CANCELLING, who=who, now=worker.now(), next_attempt_at=None)
        transaction.on_commit(lambda: worker.wake(job.pk, 1))
