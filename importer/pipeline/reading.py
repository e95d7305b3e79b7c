"""Reading source files: what can go wrong with one file becomes a reason on its row, a broken world is raised."""

import errno
import os
from collections.abc import Callable

from importer.core.folder import NotPlain, SourceAway, Special, Vanished, identity, modified
from importer.core.records import Bad, Entry
from importer.core.states import Outcome

VANISHED = Bad(Outcome.FAILED, "Vanished: it was listed and is not there any more")
CHANGED = Bad(Outcome.FAILED, "Changed since listing: it is written to, or was replaced")
LINK = Bad(Outcome.SKIPPED, "Symlink: links are never followed")
SPECIAL = Bad(Outcome.SKIPPED, "Special file: neither a file nor a folder")

_WORLD = {errno.ESTALE, errno.ENOTCONN, errno.EHOSTDOWN, errno.ENETDOWN, errno.ENETUNREACH, errno.ETIMEDOUT}
_WORLD |= {errno.EMFILE, errno.ENFILE, errno.ENOMEM}


def why(error: Exception) -> Bad:
    """The reason for a row; raises SourceAway when it is not the file that is broken."""
    if isinstance(error, Vanished):
        return VANISHED
    if isinstance(error, NotPlain):
        return SPECIAL if isinstance(error, Special) else LINK
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


def unchanged(handle: int, *, size: int, mtime_ns: int, inode: str) -> bool:
    """The opened file is the listed one."""
    found = os.fstat(handle)
    return found.st_size == size and modified(found) == mtime_ns and identity(found) == inode


def same(handle: int, entry: Entry) -> bool:
    return unchanged(handle, size=entry.size, mtime_ns=entry.mtime_ns, inode=entry.inode)
