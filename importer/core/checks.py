"""How what is stored can be found, and where it can lie."""

from enum import StrEnum


class CheckState(StrEnum):
    """AWAY is never written to the row of a file: its place is away, and nothing is concluded about what lies there."""

    UNCHECKED = "unchecked"
    OK = "ok"
    CHANGED = "changed"
    MISSING = "missing"
    UNREADABLE = "unreadable"
    AWAY = "away"


WRONG = frozenset({CheckState.CHANGED, CheckState.MISSING, CheckState.UNREADABLE})
KEPT = WRONG | {CheckState.UNCHECKED, CheckState.OK}


class Lies(StrEnum):
    """Our own places, and the storages that references point to."""

    ARCHIVE = "archive"
    QUARANTINE = "quarantine"
    STORAGE = "storage"


class Ended(StrEnum):
    """Why a run over a place ended: all that was due is done, the budget is spent, or the place went away."""

    DONE = "done"
    TIME = "time"
    BYTES = "bytes"
    AWAY = "away"
