"""What the three object stores have in common: prefixes, opening, putting, copying through here."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from typing import BinaryIO

from storages.stores import keys, reading, writing
from storages.stores.contract import Kind, Level, Listed, ListedKind, Store, StoreConfig
from storages.stores.errors import CHANGED, MISSING, TAKEN, BadKey, Changed, Missing, StoreDenied, Taken
from storages.stores.listing import in_order
from storages.stores.writing import Incoming

LONGEST_KEY = 1024
# How long a bucket that answered is taken to be there.
SEEN_SECONDS = 60.0


class ObjectStore:
    """A service's part is below: everything that ends in an underscore speaks the service's own full keys."""

    kind: Kind

    def __init__(self, config: StoreConfig) -> None:
        self.config = config
        self.prefix = keys.folder(config.prefix)
        self._seen = float("-inf")

    def list(self, prefix: str = "", after: str = "") -> Iterator[Listed]:
        begin = keys.for_service(self.prefix + keys.raw(prefix))

        def pages(behind: bytes) -> Iterator[Listed]:
            return self._below(self.pages_(begin, self._full(behind) if behind else ""))

        return in_order(pages, after=after, order=self.order_)

    def _below(self, found: Iterator[Listed]) -> Iterator[Listed]:
        """Keys become our own; the placeholder of the prefix itself has none."""
        for one in found:
            key = keys.of_service(one.key)[len(self.prefix) :]
            if key:
                yield _renamed(one, keys.printable(key))

    def folders(self, path: str = "", after: str = "", limit: int = 1000) -> Level:
        here = keys.for_service(self.prefix + keys.raw(path))
        names, found, following = self.level_(here, after, limit)
        below = sorted(keys.of_service(name)[len(self.prefix) :] for name in names)
        own = self.prefix + keys.raw(path)
        objects = self._below(one for one in found if keys.of_service(one.key) != own)
        return Level(tuple(map(keys.printable, below)), tuple(objects), following)

    def stat(self, key: str) -> Listed:
        with self._truly_missing():
            return _renamed(self.stat_(self.readable(key)), key)

    def read_at(self, key: str, offset: int, length: int, *, expect: Listed | None = None) -> bytes:
        if length <= 0:
            return b""
        with self._truly_missing():
            return self.read_(self.readable(key), offset, length, expect)

    @contextmanager
    def _truly_missing(self) -> Iterator[None]:
        """Without its bucket every object is missing, and nothing is to be concluded from that: StoreAway."""
        try:
            yield
        except Missing:
            if time.monotonic() - self._seen > SEEN_SECONDS:
                with suppress(StoreDenied):
                    self.level_("", "", 1)
                self._seen = time.monotonic()
            raise

    def open(self, key: str, *, expect: Listed | None = None) -> BinaryIO:
        return reading.opened(self, expect or self.stat(key))

    def put(self, key: str, stream: BinaryIO, *, size: int, sha256: str = "") -> Listed:
        full = self.writable(key)
        self._check_free(key)
        incoming = Incoming(stream, size=size, sha256=sha256)
        return writing.proven(self, key, incoming, by_service=self.write_(full, incoming))

    def copy_from(self, other: Store, key: str, to: str, *, expect: Listed | None = None) -> Listed:
        full = self.writable(to)
        self._check_free(to)
        source = expect or other.stat(key)
        if isinstance(other, type(self)) and self.copy_(other, other.readable(key), source, full):
            if other.stat(key).etag != source.etag:
                # Not every service heeds the condition that it was told.
                self.delete([to])
                raise Changed(CHANGED)
            return self.stat(to)
        with closing(other.open(key, expect=source)) as stream:
            return self.put(to, stream, size=source.size)

    def delete(self, keys: Iterable[str]) -> None:
        self.delete_([self._full(_raw(key)) for key in keys])

    def _check_free(self, key: str) -> None:
        """Services that know conditions are asked for them as well; not all do."""
        try:
            self.stat(key)
        except Missing:
            return
        raise Taken(TAKEN)

    def _full(self, key: bytes) -> str:
        return keys.for_service(self.prefix + key)

    def readable(self, key: str) -> str:
        try:
            return self._full(keys.raw(key))
        except UnicodeDecodeError:
            raise Missing(MISSING) from None

    def writable(self, key: str) -> str:
        found = self.prefix + keys.raw(key)
        try:
            full = keys.for_service(found)
        except UnicodeDecodeError:
            raise BadKey("The key is no UTF-8: an object store cannot hold it.") from None
        if not key or len(found) > LONGEST_KEY:
            raise BadKey(f"A key has 1 to {LONGEST_KEY} bytes, with the storage's prefix.")
        return full

    # What a service does. Full keys; raises as the protocol says, and patience.Passing within pages_.

    def pages_(self, begin: str, behind: str) -> Iterator[Listed]:
        raise NotImplementedError

    def level_(self, path: str, after: str, limit: int) -> tuple[Iterable[str], Iterable[Listed], str]:
        raise NotImplementedError

    def stat_(self, key: str) -> Listed:
        raise NotImplementedError

    def read_(self, key: str, offset: int, length: int, expect: Listed | None) -> bytes:
        raise NotImplementedError

    def write_(self, key: str, incoming: Incoming) -> bool:
        """Whether the service's own digest proves what it has."""
        raise NotImplementedError

    def copy_(self, other: "ObjectStore", key: str, source: Listed, to: str) -> bool:
        """Whether the service could."""
        raise NotImplementedError

    def delete_(self, full: Sequence[str]) -> None:
        raise NotImplementedError

    def behind_the_end_(self, key: str, expect: Listed | None) -> bytes:
        """What is read behind an object's end; it may have become shorter."""
        if expect is not None and self.stat_(key).etag != expect.etag:
            raise Changed(CHANGED)
        return b""

    @staticmethod
    def order_(key: bytes) -> bytes:
        """By what the service sorts a key."""
        return key

    def identity(self) -> str:
        raise NotImplementedError

    def abort_leftovers(self, older_than: datetime) -> int:
        raise NotImplementedError


def _raw(key: str) -> bytes:
    return keys.raw(key)


def _renamed(one: Listed, key: str) -> Listed:
    kind = one.kind
    if kind is ListedKind.FILE and one.size == 0 and key.endswith("/"):
        kind = ListedKind.PLACEHOLDER
    return Listed(key, one.size, one.mtime_ns, one.etag, one.version, kind)
