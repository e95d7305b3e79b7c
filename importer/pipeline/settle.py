"""PLAN, first part: what each Placement is called and where it wants to go, from all that was said about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Q

from importer.core.facts import facts
from importer.core.labels import clean_file_name
from importer.core.records import Bad
from importer.core.series import Disagreement, Said, Settled, merge, settle
from importer.core.states import ConflictType, Level, MissingMeta, Outcome, PlacementKind
from importer.core.surroundings import Surroundings
from importer.models import Contribution, ImportJob, Item, Placement, bulk
from importer.pipeline.chunks import unpacked
from importer.pipeline.leases import Lease
from importer.pipeline.pages import in_pages

COLUMNS = [
    "first_seq", "count", "bytes", "level", "subject_label", "session_label", "session_uid", "acquisition_label",
    "acquisition_uid", "file_name", "said", "outcome", "reason", "conflict_level", "conflict_type", "candidates",
]  # fmt: skip
DICOM = Q(kind__in=[PlacementKind.SERIES, PlacementKind.ARCHIVE])


@dataclass(frozen=True, slots=True)
class Sum:
    """All contributions to one Placement, merged."""

    said: Said
    first_seq: int
    count: int
    bytes: int
    folders: tuple[str, ...]


def settle_all(job: ImportJob, lease: Lease) -> None:
    """Writes the same values however often it runs. Raises LostLease or Stopped."""
    _join_the_nameless(job)
    around = Surroundings()
    for page in in_pages(Placement.objects.filter(DICOM, job=job)):
        lease.check()
        _settle_page(job, page, around)
    for page in in_pages(Placement.objects.filter(job=job, kind=PlacementKind.FILE)):
        lease.check()
        _attach_page(page, around)


def _join_the_nameless(job: ImportJob) -> None:
    """What one instance lacks another may give: a series part without PatientID joins its only namesake."""
    series = Placement.objects.filter(job=job, kind=PlacementKind.SERIES)
    for nameless in series.filter(subject_label="", count=0).order_by("first_seq"):
        named = series.filter(session_uid=nameless.session_uid, acquisition_uid=nameless.acquisition_uid)
        others = list(named.exclude(subject_label="")[:2])
        if len(others) == 1:
            with transaction.atomic():
                Item.objects.filter(placement=nameless).update(placement=others[0])
                Contribution.objects.filter(placement=nameless).update(placement=others[0])
                nameless.delete()


def _settle_page(job: ImportJob, page: Sequence[Placement], around: Surroundings) -> None:
    sums = _sums(page)
    rows = []
    for placement in page:
        total = sums[placement.pk]
        settled = settle(total.said)
        _fill(placement, total, settled)
        if isinstance(settled, Disagreement):
            _hold(placement, Level.ACQUISITION, ConflictType.SERIES_LABELS, _disagreement(settled))
        else:
            _check_labels(job, placement, total.folders)
        _tell(around, placement, total.folders)
        rows.append(_row(placement))
    with transaction.atomic():
        bulk.update(Placement, COLUMNS, rows)


def _sums(page: Sequence[Placement]) -> dict[int, Sum]:
    of: dict[int, list[tuple[int, dict[str, Any]]]] = {placement.pk: [] for placement in page}
    rows = Contribution.objects.filter(placement__in=page).order_by("first_seq")
    for placement_id, first_seq, said in rows.values_list("placement_id", "first_seq", "said"):
        of[placement_id].append((first_seq, unpacked(said)))
    return {pk: _sum(parts) for pk, parts in of.items()}


def _sum(parts: list[tuple[int, dict[str, Any]]]) -> Sum:
    return Sum(
        said=merge([Said.from_json(part["said"]) for _, part in parts]),
        first_seq=parts[0][0],
        count=sum(part["count"] for _, part in parts),
        bytes=sum(part["bytes"] for _, part in parts),
        folders=tuple(sorted({folder for _, part in parts for folder in part["folders"]})),
    )


def _fill(placement: Placement, total: Sum, settled: Settled | Disagreement) -> None:
    placement.first_seq, placement.count, placement.bytes = total.first_seq, total.count, total.bytes
    placement.level = Level.ACQUISITION
    placement.outcome, placement.reason, placement.candidates = None, "", []
    placement.conflict_level = placement.conflict_type = ""
    if isinstance(settled, Disagreement):
        placement.file_name = placement.file_name or f"{placement.acquisition_uid}.dicom.zip"
        return
    placement.subject_label, placement.session_label = settled.subject_label, settled.session_label
    placement.acquisition_label = settled.acquisition_label
    placement.session_uid, placement.acquisition_uid = settled.session_uid, settled.acquisition_uid
    placement.said = facts(settled)
    if placement.kind == PlacementKind.SERIES:
        placement.file_name = clean_file_name(f"{settled.acquisition_label or settled.acquisition_uid}.dicom.zip")


def _check_labels(job: ImportJob, placement: Placement, folders: Sequence[str]) -> None:
    labels = {
        Level.SUBJECT: placement.subject_label,
        Level.SESSION: placement.session_label,
        Level.ACQUISITION: placement.acquisition_label,
    }
    missing = next((level for level, label in labels.items() if not label), None)
    if missing is None:
        return
    reason = f"Missing label: {missing}"
    if job.missing_meta == MissingMeta.HOLD:
        _hold(placement, missing, ConflictType.LABEL_MISSING, reason)
        placement.candidates = [{"suggestion": name} for name in _suggestions(folders)]
    else:
        skipped = job.missing_meta == MissingMeta.SKIP
        placement.outcome, placement.reason = (Outcome.SKIPPED if skipped else Outcome.FAILED), reason


def _suggestions(folders: Sequence[str]) -> list[str]:
    """The names of the folders that it lay in, nearest first, each once."""
    nearest = [part for folder in folders[:10] for part in reversed(folder.split("/")) if part]
    return list(dict.fromkeys(nearest))[:10]


def _disagreement(found: Disagreement) -> str:
    return f"Labels disagree: the instances of the series give more than one {found.field}"


def _hold(placement: Placement, level: Level, type: ConflictType, reason: str) -> None:  # noqa: A002
    placement.conflict_level, placement.conflict_type, placement.reason = level, type, reason


def _tell(around: Surroundings, placement: Placement, folders: Sequence[str]) -> None:
    """A file beside DICOM that waits for a label must not be filed with strangers further up."""
    waits = placement.conflict_type or placement.outcome is not None
    for folder in folders:
        if waits:
            around.add_waiting(folder)
            continue
        around.add(
            folder,
            subject=placement.subject_label,
            session=(placement.session_label, placement.session_uid),
            acquisition=(placement.acquisition_label, placement.acquisition_uid),
        )


def _attach_page(page: Sequence[Placement], around: Surroundings) -> None:
    paths = dict(Item.objects.filter(placement__in=page).values_list("placement_id", "path"))
    for placement in page:
        attach = around.place(paths[placement.pk])
        placement.outcome, placement.reason, placement.level = None, "", Level.PROJECT
        placement.conflict_level = placement.conflict_type = ""
        if isinstance(attach, Bad):
            placement.outcome, placement.reason = attach.outcome, attach.reason
            continue
        placement.level, placement.subject_label = attach.level, attach.subject_label
        placement.session_label, placement.session_uid = attach.session_label, attach.session_uid
        placement.acquisition_label, placement.acquisition_uid = attach.acquisition_label, attach.acquisition_uid
    with transaction.atomic():
        bulk.update(Placement, COLUMNS, [_row(placement) for placement in page])


def _row(placement: Placement) -> tuple[Any, ...]:
    return (placement.pk, *(getattr(placement, column) for column in COLUMNS))
