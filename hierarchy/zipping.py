"""The archive that a series by reference is downloaded as: written while its members are read, its length known before.

Byte for byte what we would have stored, for members that are read whole before they are sent. Of larger ones the
checksum follows the content, as streams have it (APPNOTE 4.3.9).
"""

import hashlib
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from hierarchy.manifests import InPlace
from hierarchy.references import blocks, in_turn
from storages.stores import StoreConfig

# Up to here a member is read whole before a byte of it is sent.
SMALL = 16 * 1024 * 1024
ZIP64 = (1 << 31) - 1
MOST_FILES = (1 << 16) - 1
FULL_16, FULL_32 = 0xFFFF, 0xFFFFFFFF
# 1 January 1980, 0:00, as DOS has it; read by everybody, written on a Unix.
DATE, UNIX, MODE = 0x21, 3, 0o644 << 16
STREAMED, UTF_8 = 0x8, 0x800


@dataclass(slots=True)
class _Entry:
    """A member on its way: what its headers say, and where its own begins."""

    member: InPlace
    offset: int
    crc: int = 0

    @property
    def name(self) -> bytes:
        return self.member.name.encode()

    @property
    def streamed(self) -> bool:
        return self.member.size > SMALL

    @property
    def zip64(self) -> bool:
        return self.member.size > ZIP64 // 2 if self.streamed else False

    @property
    def flags(self) -> int:
        return (0 if self.member.name.isascii() else UTF_8) | (STREAMED if self.streamed else 0)

    @property
    def version(self) -> int:
        return 45 if self.zip64 else 20

    def header(self) -> bytes:
        size, extra = self.member.size, b""
        if self.streamed:
            size = 0
        if self.zip64:
            size, extra = FULL_32, struct.pack("<HHQQ", 1, 16, 0, 0)
        crc = 0 if self.streamed else self.crc
        return (
            struct.pack(
                "<4s2B4HL2L2H", b"PK\x03\x04", self.version, 0, self.flags, 0, 0, DATE, crc, size, size,
                len(self.name), len(extra),
            ) + self.name + extra
        )  # fmt: skip

    def descriptor(self) -> bytes:
        if not self.streamed:
            return b""
        form = "<4sLQQ" if self.zip64 else "<4sLLL"
        return struct.pack(form, b"PK\x07\x08", self.crc, self.member.size, self.member.size)

    def listed(self) -> bytes:
        """Its line in the list at the archive's end."""
        more, size, offset, version = [], self.member.size, self.offset, self.version
        if size > ZIP64:
            more, size = [size, size], FULL_32
        if offset > ZIP64:
            more, offset = [*more, offset], FULL_32
        extra = struct.pack(f"<HH{len(more)}Q", 1, 8 * len(more), *more) if more else b""
        version = 45 if more else version
        return (
            struct.pack(
                "<4s4B4HL2L5H2L", b"PK\x01\x02", version, UNIX, version, 0, self.flags, 0, 0, DATE, self.crc,
                size, size, len(self.name), len(extra), 0, 0, 0, MODE, offset,
            ) + self.name + extra
        )  # fmt: skip

    def length(self) -> int:
        """Header, content and descriptor."""
        return len(self.header()) + self.member.size + len(self.descriptor())


def layout(members: Sequence[InPlace]) -> list[_Entry]:
    entries, offset = [], 0
    for member in sorted(members, key=lambda one: one.name):
        entries.append(_Entry(member, offset))
        offset += entries[-1].length()
    return entries


def length(members: Sequence[InPlace]) -> int:
    """Bytes of the whole archive."""
    entries = layout(members)
    return sum(entry.length() for entry in entries) + len(_end(entries))


@dataclass(slots=True)
class Zipped:
    """The archive, block by block. Raises what stores raise, in the middle where it must be.

    `read` holds SHA-256 by member of what went out: all of them once the end is reached.
    """

    config: StoreConfig
    members: Sequence[InPlace]
    read: dict[str, str]

    def __iter__(self) -> Iterator[bytes]:
        entries = layout(self.members)
        for streamed, run in groupby(entries, key=lambda entry: entry.streamed):
            side_by_side = list(run)
            yield from self._streamed(side_by_side) if streamed else self._whole(side_by_side)
        yield _end(entries)

    def _whole(self, entries: Sequence[_Entry]) -> Iterator[bytes]:
        found = in_turn(self.config, [entry.member for entry in entries])
        for entry, content in zip(entries, found, strict=True):
            entry.crc = zlib.crc32(content)
            self.read[entry.member.name] = hashlib.sha256(content).hexdigest()
            yield entry.header() + content

    def _streamed(self, entries: Sequence[_Entry]) -> Iterator[bytes]:
        for entry in entries:
            yield entry.header()
            total = hashlib.sha256()
            for block in blocks(self.config, entry.member):
                entry.crc = zlib.crc32(block, entry.crc)
                total.update(block)
                yield block
            self.read[entry.member.name] = total.hexdigest()
            yield entry.descriptor()


def _end(entries: Sequence[_Entry]) -> bytes:
    """The list of members, and what says where it begins."""
    listing = b"".join(entry.listed() for entry in entries)
    begins, count, size = sum(entry.length() for entry in entries), len(entries), len(listing)
    more = b""
    if count > MOST_FILES or begins > ZIP64 or size > ZIP64:
        more = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, begins)
        more += struct.pack("<4sLQL", b"PK\x06\x07", 0, begins + size, 1)
        count, size, begins = min(count, FULL_16), min(size, FULL_32), min(begins, FULL_32)
    return listing + more + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, size, begins, 0)
