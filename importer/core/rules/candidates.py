"""Mappings that paths suggest: every sensible way to find subject, session and acquisition in them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product

from importer.core.labels import clean_acquisition_label, clean_label, split_extension
from importer.core.rules import generalised, mappings, slots
from importer.core.rules.generalised import Placed, Reach, Style
from importer.core.rules.judging import Labels, plausible
from importer.core.rules.likeness import ROLES, Role, likeness, serial
from importer.core.rules.patterns import Pattern
from importer.core.rules.problems import Wrong
from importer.core.rules.slots import Group, Slot
from importer.core.states import Level

# Where no path says it: every file gets it, and a person can put a better word there.
FALLBACK = {Role.SESSION: "1", Role.ACQUISITION: "files"}
# What speaks against making one up.
MADE_UP = {Role.SESSION: 0.8, Role.ACQUISITION: 1.5}
_ROLES_OF = {
    Level.PROJECT: (),
    Level.SUBJECT: ROLES[:1],
    Level.SESSION: ROLES[:2],
    Level.ACQUISITION: ROLES,
}
_MOST_ROWS = 200
_MOST_SLOTS = 6
_MOST_CHOICES = 10
_LITTLE = 0.3
_FIELDS = {f"{role}.label": role for role in ROLES}

_SUB, _SES, _ACQ = ROLES
_Line = tuple[bool, Pattern]
_Choice = tuple[Slot | None, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """Lines of one rule. `depths`: how many parts the paths have that it was made from; `bonus`: what speaks for it
    beside what it gives; `said`: in words, where each label comes from."""

    lines: tuple[str, ...]
    defaults: tuple[tuple[Role, str], ...] = ()
    level: Level = Level.ACQUISITION
    depths: tuple[int, ...] = ()
    bonus: float = 0.0
    said: str = ""

    @property
    def roles(self) -> tuple[Role, ...]:
        return _ROLES_OF[self.level]

    @property
    def is_raw(self) -> bool:
        return any(line.endswith("!r") for line in self.lines)

    def joined(self, other: "Candidate") -> "Candidate":
        """With the lines of another one behind its own."""
        lines = tuple(dict.fromkeys((*self.lines, *other.lines)))
        return replace(self, lines=lines, depths=tuple(dict.fromkeys((*self.depths, *other.depths))))

    def reader(self) -> Callable[[str], Labels | None]:
        """From a path to (subject, session, acquisition), None where one is missing. Raises Wrong."""
        made = [_line(mappings.mapping(line, dicom=False)) for line in self.lines]
        return lambda path: self._labels(made, path)

    def _labels(self, made: Sequence[_Line], path: str) -> Labels | None:
        found: dict[Role, str] = {}
        for of_name, pattern in made:
            for capture, text in pattern.read(path.rpartition("/")[2] if of_name else path):
                found.setdefault(_FIELDS[capture.name], text)
        labels = {role: label for role, text in found.items() if (label := cleaned(role, text))}
        for role, text in self.defaults:
            labels.setdefault(role, text)
        complete = all(role in labels for role in self.roles)
        return (labels.get(_SUB, ""), labels.get(_SES, ""), labels.get(_ACQ, "")) if complete else None


def _line(made: mappings.Mapping) -> _Line:
    """Whether it reads the name and not the path, and how."""
    return made.template.fields == ("name",), made.pattern


@lru_cache(maxsize=65_536)
def cleaned(role: Role, text: str) -> str:
    return clean_acquisition_label(text) if role is Role.ACQUISITION else clean_label(text)


def guessed(paths: Sequence[str]) -> Iterator[Candidate]:
    """From the two commonest depths, the likeliest choices in all their reaches."""
    for group in slots.grouped(paths)[:2]:
        for choice, bonus in _choices(group):
            yield from _written(group, choice, bonus)


def _written(group: Group, choice: _Choice, bonus: float) -> Iterator[Candidate]:
    row = next((row for row in group.rows if all(slot is None or slot.value(row) for slot in choice)), None)
    if row is None:
        return
    placed = [_placed(role, slot, row) for role, slot in zip(ROLES, choice, strict=True) if slot is not None]
    defaults = tuple((role, FALLBACK[role]) for role, slot in zip(ROLES, choice, strict=True) if slot is None)
    said = where(placed, row, defaults)
    for reach in Reach:
        lines = generalised.lines(group, row, placed, Style.PLAIN, reach)
        yield Candidate(lines, defaults, depths=(group.depth,), bonus=bonus - _cost(reach), said=said)


def _placed(role: Role, slot: Slot, row: Sequence[str]) -> Placed:
    span = slot.span(row[slot.column])
    start, end = span or (0, 0)
    return Placed(role, slot.column, start, end)


def _cost(reach: Reach) -> float:
    return 0.0 if reach is Reach.EXACT else 0.1 if reach is Reach.BELOW else 0.2


def _choices(group: Group) -> list[tuple[_Choice, float]]:
    """Triples of slots for the three roles, None where a label is made up; the likeliest first."""
    rows = group.rows[:: max(1, len(group.rows) // _MOST_ROWS)][:_MOST_ROWS]
    every = [slot for slot in slots.slots(group) if any(slot.value(row) for row in rows)]
    likely = [_likely(role, every, rows) for role in ROLES]
    found = []
    for choice in product(likely[0], [*likely[1], None], [*likely[2], None]):
        if not _clash(choice, rows[0]):
            bonus = _fits(choice, group)
            found.append((choice, bonus, bonus + plausible([_values(choice, row) for row in rows])))
    found.sort(key=lambda one: -one[2])
    return [(choice, bonus) for choice, bonus, _ in found[:_MOST_CHOICES]]


def _likely(role: Role, every: list[Slot], rows: Sequence[Sequence[str]]) -> list[Slot]:
    def score(slot: Slot) -> float:
        said = 1.0 if slot.says is role else -1.0 if slot.says else 0.0
        return said + likeness(role, [slot.value(row) for row in rows]) + 0.01 * slot.column

    best = sorted(every, key=score, reverse=True)
    whole = [slot for slot in every if slot.whole and slot.column >= len(rows[0]) - len(ROLES) - 1]
    return list(dict.fromkeys([*best[:_MOST_SLOTS], *whole]))


def _clash(choice: _Choice, row: Sequence[str]) -> bool:
    given = [slot for slot in choice if slot is not None]
    return any(one.overlaps(other, row) for at, one in enumerate(given) for other in given[at + 1 :])


def _values(choice: _Choice, row: Sequence[str]) -> Labels:
    subject, session, acquisition = (slot.value(row) if slot else "" for slot in choice)
    return subject, session, acquisition


def _fits(choice: _Choice, group: Group) -> float:
    """Keys in the names, order from the top down, and few columns that nobody asks for."""
    given = [(role, slot) for role, slot in zip(ROLES, choice, strict=True) if slot is not None]
    keys = sum(3.0 if slot.says is role else -3.0 if slot.says else 0.0 for role, slot in given)
    columns = [slot.column for _, slot in given]
    ordered = 1.2 if columns == sorted(columns) else 0.0
    folders = range(group.depth - 1)
    unused = sum(len(set(group.column(at))) > 1 for at in folders if at not in columns)
    near = 0.1 * sum(column == group.depth - 2 - at for at, column in enumerate(reversed(columns)))
    missing = sum(MADE_UP[role] for role in ROLES[1:] if role not in dict(given))
    numbered = sum(slot.column == group.depth - 1 and serial(map(slot.value, group.rows)) for _, slot in given)
    return keys + ordered + near - 0.4 * unused - missing - 2.0 * numbered - 1.5 * _below(given, group)


def _below(given: Sequence[tuple[Role, Slot]], group: Group) -> int:
    """Subjects and sessions in the name, below the folder of the acquisition, without looking like any."""
    name = group.depth - 1
    if any(role is Role.ACQUISITION and slot.column == name for role, slot in given):
        return 0
    return sum(slot.column == name and likeness(role, map(slot.value, group.rows)) < _LITTLE for role, slot in given)


def where(placed: Sequence[Placed], row: Sequence[str], defaults: Sequence[tuple[Role, str]]) -> str:
    """In words: `Subject from folder 1, session from part of folder 2, acquisition from the name`."""
    found = {one.role: _place(one, row) for one in placed}
    said = [f"{role} from {found[role]}" for role in ROLES if role in found]
    said += [f"{role} “{text}” for all" for role, text in defaults]
    text = ", ".join(said) or "files of the project"
    return text[:1].upper() + text[1:]


def _place(one: Placed, row: Sequence[str]) -> str:
    part, is_name = row[one.column], one.column == len(row) - 1
    whole = split_extension(part)[0] if is_name else part
    place = "the name" if is_name else f"folder {one.column + 1}"
    return place if (one.start, one.end) in {(0, len(whole)), (0, len(part))} else f"part of {place}"


@lru_cache(maxsize=8192)
def readable(candidate: Candidate) -> Callable[[str], Labels | None] | None:
    try:
        return candidate.reader()
    except Wrong:
        return None
