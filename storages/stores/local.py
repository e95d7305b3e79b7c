"""A folder of this machine: nothing outside it is ever seen, and what is written is there whole or not at all."""

import os
import stat
import uuid
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from datetime import datetime
from itertools import islice
from typing import BinaryIO

from storages.stores import handles, keys, reading
from storages.stores.contract import Kind, Level, Listed, ListedKind, Store, StoreConfig
from storages.stores.errors import CHANGED, MISSING, TAKEN, BadKey, Changed, Missing, StoreAway, Taken
from storages.stores.sorting import names_in_order
from storages.stores.walking import listed, of_file, walk
from storages.stores.writing import BLOCK, Incoming


class LocalStore:
    kind = Kind.LOCAL

    def __init__(self, config: StoreConfig) -> None:
        self._path = config.bucket
        prefix = config.prefix.strip("/")
        self._prefix = handles.parts_of(prefix) if prefix else []

    def identity(self) -> str:
        with handles.root(self._path) as root:
            # The number of a device changes when a machine starts again, that of a file system seldom does.
            return f"fs:{os.fstatvfs(root).f_fsid:x}:{os.fstat(root).st_ino:x}"

    def list(self, prefix: str = "", after: str = "") -> Iterator[Listed]:
        try:
            with self._base() as base:
                start = os.dup(base)
        except Missing:
            return
        yield from walk(start, prefix=keys.raw(prefix), after=keys.raw(after))

    def folders(self, path: str = "", after: str = "", limit: int = 1000) -> Level:
        try:
            parts = handles.parts_of(path.rstrip("/")) if path else []
            with self._base() as base, handles.reading(), handles.below(base, parts) as folder:
                return _level(folder, keys.raw(path), keys.raw(after), limit)
        except (Missing, BadKey):
            return Level((), ())

    def stat(self, key: str) -> Listed:
        with self._folder(key) as (folder, name), handles.reading():
            found = listed(folder, name, keys.raw(key))
        if found is None or found.kind is not ListedKind.FILE:
            raise Missing(MISSING)
        return found

    def read_at(self, key: str, offset: int, length: int, *, expect: Listed | None = None) -> bytes:
        with self._folder(key) as (folder, name), handles.reading():
            handle = os.open(name, handles.FILE, dir_fd=folder)
            try:
                _check(handle, expect)
                content = _read(handle, offset, length)
                _check(handle, expect)
            finally:
                os.close(handle)
        return content

    def open(self, key: str, *, expect: Listed | None = None) -> BinaryIO:
        there = self.stat(key)
        if expect is not None and (expect.size, expect.etag) != (there.size, there.etag):
            raise Changed(CHANGED)
        return reading.opened(self, there)

    def put(self, key: str, stream: BinaryIO, *, size: int, sha256: str = "") -> Listed:
        *folders, name = handles.parts_of(key)
        temporary = uuid.uuid4().hex.encode()
        incoming = Incoming(stream, size=size, sha256=sha256)
        with self._base(make=True) as base, handles.writing(), self._incoming(base) as at:
            try:
                _write(at, temporary, incoming)
                with handles.below(base, folders, make=True) as folder:
                    _name(at, temporary, folder, name)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(temporary, dir_fd=at)
        return self.stat(key)

    def copy_from(self, other: Store, key: str, to: str, *, expect: Listed | None = None) -> Listed:
        source = expect or other.stat(key)
        with closing(other.open(key, expect=source)) as stream:
            return self.put(to, stream, size=source.size)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            with suppress(Missing), self._folder(key) as (folder, name), handles.writing(), suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)

    def abort_leftovers(self, older_than: datetime) -> int:
        swept = 0
        with suppress(Missing, FileNotFoundError), self._base() as base, self._incoming(base, make=False) as at:
            for name in names_in_order(at):
                if os.stat(name, dir_fd=at, follow_symlinks=False).st_mtime < older_than.timestamp():
                    os.unlink(name, dir_fd=at)
                    swept += 1
        return swept

    def _incoming(self, base: int, *, make: bool = True) -> AbstractContextManager[int]:
        return handles.below(base, [handles.INCOMING], make=make)

    @contextmanager
    def _folder(self, key: str) -> Iterator[tuple[int, bytes]]:
        """The opened folder that the key lies in, and its name there. Raises Missing."""
        try:
            *folders, name = handles.parts_of(key)
        except BadKey:
            raise Missing(MISSING) from None
        with ExitStack() as stack:
            base = stack.enter_context(self._base())
            with handles.reading():
                folder = stack.enter_context(handles.below(base, folders))
            yield folder, name

    @contextmanager
    def _base(self, *, make: bool = False) -> Iterator[int]:
        """The prefix's folder, which may be missing where the root may not. Raises Missing."""
        with ExitStack() as stack:
            root = stack.enter_context(handles.root(self._path))
            with handles.writing() if make else handles.reading():
                base = stack.enter_context(handles.below(root, self._prefix, make=make))
            yield base


def _level(folder: int, path: bytes, after: bytes, limit: int) -> Level:
    names = (name for name in names_in_order(folder) if name > after)
    page = list(islice((name for name in names if path or name != handles.INCOMING + b"/"), limit + 1))
    following = keys.printable(page[limit - 1]) if len(page) > limit else ""
    here = [(name, path + name) for name in page[:limit]]
    folders = tuple(keys.printable(key) for name, key in here if name.endswith(b"/"))
    found = (listed(folder, name, key) for name, key in here if not name.endswith(b"/"))
    return Level(folders, tuple(one for one in found if one), following)


def _check(handle: int, expect: Listed | None) -> None:
    """Asked before and after reading, so that what was read is of one content."""
    found = of_file(b"", os.fstat(handle))
    if found.kind is not ListedKind.FILE:
        raise Missing(MISSING)
    if expect is not None and (expect.size, expect.etag) != (found.size, found.etag):
        raise Changed(CHANGED)


def _read(handle: int, offset: int, length: int) -> bytes:
    pieces = []
    while length > 0 and (piece := os.pread(handle, length, offset)):
        pieces.append(piece)
        offset, length = offset + len(piece), length - len(piece)
    return b"".join(pieces)


def _write(folder: int, name: bytes, incoming: Incoming) -> None:
    with os.fdopen(os.open(name, handles.NEW, 0o666, dir_fd=folder), "wb") as target:
        while block := incoming.read(BLOCK):
            target.write(block)
        target.flush()
        os.fsync(target.fileno())
        if os.fstat(target.fileno()).st_size != incoming.size:
            raise StoreAway("The disk did not keep what was written to it.")


def _name(source: int, temporary: bytes, folder: int, name: bytes) -> None:
    try:
        handles.name_once((source, temporary), (folder, name))
    except FileExistsError:
        if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise BadKey("There is a folder of this name: a folder cannot hold both.") from None
        raise Taken(TAKEN) from None
