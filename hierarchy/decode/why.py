"""Why there is no picture or header, in words for the page. They never hold a value of a tag."""

from enum import StrEnum


class Why(StrEnum):
    NOT_DICOM = "not DICOM"
    NO_PIXELS = "no pixel data"
    TRUNCATED = "truncated pixel data"
    DAMAGED = "damaged data"
    ARCHIVE = "damaged archive"
    UNSUPPORTED = "unsupported compression"
    UNDECODABLE = "no decoder could read it"
    NO_SLICE = "no such slice"
    TOO_LARGE = "too large to show here"
    TOO_LONG = "takes too long to decode"
    SLOW = "took too long, load the page again"
    CRASHED = "the decoder crashed"
    MISSING = "its bytes are not where they were stored"
    OTHER = "its source has changed since the import"
    AWAY = "the archive cannot be reached"
    BUSY = "too many pictures at once, load the page again"


# What another attempt may bring: never remembered.
PASSING = frozenset({Why.MISSING, Why.OTHER, Why.AWAY, Why.BUSY, Why.SLOW})


class NoPicture(Exception):
    """Nothing to show, and why."""

    def __init__(self, why: Why) -> None:
        super().__init__(str(why))
        self.why = why
