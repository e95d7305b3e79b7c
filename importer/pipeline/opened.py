"""One source file, opened: on a disk by its handle, in a store by pieces of it, each of the content that was listed."""

import io
import os
from typing import BinaryIO, Protocol, Self, cast

from importer.core.folder import Opener
from importer.pipeline.reading import Listed, StoreTrouble, told
from storages.stores import Changed, Store, StoreAway
from storages.stores import Listed as Stored

# Of an object: what the first look at it fetches, and what reading on fetches at once. Most headers fit into the one,
# most instances into the other.
FIRST_BLOCK = 32 * 1024
NEXT_BLOCK = 8 * 1024 * 1024


class Opened(Protocol):
    """A source file's bytes. Reading raises OSError; `why` says what that means. Closed by whoever opened it."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...
    def close(self) -> None: ...

    def read(self, length: int) -> bytes:
        """The next bytes, at most so many; nothing at the end."""

    def read_at(self, offset: int, length: int) -> bytes:
        """As many as there are from there; `read` goes on where it was."""

    def as_listed(self) -> bool:
        """Whether all that was read so far is of the file that was listed."""

    def stream(self) -> BinaryIO:
        """A seekable stream of its own over the same bytes, for the caller to close before the file."""


class HandleFile:
    """Owns the handle; `opener` tells whether it is still what was listed."""

    __slots__ = ("_handle", "_listed", "_opener")

    def __init__(self, handle: int, opener: Opener, listed: Listed) -> None:
        self._handle, self._opener, self._listed = handle, opener, listed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)

    def close(self) -> None:
        os.close(self._handle)

    def read(self, length: int) -> bytes:
        return os.read(self._handle, length)

    def read_at(self, offset: int, length: int) -> bytes:
        return os.pread(self._handle, length, offset)

    def as_listed(self) -> bool:
        listed = self._listed
        return self._opener.unchanged(
            self._handle, listed.path, size=listed.size, mtime_ns=listed.mtime_ns, inode=listed.inode
        )

    def stream(self) -> BinaryIO:
        return os.fdopen(os.dup(self._handle), "rb")


class MemberFile(HandleFile):
    """What an archive's member inflated to. `same`: whether the archive is the one that was listed."""

    __slots__ = ("_same",)

    def __init__(self, handle: int, listed: Listed, *, same: bool) -> None:
        self._handle, self._listed, self._same = handle, listed, same

    def as_listed(self) -> bool:
        return self._same and os.fstat(self._handle).st_size == self._listed.size


class StoreFile:
    """Nothing is asked of the store before somebody reads. What begins it is kept, and the last piece that was read."""

    def __init__(self, store: Store, listed: Stored) -> None:
        self._store, self._listed = store, listed
        self._first = b""
        self._last, self._begins = b"", 0
        self._position = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._first = self._last = b""

    @property
    def size(self) -> int:
        return self._listed.size

    def read(self, length: int) -> bytes:
        piece = self._piece(self._position, length, fetch=NEXT_BLOCK)
        self._position += len(piece)
        return piece

    def read_at(self, offset: int, length: int) -> bytes:
        pieces, end = [], min(offset + length, self.size)
        while offset < end:
            piece = self._piece(offset, end - offset, fetch=max(end - offset, FIRST_BLOCK))
            pieces.append(piece)
            offset += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def as_listed(self) -> bool:
        """The store itself refuses to read anything else."""
        return True

    def stream(self) -> BinaryIO:
        return cast("BinaryIO", io.BufferedReader(_Stream(self), FIRST_BLOCK))

    def _piece(self, offset: int, length: int, *, fetch: int) -> bytes:
        """Some of the bytes from there, at least one; nothing only at the end."""
        if offset >= self.size:
            return b""
        if offset < len(self._first):
            return self._first[offset : offset + length]
        if not self._begins <= offset < self._begins + len(self._last):
            self._fetch(offset, min(fetch, self.size - offset))
            if not offset:
                return self._first[:length]
        start = offset - self._begins
        return self._last[start : start + length]

    def _fetch(self, offset: int, length: int) -> None:
        self._last = b""
        try:
            with told():
                block = self._store.read_at(self._listed.key, offset, length, expect=self._listed)
        except StoreTrouble:
            raise
        except Exception as error:
            # A client's surprise says nothing about the file: whoever parses it must not take it for that.
            raise StoreTrouble(StoreAway(f"The storage's client was surprised ({type(error).__name__}).")) from error
        if len(block) != length:
            raise StoreTrouble(Changed("The object ends before the size that it was listed with."))
        if offset:
            self._last, self._begins = block, offset
        else:
            self._first = block


class _Stream(io.RawIOBase):
    """For zipfile and other readers that jump about."""

    def __init__(self, file: StoreFile) -> None:
        super().__init__()
        self._file, self._at = file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._file.size}[whence]
        if base + offset < 0:
            raise ValueError("before the beginning of the object")
        self._at = base + offset
        return self._at

    def readinto(self, target: object) -> int:
        into = memoryview(target).cast("B")  # type: ignore[arg-type]
        piece = self._file.read_at(self._at, len(into))
        into[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)
