"""Which instances of a series are stored in its own archive, and which in its localizer's."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from django.db.models import Q

from hierarchy.models import File, Manifest, Project
from importer.core.localizer import base_of
from importer.core.manifest import from_lines
from importer.models import Placement
from importer.pipeline.groups import DICOM_ZIP


@dataclass(frozen=True, slots=True)
class Parts:
    """SOPInstanceUIDs."""

    series: frozenset[str] = frozenset()
    localizer: frozenset[str] = frozenset()

    def with_more(self, uids: AbstractSet[str], *, localizer: bool) -> "Parts":
        return Parts(self.series | (set() if localizer else uids), self.localizer | (uids if localizer else set()))


def stored_parts(project: Project, page: Sequence[Placement], *, odd: AbstractSet[int]) -> dict[int, Parts]:
    """By Placement, for those of whose series a localizer stands apart, and for those in `odd`: most deliveries cost
    one query, and no archive's list is read."""
    uids = {one.acquisition_uid for one in page} - {""}
    here = Q(~Q(acquisition__uid=""), acquisition__uid__in=uids, acquisition__session__subject__project=project)
    names = _names(here & Q(name__contains="_localizer")) if uids else set()
    apart = {acquisition for acquisition, name in names if base_of(name)}
    asked = apart | ({one.acquisition_uid for one in page if one.pk in odd} - {""})
    parts = _read(here & Q(acquisition__uid__in=asked)) if asked else {}
    return {one.pk: parts[one.acquisition_uid] for one in page if one.acquisition_uid in parts}


def _names(which: Q) -> set[tuple[str, str]]:
    return set(File.objects.filter(which, name__endswith=DICOM_ZIP).values_list("acquisition__uid", "name"))


def _read(which: Q) -> dict[str, Parts]:
    names = _names(which)
    found: dict[str, Parts] = {}
    for file in File.objects.filter(which, name__endswith=DICOM_ZIP).values(
        "pk", "acquisition__uid", "name", "version"
    ):
        uid, name = file["acquisition__uid"], file["name"]
        # A series may be called so itself: a localizer stands beside the archive that it was split from.
        apart = (uid, base_of(name)) in names
        lines = Manifest.objects.filter(version__file=file["pk"], version__number=file["version"])
        for blob in lines.values_list("lines", flat=True):
            uids = {member.name.rsplit(".", 2)[0] for member in from_lines(blob)}
            found[uid] = found.get(uid, Parts()).with_more(uids, localizer=apart)
    return found
