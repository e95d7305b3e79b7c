"""What is packed together: how much there is of it, what the archive is called, and what its members are called."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Count, F, Q

from importer.core.facts import facts
from importer.core.labels import clean_file_name
from importer.core.rules.model import RuleSet
from importer.core.series import FILE_NAME, Settled, settle
from importer.core.states import Level, PlacementKind
from importer.core.suffixes import free_name, suffixed_name
from importer.models import ImportJob, Item, Placement, bulk
from importer.pipeline.leases import Lease
from importer.pipeline.merging import sums
from importer.pipeline.pages import PAGE, in_pages
from importer.pipeline.rules import rule_of, rules_of

COLUMNS = ["kind", "first_seq", "count", "bytes", "file_name", "said"]
DICOM_ZIP, ZIP, DCM = ".dicom.zip", ".zip", ".dcm"
# In `Placement.said`: what makes a series one, its subject left out.
GROUPED = "group"


def archive_name(job: ImportJob, placement: Placement, said: Settled, ending: str) -> str:
    """What its rule calls it, else its acquisition's label, else the label of the level that it goes to.

    A name that is no archive's is the name of its files, unless they all have it.
    """
    named = str(said.extra.get(FILE_NAME) or "")
    if named.lower().endswith(ZIP) or (named and placement.count > 1):
        return clean_file_name(named if named.lower().endswith(ZIP) else f"{named}{ending}")
    return clean_file_name(f"{_label(job, placement, said)}{ending}")


def single_name(job: ImportJob, placement: Placement, said: Settled) -> str:
    """Of a DICOM file that stays by itself because its series has no other."""
    named = str(said.extra.get(FILE_NAME) or "")
    return clean_file_name(named or f"{_label(job, placement, said)}{DCM}")


def _label(job: ImportJob, placement: Placement, said: Settled) -> str:
    labels = {
        Level.PROJECT: [job.project.label],
        Level.SUBJECT: [placement.subject_label],
        Level.SESSION: [placement.session_label],
        Level.ACQUISITION: [placement.acquisition_label, placement.acquisition_uid],
    }[Level(placement.level)]
    above = [placement.session_label, placement.subject_label, job.project.label]
    return next(filter(None, [said.acquisition_label, *labels, *above]))


def settle_groups(job: ImportJob, lease: Lease) -> None:
    """Writes the same values however often it runs. Raises LostLease or Stopped."""
    rules = rules_of(job)
    for page in in_pages(Placement.objects.filter(job=job, kind=PlacementKind.GROUP)):
        lease.check()
        _settle_groups(job, page, rules)


def _settle_groups(job: ImportJob, page: Sequence[Placement], rules: RuleSet) -> None:
    """The labels of a group are those of all of its files: they are part of what makes it one."""
    found = sums(page)
    for placement in page:
        total = found[placement.pk]
        said = settle(total.said, Level.PROJECT)
        assert isinstance(said, Settled)  # noqa: S101  narrows: on no level is nothing to disagree about
        placement.first_seq, placement.count, placement.bytes = total.first_seq, total.count, total.bytes
        placement.said = facts(said)
        placement.file_name = archive_name(job, placement, said, ZIP)
    _leave_alone([one for one in page if one.count == 1 and not rule_of(rules, one.rule).zip_single])
    with transaction.atomic():
        bulk.update(Placement, COLUMNS, [_row(placement) for placement in page])


def _leave_alone(page: Sequence[Placement]) -> None:
    """A group of one that is not to be zipped is the file itself."""
    names = dict(Item.objects.filter(placement__in=page).values_list("placement_id", "member")) if page else {}
    for placement in page:
        placement.kind, placement.file_name = PlacementKind.PLACED, names[placement.pk]


def _row(placement: Placement) -> tuple[Any, ...]:
    return (placement.pk, *(getattr(placement, column) for column in COLUMNS))


def single_instances(page: Sequence[Placement], rules: RuleSet) -> frozenset[int]:
    """Placements of one instance, however often it came, whose rule leaves it as it is. One query at most."""
    asked = [one.pk for one in page if GROUPED in one.said and not rule_of(rules, one.rule).zip_single]
    if not asked:
        return frozenset()
    counted = Item.objects.filter(placement__in=asked).order_by().values("placement")
    single = counted.annotate(instances=Count("sop_uid", distinct=True)).filter(instances=1)
    return frozenset(single.values_list("placement", flat=True))


def name_members(job: ImportJob, lease: Lease) -> None:
    """No two members of an archive have one name. Writes the same values however often it runs.

    A rule names the instances of a series only where it names each of them, and no two alike; else all of that series
    have their default names. Other files of one name get a suffix. Raises LostLease or Stopped.
    """
    rules = rules_of(job).rules
    if any(rule.instance_name for rule in rules):
        for page in _slices(_badly_named(job)):
            lease.check()
            Item.objects.filter(placement__in=page).update(member="")
    if any(rule.zips and not rule.is_dicom for rule in rules):
        for page in _slices(_named_alike(job)):
            lease.check()
            _suffix(page)


def _badly_named(job: ImportJob) -> list[int]:
    items = Item.objects.filter(job=job, placement__kind=PlacementKind.SERIES).order_by()
    partly = items.values("placement").annotate(named=Count("id", filter=~Q(member="")), every=Count("id"))
    partly = partly.filter(named__gt=0, every__gt=F("named"))
    alike = items.exclude(member="").values("placement", "member").annotate(uids=Count("sop_uid", distinct=True))
    alike = alike.filter(uids__gt=1)
    return sorted({*partly.values_list("placement", flat=True), *alike.values_list("placement", flat=True)})


def _named_alike(job: ImportJob) -> list[int]:
    items = Item.objects.filter(job=job, placement__kind=PlacementKind.GROUP).order_by()
    alike = items.values("placement", "member").annotate(times=Count("id")).filter(times__gt=1)
    return sorted({*alike.values_list("placement", flat=True)})


def _slices(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[start : start + PAGE] for start in range(0, len(ids), PAGE))


def _suffix(page: Sequence[int]) -> None:
    """In source order the first keeps its name."""
    taken: dict[int, set[str]] = {}
    again: list[tuple[int, int, str]] = []
    items = Item.objects.filter(placement__in=page).order_by("seq").values_list("id", "placement_id", "member")
    for pk, placement, member in items.iterator(chunk_size=2000):
        names = taken.setdefault(placement, set())
        again += [(pk, placement, member)] if member in names else []
        names.add(member)
    rows = [(pk, _free(member, taken[placement])) for pk, placement, member in again]
    with transaction.atomic():
        bulk.update(Item, ["member"], rows)


def _free(member: str, taken: set[str]) -> str:
    name = free_name(member, taken.__contains__, suffix=suffixed_name)
    taken.add(name)
    return name
