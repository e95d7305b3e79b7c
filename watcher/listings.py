"""Lists for the command line: filtered, sorted, and paged by id."""

from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from hierarchy.errors import Refused
from watcher.models import DropFolder

FILTER_HELP = "FIELD=VALUE for equal, FIELD~TEXT for containing; may be given several times"

# What may be asked for, and where it lies in the database.
_FIELDS = {
    "id": "id",
    "name": "name",
    "path": "path",
    "group": "project__group__name",
    "project": "project__label",
    "enabled": "enabled",
    "completion": "completion",
    "watch_mode": "watch_mode",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """`after_id` goes on behind a row of the last page, in the order of ids that `sort` says (`-id`: newest first)."""

    filters: tuple[str, ...] = ()
    sort: str = "-id"
    limit: int = 50
    after_id: int | None = None


def drop_folders(chosen: Listing) -> QuerySet[DropFolder]:
    """Raises Refused for a field that there is not, or a value that does not fit it."""
    if chosen.limit < 1:
        raise Refused("--limit takes a number above 0.")
    rows = DropFolder.objects.select_related("project__group")
    for said in chosen.filters:
        rows = _filtered(rows, said)
    rows = rows.order_by(*_order(chosen.sort))
    if chosen.after_id is not None:
        rows = _after(rows, chosen)
    return rows[: chosen.limit]


def _filtered(rows: QuerySet[DropFolder], said: str) -> QuerySet[DropFolder]:
    equal, contains = said.find("="), said.find("~")
    cut = min((place for place in (equal, contains) if place > 0), default=0)
    if not cut:
        raise Refused(f"{said!r} is no filter: write {FILTER_HELP.partition(';')[0]}.")
    field, value = _field(said[:cut]), said[cut + 1 :]
    lookup = field if said[cut] == "=" else f"{field}__icontains"
    try:
        return rows.filter(**{lookup: value.capitalize() if field == "enabled" else value})
    except (ValueError, ValidationError) as error:
        raise Refused(f"{value!r} does not fit {said[:cut]}.") from error


def _order(sort: str) -> tuple[str, str]:
    sign = "-" if sort.startswith("-") else ""
    return f"{sign}{_field(sort.removeprefix('-'))}", f"{sign}id"


def _after(rows: QuerySet[DropFolder], chosen: Listing) -> QuerySet[DropFolder]:
    if chosen.sort.removeprefix("-") != "id":
        raise Refused("--after-id goes with --sort id or --sort -id.")
    side = "id__lt" if chosen.sort.startswith("-") else "id__gt"
    return rows.filter(**{side: chosen.after_id})


def _field(said: str) -> str:
    if said not in _FIELDS:
        raise Refused(f"There is no field {said!r}: {', '.join(_FIELDS)}.")
    return _FIELDS[said]
