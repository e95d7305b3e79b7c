"""Times in rules: strptime formats in patterns, and times of any usual spelling."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from importer.core.moments import FIRST_YEAR, NOON
from importer.core.records import Moment
from importer.core.rules.problems import Wrong

_CODES = {
    "a": "[A-Za-z]+", "A": "[A-Za-z]+", "w": r"\d", "d": r"\d\d", "b": "[A-Za-z]+", "B": "[A-Za-z]+", "m": r"\d\d",
    "y": r"\d\d", "Y": r"\d\d\d\d", "H": r"\d\d", "I": r"\d\d", "p": "[A-Za-z]+", "M": r"\d\d", "S": r"\d\d",
    "f": r"\d{1,6}", "z": r"(?:Z|[+-]\d\d:?\d\d(?::?\d\d(?:\.\d{1,6})?)?)", "j": r"\d\d\d", "U": r"\d\d", "W": r"\d\d",
    "G": r"\d\d\d\d", "u": r"\d", "V": r"\d\d", "%": "%",
}  # fmt: skip
_HOURS = re.compile("%[HIc]")
_SPELLED = re.compile(
    r"(\d{4})[-_/.]?(\d\d)[-_/.]?(\d\d)(?:[-_/T ]?(\d\d)[-_:.]?(\d\d)(?:[-_:.]?(\d\d)(?:[.,](\d{1,6})\d*)?)?)?"
    r"\s*(Z|[+-]\d\d:?\d\d)?"
)


def expression(time_format: str) -> str:
    """The regular expression of what a strptime format reads. Raises Wrong at the code that is not known."""
    out, at = [], 0
    seen: set[str] = set()
    while at < len(time_format):
        if time_format[at] != "%":
            out.append(re.escape(time_format[at]))
            at += 1
            continue
        code = time_format[at + 1 : at + 2]
        if code not in _CODES:
            raise Wrong(f"There is no time code %{code}: use %Y %m %d %H %M %S and the like.", at)
        if code in seen:
            raise Wrong(f"The time code %{code} stands twice: a time has each of its parts once.", at)
        seen |= {code} - {"%"}
        out.append(_CODES[code])
        at += 2
    return "".join(out)


def by_format(text: str, time_format: str, *, zone: tzinfo) -> Moment | None:
    """A format without hours means noon."""
    try:
        at = datetime.strptime(text, time_format)  # noqa: DTZ007  _moment gives it its zone
    except (ValueError, OverflowError):
        return None
    return _moment(at if _HOURS.search(time_format) else at.replace(hour=NOON.hour), zone)


def spelled(text: str, *, zone: tzinfo) -> Moment | None:
    """ISO 8601, or its digits alone; a date without a time means noon, as everywhere."""
    found = _SPELLED.fullmatch(text.strip())
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    try:
        micro = int((fraction or "").ljust(6, "0") or 0)
        at = datetime(
            int(year),
            int(month),
            int(day),
            int(hour or NOON.hour),
            int(minute or 0),
            int(second or 0),
            micro,
            _offset(offset),
        )
        return _moment(at, zone)
    except (ValueError, OverflowError):
        return None


def _offset(text: str | None) -> tzinfo | None:
    if not text:
        return None
    if text == "Z":
        return UTC
    sign = -1 if text[0] == "-" else 1
    return timezone(sign * timedelta(hours=int(text[1:3]), minutes=int(text[-2:])))


def _moment(at: datetime, zone: tzinfo) -> Moment | None:
    if at.year < FIRST_YEAR:
        return None
    recorded = at.tzinfo or zone
    aware = at.replace(tzinfo=recorded)
    try:
        aware.astimezone(UTC)
    except (ValueError, OverflowError):
        # A database keeps it in UTC, where the last day of the year 9999 may already be over.
        return None
    return Moment(aware, getattr(recorded, "key", None) or str(aware.tzname()))
