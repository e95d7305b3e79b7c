"""What is in a folder, by directory handles, never following a link, in memory that does not grow with it.

Two digests are taken in one walk. `stillness` takes in the change time and the inode, which no copy tool can preset:
it answers "does somebody still write?". `fingerprint` takes in path, size and modification time alone: it answers
"is this what was delivered before?", so that a chmod, a chown or a restore from a backup is no new delivery.
Both are sums of one SHA-256 per entry, so the order of the listing does not matter and nothing needs sorting.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from importer.core.listed import MAX_DEPTH
from importer.core.recognise import is_junk
from watcher.readiness import Mark, is_temporary

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# So many names are enough to recognise a folder after its rename.
MARKS = 64
_BITS = (1 << 256) - 1
_DENIED = {errno.EACCES, errno.EPERM}
_MOVED = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}


class Stopped(Exception):
    """The watcher was asked to stop while it walked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """`files` counts regular files, `size` their bytes, `others` links and special files.

    `unreadable` counts folders that refused; `temporary` is the first nested name that somebody will rename,
    relative to the folder.
    """

    stillness: bytes
    fingerprint: str
    files: int
    size: int
    others: int
    unreadable: int
    temporary: bytes
    marks_found: frozenset[Mark]

    @property
    def empty(self) -> bool:
        """Nothing but folders, all of them looked into."""
        return not (self.files or self.others or self.unreadable)


@contextmanager
def opened(name: bytes, *, parent: int | None = None) -> Iterator[int]:
    """A handle on a real folder. OSError for a link, anything else, and what may not be read."""
    handle = os.open(name, FOLDER, dir_fd=parent)
    try:
        yield handle
    finally:
        os.close(handle)


def never() -> bool:
    return False


def read(folder: int, *, sought: frozenset[Mark] = frozenset(), stopping: Callable[[], bool] = never) -> Manifest:
    """Walks the folder behind the handle.

    Folders that may not be read, and those below MAX_DEPTH, are counted as unreadable. Raises OSError when the file
    system itself fails (EIO, ESTALE): then nothing is known. Raises Stopped between two folders.
    """
    walk = _Walk(sought=sought, stopping=stopping)
    walk.folder(folder, prefix=b"", depth=0, junk=False)
    return walk.result()


def marks(folder: int) -> frozenset[Mark]:
    """A few of the names directly in the folder, with their inodes; temporary ones come and go and are left out."""
    with os.scandir(folder) as entries:
        named = ((os.fsencode(entry.name), entry.inode()) for entry in entries)
        return frozenset(islice((mark for mark in named if not is_temporary(mark[0])), MARKS))


def has_marker(folder: int, marker: bytes) -> bool:
    """True when a regular file of that name lies directly in the folder."""
    try:
        return stat.S_ISREG(os.stat(marker, dir_fd=folder, follow_symlinks=False).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


class _Walk:
    def __init__(self, *, sought: frozenset[Mark], stopping: Callable[[], bool]) -> None:
        self._sought = sought
        self._stopping = stopping
        self._still = self._finger = 0
        self._files = self._size = self._others = self._unreadable = 0
        self._temporary = b""
        self._found: set[Mark] = set()

    def folder(self, handle: int, *, prefix: bytes, depth: int, junk: bool) -> None:
        """Adds everything in the open folder. Holds two handles per level, and levels end at MAX_DEPTH."""
        if self._stopping():
            raise Stopped
        with os.scandir(handle) as entries:
            for entry in entries:
                name = os.fsencode(entry.name)
                try:
                    found = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    self._still_has(prefix + name, b"gone")
                    continue
                except PermissionError:
                    if depth == 0:
                        raise
                    self._refused(prefix + name)
                    continue
                if depth == 0 and (name, found.st_ino) in self._sought:
                    self._found.add((name, found.st_ino))
                inside_junk = junk or is_junk(entry.name)
                if not (inside_junk or self._temporary) and is_temporary(name):
                    self._temporary = prefix + name
                if stat.S_ISDIR(found.st_mode):
                    self._below(handle, name, found, prefix=prefix, depth=depth, junk=inside_junk)
                else:
                    self._file(prefix + name, found, junk=inside_junk)

    def result(self) -> Manifest:
        return Manifest(
            stillness=self._still.to_bytes(32, "big"),
            fingerprint=hashlib.sha256(self._finger.to_bytes(32, "big")).hexdigest(),
            files=self._files,
            size=self._size,
            others=self._others,
            unreadable=self._unreadable,
            temporary=self._temporary,
            marks_found=frozenset(self._found),
        )

    def _below(self, parent: int, name: bytes, found: os.stat_result, *, prefix: bytes, depth: int, junk: bool) -> None:
        path = prefix + name
        if not junk:
            self._still_has(path, b"folder %d %d" % (found.st_ino, found.st_mtime_ns))
        if depth + 1 > MAX_DEPTH:
            self._refused(path)
            return
        try:
            with opened(name, parent=parent) as handle:
                self.folder(handle, prefix=path + b"/", depth=depth + 1, junk=junk)
        except OSError as error:
            if error.errno in _DENIED:
                self._refused(path)
            elif error.errno in _MOVED:
                self._still_has(path, b"gone")
            else:
                raise

    def _file(self, path: bytes, found: os.stat_result, *, junk: bool) -> None:
        if stat.S_ISREG(found.st_mode):
            self._files += 1
            self._size += found.st_size
            said = b"file %d %d" % (found.st_size, found.st_mtime_ns)
        else:
            self._others += 1
            said = b"other %o" % stat.S_IFMT(found.st_mode)
        # Storage boxes write their own files into finished folders: neither a write nor a new delivery.
        if not junk:
            self._fingerprint_has(path, said)
            self._still_has(path, b"%b %d %d" % (said, found.st_ino, found.st_ctime_ns))

    def _refused(self, path: bytes) -> None:
        self._unreadable += 1
        self._fingerprint_has(path, b"unreadable")
        self._still_has(path, b"unreadable")

    def _fingerprint_has(self, path: bytes, said: bytes) -> None:
        self._finger = (self._finger + _number(path, said)) & _BITS

    def _still_has(self, path: bytes, said: bytes) -> None:
        self._still = (self._still + _number(path, said)) & _BITS


def _number(path: bytes, said: bytes) -> int:
    return int.from_bytes(hashlib.sha256(b"%b\0%b" % (path, said)).digest(), "big")
