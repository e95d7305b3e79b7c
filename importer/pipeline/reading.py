"""Reading source files: what can go wrong with one file becomes a reason on its row, a broken world is raised."""

import errno
import os
from collections.abc import Callable
from typing import Protocol

from importer.core.folder import NotPlain, Opener, SourceAway, Special, Vanished
from importer.core.members import NoRoom, Spoiled
from importer.core.records import Bad
from importer.core.states import Outcome

VANISHED = Bad(Outcome.FAILED, "Vanished: it was listed and is not there any more")
CHANGED = Bad(Outcome.FAILED, "Changed since listing: it is written to, or was replaced")
LINK = Bad(Outcome.SKIPPED, "Symlink: links are never followed")
SPECIAL = Bad(Outcome.SKIPPED, "Special file: neither a file nor a folder")

# Whatever opening a file raises: for `why`.
UNOPENED = (Vanished, NotPlain, Spoiled, NoRoom, OSError)
_WORLD = {errno.ESTALE, errno.ENOTCONN, errno.EHOSTDOWN, errno.ENETDOWN, errno.ENETUNREACH, errno.ETIMEDOUT}
_WORLD |= {errno.EMFILE, errno.ENFILE, errno.ENOMEM}


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
    if isinstance(error, OSError):
        if error.errno in _WORLD:
            raise SourceAway(f"The source does not answer: {error.strerror}.") from error
        return Bad(Outcome.FAILED, f"Unreadable: {(error.strerror or 'input/output error').lower()}")
    raise error


def reader(handle: int) -> Callable[[int, int], bytes]:
    """`read_at(offset, length)` over an open file."""

    def read_at(offset: int, length: int) -> bytes:
        return os.pread(handle, length, offset)

    return read_at


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


def as_listed(opener: Opener, handle: int, listed: Listed) -> bool:
    """What this opener opened last is the listed file."""
    return opener.unchanged(handle, listed.path, size=listed.size, mtime_ns=listed.mtime_ns, inode=listed.inode)
