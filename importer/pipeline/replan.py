"""An approved plan is made again before anything moves: what it said is frozen, the sources are looked at, and what
comes out otherwise is asked anew. Every step works in pages and may be killed and repeated."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Count, Q

from importer.core.records import Bad
from importer.core.states import ConflictType, JobStatus, Outcome, PlacementKind
from importer.models import ImportJob, Item, Placement, bulk, move_to
from importer.pipeline.chunks import SYSTEM
from importer.pipeline.decide import DUPLICATE, EXISTS
from importer.pipeline.forecast import DESELECTED, forecast
from importer.pipeline.leases import Lease
from importer.pipeline.pages import in_pages
from importer.pipeline.reading import CHANGED, VANISHED
from importer.pipeline.sources import source_of
from importer.pipeline.worker import Worker

LOOKED_AT_ONCE = 1000
# What the labels or the content of a delivery say by themselves does not change by planning again.
STAYS = (ConflictType.LABEL_MISSING, ConflictType.SERIES_LABELS, ConflictType.INSTANCE_UID)
SAID = ("outcome", "reason", "subject_id", "session_id", "acquisition_id", "file_id", "version")
RESET: dict[str, Any] = {
    "outcome": None, "reason": "", "asks": "", "conflict_level": "", "conflict_type": "", "candidates": [],
    "subject_id": None, "session_id": None, "acquisition_id": None, "file_id": None, "version": None,
    "version_id": None,
}  # fmt: skip
COLUMNS = ["approved", *RESET]

Files = tuple[int, int]


def begin_again(job: ImportJob, lease: Lease) -> None:
    """Everything is as it was when its places were first looked for. Raises LostLease, Stopped or SourceAway."""
    for page in in_pages(Placement.objects.filter(job=job).defer("said")):
        lease.check()
        with transaction.atomic():
            lease.fence()
            _freeze(job, [one for one in page if not _frozen(one, job)])
    _look_again(job, lease)


def _frozen(placement: Placement, job: ImportJob) -> bool:
    return placement.approved is not None and placement.approved["number"] == job.approvals


def _freeze(job: ImportJob, page: Sequence[Placement]) -> None:
    """What the plan said, and the way back to where places are looked for."""
    files = _files(page)
    again = [one.pk for one in page if not one.deselected and not _stays(one)]
    for one in page:
        one.approved = {"number": job.approvals, "changed": False, **_said(one, files)}
        if one.deselected:
            one.outcome, one.reason = Outcome.SKIPPED, DESELECTED
        elif not _stays(one):
            _reset(one)
    bulk.update(Placement, COLUMNS, [_row(one) for one in page])
    Item.objects.filter(placement__in=again, outcome=Outcome.SKIPPED, reason=DUPLICATE).update(outcome=None, reason="")


def _said(placement: Placement, files: Mapping[int, Files]) -> dict[str, Any]:
    good, failed = files.get(placement.pk, (0, 0))
    return {"files": good, "failed": failed, **{name: getattr(placement, name) for name in SAID}}


def _files(page: Sequence[Placement]) -> dict[int, Files]:
    """Placement → source files without an outcome of their own, and failed ones. One query."""
    items = Item.objects.filter(placement__in=[one.pk for one in page]).order_by()
    good, failed = Count("id", filter=Q(outcome=None)), Count("id", filter=Q(outcome=Outcome.FAILED))
    rows = items.values_list("placement").annotate(good=good, failed=failed)
    return {pk: (good, failed) for pk, good, failed in rows}


def _stays(placement: Placement) -> bool:
    if placement.outcome in {Outcome.SKIPPED, Outcome.FAILED}:
        return placement.reason != EXISTS or placement.kind == PlacementKind.KNOWN
    return placement.conflict_type in STAYS


def _reset(placement: Placement) -> None:
    for name, value in RESET.items():
        setattr(placement, name, value)


def _row(placement: Placement) -> tuple[Any, ...]:
    return (placement.pk, *(getattr(placement, column) for column in COLUMNS))


def _look_again(job: ImportJob, lease: Lease) -> None:
    """A look at each source file that would be read, no reading: one that is not as it was listed fails, one that is
    again as it was listed does not any more."""
    with source_of(job) as source:
        for page in _sources(job):
            lease.check()
            found = [(item, _now(bad)) for item, bad in zip(page, source.changed(page), strict=True)]
            rows = [(item.pk, *said) for item, said in found if said != (item.outcome, item.reason)]
            with transaction.atomic():
                lease.fence()
                bulk.update(Item, ["outcome", "reason"], rows)


def _sources(job: ImportJob) -> Iterator[list[Item]]:
    """In the order of the walk, so that each folder is opened once."""
    gone = Q(outcome=Outcome.FAILED, reason__in=[VANISHED.reason, CHANGED.reason])
    read = Q(placement__outcome__isnull=True) | Q(placement__outcome=Outcome.CONFLICT)
    items = Item.objects.filter(Q(outcome__isnull=True) | gone, read, job=job, placement__isnull=False)
    last = -1
    while page := list(items.filter(seq__gt=last).order_by("seq")[:LOOKED_AT_ONCE]):
        yield page
        last = page[-1].seq


def _now(bad: Bad | None) -> tuple[str | None, str]:
    return (str(bad.outcome), bad.reason) if bad else (None, "")


def asked_anew(job: ImportJob, lease: Lease, *, worker: Worker) -> bool:
    """Whether something came out otherwise than it was approved: then the job waits again, and nothing has run."""
    if not job.approvals:
        return False
    _compare(job, lease)
    changed = Placement.objects.filter(job=job, approved__changed=True).count()
    if not changed:
        return False
    _give_back(job, lease)
    with transaction.atomic():
        lease.fence()
        said = f"{changed:,} came out otherwise than approved: nothing was run"
        again: dict[str, Any] = {"dry_run": True, "plan_changed": changed, **forecast(job)}
        move_to(job, JobStatus.PLANNED, who=SYSTEM, now=worker.now(), detail=said, **again)
    return True


def _compare(job: ImportJob, lease: Lease) -> None:
    """Marks each Placement that is not what was approved; what was not there then is one, too."""
    for page in in_pages(Placement.objects.filter(job=job).defer("said", "candidates")):
        lease.check()
        files = _files(page)
        rows = [(one.pk, _compared(job, one, _said(one, files))) for one in page]
        told = {one.pk: one.approved for one in page}
        with transaction.atomic():
            bulk.update(Placement, ["approved"], [(pk, said) for pk, said in rows if said != told[pk]])


def _compared(job: ImportJob, placement: Placement, now: dict[str, Any]) -> dict[str, Any]:
    was = placement.approved or {"number": job.approvals, "files": 0, "failed": 0, **dict.fromkeys(SAID)}
    differs = not placement.deselected and any(was[name] != value for name, value in now.items())
    return {**was, "changed": differs}


def _give_back(job: ImportJob, lease: Lease) -> None:
    """Whoever is asked again may choose again: what is left out says what it would be."""
    left_out = Placement.objects.filter(job=job, deselected=True, outcome=Outcome.SKIPPED, reason=DESELECTED)
    for page in in_pages(left_out):
        lease.check()
        rows = [(one.pk, one.approved["outcome"], one.approved["reason"]) for one in page if one.approved]
        with transaction.atomic():
            lease.fence()
            bulk.update(Placement, ["outcome", "reason"], rows)
