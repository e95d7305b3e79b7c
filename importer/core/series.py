"""How the instances of one series agree on where it goes.

A `Said` is what some of the instances said: small whatever their number, mergeable in any grouping, JSON-able.
`settle` then takes the one answer, or names the field on which they disagree.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from importer.core.labels import clean_acquisition_label
from importer.core.records import Mapped, Moment
from importer.core.states import Level

APART_MS = 5 * 3600 * 1000
FILE_NAME = "file.name"
# Two different values are enough to know that they differ.
KEPT = 2

_LABEL_TIME = "%Y-%m-%dT%H-%M-%S"
_NUMBERED = re.compile(r"(-?[0-9]+) - (.+)", re.DOTALL)
# What no field of `Mapped` holds, among `firsts`.
_EXTRA = "extra "
_FIRST = (
    "firstname",
    "lastname",
    "sex",
    "birth_date",
    "age_seconds",
    "weight_kg",
    "operator",
    "accession_number",
    "modality",
)


@dataclass(frozen=True, slots=True)
class Settled:
    """What a whole series says: as `Mapped`, for all of its instances."""

    subject_label: str = ""
    session_label: str = ""
    session_uid: str = ""
    acquisition_label: str = ""
    acquisition_uid: str = ""
    session_label_is_time: bool = False
    acquisition_label_is_time: bool = False
    session_time: Moment | None = None
    acquisition_time: Moment | None = None
    firstname: str = ""
    lastname: str = ""
    sex: str = ""
    birth_date: str = ""
    age_seconds: int | None = None
    weight_kg: float | None = None
    operator: str = ""
    accession_number: str = ""
    modality: str = ""
    # A name for the file (FILE_NAME) only where all give the same.
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Disagreement:
    """The field on which instances differ (`session.label`), with two of the values, where they are texts."""

    field: str
    values: tuple[str, ...] = ()


@dataclass(slots=True)
class Said:
    """`distinct`: the first two different values of a field, each as [first seq, value], in that order.
    `spreads`: [first seq, its value, lowest, highest], the last two in milliseconds since 1970.
    `firsts`: [seq, value] of the first instance that has one, also of what rules say beyond the fields of `Mapped`.
    """

    distinct: dict[str, list[list[Any]]] = field(default_factory=dict)
    spreads: dict[str, list[Any]] = field(default_factory=dict)
    firsts: dict[str, list[Any]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {"distinct": self.distinct, "spreads": self.spreads, "firsts": self.firsts}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        return cls(data["distinct"], data["spreads"], data["firsts"])


def gather(pairs: Iterable[tuple[int, Mapped]]) -> Said:
    """What these instances say; each comes with its place in the source's order, which no two share."""
    said = Said()
    for seq, mapped in pairs:
        _uids(said, seq, mapped)
        _session(said, seq, mapped)
        _acquisition(said, seq, mapped)
        for name in _FIRST:
            _first(said, name, [seq, getattr(mapped, name)])
        _extra(said, seq, mapped)
    return said


def merge(saids: Iterable[Said]) -> Said:
    """What all of them say, in whatever order and grouping they come."""
    merged = Said()
    for said in saids:
        for name, kept in said.distinct.items():
            for pair in kept:
                _distinct(merged, name, pair)
        for name, spread in said.spreads.items():
            _spread(merged, name, spread)
        for name, first in said.firsts.items():
            _first(merged, name, first)
    return merged


def settle(said: Said, level: Level = Level.ACQUISITION) -> Settled | Disagreement:
    """The first value in source order where all agree; moments, and labels made of them, may lie 5 hours apart.

    Below the level that it goes to, instances may differ: what they differ on is left empty there.
    """
    depth = _DEPTHS[level]
    for check in _CHECKS[:depth]:
        if found := check(said):
            return found
    differing = next((n for n, check in enumerate(_CHECKS) if check(said)), len(_CHECKS))
    return _settled(said, differing)


def _uids(said: Said, seq: int, mapped: Mapped) -> None:
    _distinct(said, "subject_label", [seq, mapped.subject_label])
    _distinct(said, "session_uid", [seq, mapped.session_uid])
    _distinct(said, "acquisition_uid", [seq, mapped.acquisition_uid])
    _time(said, "session_time", seq, mapped.session_time)
    _time(said, "acquisition_time", seq, mapped.acquisition_time)


def _session(said: Said, seq: int, mapped: Mapped) -> None:
    label = mapped.session_label
    _label(said, "session_label", [seq, label], is_time=mapped.session_label_is_time, uid=mapped.session_uid)


def _acquisition(said: Said, seq: int, mapped: Mapped) -> None:
    """Its number and its text each on their own: an instance may lack one of them."""
    numbered = _NUMBERED.fullmatch(mapped.acquisition_label)
    number, text = numbered.groups() if numbered else ("", mapped.acquisition_label)
    _distinct(said, "acquisition_number", [seq, number])
    is_time, uid = mapped.acquisition_label_is_time, mapped.acquisition_uid
    _label(said, "acquisition_label", [seq, text], is_time=is_time, uid=uid)


def _extra(said: Said, seq: int, mapped: Mapped) -> None:
    for name, value in mapped.extra.items():
        if name == FILE_NAME:
            _distinct(said, FILE_NAME, [seq, value])
        else:
            _first(said, f"{_EXTRA}{name}", [seq, value])


def _label(said: Said, name: str, pair: list[Any], *, is_time: bool, uid: str) -> None:
    """A label that only stands in for a missing description does not contradict a description."""
    at = _label_ms(pair[1]) if is_time else None
    if at is not None:
        _spread(said, f"{name}_time", [*pair, at, at])
    else:
        _distinct(said, f"{name}_uid" if pair[1] == uid else name, pair)


def _time(said: Said, name: str, seq: int, moment: Moment | None) -> None:
    if moment is not None:
        at = round(moment.at.timestamp() * 1000)
        _spread(said, name, [seq, _written(moment), at, at])


def _distinct(said: Said, name: str, pair: list[Any]) -> None:
    """Keeps the two values that come first. What is dropped can never come back among them."""
    if pair[1] == "":
        return
    kept = said.distinct.get(name, [])
    if any(seq <= pair[0] and value == pair[1] for seq, value in kept):
        return
    others = [one for one in kept if one[1] != pair[1]]
    said.distinct[name] = sorted([*others, pair])[:KEPT]


def _spread(said: Said, name: str, new: list[Any]) -> None:
    old = said.spreads.get(name, new)
    first = old if old[0] <= new[0] else new
    said.spreads[name] = [first[0], first[1], min(old[2], new[2]), max(old[3], new[3])]


def _first(said: Said, name: str, pair: list[Any]) -> None:
    if pair[1] in ("", None):
        return
    old = said.firsts.get(name)
    if old is None or pair[0] < old[0]:
        said.firsts[name] = pair


def _subject_differs(said: Said) -> Disagreement | None:
    return _differs(said, "subject_label", "subject.label")


def _session_differs(said: Said) -> Disagreement | None:
    return (
        _differs(said, "session_uid", "session.uid")
        or _label_differs(said, "session_label", "session.label")
        or _too_far(said, "session_time", "session.timestamp")
    )


def _acquisition_differs(said: Said) -> Disagreement | None:
    return (
        _differs(said, "acquisition_uid", "acquisition.uid")
        or _differs(said, "acquisition_number", "acquisition.label")
        or _label_differs(said, "acquisition_label", "acquisition.label")
        or _too_far(said, "acquisition_time", "acquisition.timestamp")
    )


_CHECKS = (_subject_differs, _session_differs, _acquisition_differs)
_DEPTHS = {Level.PROJECT: 0, Level.SUBJECT: 1, Level.SESSION: 2, Level.ACQUISITION: 3}


def _differs(said: Said, name: str, shown: str) -> Disagreement | None:
    kept = said.distinct.get(name, [])
    return Disagreement(shown, tuple(value for _, value in kept)) if len(kept) > 1 else None


def _too_far(said: Said, name: str, shown: str) -> Disagreement | None:
    spread = said.spreads.get(name)
    return Disagreement(shown) if spread and spread[3] - spread[2] > APART_MS else None


def _label_differs(said: Said, name: str, shown: str) -> Disagreement | None:
    """Only the best kind of label that is there counts."""
    if name in said.distinct:
        return _differs(said, name, shown)
    if f"{name}_time" in said.spreads:
        return _too_far(said, f"{name}_time", shown)
    return _differs(said, f"{name}_uid", shown)


def _settled(said: Said, depth: int) -> Settled:
    """Labels and UIDs of as many levels as are agreed on, from the top."""
    return Settled(
        **_labels(said, depth),
        session_time=_moment(said.spreads.get("session_time", [0, None])[1]),
        acquisition_time=_moment(said.spreads.get("acquisition_time", [0, None])[1]),
        extra=_settled_extra(said),
        **{name: pair[1] for name, pair in said.firsts.items() if not name.startswith(_EXTRA)},
    )


def _settled_extra(said: Said) -> dict[str, Any]:
    found = {name[len(_EXTRA) :]: pair[1] for name, pair in said.firsts.items() if name.startswith(_EXTRA)}
    named = said.distinct.get(FILE_NAME, [])
    return {**found, FILE_NAME: named[0][1]} if len(named) == 1 else found


def _labels(said: Said, depth: int) -> dict[str, Any]:
    number, text = _one(said, "acquisition_number"), _agreed(said, "acquisition_label")
    levels: tuple[dict[str, Any], ...] = (
        {"subject_label": _one(said, "subject_label")},
        {
            "session_label": _agreed(said, "session_label"),
            "session_uid": _one(said, "session_uid"),
            "session_label_is_time": _is_time(said, "session_label"),
        },
        {
            "acquisition_label": clean_acquisition_label(f"{number} - {text}") if number and text else text,
            "acquisition_uid": _one(said, "acquisition_uid"),
            "acquisition_label_is_time": _is_time(said, "acquisition_label"),
        },
    )
    return {name: value for level in levels[:depth] for name, value in level.items()}


def _one(said: Said, name: str) -> str:
    kept = said.distinct.get(name)
    return str(kept[0][1]) if kept else ""


def _agreed(said: Said, name: str) -> str:
    if _is_time(said, name):
        return str(said.spreads[f"{name}_time"][1])
    return _one(said, name) or _one(said, f"{name}_uid")


def _is_time(said: Said, name: str) -> bool:
    return name not in said.distinct and f"{name}_time" in said.spreads


def _label_ms(label: str) -> int | None:
    try:
        return round(datetime.strptime(label, _LABEL_TIME).replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError:
        return None


def _written(moment: Moment) -> list[str]:
    return [moment.at.isoformat(), moment.zone]


def _moment(written: list[str] | None) -> Moment | None:
    return Moment(datetime.fromisoformat(written[0]), written[1]) if written else None
