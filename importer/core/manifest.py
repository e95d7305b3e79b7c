"""What is inside an archive, and when two archives are equal: however their bytes were packed."""

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, order=True)
class Member:
    """One member: `size` in bytes, `sha256` in hex, `source` the printable path that it came from.

    By reference it lies at its source: as it was listed there, and the digest is empty until somebody has read it.
    """

    name: str
    size: int
    sha256: str
    source: str = ""
    mtime_ns: int | None = field(default=None, compare=False)
    etag: str = field(default="", compare=False)

    @property
    def in_place(self) -> bool:
        return self.mtime_ns is not None or bool(self.etag)


def stamp(storage: int, members: Iterable[Member]) -> str:
    """SHA-256 over what listings say of members that lie in this storage: unread ones are known again by it."""
    total = hashlib.sha256(f"{storage}\n".encode())
    for one in sorted(members):
        total.update(json.dumps([one.name, one.size, one.source, one.mtime_ns, one.etag]).encode() + b"\n")
    return total.hexdigest()


def digest(members: Iterable[Member]) -> str:
    """SHA-256 over the sorted lines of name, size and content digest; sources do not count."""
    total = hashlib.sha256()
    for member in sorted(members):
        total.update(json.dumps([member.name, member.size, member.sha256]).encode() + b"\n")
    return total.hexdigest()


def to_lines(members: Iterable[Member]) -> bytes:
    """zlib-compressed JSON lines `[name, size, sha256, source]`, of what lies at its source also its time and etag,
    sorted by name."""
    lines = (json.dumps(_line(one)) for one in sorted(members))
    return zlib.compress("\n".join(lines).encode(), 6)


def _line(one: Member) -> list[str | int | None]:
    own: list[str | int | None] = [one.name, one.size, one.sha256, one.source]
    return [*own, one.mtime_ns, one.etag] if one.in_place else own


def from_lines(blob: bytes | memoryview) -> Iterator[Member]:
    text = zlib.decompress(bytes(blob)).decode()
    for line in text.split("\n"):
        if line:
            yield Member(*json.loads(line))
