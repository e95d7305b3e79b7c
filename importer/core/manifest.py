"""What is inside an archive, and when two archives are equal: however their bytes were packed."""

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Member:
    """One member: `size` in bytes, `sha256` in hex, `source` the printable path that it came from."""

    name: str
    size: int
    sha256: str
    source: str = ""


def digest(members: Iterable[Member]) -> str:
    """SHA-256 over the sorted lines of name, size and content digest; sources do not count."""
    total = hashlib.sha256()
    for member in sorted(members):
        total.update(json.dumps([member.name, member.size, member.sha256]).encode() + b"\n")
    return total.hexdigest()


def to_lines(members: Iterable[Member]) -> bytes:
    """zlib-compressed JSON lines `[name, size, sha256, source]`, sorted by name."""
    lines = (json.dumps([one.name, one.size, one.sha256, one.source]) for one in sorted(members))
    return zlib.compress("\n".join(lines).encode(), 6)


def from_lines(blob: bytes | memoryview) -> Iterator[Member]:
    text = zlib.decompress(bytes(blob)).decode()
    for line in text.split("\n") if text else ():
        name, size, sha256, source = json.loads(line)
        yield Member(name, size, sha256, source)
