"""Ways through a folder by handles alone, each opened from the one above without following a link."""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from storages.stores import keys
from storages.stores.errors import (
    CLOSED,
    MISSING,
    BadKey,
    Missing,
    StoreAway,
    StoreDenied,
    StoreFull,
    Unreadable,
)

# Where files lie until they are whole: no key leads there, and no listing shows it.
INCOMING = b".pratique-incoming"
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK, opening a FIFO that has no writer never returns.
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

_FULL = {errno.ENOSPC, errno.EDQUOT}
# What file systems without hard links answer (FAT, some network and user-space ones).
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EISDIR, errno.ENXIO}


def parts_of(key: str) -> list[bytes]:
    """Names from the top. Raises BadKey for what is no name of a file below the root."""
    parts = keys.raw(key).split(b"/")
    if any(part in {b"", b".", b".."} or b"\0" in part for part in parts) or parts[0] == INCOMING:
        raise BadKey("A folder cannot hold such a name.")
    return parts


@contextmanager
def root(path: str) -> Iterator[int]:
    """Raises StoreAway: without its root, nothing is to be concluded of what lies below."""
    try:
        handle = os.open(path, FOLDER)
    except OSError as error:
        raise StoreAway(f"The folder cannot be opened: {error.strerror}.") from error
    try:
        yield handle
    finally:
        os.close(handle)


@contextmanager
def below(start: int, parts: Sequence[bytes], *, make: bool = False) -> Iterator[int]:
    """The folder at the end of the way, made where it is missing and asked for. Raises OSError."""
    handle = os.dup(start)
    try:
        for part in parts:
            if make:
                _make(handle, part)
            # The one above is given up only when the next one is there.
            above, handle = handle, os.open(part, FOLDER, dir_fd=handle)
            os.close(above)
        yield handle
    finally:
        os.close(handle)


def _make(handle: int, name: bytes) -> None:
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=handle)
        os.fsync(handle)


def name_once(source: tuple[int, bytes], target: tuple[int, bytes]) -> None:
    """A rename writes over what is there, a link never does. Each is a folder's handle and a name.

    Raises FileExistsError.
    """
    (old, temporary), (new, name) = source, target
    try:
        os.link(temporary, name, src_dir_fd=old, dst_dir_fd=new, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        with suppress(FileNotFoundError):
            os.stat(name, dir_fd=new, follow_symlinks=False)
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from error
        os.rename(temporary, name, src_dir_fd=old, dst_dir_fd=new)
    else:
        os.unlink(temporary, dir_fd=old)
    os.fsync(new)


@contextmanager
def reading() -> Iterator[None]:
    """One object that cannot be read, in our words."""
    try:
        yield
    except OSError as error:
        if error.errno in _NOT_THERE:
            raise Missing(MISSING) from error
        if error.errno in {errno.EACCES, errno.EPERM}:
            raise Unreadable(CLOSED) from error
        raise StoreAway(f"The disk cannot be read: {error.strerror}.") from error


@contextmanager
def writing() -> Iterator[None]:
    """What keeps an object from being written, in our words."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StoreFull("No space left on the disk.") from error
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            raise StoreDenied(
                "The folder may not be written to: change its rights, or mount it for writing."
            ) from error
        if error.errno in {errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EILSEQ, errno.EINVAL}:
            raise BadKey("The folder cannot hold such a name.") from error
        raise StoreAway(f"The disk cannot be written: {error.strerror}.") from error
