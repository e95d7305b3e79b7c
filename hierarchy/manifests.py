"""Lists of what is inside an archive, as their rows keep them (`hierarchy.models.Manifest`)."""

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from storages.stores import Listed


@dataclass(frozen=True, slots=True)
class InPlace:
    """One file where it lies: `key` in its storage, `sha256` empty until somebody has read it.

    `mtime_ns` and `etag` are those of its listing when it was imported; behind the etag, after a space, comes the
    service's own mark of one content where a listing tells it.
    """

    name: str
    size: int
    sha256: str
    key: str
    mtime_ns: int | None = None
    etag: str = ""

    @property
    def listed(self) -> Listed:
        etag, _, version = self.etag.partition(" ")
        return Listed(self.key, self.size, self.mtime_ns, etag, version)


def from_lines(blob: bytes | memoryview) -> Iterator[InPlace]:
    text = zlib.decompress(bytes(blob)).decode()
    for line in text.split("\n"):
        if line:
            yield InPlace(*json.loads(line))


def to_lines(members: Iterable[InPlace]) -> bytes:
    lines = (json.dumps([m.name, m.size, m.sha256, m.key, m.mtime_ns, m.etag]) for m in members)
    return zlib.compress("\n".join(lines).encode(), 6)


def digest(members: Iterable[InPlace]) -> str:
    """SHA-256 over the sorted lines of name, size and content digest: as of an archive that we packed."""
    total = hashlib.sha256()
    for name, size, sha256 in sorted((m.name, m.size, m.sha256) for m in members):
        total.update(json.dumps([name, size, sha256]).encode() + b"\n")
    return total.hexdigest()
