"""Reading source files: what can go wrong with one file becomes a reason on its row, a broken world is raised."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from importer.core.folder import NotPlain, SourceAway, Special, Vanished
from importer.core.members import NoRoom, Spoiled
from importer.core.records import Bad
from importer.core.states import Outcome
from storages.stores import Changed, Missing, StoreAway, StoreError, Unreadable

VANISHED = Bad(Outcome.FAILED, "Vanished: it was listed and is not there any more")
CHANGED = Bad(Outcome.FAILED, "Changed since listing: it is written to, or was replaced")
LINK = Bad(Outcome.SKIPPED, "Symlink: links are never followed")
SPECIAL = Bad(Outcome.SKIPPED, "Special file: neither a file nor a folder")

# Whatever opening or reading a file raises: for `why`.
UNOPENED = (Vanished, NotPlain, Spoiled, NoRoom, OSError)
_WORLD = {errno.ESTALE, errno.ENOTCONN, errno.EHOSTDOWN, errno.ENETDOWN, errno.ENETUNREACH, errno.ETIMEDOUT}
_WORLD |= {errno.EMFILE, errno.ENFILE, errno.ENOMEM}


class StoreTrouble(OSError):
    """What a store said of an object, as whoever reads a file expects it: also inside of a parser or of zipfile."""

    def __init__(self, error: StoreError) -> None:
        super().__init__(str(error))
        self.error = error


@contextmanager
def told() -> Iterator[None]:
    """Turns what a store raises about one object into StoreTrouble."""
    try:
        yield
    except StoreError as error:
        raise StoreTrouble(error) from error


@contextmanager
def away() -> Iterator[None]:
    """Turns what a store raises about itself into SourceAway."""
    try:
        yield
    except StoreError as error:
        raise SourceAway(str(error)) from error


def why(error: Exception) -> Bad:
    """The reason for a row; raises SourceAway when it is not the file that is broken."""
    if isinstance(error, Vanished):
        return VANISHED
    if isinstance(error, NotPlain):
        return SPECIAL if isinstance(error, Special) else LINK
    if isinstance(error, Spoiled):
        return error.bad
    if isinstance(error, NoRoom):
        raise SourceAway(f"There is no room to unpack the member of an archive: {error}.") from error
    if isinstance(error, StoreTrouble):
        return _of_store(error.error)
    if isinstance(error, OSError):
        if error.errno in _WORLD:
            raise SourceAway(f"The source does not answer: {error.strerror}.") from error
        return Bad(Outcome.FAILED, f"Unreadable: {(error.strerror or 'input/output error').lower()}")
    raise error


def _of_store(error: StoreError) -> Bad:
    if isinstance(error, StoreAway):
        raise SourceAway(str(error)) from error
    if isinstance(error, Missing):
        return VANISHED
    if isinstance(error, Changed):
        return CHANGED
    if isinstance(error, Unreadable):
        said = str(error).rstrip(".")
        return Bad(Outcome.FAILED, f"Unreadable: {said[:1].lower()}{said[1:]}")
    raise error


class Listed(Protocol):
    """A file as it was listed: an Entry or an Item."""

    @property
    def path(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def mtime_ns(self) -> int: ...
    @property
    def inode(self) -> str: ...
