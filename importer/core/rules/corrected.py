"""Mappings that give exactly what a person typed for some paths."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product

from importer.core.rules import generalised, slots
from importer.core.rules.candidates import MADE_UP, Candidate, cleaned, readable, where
from importer.core.rules.generalised import Placed, every_way
from importer.core.rules.judging import Labels
from importer.core.rules.likeness import ROLES, Role
from importer.core.rules.slots import Group
from importer.core.states import Level

_LEVELS = (Level.PROJECT, Level.SUBJECT, Level.SESSION, Level.ACQUISITION)
_MOST_PLACES = 6
_MOST_WAYS = 600
_MOST_SETS = 200
# Combinations that are looked at for one more example: about a second's worth.
_MOST_TRIED = 3000


class ProposalError(ValueError):
    """What was typed cannot be, in a sentence for the person who typed it."""


@dataclass(frozen=True, slots=True)
class Example:
    """What a person says of one path. Empty: not there; a file without acquisition lies in its session, and so on."""

    path: str
    subject: str
    session: str
    acquisition: str

    @property
    def labels(self) -> Labels:
        return self.subject, self.session, self.acquisition

    @property
    def level(self) -> Level:
        return _LEVELS[sum(map(bool, self.labels))]


# One candidate for every level that the examples have, from the project down.
Set = tuple[Candidate, ...]


def by_example(paths: Sequence[str], examples: Sequence[Example]) -> list[Set]:
    """Sets of candidates that give every example exactly, the simplest first. Raises ProposalError."""
    for one in examples:
        _checked(one)
    _agreed(examples)
    made_up = _made_up(examples)
    found = _searched(paths, examples, made_up)
    for role, text in _alike(examples).items():
        if role not in made_up:
            found += _searched(paths, examples, made_up | {role: text})
    if not found:
        raise ProposalError(_said(paths, examples, made_up))
    return found


def _searched(paths: Sequence[str], examples: Sequence[Example], made_up: dict[Role, str]) -> list[Set]:
    found: list[Set] = [()]
    for at in range(len(examples)):
        found = _with(found, paths, examples[: at + 1], made_up)
    return found


def _checked(one: Example) -> None:
    given = list(map(bool, one.labels))
    if given != sorted(given, reverse=True):
        missing = ROLES[given.index(False)]
        raise ProposalError(
            f"{one.path}: give a {missing}, too. Where the path does not say it, type any word, such as 1: every file "
            "gets it."
        )
    for role, text in zip(ROLES, one.labels, strict=True):
        if text and cleaned(role, text) != text:
            raise ProposalError(f"“{text}” cannot be the name of a {role}: it would be “{cleaned(role, text)}”.")


def _agreed(examples: Sequence[Example]) -> None:
    known: dict[str, Labels] = {}
    for one in examples:
        if known.setdefault(one.path, one.labels) != one.labels:
            raise ProposalError(f"{one.path} is given twice, and differently: take one of them away.")
    levels: dict[int, Example] = {}
    for one in examples:
        other = levels.setdefault(one.path.count("/"), one)
        if other.level is not one.level:
            raise ProposalError(
                f"{other.path} and {one.path} lie in equally many folders, but one is in a {other.level} and one in a "
                f"{one.level}: write two rules for that."
            )


def _made_up(examples: Sequence[Example]) -> dict[Role, str]:
    """Labels that no path has: the same for all examples, and so for all files."""
    found: dict[Role, str] = {}
    for role in ROLES:
        texts = {_of(one, role): one for one in examples if _of(one, role)}
        strange = next((one for one in examples if _of(one, role) and not _places(one, role)), None)
        if strange is None:
            continue
        if role is Role.SUBJECT or len(texts) > 1:
            raise ProposalError(f"The {role} “{_of(strange, role)}” does not occur in {strange.path}.")
        found[role] = next(iter(texts))
    return found


def _alike(examples: Sequence[Example]) -> dict[Role, str]:
    """Sessions and acquisitions that are called alike everywhere and stand inside other words alone: by accident?"""
    found: dict[Role, str] = {}
    for role in ROLES[1:]:
        texts = {_of(one, role) for one in examples if _of(one, role)}
        places = [(one.path.split("/")[place.column], place) for one in examples for place in _places(one, role)]
        if len(texts) == 1 and all(_is_inside(part, place) for part, place in places):
            found[role] = texts.pop()
    return found


def _of(one: Example, role: Role) -> str:
    return one.labels[ROLES.index(role)]


def _with(found: list[Set], paths: Sequence[str], examples: Sequence[Example], made_up: dict[Role, str]) -> list[Set]:
    """The sets that give the last example, too: as they are, or with one more candidate for it."""
    one = examples[-1]
    kept = [some for some in found if _gives(some, [one])]
    open_still = [some for some in found if not any(reads(one.path) for reads in _readers(some, one))]
    if not open_still or len(kept) >= _MOST_SETS:
        return kept[:_MOST_SETS]
    tried = islice(product(open_still, _ways(paths, one, made_up)), _MOST_TRIED)
    joined = (_joined(some, way) for some, way in tried)
    kept += islice((more for more in joined if _gives(more, examples)), _MOST_SETS - len(kept))
    return kept


def _joined(some: Set, way: Candidate) -> Set:
    levels = [candidate.level for candidate in some]
    if way.level not in levels:
        return tuple(sorted((*some, way), key=lambda one: _LEVELS.index(one.level)))
    at = levels.index(way.level)
    return (*some[:at], some[at].joined(way), *some[at + 1 :])


def _readers(some: Set, one: Example) -> list[Callable[[str], Labels | None]]:
    return [reader for candidate in some if candidate.level is one.level and (reader := readable(candidate))]


def _gives(some: Set, examples: Sequence[Example]) -> bool:
    readers = {candidate.level: readable(candidate) for candidate in some}
    for one in examples:
        reads = readers.get(one.level)
        if reads is None or reads(one.path) != one.labels:
            return False
    return True


def _ways(paths: Sequence[str], one: Example, made_up: dict[Role, str]) -> Iterator[Candidate]:
    """Every candidate that gives this one example."""
    row = tuple(one.path.split("/"))
    group = _group(paths, row)
    for placed in _placings(one, made_up):
        defaults = tuple((role, text) for role, text in made_up.items() if _of(one, role))
        said, bonus = where(placed, row, defaults), -_oddity(placed, row) - sum(MADE_UP[role] for role, _ in defaults)
        for style, reach in every_way():
            lines = generalised.lines(group, row, placed, style, reach)
            made = Candidate(lines, defaults, one.level, (group.depth,), bonus=bonus, said=said)
            reads = readable(made)
            if reads is not None and reads(one.path) == one.labels:
                yield made


def _group(paths: Sequence[str], row: tuple[str, ...]) -> Group:
    same = next((group for group in slots.grouped(paths) if group.depth == len(row)), None)
    return same if same is not None else Group((row,))


def _placings(one: Example, made_up: dict[Role, str]) -> Iterator[tuple[Placed, ...]]:
    wanted = [role for role in ROLES if _of(one, role) and role not in made_up]
    every = product(*(_places(one, role) for role in wanted))
    ordered = sorted(islice(every, _MOST_WAYS), key=_disorder)
    yield from ordered[: _MOST_PLACES**2]


def _disorder(placed: Sequence[Placed]) -> int:
    """Few overlaps, then the order from the top down."""
    overlaps = sum(one.overlaps(other) for at, one in enumerate(placed) for other in placed[at + 1 :])
    starts = [(one.column, one.start) for one in placed]
    return 10 * overlaps + (starts != sorted(starts))


def _oddity(placed: Sequence[Placed], row: Sequence[str]) -> float:
    """A label that is part of another one's word (the 1 of mouse01) is hardly meant; sharing a whole one may be."""
    shared = [one for one in placed if any(one.overlaps(other) for other in placed if other is not one)]
    inside = [one for one in placed if _is_inside(row[one.column], one)]
    return 0.2 * len(shared) + 0.2 * len(inside) + 4.0 * sum(one in shared for one in inside)


def _is_inside(part: str, one: Placed) -> bool:
    return (part[one.start - 1 : one.start] + part[one.end : one.end + 1]).isalnum()


def _places(one: Example, role: Role) -> list[Placed]:
    """Where a label stands in a path: whole folders first, then between separators, then anywhere."""
    text, found = _of(one, role), []
    if not text:
        return []
    for column, part in enumerate(one.path.split("/")):
        at = part.find(text)
        while at >= 0:
            found.append((_looseness(part, at, at + len(text)), Placed(role, column, at, at + len(text))))
            at = part.find(text, at + 1)
        if text not in part and cleaned(role, part) == text:
            found.append((1, Placed(role, column, 0, len(part))))
    found.sort(key=lambda one: one[0])
    return [place for _, place in found[:_MOST_PLACES]]


def _looseness(part: str, start: int, end: int) -> int:
    before, behind = part[start - 1 : start], part[end : end + 1]
    return sum(bool(edge) + (edge.isalnum()) for edge in (before, behind))


def _said(paths: Sequence[str], examples: Sequence[Example], made_up: dict[Role, str]) -> str:
    """About the first example with which it does not work out any more."""
    ends = range(1, len(examples))
    last = next((end for end in ends if not _searched(paths, examples[:end], made_up)), len(examples))
    one, before = examples[last - 1], examples[: last - 1]
    if not before:
        return f"No rule could be found that gives this for {one.path}: its labels overlap, or nothing sets them apart."
    return (
        f"No rule gives this for {one.path} and also what was said before of {before[-1].path}: check both, or import "
        "these files with rules of their own."
    )
