"""Which paths of our places some row speaks of: all else there may go."""

from collections.abc import Collection

from hierarchy.models import FileVersion
from importer.models import Conflict


def in_archive(paths: Collection[str]) -> set[str]:
    """Bytes of our own, and links to what is not ours. Two queries."""
    own = FileVersion.objects.filter(reference=False, path__in=paths).values_list("path", flat=True)
    links = FileVersion.objects.exclude(link="").filter(link__in=paths).values_list("link", flat=True)
    return set(own) | set(links)


def in_quarantine(paths: Collection[str]) -> set[str]:
    return set(Conflict.objects.filter(path__in=paths).values_list("path", flat=True))
