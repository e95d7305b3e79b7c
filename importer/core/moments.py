"""Dates and times as DICOM writes them (PS3.5 6.2: DA, TM, DT), and those hidden in UIDs."""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from importer.core.records import Moment

# A date without a time: the published readers disagree, and noon keeps the day in most zones.
NOON = time(12)
# No image is older than the ray: earlier years are fillers such as 00010101.
FIRST_YEAR = 1895

_DATE = re.compile(r"[0-9]{8}")
_TIME = re.compile(r"([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:\.([0-9]{1,9}))?)?)?")
_DATE_TIME = re.compile(r"([0-9]{8})([0-9]{2,6}(?:\.[0-9]{1,9})?)?([+-][0-9]{4})?")
_OFFSET = re.compile(r"([+-]?)([0-9]{2})([0-9]{2})")
_IN_UID = re.compile(r"(?:^|\.)((?:19|20)[0-9]{12})[0-9]*(?=\.|$)")
_LARGEST_OFFSET = 14 * 60
_LEAP_SECOND = 60


def parse_date(text: str) -> date | None:
    """`YYYYMMDD`; anything else, also the old `YYYY.MM.DD`, is no date."""
    if not _DATE.fullmatch(text):
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


def parse_time(text: str) -> time | None:
    """`HH`, `HHMM` or `HHMMSS`, the last with a fraction cut to milliseconds; a leap second is the one before it."""
    found = _TIME.fullmatch(text)
    if not found:
        return None
    hour, minute, second = (int(part or 0) for part in found.groups()[:3])
    milliseconds = int((found[4] or "")[:3].ljust(3, "0"))
    try:
        return time(hour, minute, min(second, 59) if second == _LEAP_SECOND else second, milliseconds * 1000)
    except ValueError:
        return None


def parse_offset(text: str) -> timezone | None:
    """`-0500`; the sign may be missing and is then plus."""
    found = _OFFSET.fullmatch(text)
    if not found:
        return None
    minutes = int(found[2]) * 60 + int(found[3])
    if minutes > _LARGEST_OFFSET:
        return None
    return timezone(timedelta(minutes=-minutes if found[1] == "-" else minutes))


def from_date_and_time(day: str, clock: str, *, zone: tzinfo) -> Moment | None:
    """None for no date, a broken date or a broken time; noon for no time."""
    parsed_day = parse_date(day)
    parsed_time = parse_time(clock) if clock else NOON
    if parsed_day is None or parsed_time is None:
        return None
    return _moment(datetime.combine(parsed_day, parsed_time), zone=zone)


def from_date_time(text: str, *, zone: tzinfo) -> Moment | None:
    """A DT value down to the day at least; an offset of its own wins."""
    found = _DATE_TIME.fullmatch(text)
    if not found:
        return None
    own = parse_offset(found[3]) if found[3] else None
    return from_date_and_time(found[1], found[2] or "", zone=own or zone)


def from_uid(uid: str, *, zone: tzinfo) -> Moment | None:
    """A component of 14 digits or more that begins like a year: its first 14 are a time, if they are one."""
    for found in _IN_UID.finditer(uid):
        moment = from_date_and_time(found[1][:8], found[1][8:], zone=zone)
        if moment is not None:
            return moment
    return None


def as_label(moment: Moment | None) -> str:
    """`YYYY-MM-DDTHH-MM-SS`, as recorded where it was recorded."""
    return moment.at.strftime("%Y-%m-%dT%H-%M-%S") if moment else ""


def zone_name(zone: tzinfo) -> str:
    """A zone's key; `UTC-05:00` for a bare offset."""
    return zone.key if isinstance(zone, ZoneInfo) else str(zone)


def _moment(local: datetime, *, zone: tzinfo) -> Moment | None:
    if local.year < FIRST_YEAR:
        return None
    at = local.replace(tzinfo=zone)
    try:
        at.astimezone(UTC)
    except (OverflowError, ValueError):
        return None
    return Moment(at, zone_name(zone))
