"""What a text of rules gives for paths alone: really parsed, really placed."""

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from importer.core.recognise import claims_dicom
from importer.core.records import Bad, Header
from importer.core.rules.judging import Labels
from importer.core.rules.model import RuleSet, SourceFile, Taken
from importer.core.rules.placing import place

MOST_ROWS = 500
MOST_LEFT = 100
_ZONE = ZoneInfo("UTC")
_HEADER = Header(tags={}, transfer_syntax="", pixels=None)


@dataclass(frozen=True, slots=True)
class Row:
    """What comes of one path; labels are empty where nobody gives them. `taken`: it has all that its level needs."""

    path: str
    subject: str
    session: str
    acquisition: str
    taken: bool


@dataclass(frozen=True, slots=True)
class Table:
    """`rows`: the first path of every different place, MOST_ROWS at most, paths that were asked for in front.
    `left`: paths that get no place, MOST_LEFT at most."""

    covered: int
    total: int
    rows: tuple[Row, ...]
    left: tuple[str, ...]


class _ByName:
    """A file of which only the name is known: DICOM if it claims to be, and then with an empty header."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path

    def is_dicom(self) -> bool:
        return claims_dicom(self.path)

    def header(self) -> Header | Bad:
        return _HEADER


def row(rules: RuleSet, path: str) -> Row:
    found = place(rules, SourceFile(path=path, size=0), _ByName(path), zone=_ZONE)
    if not isinstance(found, Taken):
        return Row(path, "", "", "", taken=False)
    mapped = found.mapped
    labels = (mapped.subject_label, mapped.session_label, mapped.acquisition_label)
    return Row(path, *labels, taken=found.missing is None)


def table(rules: RuleSet, paths: Sequence[str], gives: Sequence[Labels | None], *, first: Sequence[str] = ()) -> Table:
    """`gives`: what the rules' own mappings read from each path, which is what tells places apart. Every row that is
    shown, and every path that is said to be left, is placed by the rules as a whole."""
    shown = {path: row(rules, path) for path in first}
    places = {(one.subject, one.session, one.acquisition) for one in shown.values()}
    left: list[str] = []
    for path, labels in zip(paths, gives, strict=True):
        if labels is None and len(left) < MOST_LEFT and not row(rules, path).taken:
            left.append(path)
        if labels is not None and labels not in places and len(shown) < MOST_ROWS:
            places.add(labels)
            shown[path] = row(rules, path)
    covered = sum(labels is not None for labels in gives)
    return Table(covered, len(paths), tuple(shown.values()), tuple(left))
