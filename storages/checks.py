"""Whether a store does what it is there for: looked at, read, and, where we may write, written to and cleaned up."""

import hashlib
import io
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice

from storages.deadline import within
from storages.models import Health
from storages.stores import Listed, ListedKind, Missing, Store, StoreConfig, StoreError, store_for

log = logging.getLogger(__name__)

# For the answer to one question. Clients try again on their own before that.
SECONDS = 25
# Names that are looked through for one that can be read.
LOOKED_THROUGH = 200
SMALL = 1_000_000
# Of what is larger, so much.
PIECE = 65_536
WRITTEN = 1_024
# Recognisable to whoever finds one that we could not delete.
NAME = ".pratique-check-"


class StepName(StrEnum):
    OPEN = "open"
    LIST = "list"
    STAT = "stat"
    READ = "read"
    PUT = "put"
    DELETE = "delete"


class StepOutcome(StrEnum):
    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Step:
    """`words` is a sentence: what was found, or what is wrong and what to do."""

    name: StepName
    outcome: StepOutcome
    words: str


@dataclass(frozen=True, slots=True)
class CheckReport:
    """Steps in the order in which they were tried; after one that failed the rest is not. `seconds` is for all."""

    steps: tuple[Step, ...]
    identity: str
    seconds: float

    @property
    def failed(self) -> Step | None:
        return next((step for step in self.steps if step.outcome == StepOutcome.FAILED), None)

    @property
    def health(self) -> Health:
        return Health.FAILED if self.failed else Health.OK

    @property
    def words(self) -> str:
        """Why it does not work; empty where it does."""
        return self.failed.words if self.failed else ""


class _GivenUp(Exception):
    """A step failed, and is written down."""


@dataclass(slots=True)
class _Check:
    config: StoreConfig
    known_as: str
    steps: list[Step] = field(default_factory=list)
    identity: str = ""

    def ask(self, name: StepName, question: Callable[[], tuple[StepOutcome, str]]) -> None:
        """One step. What goes wrong becomes its words, without a credential in them."""
        try:
            outcome, words = within(SECONDS, question, about=(self.config, name))
        except StoreError as error:
            self.steps.append(Step(name, StepOutcome.FAILED, self.config.credentials.masked(str(error))))
            raise _GivenUp from error
        except Exception as error:
            # A client's surprise is a finding about the store, too; its text may quote what it was given.
            log.warning("a check met %s", type(error).__name__)
            words = f"An answer that was not expected ({type(error).__name__}): check the endpoint."
            self.steps.append(Step(name, StepOutcome.FAILED, words))
            raise _GivenUp from error
        self.steps.append(Step(name, outcome, words))
        if outcome == StepOutcome.FAILED:
            raise _GivenUp


def check(config: StoreConfig, *, write: bool, known_as: str = "") -> CheckReport:
    """Lists, stats and reads a small object; with `write` puts and deletes one of a random name.

    `known_as` is the identity that is expected, empty before the first check. Raises nothing: all is in the report.
    """
    start, found = time.monotonic(), _Check(config, known_as)
    try:
        _all_steps(found, write=write)
    except _GivenUp:
        pass
    return CheckReport(tuple(found.steps), found.identity, time.monotonic() - start)


def _all_steps(found: _Check, *, write: bool) -> None:
    listed: list[Listed] = []
    found.ask(StepName.OPEN, lambda: _opened(found))
    store = store_for(found.config)
    found.ask(StepName.LIST, lambda: _listed(store, listed))
    small = _readable(listed)
    found.ask(StepName.STAT, lambda: _stat(store, small))
    found.ask(StepName.READ, lambda: _read(store, small))
    if write:
        key = f"{NAME}{secrets.token_hex(8)}"
        try:
            found.ask(StepName.PUT, lambda: _put(store, key))
        except _GivenUp:
            _clean_up(found.config, store, key)
            raise
        found.ask(StepName.DELETE, lambda: _deleted(store, key))


def _opened(found: _Check) -> tuple[StepOutcome, str]:
    found.identity = store_for(found.config).identity()
    if found.known_as and found.identity != found.known_as:
        return StepOutcome.FAILED, (
            "This is not the disk or bucket that it was when the storage was made: is the right one mounted? "
            "If everything was moved here as a whole, an admin of the site can say so on its page."
        )
    return StepOutcome.OK, "It can be opened."


def _listed(store: Store, listed: list[Listed]) -> tuple[StepOutcome, str]:
    listed.extend(islice(store.list(), LOOKED_THROUGH))
    if not listed:
        return StepOutcome.OK, "It can be listed; nothing lies there yet."
    many = f"more than {LOOKED_THROUGH - 1}" if len(listed) == LOOKED_THROUGH else str(len(listed))
    return StepOutcome.OK, f"It can be listed: {many} {'name' if len(listed) == 1 else 'names'}."


def _readable(listed: list[Listed]) -> Listed | None:
    """The smallest of the first objects that has any bytes."""
    files = [one for one in listed if one.kind == ListedKind.FILE and one.size]
    return min(files, key=lambda one: one.size, default=None)


def _stat(store: Store, small: Listed | None) -> tuple[StepOutcome, str]:
    if small is None:
        return StepOutcome.SKIPPED, "Nothing lies there to look at."
    store.stat(small.key)
    return StepOutcome.OK, "Size and time of an object are told."


def _read(store: Store, small: Listed | None) -> tuple[StepOutcome, str]:
    if small is None:
        return StepOutcome.SKIPPED, "Nothing lies there to read."
    wanted = small.size if small.size <= SMALL else PIECE
    got = len(store.read_at(small.key, 0, wanted))
    if got != wanted:
        return StepOutcome.FAILED, f"Of {wanted:,} bytes of an object only {got:,} came: is something in between?"
    return StepOutcome.OK, "1 byte of an object was read." if got == 1 else f"{got:,} bytes of an object were read."


def _put(store: Store, key: str) -> tuple[StepOutcome, str]:
    content = secrets.token_bytes(WRITTEN)
    store.put(key, io.BytesIO(content), size=WRITTEN, sha256=hashlib.sha256(content).hexdigest())
    if store.read_at(key, 0, WRITTEN) != content:
        return StepOutcome.FAILED, "What was written is not what is read back."
    return StepOutcome.OK, "An object was written and read back."


def _deleted(store: Store, key: str) -> tuple[StepOutcome, str]:
    store.delete([key])
    try:
        store.stat(key)
    except Missing:
        return StepOutcome.OK, "It was deleted again."
    return StepOutcome.FAILED, f"The object {key} is still there after it was deleted: is something holding it?"


def _clean_up(config: StoreConfig, store: Store, key: str) -> None:
    """What may have been written although the answer never came."""
    try:
        within(SECONDS, lambda: store.delete([key]), about=(config, "clean-up"))
    except Exception as error:  # noqa: BLE001  the step that failed is what is reported
        log.warning("a check could not clean up after itself: %s", type(error).__name__)
