"""PLAN, first part: what each Placement is called and where it wants to go, from all that was said about it."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from importer.core.facts import facts
from importer.core.localizer import localizer_name
from importer.core.names import parts_of
from importer.core.records import Bad
from importer.core.rules.model import RuleSet
from importer.core.series import Disagreement, Settled, settle
from importer.core.states import INSTANCE_KINDS, ConflictType, Level, MissingMeta, Outcome, PlacementKind
from importer.core.surroundings import Surroundings
from importer.core.tree import LEVELS
from importer.models import Contribution, ImportJob, Item, Placement, bulk
from importer.pipeline.around import DICOM, surroundings, tell
from importer.pipeline.groups import (
    DICOM_ZIP,
    GROUPED,
    archive_name,
    name_members,
    settle_groups,
    single_instances,
    single_name,
)
from importer.pipeline.known import known_labels
from importer.pipeline.leases import Lease
from importer.pipeline.localizers import own_sums, split_localizers
from importer.pipeline.merging import Sum, sums
from importer.pipeline.pages import in_pages
from importer.pipeline.rules import rules_of

COLUMNS = [
    "kind", "first_seq", "count", "bytes", "level", "subject_label", "session_label", "session_uid",
    "acquisition_label", "acquisition_uid", "file_name", "said", "outcome", "reason", "conflict_level",
    "conflict_type", "candidates",
]  # fmt: skip


DEPTH = {Level.PROJECT: 0, Level.SUBJECT: 1, Level.SESSION: 2, Level.ACQUISITION: 3}
BELOW = {
    Level.SUBJECT: ("subject_label",),
    Level.SESSION: ("session_label", "session_uid"),
    Level.ACQUISITION: ("acquisition_label", "acquisition_uid"),
}


def settle_all(job: ImportJob, lease: Lease) -> None:
    """Writes the same values however often it runs. Raises LostLease or Stopped."""
    _join_the_nameless(job)
    split_localizers(job, lease)
    settle_groups(job, lease)
    around, rules = surroundings(job), rules_of(job)
    for page in in_pages(Placement.objects.filter(DICOM, job=job)):
        lease.check()
        _settle_page(job, page, around, rules)
    for page in in_pages(Placement.objects.filter(job=job, kind=PlacementKind.FILE)):
        lease.check()
        _attach_page(page, around)
    name_members(job, lease)


def _join_the_nameless(job: ImportJob) -> None:
    """What one instance lacks another may give: a series part without PatientID joins its only namesake."""
    of_series = {"kind__in": sorted(INSTANCE_KINDS), "said__has_key": GROUPED, "localizer": False}
    series = Placement.objects.filter(job=job, **of_series)
    nameless = dict(series.filter(subject_label="", count=0).values_list(f"said__{GROUPED}", "id"))
    named: dict[str, list[int]] = {}
    others = series.exclude(subject_label="").values_list(f"said__{GROUPED}", "id")
    for group, pk in others.iterator(chunk_size=2000) if nameless else ():
        if group in nameless:
            named.setdefault(group, []).append(pk)
    for group, namesakes in named.items():
        if len(namesakes) == 1:
            _join(nameless[group], namesakes[0])


def _join(nameless: int, namesake: int) -> None:
    with transaction.atomic():
        Item.objects.filter(placement=nameless).update(placement=namesake)
        Contribution.objects.filter(placement=nameless).update(placement=namesake)
        Placement.objects.filter(pk=nameless).delete()


def _settle_page(job: ImportJob, page: Sequence[Placement], around: Surroundings, rules: RuleSet) -> None:
    found, single = own_sums(page, sums(page)), single_instances(page, rules)
    known = known_labels(job.project, page)
    rows = []
    for placement in page:
        total = found[placement.pk]
        settled = settle(total.said, Level(placement.level))
        _fill(job, placement, total, settled, single=placement.pk in single)
        told = known.get(placement.pk)
        if told is not None:
            placement.subject_label, placement.session_label, placement.acquisition_label = told.over(placement)
        _leave_out_below(placement)
        if isinstance(settled, Disagreement) and _missing(placement) is not None:
            _hold(placement, Level(placement.level), ConflictType.SERIES_LABELS, _disagreement(settled))
        else:
            _check_labels(job, placement, total.folders)
        waits = bool(placement.conflict_type) or placement.outcome is not None
        tell(around, placement, total.folders, waits=waits)
        rows.append(_row(placement))
    with transaction.atomic():
        bulk.update(Placement, COLUMNS, rows)


def _fill(job: ImportJob, placement: Placement, total: Sum, settled: Settled | Disagreement, *, single: bool) -> None:
    placement.first_seq, placement.count, placement.bytes = total.first_seq, total.count, total.bytes
    placement.outcome, placement.reason, placement.candidates = None, "", []
    placement.conflict_level = placement.conflict_type = ""
    if isinstance(settled, Disagreement):
        placement.file_name = placement.file_name or f"{_nameless(placement)}{DICOM_ZIP}"
        return
    placement.subject_label, placement.session_label = settled.subject_label, settled.session_label
    placement.acquisition_label = settled.acquisition_label
    placement.session_uid, placement.acquisition_uid = settled.session_uid, settled.acquisition_uid
    grouped = {GROUPED: placement.said[GROUPED]} if GROUPED in placement.said else {}
    placement.said = {**facts(settled), **grouped}
    if grouped:
        placement.kind = PlacementKind.INSTANCE if single else PlacementKind.SERIES
        named = single_name(job, placement, settled) if single else archive_name(job, placement, settled, DICOM_ZIP)
        placement.file_name = localizer_name(named) if placement.localizer else named


def _nameless(placement: Placement) -> str:
    """A rule may have taken its UIDs away; a name that begins with a dot would be hidden."""
    return placement.acquisition_uid or placement.session_uid or "series"


def _leave_out_below(placement: Placement) -> None:
    """Of the levels below the one that it goes to nothing is said: two files of one name meet there."""
    for level, names in BELOW.items():
        if DEPTH[level] > DEPTH[Level(placement.level)]:
            for name in names:
                setattr(placement, name, "")


def _missing(placement: Placement) -> Level | None:
    """The first level, from the top, down to the one that it goes to, that nobody names."""
    depth = DEPTH[Level(placement.level)]
    return next((level for level in LEVELS[:depth] if not getattr(placement, f"{level}_label")), None)


def _check_labels(job: ImportJob, placement: Placement, folders: Sequence[str]) -> None:
    missing = _missing(placement)
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
    nearest = [part for folder in folders[:10] for part in reversed(parts_of(folder)) if part]
    return list(dict.fromkeys(nearest))[:10]


def _disagreement(found: Disagreement) -> str:
    return f"Labels disagree: the instances of the series give more than one {found.field}"


def _hold(placement: Placement, level: Level, type: ConflictType, reason: str) -> None:  # noqa: A002
    placement.conflict_level, placement.conflict_type, placement.reason = level, type, reason


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
