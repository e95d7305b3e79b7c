"""A file seen through windows: a header is read without reading the file."""

import io
from collections.abc import Callable
from typing import BinaryIO, Protocol

# `read_at(offset, length)` gives the bytes there, fewer only at the file's end. It may raise OSError.
ReadAt = Callable[[int, int], bytes]

FIRST = 16 * 1024
LARGEST = 1024 * 1024
# A header that wants more is somebody's attack on memory: enhanced multi-frame headers stay far below.
MOST = 64 * 1024 * 1024


class TooMuch(Exception):
    """More bytes were asked for than any header needs."""


class _Writable(Protocol):
    def __len__(self) -> int: ...
    def __setitem__(self, key: slice, value: bytes) -> None: ...


class Window(io.RawIOBase):
    """Raw stream over `read_at`: 16 KiB first, then each window twice the one before.

    `trouble` keeps the error of the world below (a disk, a network), which is not the file's fault.
    """

    def __init__(self, read_at: ReadAt, *, size: int) -> None:
        super().__init__()
        self.size = size
        self.trouble: OSError | None = None
        self._read_at = read_at
        self._position = 0
        self._start = 0
        self._held = b""
        self._next = FIRST
        self._fetched = 0

    def start(self) -> bytes:
        """The first 16 KiB, or all of a smaller file."""
        return self._at(0, FIRST)

    def at(self, position: int, length: int) -> bytes:
        """Bytes of anywhere, without moving: for who knows how many are needed."""
        self._fetched += length
        if self._fetched > MOST:
            raise TooMuch
        return self._read(position, length)

    def buffered(self) -> BinaryIO:
        return io.BufferedReader(self, FIRST)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: _Writable, /) -> int:  # type: ignore[override]
        data = self._at(self._position, len(buffer))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _at(self, position: int, length: int) -> bytes:
        offset = position - self._start
        if not 0 <= offset < len(self._held):
            self._held, self._start, offset = self._fetch(position), position, 0
        return self._held[offset : offset + length]

    def _fetch(self, position: int) -> bytes:
        wanted = min(self._next, self.size - position)
        if wanted <= 0:
            return b""
        self._fetched += wanted
        if self._fetched > MOST:
            raise TooMuch
        self._next = min(self._next * 2, LARGEST)
        return self._read(position, wanted)

    def _read(self, position: int, wanted: int) -> bytes:
        try:
            data = self._read_at(position, wanted)
        except OSError as error:
            self.trouble = error
            raise
        if not data:
            self.size = position
        return data
