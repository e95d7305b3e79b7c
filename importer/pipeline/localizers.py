"""PLAN, before anything is settled: the localizer of a series becomes a Placement of its own beside the series.

It has what the whole series said, so both settle alike; only what they hold and their names differ.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

from django.db import transaction
from django.db.models import Count, Min, Q, Sum

from importer.core.localizer import SUFFIX, Kinds, localizer_name, merge, outliers, runs_of
from importer.core.states import PlacementKind
from importer.models import Contribution, ImportJob, Item, Placement
from importer.pipeline import merging
from importer.pipeline.chunks import unpacked
from importer.pipeline.leases import Lease
from importer.pipeline.pages import in_pages
from importer.pipeline.stored_parts import Parts, stored_parts

# Conditions that one query may hold.
RANGES = 200


def split_localizers(job: ImportJob, lease: Lease) -> None:
    """Writes the same rows however often it runs. Raises LostLease or Stopped."""
    for page in in_pages(Placement.objects.filter(job=job, kind=PlacementKind.SERIES, localizer=False)):
        lease.check()
        found = dict.fromkeys((placement.pk for placement in page), frozenset[str]()) | _outliers(page)
        stored = stored_parts(job.project, page, odd={pk for pk, odd in found.items() if odd})
        for placement in page:
            parts = stored.get(placement.pk, Parts())
            if found[placement.pk] or parts.localizer:
                _split(placement, found[placement.pk], parts)


def own_sums(page: Sequence[Placement], found: Mapping[int, merging.Sum]) -> dict[int, merging.Sum]:
    """Of series that were split: how much of what the whole series has is in which part."""
    parts = {key_of(one): one.pk for one in page if not one.localizer}
    split = Placement.objects.filter(job__in={one.job_id for one in page}, key__in=parts, localizer=True)
    ids = {parts[key] for key in split.values_list("key", flat=True)} | {one.pk for one in page if one.localizer}
    counted = Item.objects.filter(placement__in=ids).order_by().values_list("placement")
    rows = counted.annotate(count=Count("id"), bytes=Sum("size"), first=Min("seq"))
    own = {pk: replace(found[pk], count=count, bytes=size, first_seq=first) for pk, count, size, first in rows}
    return {**found, **own}


def key_of(placement: Placement) -> str:
    """Of the localizer of this series."""
    return hashlib.sha256(f"{placement.key}{SUFFIX}".encode()).hexdigest()


def _outliers(page: Sequence[Placement]) -> dict[int, frozenset[str]]:
    """One query."""
    parts = groupby(_shapes(page), key=itemgetter(0))
    return {pk: outliers(merge(kinds for _, kinds in of)) for pk, of in parts}


def _shapes(page: Sequence[Placement]) -> Iterator[tuple[int, Kinds]]:
    """One contribution in memory at a time, all of one Placement side by side."""
    said = Contribution.objects.filter(placement__in=page).order_by("placement", "first_seq")
    for pk, blob in said.values_list("placement_id", "said").iterator(chunk_size=100):
        shapes = unpacked(blob).get("shapes")
        if shapes is not None:
            yield pk, Kinds.from_json(shapes)


def _split(placement: Placement, odd: frozenset[str], stored: Parts) -> None:
    with transaction.atomic():
        localizer = _made(placement)
        items = Item.objects.filter(placement=placement)
        for page in _slices(sorted(run for _, part in _shapes([placement]) for run in runs_of(part, odd))):
            within = Q()
            for first, last in page:
                within |= Q(seq__gte=first, seq__lte=last)
            items.filter(within).update(placement=localizer)
        # What is stored stays where it is stored.
        for uids in _slices(sorted(stored.series)):
            Item.objects.filter(placement=localizer, sop_uid__in=uids).update(placement=placement)
        for uids in _slices(sorted(stored.localizer)):
            items.filter(sop_uid__in=uids).update(placement=localizer)
        _drop_empty(placement, localizer)


def _made(series: Placement) -> Placement:
    """Beside its series: of the same kind, with the same said about it."""
    copied = (
        "job_id",
        "level",
        "subject_label",
        "session_label",
        "session_uid",
        "acquisition_label",
        "acquisition_uid",
    )
    fields = {name: getattr(series, name) for name in (*copied, "first_seq", "rule", "said", "kind")}
    name = localizer_name(series.file_name) if series.file_name else ""
    row = Placement(**fields, key=key_of(series), localizer=True, file_name=name)
    Placement.objects.bulk_create([row], ignore_conflicts=True)
    made = Placement.objects.get(job=series.job_id, key=row.key)
    said = Contribution.objects.filter(placement=series).order_by("first_seq")
    for page in _hundreds(said.values_list("chunk_id", "first_seq", "said").iterator(chunk_size=100)):
        rows = [Contribution(chunk_id=chunk, placement=made, first_seq=first, said=blob) for chunk, first, blob in page]
        Contribution.objects.bulk_create(rows, ignore_conflicts=True)
    return made


def _hundreds(rows: Iterator[Any]) -> Iterator[list[Any]]:
    while page := list(islice(rows, 100)):
        yield page


def _drop_empty(*parts: Placement) -> None:
    for part in parts:
        if not Item.objects.filter(placement=part).exists():
            Placement.objects.filter(pk=part.pk).delete()


def _slices(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (rows[start : start + RANGES] for start in range(0, len(rows), RANGES))
