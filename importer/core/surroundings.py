"""Where a file that is no DICOM goes: beside the DICOM around it (rule set "standard")."""

from collections.abc import Iterator
from dataclasses import dataclass

from importer.core.labels import clean_acquisition_label, clean_label
from importer.core.names import folder_of, parts_of
from importer.core.records import Bad
from importer.core.states import Level

NO_RULE = Bad("skipped", "No rule matched")
_LEVELS = (Level.PROJECT, Level.SUBJECT, Level.SESSION, Level.ACQUISITION)
_BY_PATH = 3

# Subject, session, acquisition from the top down, each as (label, UID or '').
_Place = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Attach:
    """A level and the labels down to it; those below are empty, and so are UIDs where no DICOM gave them."""

    level: Level
    subject_label: str = ""
    session_label: str = ""
    session_uid: str = ""
    acquisition_label: str = ""
    acquisition_uid: str = ""


class Surroundings:
    """Knows for each folder with DICOM in or below it how much all of that has in common: one tuple per folder.

    DICOM that waits for a label goes nowhere yet. It neither places a file nor lets it be placed by strangers further
    up: a file whose nearest DICOM all waits matches no rule, because the next folder may be another patient's. Above
    a folder whose own DICOM all waits, nobody knows how many patients there are: as many as where there are several.
    """

    def __init__(self) -> None:
        self._common: dict[str, _Place] = {}
        self._placed_here: set[str] = set()
        self._waiting: set[str] = set()
        self._waits_here: set[str] = set()
        self._hidden: set[str] = set()
        self._above_unknown: set[str] | None = None

    def add(
        self,
        folder: str,
        *,
        subject: str,
        session: tuple[str, str],
        acquisition: tuple[str, str],
        level: Level = Level.ACQUISITION,
    ) -> None:
        """DICOM lies in this folder (relative to the source's root, with `/`, '' for the root) and goes there.

        Sessions and acquisitions are (label, UID or ''). Where a label is missing down to the level, the DICOM waits.
        """
        place = ((subject, ""), session, acquisition)[: _LEVELS.index(level)]
        if not all(label for label, _ in place):
            self.add_waiting(folder)
            return
        self._placed_here.add(folder)
        self._above_unknown = None
        for above in _upwards(folder):
            if not self._widened(above, place):
                return

    def add_waiting(self, folder: str) -> None:
        """DICOM lies in this folder, and nobody knows yet where it goes."""
        self._waits_here.add(folder)
        self._above_unknown = None
        _mark(self._waiting, folder)

    def add_hidden(self, folder: str) -> None:
        """Something lies in this folder that nobody could look at: perhaps DICOM, and perhaps another patient's."""
        _mark(self._hidden, folder)

    def place(self, path: str) -> Attach | Bad:
        """Where the file of this path goes: with the DICOM of the nearest folder that has any in or below it.

        All of it in one acquisition, session or subject: there. In several subjects, or some of it nobody knows
        where: to the project. Where the whole source has no DICOM, the last three folders are subject, session and
        acquisition.
        """
        hidden = False
        for folder in _upwards(folder_of(path)):
            if folder in self._common and hidden:
                return NO_RULE
            if folder in self._common:
                return _attach(() if folder in self._unknown() else self._common[folder])
            if folder in self._waiting:
                return NO_RULE
            hidden = hidden or folder in self._hidden
        return _by_path(path)

    def _unknown(self) -> set[str]:
        """Folders with one in or below them whose own DICOM all waits."""
        if self._above_unknown is None:
            self._above_unknown = set()
            for folder in self._waits_here - self._placed_here:
                _mark(self._above_unknown, folder)
        return self._above_unknown

    def _widened(self, folder: str, place: _Place) -> bool:
        """False where this adds nothing to what the folder, and so everything above it, has in common."""
        known = self._common.get(folder)
        self._common[folder] = place if known is None else _shared(known, place)
        return self._common[folder] != known


def _mark(marked: set[str], folder: str) -> None:
    """The folder and everything above it."""
    for above in _upwards(folder):
        if above in marked:
            return
        marked.add(above)


def _upwards(folder: str) -> Iterator[str]:
    """The folder, then each one above it, to the root's ''."""
    yield folder
    while folder:
        folder = folder_of(folder)
        yield folder


def _shared(one: _Place, other: _Place) -> _Place:
    """What two places have in common, from the subject down."""
    count = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        count += 1
    return one[:count]


def _attach(place: _Place) -> Attach:
    subject, session, acquisition = (*place, ("", ""), ("", ""), ("", ""))[:3]
    return Attach(_LEVELS[len(place)], subject[0], *session, *acquisition)


def _by_path(path: str) -> Attach | Bad:
    folders = parts_of(path)[:-1][-_BY_PATH:]
    if len(folders) < _BY_PATH:
        return NO_RULE
    labels = (clean_label(folders[0]), clean_label(folders[1]), clean_acquisition_label(folders[2]))
    return _attach(tuple((label, "") for label in labels)) if all(labels) else NO_RULE
