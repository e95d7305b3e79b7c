"""The list of drop folders for the command line."""

from django.db.models import QuerySet

from importer.listing import FILTER_HELP, Fields, Listing, chosen_rows
from watcher.models import DropFolder

__all__ = ["FILTER_HELP", "Listing", "drop_folders"]

_FIELDS = Fields(
    {
        "id": "id",
        "name": "name",
        "path": "path",
        "group": "project__group__name",
        "project": "project__label",
        "enabled": "enabled",
        "completion": "completion",
        "watch_mode": "watch_mode",
        "rule_set": "rule_set",
        "preview": "preview",
    },
    flags=frozenset({"enabled", "preview"}),
)


def drop_folders(chosen: Listing) -> QuerySet[DropFolder]:
    """Raises Refused for a field that there is not, or a value that does not fit it."""
    return chosen_rows(DropFolder.objects.select_related("project__group"), _FIELDS, chosen)
