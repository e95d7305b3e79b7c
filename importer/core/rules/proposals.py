"""From names to rules: what the paths of a source say about subjects, sessions and acquisitions, corrected by example.

Candidates are made from the columns of the paths (`slots`), written as mappings (`generalised`), tried on a sample and
judged by what they give: how many files, and how much the labels look like what they are to be (`likeness`,
`judging`). What is proposed is a text of rules, and its table (`tables`) is what these rules really give.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import yaml

from importer.core.recognise import claims_dicom
from importer.core.rules.candidates import Candidate, guessed, readable
from importer.core.rules.corrected import Example, ProposalError, Set, by_example
from importer.core.rules.judging import plausible
from importer.core.rules.parsing import parse
from importer.core.rules.problems import RuleError
from importer.core.rules.tables import Row, row, table
from importer.core.states import Level

__all__ = ["Example", "Proposal", "ProposalError", "Row", "propose"]

MOST_PATHS = 10_000
MOST_PROPOSALS = 5
_SAMPLE = 300
# So much worse than the best one, a proposal is none.
_FAR = 4.0
# What covers all is worth so much more than what covers nothing, on the scale of `plausible`.
_COVERAGE = 10.0
# Without any better idea: the folders nearest to the file.
_LAST_RESORT = Candidate(("path=**/{sub}/{ses}/{acq}/*",), said="The last three folders: subject, session, acquisition")


class _Whole(yaml.SafeDumper):
    """Writes what is said twice twice: people read no anchors."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  the method of the base
        return True


@dataclass(frozen=True, slots=True)
class Proposal:
    """Rules in a sentence and as a text; of `total` paths they place `covered`. `rows` and `left`: see tables.Table."""

    rules_text: str
    title: str
    covered: int
    total: int
    rows: tuple[Row, ...]
    left: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Tried:
    candidates: Set
    score: float
    # What it gives for the sample: two that give the same are one.
    gives: tuple[object, ...]


def propose(paths: Sequence[str], examples: Sequence[Example] = ()) -> tuple[Proposal, ...]:
    """The best first. Every one gives exactly what the examples say. Raises ProposalError."""
    every = list(dict.fromkeys([*(one.path for one in examples), *paths[:MOST_PATHS]]))
    every = [path for path in every if path.strip("/")]
    if not every:
        return ()
    sample = _spread(every, [one.path for one in examples])
    found = by_example(every, examples) if examples else _completed(sample)
    with_dicom = any(map(claims_dicom, every))
    made = (_proposal(one, every, examples, with_dicom=with_dicom) for one in _ranked(found, sample))
    best = [one for one in made if one is not None][:MOST_PROPOSALS]
    if examples and not best:
        raise ProposalError("No rule gives all that was typed: take the last row back, or write the rule yourself.")
    return tuple(best)


def _spread(paths: Sequence[str], first: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([*first, *paths[:: max(1, len(paths) // _SAMPLE)]]))


def _completed(sample: Sequence[str]) -> list[Set]:
    """Every guess, and the best ones with lines for the paths of other depths that they leave."""
    found: list[Set] = [(one,) for one in guessed(sample)]
    best = _ranked(found, sample)[:MOST_PROPOSALS]
    for (one,) in best:
        reads = readable(one)
        left = [path for path in sample if reads is not None and reads(path) is None]
        others = [(other,) for other in guessed(left) if other.defaults == one.defaults] if left else []
        found += [(one.joined(other),) for (other,) in _ranked(others, left)[:1]]
    return [*found, (_LAST_RESORT,)]


def _ranked(found: Iterable[Set], sample: Sequence[str]) -> list[Set]:
    """The best first, and of those that give the same only one."""
    tried = [one for some in found if (one := _tried(some, sample)) is not None]
    tried.sort(key=lambda one: -one.score)
    different = {one.gives: one for one in reversed(tried)}
    near = [one for one in tried if one.score > tried[0].score - _FAR]
    return [one.candidates for one in near if different[one.gives] is one]


def _tried(some: Set, sample: Sequence[str]) -> _Tried | None:
    readers = {one: reads for one in some if (reads := readable(one)) is not None}
    if len(readers) < len(some):
        return None
    gives = [readers[_asked(some, path)](path) for path in sample]
    taken = [labels for labels in gives if labels is not None]
    shown = [tuple("" if text in dict(some[0].defaults).values() else text for text in one) for one in taken]
    good = plausible([(one[0], one[1], one[2]) for one in shown]) if shown else 0.0
    simple = sum(
        one.bonus - 0.05 * len(one.lines) - 0.3 * any(line.endswith("!r") for line in one.lines) for one in some
    )
    return _Tried(some, _COVERAGE * len(taken) / len(sample) + good + simple, tuple(gives))


def _asked(some: Set, path: str) -> Candidate:
    """All but the last are for paths of their depths alone."""
    depth = path.count("/") + 1
    return next((one for one in some[:-1] if depth in one.depths), some[-1])


def _proposal(some: Set, paths: Sequence[str], examples: Sequence[Example], *, with_dicom: bool) -> Proposal | None:
    """None where the text is not valid, or does not give the examples after all."""
    text = _written(some, with_dicom=with_dicom)
    try:
        rules = parse(text)
    except RuleError:
        return None
    for one in examples:
        given = row(rules, one.path)
        if (given.subject, given.session, given.acquisition) != one.labels or not given.taken:
            return None
    readers = {one: reads for one in some if (reads := readable(one)) is not None}
    gives = [readers[_asked(some, path)](path) for path in paths]
    found = table(rules, paths, gives, first=[one.path for one in examples])
    return Proposal(text, "; ".join(one.said for one in some), found.covered, found.total, found.rows, found.left)


def _written(some: Set, *, with_dicom: bool) -> str:
    """One rule for each level; where files claim to be DICOM, one before it that reads them as DICOM."""
    rules: list[dict[str, object]] = []
    for one in some:
        rule: dict[str, object] = {"level": one.level.value} if one.level is not Level.ACQUISITION else {}
        if one is not some[-1]:
            rule["include"] = [f"depth={depth}" for depth in one.depths]
        if one.lines:
            rule["mappings"] = list(one.lines)
        if one.defaults:
            rule["defaults"] = [f"{role}.label={text}" for role, text in one.defaults]
        rules += [{"type": "dicom", **rule}] if with_dicom and one.level is Level.ACQUISITION else []
        rules.append(rule)
    return yaml.dump(rules, Dumper=_Whole, sort_keys=False, allow_unicode=True, width=10_000)
