"""Every name below a folder, in the order of the keys' bytes."""

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from storages.stores import keys
from storages.stores.contract import Listed, ListedKind
from storages.stores.errors import StoreAway
from storages.stores.handles import FOLDER, INCOMING
from storages.stores.sorting import names_in_order

MAX_DEPTH = 64
# File systems hold times that no database does.
_MOST_NS = 2**63 - 1
_GONE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}


@dataclass(slots=True)
class _Level:
    handle: int
    # With a `/` at its end; empty at the root.
    path: bytes
    names: Iterator[bytes]


def walk(handle: int, *, prefix: bytes, after: bytes) -> Iterator[Listed]:
    """What lies below the folder, whose handle is closed at the end. Raises StoreAway when its disk is gone."""
    stack = [_Level(handle, b"", iter(()))]
    try:
        stack[0].names = names_in_order(handle)
        while stack:
            name = next(stack[-1].names, None)
            if name is None:
                os.close(stack.pop().handle)
            elif (found := _look(stack, name, prefix, after)) is not None:
                yield found
    except OSError as error:
        raise StoreAway(f"The folder cannot be listed: {error.strerror}.") from error
    finally:
        for level in stack:
            os.close(level.handle)


def _look(stack: list[_Level], name: bytes, prefix: bytes, after: bytes) -> Listed | None:
    level = stack[-1]
    key = level.path + name
    if not name.endswith(b"/"):
        wanted = key.startswith(prefix) and key > after
        return listed(level.handle, name, key) if wanted else None
    leads_there = key.startswith(prefix) or prefix.startswith(key)
    # Everything below stands before `after` unless that lies below, too.
    if not leads_there or (key <= after and not after.startswith(key)) or key == INCOMING + b"/":
        return None
    return _enter(stack, name, key)


def _enter(stack: list[_Level], name: bytes, key: bytes) -> Listed | None:
    """Pushes the folder, or says why not."""
    if len(stack) > MAX_DEPTH:
        return _nothing(key, ListedKind.TOO_DEEP)
    try:
        handle = os.open(name[:-1], FOLDER, dir_fd=stack[-1].handle)
    except OSError as error:
        return None if error.errno in _GONE else _nothing(key, ListedKind.UNREADABLE)
    try:
        stack.append(_Level(handle, key, names_in_order(handle)))
    except OSError:
        os.close(handle)
        return _nothing(key, ListedKind.UNREADABLE)
    return None


def listed(folder: int, name: bytes, key: bytes) -> Listed | None:
    """One name of an opened folder; None when it is gone or has become a folder."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    except PermissionError:
        # The folder may be listed but not entered.
        return _nothing(key, ListedKind.UNREADABLE)
    if stat.S_ISDIR(found.st_mode):
        return None
    return of_file(key, found)


def of_file(key: bytes, found: os.stat_result) -> Listed:
    kind = ListedKind.FILE
    if stat.S_ISLNK(found.st_mode):
        kind = ListedKind.SYMLINK
    elif not stat.S_ISREG(found.st_mode):
        kind = ListedKind.SPECIAL
    size = found.st_size if kind is ListedKind.FILE else 0
    at = max(-_MOST_NS, min(_MOST_NS, found.st_mtime_ns))
    return Listed(keys.printable(key), size, at, f"{at:x}-{size:x}", kind=kind)


def _nothing(key: bytes, kind: ListedKind) -> Listed:
    return Listed(keys.printable(key), 0, None, "", kind=kind)
