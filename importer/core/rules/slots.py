"""What paths of one depth have in common: their columns, and the pieces of a column that may be a label."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from importer.core.labels import split_extension
from importer.core.rules.likeness import Role

MOST_PIECES = 5
ENOUGH = 0.95
_SEPARATORS = re.compile(r"[-_ .]+")
_UNDERSCORES = re.compile(r"_+")
_UID = re.compile(r"[0-9]+(?:\.[0-9]+){3,}")
_KEYS = {"sub": Role.SUBJECT, "ses": Role.SESSION}
_KEY = re.compile(r"(sub|ses)-(?=[A-Za-z0-9])")

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Group:
    """Paths of one depth, each as its parts: folders, then the name."""

    rows: tuple[tuple[str, ...], ...]

    @property
    def depth(self) -> int:
        return len(self.rows[0])

    def column(self, number: int) -> list[str]:
        return [row[number] for row in self.rows]


@dataclass(frozen=True, slots=True)
class Slot:
    """A piece of one column. `says` is the role that a key before it names (`sub-`)."""

    column: int
    span: Callable[[str], Span | None]
    says: Role | None = None
    whole: bool = False

    def value(self, row: Sequence[str]) -> str:
        span = self.span(row[self.column])
        return row[self.column][slice(*span)] if span else ""

    def overlaps(self, other: "Slot", row: Sequence[str]) -> bool:
        if self.column != other.column:
            return False
        mine, theirs = self.span(row[self.column]), other.span(row[self.column])
        return mine is None or theirs is None or (mine[0] < theirs[1] and theirs[0] < mine[1])


def grouped(paths: Iterable[str]) -> list[Group]:
    """The largest first; of equal ones the flatter."""
    by_depth: dict[int, list[tuple[str, ...]]] = defaultdict(list)
    for path in paths:
        parts = tuple(path.split("/"))
        by_depth[len(parts)].append(parts)
    made = [Group(tuple(rows)) for rows in by_depth.values()]
    return sorted(made, key=lambda group: (-len(group.rows), group.depth))


def slots(group: Group) -> list[Slot]:
    """From the top folder down to the name."""
    found: list[Slot] = []
    for number in range(group.depth):
        stem = number == group.depth - 1
        values = sorted(set(group.column(number)))[:500]
        found += _whole(number, stem=stem)
        found += _keyed(number, values)
        found += _pieces(number, values, stem=stem)
    return found


def _whole(number: int, *, stem: bool) -> list[Slot]:
    return [Slot(number, _stem if stem else _all, whole=True)]


def _all(text: str) -> Span | None:
    return (0, len(text)) if text else None


def _stem(text: str) -> Span | None:
    return _all(split_extension(text)[0])


def _keyed(number: int, values: list[str]) -> list[Slot]:
    """`sub-01` as a whole folder: what stands behind the key."""
    found = {match.group(1) for value in values if (match := _KEY.match(value))}
    if len(found) != 1 or any(_SEPARATORS.search(value[4:]) for value in values):
        return []
    key = found.pop()
    return [Slot(number, _behind(key), says=_KEYS[key])]


def _behind(key: str) -> Callable[[str], Span | None]:
    return lambda text: (len(key) + 1, len(text)) if text.startswith(f"{key}-") and len(text) > len(key) + 1 else None


def _pieces(number: int, values: list[str], *, stem: bool) -> list[Slot]:
    """The pieces between separators, where nearly all values have as many and the same separators; the last one takes
    all that is left."""
    texts = [split_extension(value)[0] for value in values] if stem else values
    if all(map(_UID.fullmatch, texts)):
        return []
    found = []
    for separator in (_UNDERSCORES, _SEPARATORS):
        count = _common_count(texts, separator)
        for at in range(count if count > 1 else 0):
            span = _piece(separator, at, count, stem=stem)
            found.append(Slot(number, span, _says(texts, separator, at, count)))
    return found


def _common_count(texts: list[str], separator: re.Pattern[str]) -> int:
    """How many pieces can be told apart in nearly all of them, by the same separators."""
    shapes = [tuple(separator.findall(text))[: MOST_PIECES - 1] for text in texts]
    for length in range(MOST_PIECES - 1, 0, -1):
        begun = Counter(shape[:length] for shape in shapes if len(shape) >= length)
        if begun and begun.most_common(1)[0][1] >= ENOUGH * len(texts):
            return length + 1
    return 0


def _says(texts: list[str], separator: re.Pattern[str], at: int, count: int) -> Role | None:
    """Which role a key in front of the piece names (`sub-01_ses-02`), in nearly all texts."""
    found = set()
    for text in texts[:100]:
        span = _span(separator, text, at, count)
        key = _KEY.match(text, *span) if span else None
        found.add(key.group(1) if key else "")
    return _KEYS.get(found.pop()) if len(found) == 1 else None


def _piece(separator: re.Pattern[str], at: int, count: int, *, stem: bool) -> Callable[[str], Span | None]:
    """Without the key in front."""

    def span(text: str) -> Span | None:
        found = _span(separator, split_extension(text)[0] if stem else text, at, count)
        key = _KEY.match(text, *found) if found else None
        return (key.end(), found[1]) if key and found else found

    return span


def _span(separator: re.Pattern[str], text: str, at: int, count: int) -> Span | None:
    """The piece's place: `count` pieces at most, the last with all that is left."""
    starts, ends = [0], []
    for found in separator.finditer(text):
        if len(starts) == count:
            break
        ends.append(found.start())
        starts.append(found.end())
    ends.append(len(text))
    return (starts[at], ends[at]) if at < len(starts) and starts[at] < ends[at] else None
