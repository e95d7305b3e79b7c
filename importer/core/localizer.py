"""Which instances of a series are its localizer: those that differ from the rest in two of orientation, position
and size (as black-box runs of the reference show it: flywheel.md, b.4).

Instances of one orientation and size are a *kind*. What is kept of each is small whatever the number of instances,
but for the places of its instances in the source's order; it can be merged in any grouping, and is JSON.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from importer.core.labels import split_extension
from importer.core.records import Header
from importer.core.suffixes import MOST_NAME

SUFFIX = "_localizer"
KEYWORDS = frozenset({"ImageOrientationPatient", "ImagePositionPatient"})
# The reference leaves series of fewer instances alone.
FEWEST = 8
# Images that turn around an axis have as many orientations as images: none of them is an outlier.
MOST_KINDS = 32
TWO = 2
# How many steps of the others an outlier lies away from them at least.
STEPS = 2
# Directions are compared to two digits: about half a degree.
DIGITS = 2
_MOST_MM = 1e7
_DIRECTIONS, _AXES = 6, 3


@dataclass(frozen=True, slots=True)
class Geometry:
    """Empty, or None, where the header does not say. `position` is in mm."""

    orientation: str = ""
    size: str = ""
    position: tuple[float, ...] | None = None


@dataclass(slots=True)
class Kind:
    """`low` and `high` are the corners of the box that holds its positions, of which there are `placed`."""

    orientation: str
    size: str
    count: int = 0
    placed: int = 0
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)

    def add(self, count: int, placed: int, low: list[float], high: list[float]) -> None:
        self.count += count
        if placed:
            self.low = [min(pair) for pair in zip(self.low, low, strict=True)] if self.placed else list(low)
            self.high = [max(pair) for pair in zip(self.high, high, strict=True)] if self.placed else list(high)
            self.placed += placed


@dataclass(slots=True)
class Kinds:
    """By `orientation;size`. `runs` are places in the source's order without a gap: [first, last]."""

    kinds: dict[str, Kind] = field(default_factory=dict)
    runs: dict[str, list[list[int]]] = field(default_factory=dict)
    too_many: bool = False

    def to_json(self) -> dict[str, Any]:
        rows = {key: [kind.count, kind.placed, kind.low, kind.high] for key, kind in self.kinds.items()}
        return {"kinds": rows, "runs": self.runs, "too_many": self.too_many}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        made = cls(runs=data["runs"], too_many=data["too_many"])
        for key, row in data["kinds"].items():
            made.kinds[key] = _kind(key)
            made.kinds[key].add(*row)
        return made


def geometry_of(header: Header) -> Geometry:
    directions = _numbers(header.get("ImageOrientationPatient"), _DIRECTIONS)
    position = _numbers(header.get("ImagePositionPatient"), _AXES)
    # Without a sign: -0.0 and 0.0 are one direction.
    orientation = ",".join(f"{round(one, DIGITS) + 0.0:g}" for one in directions or ())
    rows, columns = header.get("Rows"), header.get("Columns")
    return Geometry(orientation, f"{rows}x{columns}" if rows and columns else "", position)


def localizer_name(name: str) -> str:
    """Of the localizer's archive, from that of its series: `3 - t1_localizer.dicom.zip`."""
    stem, extension = split_extension(name)
    return stem[: MOST_NAME - len(SUFFIX) - len(extension)] + SUFFIX + extension


def base_of(name: str) -> str:
    """The name that `localizer_name` was given, unless that was cut; empty where it is no localizer's."""
    stem, extension = split_extension(name)
    return stem.removesuffix(SUFFIX) + extension if stem.endswith(SUFFIX) else ""


def gather(found: Iterable[tuple[int, Geometry]]) -> Kinds:
    """Each comes with its place in the source's order, which no two share, in that order."""
    made = Kinds()
    for seq, one in found:
        key = f"{one.orientation};{one.size}"
        kind = made.kinds.setdefault(key, _kind(key))
        position = list(one.position or ())
        kind.add(1, 1 if position else 0, position, position)
        runs = made.runs.setdefault(key, [])
        if runs and runs[-1][1] == seq - 1:
            runs[-1][1] = seq
        else:
            runs.append([seq, seq])
    return _bounded(made)


def merge(parts: Iterable[Kinds]) -> Kinds:
    """What all of them know, without `runs`."""
    made = Kinds()
    for part in parts:
        made.too_many |= part.too_many
        for key, kind in part.kinds.items():
            made.kinds.setdefault(key, _kind(key)).add(kind.count, kind.placed, kind.low, kind.high)
        made = _bounded(made)
    return made


def outliers(found: Kinds) -> frozenset[str]:
    """The kinds that are the localizer; none where nothing is the rule that they could be the exception of."""
    kinds = list(found.kinds.values())
    total = sum(kind.count for kind in kinds)
    if found.too_many or total < FEWEST:
        return frozenset()
    orientation = _most((kind.orientation, kind.count) for kind in kinds)
    size = _most((kind.size, kind.count) for kind in kinds)
    body = found.kinds.get(f"{orientation};{size}")
    if body is None or 2 * body.count <= total:
        return frozenset()
    return frozenset(key for key, kind in found.kinds.items() if _differs(kind, body) >= TWO)


def runs_of(part: Kinds, keys: frozenset[str]) -> Iterator[tuple[int, int]]:
    """Places in the source's order of these kinds' instances, first and last of each run."""
    return ((first, last) for key in keys for first, last in part.runs.get(key, ()))


def _kind(key: str) -> Kind:
    orientation, _, size = key.partition(";")
    return Kind(orientation, size)


def _bounded(made: Kinds) -> Kinds:
    """More kinds in a part are more kinds in the whole: the answer does not depend on who merged what first."""
    return Kinds(too_many=True) if made.too_many or len(made.kinds) > MOST_KINDS else made


def _numbers(text: str, count: int) -> tuple[float, ...] | None:
    try:
        found = tuple(float(part) for part in text.split("\\"))
    except ValueError:
        return None
    sane = len(found) == count and all(math.isfinite(one) and abs(one) < _MOST_MM for one in found)
    return found if sane else None


def _most(counted: Iterable[tuple[str, int]]) -> str:
    times: dict[str, int] = {}
    for value, count in counted:
        if value:
            times[value] = times.get(value, 0) + count
    return max(sorted(times), key=times.__getitem__, default="")


def _differs(kind: Kind, body: Kind) -> int:
    """In how many of the three. An instance whose header does not say differs in nothing."""
    if not kind.orientation or not kind.size:
        return 0
    return (kind.orientation != body.orientation) + (kind.size != body.size) + _far(kind, body)


def _far(kind: Kind, body: Kind) -> bool:
    """All of it lies beside all of the body, along one of the axes."""
    if not kind.placed or body.placed < TWO:
        return False
    room = STEPS * math.dist(body.low, body.high) / (body.placed - 1)
    sides = zip(kind.low, kind.high, body.low, body.high, strict=True)
    return any(low > body_high + room or high < body_low - room for low, high, body_low, body_high in sides)
