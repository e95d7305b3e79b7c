"""Values of destination fields: read from text, cleaned, and put together with what the header says."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from typing import Any, Final, Self

from importer.core import moments
from importer.core.labels import (
    ACQUISITION_LABEL_LENGTH,
    LABEL_LENGTH,
    clean_file_name,
    clean_group_id,
    clean_label,
    clean_text,
)
from importer.core.records import Mapped, Moment
from importer.core.rules import times
from importer.core.rules.fields import PLACE_FIELDS, Kind, destination
from importer.core.rules.patterns import Capture
from importer.core.rules.templates import Value

FILE_NAME: Final = "file.name"
_SEX = {"m": "male", "f": "female", "o": "other", "male": "male", "female": "female", "other": "other"}
_SUBJECT_TYPES = frozenset({"human", "animal", "phantom"})
_TEXT_LENGTH = 255
_LONGEST_INFO = 4096
_MOST_AGE = 2**40
_UID_LENGTH = 64
_LENGTHS = {"acquisition.label": ACQUISITION_LABEL_LENGTH, "file.modality": 16, "file.type": 32}
# Destination field → field of Mapped.
_ATTRIBUTES = {
    "subject.label": "subject_label",
    "subject.firstname": "firstname",
    "subject.lastname": "lastname",
    "subject.sex": "sex",
    "session.label": "session_label",
    "session.uid": "session_uid",
    "session.age": "age_seconds",
    "session.weight": "weight_kg",
    "session.operator": "operator",
    "session.timestamp": "session_time",
    "acquisition.label": "acquisition_label",
    "acquisition.uid": "acquisition_uid",
    "acquisition.timestamp": "acquisition_time",
    "file.modality": "modality",
}
_BY_TIME = {"session.label": "session_label_is_time", "acquisition.label": "acquisition_label_is_time"}
_EMPTY: Mapped = Mapped()
_KINDS: dict[str, Kind] = {}


def loaded(capture: Capture, text: str, *, zone: tzinfo) -> Any:
    """What a captured text says for its field; None where it says nothing that the field could hold."""
    if capture.name.startswith("@"):
        return text
    if capture.time_format:
        found = times.by_format(text, capture.time_format, zone=zone)
        return found if capture.kind is Kind.TIME else found and found.at.isoformat()
    return _load(capture.name, capture.kind, text, zone=zone)


def mapped_of(found: Mapping[str, Any], base: Mapped, *, zone: tzinfo) -> Mapped:
    """`base` (the header's) with every field that rules found over it; an empty text deletes a field."""
    changes: dict[str, Any] = {}
    extra = dict(base.extra)
    for name, value in found.items():
        if name.startswith("@"):
            continue
        if isinstance(value, str):
            value = _load(name, _kind(name), value, zone=zone)  # noqa: PLW2901  the value, read
        attribute = _ATTRIBUTES.get(name)
        if attribute is None:
            extra[name] = value
            continue
        changes[attribute] = getattr(_EMPTY, attribute) if value is None else value
        if name in _BY_TIME:
            changes[_BY_TIME[name]] = False
    kept = {name: value for name, value in extra.items() if value not in (None, "", [])}
    return replace(base, **changes, extra=kept) if changes or kept or extra else base


def said(base: Mapped, name: str) -> bool:
    """Whether the header says this field."""
    attribute = _ATTRIBUTES.get(name)
    return getattr(base, attribute) not in {None, ""} if attribute else name in base.extra


def says_nothing(name: str, text: str) -> bool:
    """Whether a label that a rule gives by itself is empty once it is made safe."""
    return name in PLACE_FIELDS and not _load(name, _kind(name), text, zone=UTC)


def value_of(value: Any) -> Value:
    """For a template: a Moment as its time on the clock, lists with commas."""
    if isinstance(value, Moment):
        return value.at
    if isinstance(value, list):
        return ",".join(map(str, value))
    return value if value is None or isinstance(value, str | int | float) else json.dumps(value)


def dated(text: str, vr: str) -> Value:
    """A DA, TM or DT value as a time, so that a template may format it; as it stands where it is broken."""
    return _Dated(text, vr) if text else text


class _Dated(str):
    """Text that formats as a time where a format asks for one."""

    __slots__ = ("vr",)
    vr: str

    def __new__(cls, text: str, vr: str) -> Self:
        made = super().__new__(cls, text)
        made.vr = vr
        return made

    def __format__(self, spec: str) -> str:
        if "%" not in spec:
            return format(str(self), spec)
        at = self.time()
        return at.strftime(spec) if at else ""

    def time(self) -> datetime | None:
        text, zone = str(self), UTC
        if self.vr == "TM":
            clock = moments.parse_time(text)
            return datetime.combine(datetime(2000, 1, 1), clock) if clock else None  # noqa: DTZ001  a clock alone
        read = moments.from_date_time if self.vr == "DT" else None
        found = read(text, zone=zone) if read else moments.from_date_and_time(text, "", zone=zone)
        return found.at if found else None


def member_name(text: str) -> str:
    """A name inside an archive: one component, never empty."""
    return _file_name(FILE_NAME, text, UTC)


def shown(mapped: Mapped) -> dict[str, object]:
    """Every field that has a value, by its full name, for people."""
    found: dict[str, object] = {}
    for name, attribute in _ATTRIBUTES.items():
        value = getattr(mapped, attribute)
        if value not in {None, ""}:
            found[name] = value.at.isoformat() if isinstance(value, Moment) else value
    return found | mapped.extra


def _kind(name: str) -> Kind:
    kind = _KINDS.get(name)
    if kind is None:
        kind = _KINDS[name] = destination(name).kind
    return kind


def _load(name: str, kind: Kind, text: str, *, zone: tzinfo) -> Any:
    return _LOADERS[kind](name, text, zone) if text else None


def _label(name: str, text: str, _zone: tzinfo) -> str | None:
    if name == "group._id":
        return clean_group_id(text) or None
    return clean_label(text, _LENGTHS.get(name, LABEL_LENGTH)) or None


def _plain(name: str, text: str, _zone: tzinfo) -> str | None:
    if name.endswith(".uid"):
        return clean_label(text, _UID_LENGTH) or None
    return clean_text(text, _LENGTHS.get(name, _TEXT_LENGTH)) or None


def _file_name(_name: str, text: str, _zone: tzinfo) -> str:
    """A broken header may say half a character, which no name can hold."""
    return clean_file_name(text.encode("utf-8", "replace").decode())


def _integer(_name: str, text: str, _zone: tzinfo) -> int | None:
    try:
        found = int(text)
    except ValueError:
        return None
    return found if abs(found) < _MOST_AGE else None


def _real(_name: str, text: str, _zone: tzinfo) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if 0 <= found < _MOST_AGE else None


def _info(_name: str, text: str, _zone: tzinfo) -> Any:
    """JSON where it is JSON (`12`, `true`), else the text."""
    if len(text) > _LONGEST_INFO:
        return clean_text(text, _LONGEST_INFO)
    try:
        return json.loads(text, parse_constant=str)
    except (ValueError, RecursionError):
        return clean_text(text, _LONGEST_INFO)


def _tags(_name: str, text: str, _zone: tzinfo) -> list[str]:
    found = (clean_text(part, _TEXT_LENGTH) for part in text.split(","))
    return list(dict.fromkeys(part for part in found if part))


_LOADERS = {
    Kind.LABEL: _label,
    Kind.NAME: _file_name,
    Kind.TEXT: _plain,
    Kind.SEX: lambda _name, text, _zone: _SEX.get(text.strip().lower()),
    Kind.SUBJECT_TYPE: lambda _name, text, _zone: (
        text.strip().lower() if text.strip().lower() in _SUBJECT_TYPES else None
    ),
    Kind.INTEGER: _integer,
    Kind.NUMBER: _real,
    Kind.TIME: lambda _name, text, zone: times.spelled(text, zone=zone),
    Kind.TAGS: _tags,
    Kind.INFO: _info,
}
