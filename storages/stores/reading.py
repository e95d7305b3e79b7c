"""A file-like object over ranged reads: seekable, one block in memory, the same content from first to last byte.

django-storages opens an object by fetching the whole of it into a temporary file: a download of 20 GB would begin when
they lie on our disk. Here the first byte comes with the first block, and a block that broke off is asked for again.
"""

import io
from typing import BinaryIO, Protocol, cast

from storages.stores.contract import Listed

# Blocks grow while somebody reads on, so that a header costs little and a whole object few requests.
FIRST_BLOCK = 64 * 1024
LARGEST_BLOCK = 8 * 1024 * 1024


class _Reads(Protocol):
    def read_at(self, key: str, offset: int, length: int, *, expect: Listed | None = None) -> bytes: ...


def opened(store: _Reads, listed: Listed) -> BinaryIO:
    """Of exactly the content that was listed: Changed, while reading, once it is another."""
    return cast("BinaryIO", io.BufferedReader(_Blocks(store, listed), buffer_size=FIRST_BLOCK))


class _Blocks(io.RawIOBase):
    def __init__(self, store: _Reads, listed: Listed) -> None:
        super().__init__()
        self._store, self._listed = store, listed
        self._at = 0
        self._block, self._begins = b"", 0
        self._next_size = FIRST_BLOCK

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._listed.size}[whence]
        if base + offset < 0:
            raise ValueError("before the beginning of the object")
        self._at = base + offset
        return self._at

    def readinto(self, target: object) -> int:
        into = memoryview(target).cast("B")  # type: ignore[arg-type]
        if self._at >= self._listed.size or not len(into):
            return 0
        if not self._begins <= self._at < self._begins + len(self._block):
            self._fetch(len(into))
        start = self._at - self._begins
        piece = memoryview(self._block)[start : start + len(into)]
        into[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def _fetch(self, wanted: int) -> None:
        """Who reads on behind the last block gets a larger one; who jumps about, a small one."""
        follows = self._block and self._at == self._begins + len(self._block)
        self._next_size = min(self._next_size * 4, LARGEST_BLOCK) if follows else FIRST_BLOCK
        size = min(max(self._next_size, min(wanted, LARGEST_BLOCK)), self._listed.size - self._at)
        self._block = b""
        self._block = self._store.read_at(self._listed.key, self._at, size, expect=self._listed)
        self._begins = self._at

    def close(self) -> None:
        self._block = b""
        super().close()
