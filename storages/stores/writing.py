"""Bytes on their way into a store: counted, digested and cut into parts; what lies there afterwards is proven."""

import base64
import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO, Protocol, TypeVar

from storages.stores.contract import Listed
from storages.stores.errors import Changed, StoreAway

T = TypeVar("T")

# Up to here an object is written in one request; larger ones in parts of at least this.
PART = 8 * 1024 * 1024
# S3 takes 10,000 parts, Azure 50,000 blocks.
MOST_PARTS = 9_000
# So many parts are under way at once, and in memory.
AT_ONCE = 4
BLOCK = 1 << 20


class Incoming:
    """Reads exactly `size` bytes of a stream. Raises Changed at its end if they are not what was promised."""

    def __init__(self, stream: BinaryIO, *, size: int, sha256: str) -> None:
        self._stream, self.size, self._promised = stream, size, sha256
        self._sha256 = hashlib.sha256()
        self.md5 = hashlib.md5(usedforsecurity=False)
        self.read_so_far = 0

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    def read(self, length: int = -1) -> bytes:
        """As many as asked for, fewer only at the end."""
        left = self.size - self.read_so_far
        wanted = left if length < 0 else min(length, left)
        block = _exactly(self._stream, wanted)
        self._sha256.update(block)
        self.md5.update(block)
        self.read_so_far += len(block)
        if len(block) < wanted or (self.read_so_far == self.size and not self._as_promised()):
            raise Changed("What was to be written is not what was promised: its size or its digest is another.")
        return block

    def tell(self) -> int:
        return self.read_so_far

    def _as_promised(self) -> bool:
        return not self._stream.read(1) and self._promised in {"", self.sha256}

    def parts(self) -> Iterator[bytes]:
        size = part_size(self.size)
        while self.read_so_far < self.size:
            yield self.read(size)


def _exactly(stream: BinaryIO, length: int) -> bytes:
    """A pipe or a socket gives less than it is asked for."""
    block = stream.read(length)
    if len(block) == length or not block:
        return block
    pieces = [block]
    while (missing := length - sum(map(len, pieces))) and (block := stream.read(missing)):
        pieces.append(block)
    return b"".join(pieces)


def part_size(size: int) -> int:
    return max(PART, -(-size // MOST_PARTS))


def in_parallel(items: Iterator[T], work: Callable[[int, T], object]) -> None:
    """`work` on (1, first), (2, second).., a few at a time: only a few are in memory. The first error ends it."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        under_way: deque[Future[object]] = deque()
        try:
            for number, item in enumerate(items, 1):
                under_way.append(pool.submit(work, number, item))
                if len(under_way) == AT_ONCE:
                    under_way.popleft().result()
            while under_way:
                under_way.popleft().result()
        finally:
            for future in under_way:
                future.cancel()


def md5_of(content: bytes) -> bytes:
    return hashlib.md5(content, usedforsecurity=False).digest()


def in_base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


class _Provable(Protocol):
    def open(self, key: str, *, expect: Listed | None = None) -> BinaryIO: ...
    def stat(self, key: str) -> Listed: ...
    def delete(self, keys: Iterable[str]) -> None: ...


def proven(store: _Provable, key: str, incoming: Incoming, *, by_service: bool) -> Listed:
    """What lies there now. Where the service's own digest does not prove it, it is read back.

    What is not as it was written is taken away again; raises StoreAway then.
    """
    there = store.stat(key)
    if there.size == incoming.size and (by_service or _digest(store, there) == incoming.sha256):
        return there
    store.delete([key])
    raise StoreAway("The storage did not keep what was written to it: size or digest came out otherwise.")


def _digest(store: _Provable, there: Listed) -> str:
    found = hashlib.sha256()
    with store.open(there.key, expect=there) as stream:
        while block := stream.read(BLOCK):
            found.update(block)
    return found.hexdigest()
