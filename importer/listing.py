"""Lists for the command line: filtered, sorted, and paged by id."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet

from hierarchy.errors import Refused

FILTER_HELP = "FIELD=VALUE for equal, FIELD~TEXT for containing; may be given several times"
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """`after_id` goes on behind a row of the last page, in the order of ids that `sort` says (`-id`: newest first)."""

    filters: tuple[str, ...] = ()
    sort: str = "-id"
    limit: int = 50
    after_id: int | None = None


@dataclass(frozen=True, slots=True)
class Fields:
    """What may be asked for, and where it lies in the database; `flags` are true or false."""

    known: Mapping[str, str]
    flags: frozenset[str] = frozenset()

    def at(self, said: str) -> str:
        if said not in self.known:
            raise Refused(f"There is no field {said!r}: {', '.join(self.known)}.")
        return self.known[said]


def chosen_rows(rows: QuerySet[Row], fields: Fields, chosen: Listing) -> QuerySet[Row]:
    """Raises Refused for a field that there is not, or a value that does not fit it."""
    if chosen.limit < 1:
        raise Refused("--limit takes a number above 0.")
    for said in chosen.filters:
        rows = _filtered(rows, fields, said)
    sign = "-" if chosen.sort.startswith("-") else ""
    rows = rows.order_by(f"{sign}{fields.at(chosen.sort.removeprefix('-'))}", f"{sign}id")
    if chosen.after_id is not None:
        rows = _after(rows, chosen)
    return rows[: chosen.limit]


def _filtered(rows: QuerySet[Row], fields: Fields, said: str) -> QuerySet[Row]:
    equal, contains = said.find("="), said.find("~")
    cut = min((place for place in (equal, contains) if place > 0), default=0)
    if not cut:
        raise Refused(f"{said!r} is no filter: write {FILTER_HELP.partition(';')[0]}.")
    name, value = said[:cut], said[cut + 1 :]
    field = fields.at(name)
    try:
        wanted: Any = _TRUTH[value.lower()] if name in fields.flags else value
        return rows.filter(**{field if said[cut] == "=" else f"{field}__icontains": wanted})
    except (ValueError, KeyError, ValidationError) as error:
        raise Refused(f"{value!r} does not fit {name}.") from error


def _after(rows: QuerySet[Row], chosen: Listing) -> QuerySet[Row]:
    if chosen.sort.removeprefix("-") != "id":
        raise Refused("--after-id goes with --sort id or --sort -id.")
    side = "id__lt" if chosen.sort.startswith("-") else "id__gt"
    return rows.filter(**{side: chosen.after_id})
