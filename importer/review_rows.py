"""How many instances of a waiting series the stored archive lacks, for a page of rows."""

from collections.abc import Sequence

from django.db.models import F

from hierarchy.models import Manifest
from importer.core.states import ConflictType, Level, PlacementKind
from importer.models import Conflict
from importer.review_offers import lacking_instances

# Instances of one series up to which the manifests are compared for a list; the page of one conflict always does.
FEW = 1000


def lacking_of(conflicts: Sequence[Conflict]) -> dict[int, int]:
    """Conflict → instances; only where there is something to compare. Two queries."""
    files = {one.pk: file for one in conflicts if _growing(one) and (file := file_id(one)) is not None}
    if not files:
        return {}
    current = Manifest.objects.filter(
        version__file__in=files.values(), version__number=F("version__file__version"), version__members__lte=FEW
    )
    stored = dict(current.values_list("version__file", "lines"))
    held = dict(Conflict.objects.filter(pk__in=files).values_list("pk", "manifest"))
    found = {}
    for one in conflicts:
        if one.pk in files and files[one.pk] in stored:
            one.manifest = held[one.pk]
            found[one.pk] = lacking_instances(one, stored[files[one.pk]]) or 0
    return found


def file_id(conflict: Conflict) -> int | None:
    """Of the stored file that it clashes with."""
    named = (c["id"] for c in conflict.candidates if c.get("level") == Level.FILE and c.get("id") is not None)
    return next(named, None)


def _growing(conflict: Conflict) -> bool:
    series = conflict.placement.kind == PlacementKind.SERIES and conflict.type == ConflictType.FILE_NAME
    return series and conflict.placement.count <= FEW
