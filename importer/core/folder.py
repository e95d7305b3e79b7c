"""A source folder: walked in name order, opened without ever following a link.

Everything goes through directory handles, so a path may be longer than the kernel's limit, a folder may be renamed
while it is read, and a component that turns into a link between the listing and the opening fails safely.
"""

import errno
import heapq
import os
import pickle
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO, Self

from importer.core.listed import MAX_DEPTH, changed, identity, modified
from importer.core.members import REFUSED, Archive, NoArchive, Spoiled
from importer.core.names import archive_and_member, member_path, printable, raw
from importer.core.records import Entry, EntryKind

# So many names of one folder are sorted in memory; more go through sorted runs on disk.
RUN = 100_000

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK, opening a FIFO that has no writer never returns.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class SourceAway(Exception):
    """The source's root is not there or not readable. The world is broken, not a file: the job pauses."""


class Vanished(Exception):
    """The file was listed and is not there any more."""


class NotPlain(Exception):
    """What was a regular file at the listing, or a folder above it, is a link now."""


class Special(NotPlain):
    """What was a regular file at the listing is a folder, a FIFO or a device now."""


def walk(root: bytes, *, after: str = "") -> Iterator[Entry]:
    """Every name below `root` that is no folder, in byte order of its path's parts, from behind `after` on.

    The order is strict: no path comes twice. A folder that cannot be listed is one UNREADABLE entry with a `/` at
    its end, one below MAX_DEPTH is TOO_DEEP; of a folder that may be listed but not entered, each name is
    UNREADABLE. Raises SourceAway for the root itself.
    """
    yield from _walk(_opened_root(root), (), after=after)


def _walk(handle: int, base: tuple[bytes, ...], *, after: str) -> Iterator[Entry]:
    """Closes the handle, which is the folder `base` of the root."""
    skip = _parts(after) if after else ()
    stack = [_Level(handle=handle, parts=base, names=iter(()))]
    try:
        stack[0].names = _names_from(handle, _next_part(skip, base))
        yield from _descend(stack, skip)
    except OSError as error:
        raise SourceAway(f"The source cannot be listed: {error.strerror}.") from error
    finally:
        for level in stack:
            os.close(level.handle)


def _parts(path: str) -> tuple[bytes, ...]:
    return tuple(raw(path.rstrip("/")).split(b"/"))


def _next_part(skip: tuple[bytes, ...], parts: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Below a folder that leads to where a walk goes on: the name to begin with."""
    return skip[len(parts) : len(parts) + 1] if skip[: len(parts)] == parts else ()


@dataclass(slots=True)
class _Level:
    handle: int
    parts: tuple[bytes, ...]
    names: Iterator[bytes]


def _descend(stack: list[_Level], skip: tuple[bytes, ...]) -> Iterator[Entry]:
    while stack:
        level = stack[-1]
        name = next(level.names, None)
        if name is None:
            if len(stack) == 1:
                return
            os.close(stack.pop().handle)
            continue
        parts = (*level.parts, name)
        if parts == skip or (skip and parts < skip[: len(parts)]):
            continue
        try:
            found = os.stat(name, dir_fd=level.handle, follow_symlinks=False)
        except PermissionError:
            # The folder may be listed but not entered.
            yield _hidden(parts)
            continue
        except FileNotFoundError:
            continue
        if not stat.S_ISDIR(found.st_mode):
            yield _entry(parts, found)
            continue
        refused = _enter(stack, parts, found, skip)
        if refused is not None:
            yield refused


def _enter(
    stack: list[_Level], parts: tuple[bytes, ...], found: os.stat_result, skip: tuple[bytes, ...]
) -> Entry | None:
    """Pushes the folder, or says why not."""
    if len(parts) > MAX_DEPTH:
        return _folder_entry(parts, found, EntryKind.TOO_DEEP)
    try:
        handle = os.open(parts[-1], _FOLDER, dir_fd=stack[-1].handle)
    except OSError as error:
        gone = error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
        return None if gone else _folder_entry(parts, found, EntryKind.UNREADABLE)
    try:
        names = _names_from(handle, _next_part(skip, parts))
    except OSError:
        os.close(handle)
        return _folder_entry(parts, found, EntryKind.UNREADABLE)
    stack.append(_Level(handle=handle, parts=parts, names=names))
    return None


def _names_from(handle: int, first: tuple[bytes, ...]) -> Iterator[bytes]:
    """The folder's names in byte order, each once, from `first` on."""
    runs: list[BinaryIO] = []
    names: list[bytes] = []
    with os.scandir(handle) as found:
        for entry in found:
            names.append(os.fsencode(entry.name))
            if len(names) >= RUN:
                runs.append(_spilled(sorted(names)))
                names = []
    names.sort()
    merged = heapq.merge(*(_read_back(run) for run in runs), names) if runs else iter(names)
    return _once(merged, first[0] if first else b"")


def _once(names: Iterator[bytes], first: bytes) -> Iterator[bytes]:
    last = b""
    for name in names:
        if name != last and name >= first:
            yield name
        last = name


def _spilled(names: list[bytes]) -> BinaryIO:
    run = tempfile.TemporaryFile()  # noqa: SIM115  closed by whoever reads it back
    for start in range(0, len(names), 1000):
        pickle.dump(names[start : start + 1000], run)
    run.seek(0)
    return run


def _read_back(run: BinaryIO) -> Iterator[bytes]:
    with run:
        while True:
            try:
                yield from pickle.load(run)  # noqa: S301  our own temporary file, never named
            except EOFError:
                return


def _entry(parts: tuple[bytes, ...], found: os.stat_result) -> Entry:
    kind = EntryKind.FILE
    if stat.S_ISLNK(found.st_mode):
        kind = EntryKind.SYMLINK
    elif not stat.S_ISREG(found.st_mode):
        kind = EntryKind.SPECIAL
    size = found.st_size if kind is EntryKind.FILE else 0
    return _listed(printable(b"/".join(parts)), kind, size, found)


def _hidden(parts: tuple[bytes, ...]) -> Entry:
    return Entry(path=printable(b"/".join(parts)), kind=EntryKind.UNREADABLE, size=0, mtime_ns=0, inode="")


def _folder_entry(parts: tuple[bytes, ...], found: os.stat_result, kind: EntryKind) -> Entry:
    return _listed(printable(b"/".join(parts)) + "/", kind, 0, found)


def _listed(path: str, kind: EntryKind, size: int, found: os.stat_result) -> Entry:
    return Entry(path, kind, size, mtime_ns=modified(found), inode=identity(found), ctime_ns=changed(found))


def _opened_root(root: bytes) -> int:
    try:
        # A link that the operator named was followed when the job was made: one that is there now came later.
        return os.open(root, _FOLDER)
    except OSError as error:
        raise SourceAway(f"The source's folder cannot be opened: {error.strerror}.") from error


class Opener:
    """Opens files of one root one after the other; the handles of the last file's folders are kept for the next."""

    def __init__(self, root: bytes) -> None:
        self._root = _opened_root(root)
        self._chain: list[tuple[bytes, int]] = []
        self._archive: tuple[str, Archive] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close_archive()
        self._cut(0)
        os.close(self._root)

    def open(self, path: str) -> int:
        """A handle on a regular file, or on what is inside an archive's member, for the caller to close.

        Raises Vanished, NotPlain, Spoiled, NoRoom, or OSError (permission, input/output).
        """
        archive, member = archive_and_member(path)
        if member:
            return self._open_member(archive, member)
        *folders, name = raw(path).split(b"/")
        try:
            handle = os.open(name, _FILE, dir_fd=self._folder(folders))
        except OSError as error:
            raise _named(error) from error
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise Special
        return handle

    def archive(self, path: str) -> Archive:
        """Kept open until another one is asked for. Raises NoArchive, and as `open`."""
        if self._archive is None or self._archive[0] != path:
            self._close_archive()
            self._archive = (path, Archive.of_handle(self.open(path)))
        return self._archive[1]

    def unchanged(self, handle: int, path: str, *, size: int, mtime_ns: int, inode: str) -> bool:
        """What was opened last is what was listed; of an archive's member, the archive is."""
        own = os.fstat(handle)
        archive, member = archive_and_member(path)
        if member:
            found = self.archive(archive).stamp()
            return own.st_size == size and found.mtime_ns == mtime_ns and found.inode == inode
        return own.st_size == size and modified(own) == mtime_ns and identity(own) == inode

    def _look_inside(self, archive: str, member: str) -> Iterator[Entry]:
        try:
            found = self.archive(archive).entry(archive, member)
        except (Vanished, NotPlain):
            return
        except (NoArchive, PermissionError):
            found = Entry(member_path(archive, member), EntryKind.NO_ARCHIVE, size=0, mtime_ns=0, inode="")
        if found is not None:
            yield found

    def _open_member(self, archive: str, member: str) -> int:
        try:
            return self.archive(archive).open(member)
        except NoArchive:
            raise Spoiled(REFUSED[EntryKind.NO_ARCHIVE]) from None
        except KeyError:
            raise Vanished from None

    def _close_archive(self) -> None:
        if self._archive is not None:
            self._archive[1].close()
        self._archive = None

    def unlink(self, path: str) -> None:
        """Raises Vanished, NotPlain or OSError."""
        *folders, name = raw(path).split(b"/")
        os.unlink(name, dir_fd=self._folder(folders))

    def rmdir(self, folder: tuple[bytes, ...]) -> None:
        """If it is empty; what is not, or may not be removed, stays."""
        with suppress(OSError, Vanished, NotPlain):
            above = self._folder(list(folder[:-1]))
            os.rmdir(folder[-1], dir_fd=above)

    def look(self, path: str) -> Iterator[Entry]:
        """What lies there now: the file, everything below the folder, the archive's member, or nothing when it is gone.

        As in `walk`, what may not be looked at is one UNREADABLE entry.
        """
        archive, member = archive_and_member(path)
        if member:
            yield from self._look_inside(archive, member)
            return
        parts = _parts(path)
        try:
            found = os.stat(parts[-1], dir_fd=self._folder(list(parts[:-1])), follow_symlinks=False)
        except (FileNotFoundError, Vanished, NotPlain):
            return
        except PermissionError:
            yield _hidden(parts)
            return
        if stat.S_ISDIR(found.st_mode):
            yield from self._below(parts, found, after="")
        else:
            yield _entry(parts, found)

    def go_on(self, path: str, *, after: str) -> Iterator[Entry]:
        """What lies below the folder behind `after`, which is in it."""
        parts = _parts(path)
        try:
            found = os.fstat(self._folder(list(parts)))
        except (OSError, Vanished, NotPlain):
            return
        yield from self._below(parts, found, after=after)

    def _below(self, parts: tuple[bytes, ...], found: os.stat_result, *, after: str) -> Iterator[Entry]:
        if len(parts) > MAX_DEPTH:
            yield _folder_entry(parts, found, EntryKind.TOO_DEEP)
            return
        try:
            handle = os.open(b".", _FOLDER, dir_fd=self._folder(list(parts)))
        except (OSError, Vanished, NotPlain):
            yield _folder_entry(parts, found, EntryKind.UNREADABLE)
            return
        yield from _walk(handle, parts, after=after)

    def _folder(self, folders: list[bytes]) -> int:
        same = 0
        while same < min(len(folders), len(self._chain)) and self._chain[same][0] == folders[same]:
            same += 1
        self._cut(same)
        for folder in folders[same:]:
            above = self._chain[-1][1] if self._chain else self._root
            try:
                self._chain.append((folder, os.open(folder, _FOLDER, dir_fd=above)))
            except OSError as error:
                raise _named(error) from error
        return self._chain[-1][1] if self._chain else self._root

    def _cut(self, length: int) -> None:
        while len(self._chain) > length:
            os.close(self._chain.pop()[1])


def _named(error: OSError) -> Exception:
    if error.errno == errno.ENOENT:
        return Vanished()
    if error.errno in {errno.ELOOP, errno.ENOTDIR}:
        # A link that a folder became is ENOTDIR.
        return NotPlain()
    if error.errno in {errno.ENXIO, errno.EISDIR}:
        return Special()
    return error
