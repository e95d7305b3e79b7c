"""Which conflicts are meant: filters as commands, pages and the API write them, `<field><op><value>`."""

import re
from collections.abc import Iterable

from django.db.models import Q, QuerySet

from hierarchy.errors import Refused
from importer.core.states import ConflictStatus, ConflictType, Level
from importer.models import Conflict

_FILTER = re.compile(r"(?P<field>[a-z_]+)(?P<op>=~|!=|=)(?P<value>.*)", re.DOTALL)
# Field → its closed set, or None for text and numbers.
FIELDS: dict[str, tuple[str, frozenset[str] | None]] = {
    "id": ("pk", None),
    "type": ("type", frozenset(kind.value for kind in ConflictType)),
    "level": ("level", frozenset(level.value for level in Level)),
    "status": ("status", frozenset(status.value for status in ConflictStatus)),
    "path": ("upload_path", None),
    "container": ("container", None),
    "import": ("job_id", None),
    "project": ("project_id", None),
    "cause": ("cause", None),
    "session_uid": ("placement__session_uid", None),
    "acquisition_uid": ("placement__acquisition_uid", None),
}
NUMBERS = {"id", "import", "project"}


def selected(rows: "QuerySet[Conflict]", filters: Iterable[str]) -> "QuerySet[Conflict]":
    """Every filter must hold. Raises Refused with what is known, for a word that is not."""
    for text in filters:
        rows = rows.filter(condition(text))
    return rows


def condition(text: str) -> Q:
    found = _FILTER.fullmatch(text)
    if found is None:
        raise Refused(f"{text!r} is no filter: write for example type=file_name_already_exists or path=~ST-01.")
    name, op, value = found["field"], found["op"], found["value"]
    if name not in FIELDS:
        raise Refused(f"There is no field {name}: conflicts are filtered by {', '.join(FIELDS)}.")
    column, closed = FIELDS[name]
    _check(name, op, value, closed)
    if op == "=~":
        return Q(**{f"{column}__icontains": value})
    return ~Q(**{column: value}) if op == "!=" else Q(**{column: value})


def _check(name: str, op: str, value: str, closed: frozenset[str] | None) -> None:
    if closed is not None and op != "=~" and value not in closed:
        raise Refused(f"{name} has no value {value!r}: it is one of {', '.join(sorted(closed))}.")
    if name in NUMBERS and (op == "=~" or not value.isdecimal()):
        raise Refused(f"{name} takes a number, with = or !=.")
