"""Times that come again, as five fields of cron, always in UTC: clocks that are put forward or back change nothing."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice

from croniter import croniter
from croniter.croniter import CroniterError

MOST_CHARACTERS = 100
FIELDS = 5
# Digits, names of days and months, and what joins them. Not `R`, `H`, seconds or years, which crons differ in.
_PLAIN = re.compile(r"(?:\*|[0-9]{1,2}|[a-z]{3})(?:[-/,#](?:\*|[0-9]{1,2}|[a-z]{3}))*|l")


class BadCron(ValueError):
    """The text says what is wrong and what to write instead."""


def checked_cron(said: str) -> str:
    """In lower case, with single spaces. Raises BadCron, also for times that never come (31 February)."""
    fields = said.lower().split()
    if len(said) > MOST_CHARACTERS or len(fields) != FIELDS or not all(map(_PLAIN.fullmatch, fields)):
        raise BadCron(
            f"{said[:MOST_CHARACTERS]!r} is no schedule: write five fields (minute, hour, day of the month, month, "
            "day of the week), such as 0 3 * * * for every day at 03:00 UTC."
        )
    cron = " ".join(fields)
    try:
        next(_times(cron, datetime(2024, 1, 1, tzinfo=UTC)))
    except CroniterError as error:
        raise BadCron(f"{said!r} is no schedule, or none that ever comes: {_sentence(error)}") from error
    return cron


def _sentence(error: CroniterError) -> str:
    return f"{str(error).rstrip('.')}."


def next_times(cron: str, after: datetime, *, most: int = 1, end: datetime | None = None) -> list[datetime]:
    """The next `most` times strictly after `after`, none of them after `end`; `cron` is a checked one."""
    found = list(islice(_times(cron, after), most))
    return [at for at in found if end is None or at <= end]


def _times(cron: str, after: datetime) -> Iterator[datetime]:
    times = croniter(cron, after.astimezone(UTC), ret_type=datetime)
    while True:
        yield times.get_next()
