"""How good labels are that a rule would give: do they look like subjects, sessions and acquisitions of a study?"""

from collections.abc import Sequence

from importer.core.rules.likeness import Role, likeness

Labels = tuple[str, str, str]
FEW, MANY = 3, 8


def plausible(rows: Sequence[Labels]) -> float:
    """The higher the better; an empty label is made up, and says nothing."""
    subjects, sessions, acquisitions = ({row[at] for row in rows} - {""} for at in range(3))
    return _looks(subjects, sessions, acquisitions, few=len(rows) <= FEW) + _nested(rows, sessions, acquisitions)


def _looks(subjects: set[str], sessions: set[str], acquisitions: set[str], *, few: bool) -> float:
    right = (
        likeness(Role.SUBJECT, subjects) + likeness(Role.SESSION, sessions) + likeness(Role.ACQUISITION, acquisitions)
    )
    wrong = 1.5 * (likeness(Role.SESSION, subjects) + likeness(Role.ACQUISITION, subjects))
    wrong += 1.5 * likeness(Role.ACQUISITION, sessions) + likeness(Role.SUBJECT, sessions)
    wrong += likeness(Role.SESSION, acquisitions) + 0.5 * likeness(Role.SUBJECT, acquisitions)
    found = zip(Role, (subjects, sessions, acquisitions), strict=True)
    words = sum(len(texts) == 1 and not likeness(role, texts) for role, texts in found)
    return 2 * right - wrong - (0.0 if few else 1.5 * words)


def _nested(rows: Sequence[Labels], sessions: set[str], acquisitions: set[str]) -> float:
    """A subject has sessions, sessions of several subjects are called alike, and so are acquisitions."""
    subjects = {row[0] for row in rows}
    visits, scans = {row[:2] for row in rows}, set(rows)
    score = 0.3 * (len(subjects) < len(visits)) + 0.5 * (0 < len(sessions) < len(visits))
    score += 0.5 * (0 < len(acquisitions) < len(scans))
    score -= 0.5 * (len(subjects) == 1 and len(visits) > 1) + 0.5 * (len(subjects) == len(rows) > MANY)
    return score
