"""What is wrong with a text of rules, and where."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, slots=True)
class Problem:
    """Line and column count from 1. `said` is what is wrong, what was expected and the nearest valid word."""

    line: int
    column: int
    said: str

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.said}"


class RuleError(ValueError):
    """All that is wrong, in the order of the text."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(sorted(problems, key=lambda one: (one.line, one.column)))
        super().__init__("; ".join(map(str, self.problems)))


class Wrong(ValueError):
    """In one piece of text (a filter, a mapping): what is wrong at which character, counted from 0."""

    def __init__(self, said: str, at: int = 0) -> None:
        super().__init__(said)
        self.said, self.at = said, at

    def behind(self, offset: int) -> "Wrong":
        return Wrong(self.said, self.at + offset)


def nearest(word: str, known: Sequence[str]) -> str:
    """` Did you mean …?`, or nothing where no word is near."""
    lowered = {one.lower(): one for one in known}
    found = get_close_matches(word.lower(), list(lowered), n=1, cutoff=0.6)
    return f" Did you mean {lowered[found[0]]}?" if found else ""
