"""How long a failing service is asked again. The clients do most of it themselves; this is for what they let through:
bodies that break off, answers that make no sense, throttling that they do not know as such."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from storages.stores.errors import StoreAway, StoreError

T = TypeVar("T")

# Attempts of a client for one request, and of us for one object or page; the longest that one question may take.
CLIENT_ATTEMPTS = 4
ATTEMPTS = 4
LONGEST_SECONDS = 120.0
CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
# The first wait is up to this, each further one up to twice as long.
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 20.0


class Passing(StoreAway):
    """May be better the next time. `after` is how long the service asks to be left alone (seconds); `finally_` is what
    it is when it never gets better."""

    def __init__(self, text: str, *, after: float = 0.0, finally_: type[StoreError] = StoreAway) -> None:
        super().__init__(text)
        self.after, self.finally_ = after, finally_


@dataclass(slots=True)
class Tries:
    """Counts failures in a row, and waits between them with jitter."""

    failed: int = 0
    since: float = field(default_factory=time.monotonic)

    def begin_again(self) -> None:
        """It went on: what failed before is forgiven."""
        if self.failed:
            self.failed, self.since = 0, time.monotonic()

    def wait_or_raise(self, error: Passing) -> None:
        self.failed += 1
        most = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** (self.failed - 1))
        pause = max(random.uniform(0, most), min(error.after, LONGEST_WAIT_SECONDS))  # noqa: S311  jitter, no secret
        if self.failed >= ATTEMPTS or time.monotonic() + pause - self.since > LONGEST_SECONDS:
            raise error.finally_(str(error)) from error
        time.sleep(pause)


def patiently(ask: Callable[[], T]) -> T:
    """Asks again while it fails in passing. In the end raises what it then is, and everything else at once."""
    tries = Tries()
    while True:
        try:
            return ask()
        except Passing as error:
            tries.wait_or_raise(error)


def asked_to_wait(header: str | None) -> float:
    """Seconds of a Retry-After header; a date, or nothing, is 0."""
    try:
        return max(0.0, float(header or 0))
    except ValueError:
        return 0.0
