"""Where a file that is no DICOM goes: beside the DICOM around it (rule set "standard")."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from importer.core.labels import clean_acquisition_label, clean_label
from importer.core.records import Bad
from importer.core.states import Level

NO_RULE = Bad("skipped", "No rule matched")
_LEVELS = (Level.PROJECT, Level.SUBJECT, Level.SESSION, Level.ACQUISITION)
_BY_PATH = 3


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A folder (relative to the source's root, with `/`, '' for the root) that DICOM lies in, and where that goes."""

    folder: str
    subject_label: str
    session_label: str
    acquisition_label: str


@dataclass(frozen=True, slots=True)
class Attach:
    """A level and the labels down to it; those below are empty."""

    level: Level
    subject_label: str = ""
    session_label: str = ""
    acquisition_label: str = ""


class Surroundings:
    """Knows for each folder with DICOM in or below it how much all of that has in common: one tuple per folder.

    DICOM that waits for a label goes nowhere yet. It neither places a file nor lets it be placed by strangers further
    up: a file whose nearest DICOM all waits matches no rule, because the next folder may be another patient's.
    """

    def __init__(self, neighbours: Iterable[Neighbour]) -> None:
        self._common: dict[str, tuple[str, ...]] = {}
        self._waiting: set[str] = set()
        for neighbour in neighbours:
            self._add(neighbour)

    def place(self, path: str) -> Attach | Bad:
        """Where the file of this path goes: with the DICOM of the nearest folder that has any in or below it.

        All of it in one acquisition, session or subject: there. In several subjects: to the project. Where the whole
        source has no DICOM, the last three folders are subject, session and acquisition.
        """
        for folder in _upwards(path):
            if folder in self._common:
                return _attach(self._common[folder])
            if folder in self._waiting:
                return NO_RULE
        return _by_path(path)

    def _add(self, neighbour: Neighbour) -> None:
        labels = (neighbour.subject_label, neighbour.session_label, neighbour.acquisition_label)
        for folder in _upwards(f"{neighbour.folder}/" if neighbour.folder else ""):
            if not (self._widened(folder, labels) if all(labels) else self._waits(folder)):
                return

    def _waits(self, folder: str) -> bool:
        """False where the folder knew already, and so everything above it."""
        known = folder in self._waiting
        self._waiting.add(folder)
        return not known

    def _widened(self, folder: str, labels: tuple[str, ...]) -> bool:
        """False where this adds nothing to what the folder, and so everything above it, has in common."""
        known = self._common.get(folder)
        common = labels if known is None else _shared(known, labels)
        self._common[folder] = common
        return common != known


def _upwards(path: str) -> Iterator[str]:
    """The folder of a path, then each one above it, to the root's ''."""
    folder = path
    while folder:
        folder = folder.rpartition("/")[0]
        yield folder
    if not path:
        yield ""


def _shared(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """What two places have in common, from the subject down."""
    count = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        count += 1
    return one[:count]


def _attach(labels: tuple[str, ...]) -> Attach:
    return Attach(_LEVELS[len(labels)], *labels)


def _by_path(path: str) -> Attach | Bad:
    folders = path.split("/")[:-1][-_BY_PATH:]
    if len(folders) < _BY_PATH:
        return NO_RULE
    labels = (clean_label(folders[0]), clean_label(folders[1]), clean_acquisition_label(folders[2]))
    return _attach(labels) if all(labels) else NO_RULE
