"""Rules tried on a sample: what would become of each of its files, and what each rule takes. Nothing is written."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from zoneinfo import ZoneInfo

from importer.core.labels import clean_file_name
from importer.core.names import base_name, folder_of
from importer.core.recognise import is_junk
from importer.core.records import Bad, Mapped
from importer.core.rules.model import RuleSet, Taken, Way, Why
from importer.core.rules.placing import explain, place
from importer.core.rules.samples import UNREAD, Fact, SampleContent
from importer.core.states import Level, MissingMeta
from importer.core.surroundings import Attach, Surroundings

PAGE = 50
JUNK = Bad("skipped", "Junk: a file that an operating system leaves behind")
_LEVELS = (Level.SUBJECT, Level.SESSION, Level.ACQUISITION)


class Fate(StrEnum):
    """TAKEN has a place; BESIDE goes where the DICOM around it goes; HELD waits for a label; UNREAD: nobody knows."""

    TAKEN = "taken"
    BESIDE = "beside"
    HELD = "held"
    SKIPPED = "skipped"
    FAILED = "failed"
    UNREAD = "unread"


MISSED = frozenset({Fate.HELD, Fate.SKIPPED, Fate.FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """`place` is the way down from the project, the file's name last; `member` is its name there, where that file is
    an archive. `said` is the reason where there is no place."""

    fate: Fate
    place: tuple[str, ...] = ()
    member: str = ""
    said: str = ""
    rule: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One file, with what every rule said about it. `fields` are those of its place, in words."""

    number: int
    path: str
    size: int
    result: Result
    rule_name: str = ""
    why: tuple[Why, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one rule takes; `line` is where it begins."""

    number: int
    name: str
    line: int
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """`looked` files of `total` were tried before the time was up. `next_start` None: this is the last page."""

    rows: tuple[Row, ...]
    total: int
    looked: int
    fates: dict[Fate, int]
    shares: tuple[Share, ...]
    start: int
    next_start: int | None

    @property
    def missed(self) -> int:
        return sum(self.fates.get(fate, 0) for fate in MISSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Which page: from the file at `start` on, counted from 0; `only_missed` leaves out what has a place."""

    start: int = 0
    only_missed: bool = False


def try_rules(
    rules: RuleSet, facts: Sequence[Fact], wish: Wish, *, zone: ZoneInfo, is_late: Callable[[], bool]
) -> Trial:
    """`is_late` is asked before each file of the first look: what is not reached is not counted."""
    trial = _Trial(rules, facts, zone=zone)
    looked = trial.look(is_late)
    numbers = trial.shown(wish, looked)
    behind = numbers[PAGE] if len(numbers) > PAGE else None
    return Trial(
        rows=tuple(trial.row(number) for number in numbers[:PAGE]),
        total=len(facts),
        looked=looked,
        fates=dict(Counter(one.fate for one in trial.results)),
        shares=tuple(trial.shares()),
        start=wish.start,
        next_start=behind,
    )


def every_row(rules: RuleSet, facts: Sequence[Fact], *, zone: ZoneInfo) -> Iterator[Row]:
    """What becomes of each file, in their order."""
    trial = _Trial(rules, facts, zone=zone)
    trial.look(lambda: False)
    return map(trial.row, range(len(facts)))


class _Trial:
    def __init__(self, rules: RuleSet, facts: Sequence[Fact], *, zone: ZoneInfo) -> None:
        self.rules, self.facts, self.zone = rules, facts, zone
        self.around = Surroundings()
        self.results: list[Result] = []

    def look(self, is_late: Callable[[], bool]) -> int:
        """Two rounds: only when all DICOM has its place is it known what goes beside it. How many files."""
        placed: list[Taken | Bad] = []
        for fact in self.facts:
            if is_late():
                break
            placed.append(self._placed(fact))
            self._surround(fact, placed[-1])
        self.results = [self._result(fact, one) for fact, one in zip(self.facts, placed, strict=False)]
        return len(placed)

    def shown(self, wish: Wish, looked: int) -> list[int]:
        """Numbers of up to a page of files, and of the one behind it."""
        some = range(min(wish.start, looked), looked)
        wanted = (n for n in some if not wish.only_missed or self.results[n].fate in MISSED)
        return [number for number, _ in zip(wanted, range(PAGE + 1), strict=False)]

    def row(self, number: int) -> Row:
        fact, result = self.facts[number], self.results[number]
        if is_junk(fact.path):
            return Row(number=number, path=fact.path, size=fact.file.size, result=result)
        said = explain(self.rules, fact.file, SampleContent(fact), zone=self.zone)
        return Row(
            number=number,
            path=fact.path,
            size=fact.file.size,
            result=result,
            rule_name=next((one.name for one in said.rules if one.taken), ""),
            why=said.rules,
            fields=tuple((key, str(value)) for key, value in said.fields.items()),
        )

    def shares(self) -> Iterator[Share]:
        taken = Counter(one.rule for one in self.results)
        for rule in self.rules.rules:
            yield Share(number=rule.number, name=rule.name, line=rule.line, files=taken[rule.number])

    def _placed(self, fact: Fact) -> Taken | Bad:
        if is_junk(fact.path):
            return JUNK
        return place(self.rules, fact.file, SampleContent(fact), zone=self.zone)

    def _surround(self, fact: Fact, found: Taken | Bad) -> None:
        if not isinstance(found, Taken) or found.way is not Way.HEADER:
            return
        mapped = found.mapped
        self.around.add(
            folder_of(fact.path),
            subject=mapped.subject_label,
            session=(mapped.session_label, mapped.session_uid),
            acquisition=(mapped.acquisition_label, mapped.acquisition_uid),
        )

    def _result(self, fact: Fact, found: Taken | Bad) -> Result:
        if isinstance(found, Bad):
            fate = Fate.UNREAD if found is UNREAD else Fate.FAILED if found.outcome == "failed" else Fate.SKIPPED
            return Result(fate=fate, said=found.reason)
        if found.way is Way.BESIDE:
            return self._beside(fact, found)
        if found.missing is not None:
            return self._missing(found, found.missing)
        name, member = _names(found.mapped, found, fact)
        place = (*_labels(found.mapped, found.rule.level), name)
        return Result(fate=Fate.TAKEN, place=place, member=member, rule=found.rule.number)

    def _beside(self, fact: Fact, found: Taken) -> Result:
        beside = self.around.place(fact.path)
        if isinstance(beside, Bad):
            return Result(fate=Fate.SKIPPED, said=beside.reason, rule=found.rule.number)
        return Result(fate=Fate.BESIDE, place=_attached(beside, fact), rule=found.rule.number)

    def _missing(self, found: Taken, level: Level) -> Result:
        """As an import would treat it: only DICOM waits for a person."""
        asked = self.rules.missing_meta or MissingMeta.HOLD
        fate = Fate.FAILED if asked is MissingMeta.FAIL else Fate.SKIPPED
        if found.way is Way.HEADER and asked is MissingMeta.HOLD:
            fate = Fate.HELD
        return Result(fate=fate, said=f"Missing label: {level}", rule=found.rule.number)


def _labels(mapped: Mapped | Attach, level: Level) -> Iterator[str]:
    for one in _LEVELS if level is not Level.PROJECT else ():
        yield getattr(mapped, f"{one}_label")
        if one is level:
            return


def _names(mapped: Mapped, found: Taken, fact: Fact) -> tuple[str, str]:
    """The file that it becomes, and where that is an archive, the member in it."""
    own = found.member or (mapped.instance_name if found.way is Way.HEADER else base_name(fact.path))
    if not found.group:
        return found.file_name or clean_file_name(own), ""
    if found.way is Way.HEADER:
        return found.file_name or clean_file_name(
            f"{mapped.acquisition_label or mapped.acquisition_uid}.dicom.zip"
        ), own
    return found.file_name or clean_file_name(f"{base_name(folder_of(fact.path)) or 'files'}.zip"), own


def _attached(beside: Attach, fact: Fact) -> tuple[str, ...]:
    return (*(label for label in _labels(beside, beside.level) if label), clean_file_name(base_name(fact.path)))
