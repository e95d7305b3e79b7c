"""A dropped `.dicom.zip` is placed by its first member's header. Archives are hostile: sizes lie, members are bombs."""

import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, BinaryIO

from importer.core.header import DEFAULT_TAGS, read_header
from importer.core.manifest import Member
from importer.core.recognise import PREAMBLE, claims_dicom, has_preamble, is_junk
from importer.core.records import Bad, Header

MOST_INFLATED = 1024 * 1024
# zipfile reads an archive's whole directory at once: this many bytes list about half a million members.
MOST_DIRECTORY = 32 * 1024 * 1024
# Others inflate without a bound on what comes out of one call.
METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED = 0x1
_NOT_A_ZIP = Bad("failed", "Unreadable: not a zip archive")
BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, OverflowError, NotImplementedError)


def first_member_header(stream: BinaryIO, *, wanted: frozenset[str] = DEFAULT_TAGS) -> Header | Bad:
    """The header of the first member, in name order, that is DICOM by name or by content.

    `pixels` are places inside the member. At most 1 MiB comes out of the archive. Raises OSError alone, where the
    world below fails.
    """
    careful = Careful(stream)
    try:
        with zipfile.ZipFile(careful) as archive:
            return _first(archive, wanted=wanted)
    except BROKEN:
        # zipfile takes a failing disk for a file that is no archive.
        if careful.trouble is not None:
            raise careful.trouble from None
        return _NOT_A_ZIP


def member_digests(stream: BinaryIO, *, most: int) -> list[Member] | None:
    """Every member with its size and content digest, in name order, at most `most` bytes inflated.

    None where the archive cannot be read whole, names a member twice, or inflates beyond that. Raises OSError alone.
    """
    careful = Careful(stream)
    try:
        with zipfile.ZipFile(careful) as archive:
            infos = _readable(archive, most=most)
            return None if infos is None else [_digested(archive, info) for info in infos]
    except BROKEN:
        if careful.trouble is not None:
            raise careful.trouble from None
        return None


def _readable(archive: zipfile.ZipFile, *, most: int) -> list[zipfile.ZipInfo] | None:
    infos = sorted((info for info in archive.infolist() if not info.is_dir()), key=lambda info: info.filename)
    odd = any(info.flag_bits & _ENCRYPTED or info.compress_type not in METHODS for info in infos)
    twice = len({info.filename for info in infos}) < len(infos)
    return None if odd or twice or sum(info.file_size for info in infos) > most else infos


def _digested(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    """Zipfile gives no byte more than the directory says, and holds the checksum to it."""
    content = hashlib.sha256()
    with archive.open(info) as member:
        while block := member.read(1 << 20):
            content.update(block)
    return Member(info.filename, info.file_size, content.hexdigest())


class Careful(io.RawIOBase):
    """Refuses what only a hostile archive asks for; `trouble` keeps the error of the world below."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self.trouble: OSError | None = None
        self._stream = stream

    def readable(self) -> bool:
        return True

    def taken(self) -> OSError | None:
        """The trouble, once: what comes after it may go well."""
        trouble, self.trouble = self.trouble, None
        return trouble

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._stream.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_SET and offset < 0:
            raise zipfile.BadZipFile
        return self._stream.seek(offset, whence)

    def read(self, size: int | None = -1, /) -> bytes:
        data = self._read(MOST_DIRECTORY + 1 if size is None or size < 0 else min(size, MOST_DIRECTORY + 1))
        if len(data) > MOST_DIRECTORY:
            raise zipfile.BadZipFile
        return data

    def _read(self, size: int) -> bytes:
        try:
            return self._stream.read(size)
        except OSError as error:
            self.trouble = error
            raise


class _Purse:
    """Bytes that may still come out of one archive."""

    def __init__(self) -> None:
        self.left = MOST_INFLATED

    def read(self, member: IO[bytes], wanted: int) -> bytes:
        data = member.read(min(wanted, self.left))
        self.left -= len(data)
        if wanted and not data and not self.left:
            raise zipfile.BadZipFile
        return data


def _first(archive: zipfile.ZipFile, *, wanted: frozenset[str]) -> Header | Bad:
    purse, bad = _Purse(), Bad("failed", "Unreadable: no DICOM in the archive")
    for info in _members(archive):
        found = _header(archive, info, purse=purse, wanted=wanted)
        if isinstance(found, Header):
            return found
        if found is not None and found.outcome == "failed":
            return found
    return bad


def _members(archive: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    for info in sorted(archive.infolist(), key=lambda info: info.filename):
        if not info.is_dir() and not is_junk(info.filename):
            yield info


def _header(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, *, purse: _Purse, wanted: frozenset[str]
) -> Header | Bad | None:
    """None where the member is no DICOM."""
    if info.flag_bits & _ENCRYPTED:
        return Bad("failed", "Unreadable: the archive is encrypted")
    if info.compress_type not in METHODS:
        return Bad("failed", "Unreadable: the archive's compression is not supported")
    with archive.open(info) as member:
        start = purse.read(member, PREAMBLE)
        if not (has_preamble(start) or claims_dicom(info.filename)):
            return None
        return read_header(_Growing(member, start, purse=purse), size=info.file_size, wanted=wanted)


class _Growing:
    """`read_at` over a stream that only goes forward: keeps what came by."""

    def __init__(self, member: IO[bytes], start: bytes, *, purse: _Purse) -> None:
        self._member = member
        self._held = bytearray(start)
        self._purse = purse

    def __call__(self, offset: int, length: int) -> bytes:
        while len(self._held) < offset + length:
            more = self._purse.read(self._member, offset + length - len(self._held))
            if not more:
                break
            self._held += more
        return bytes(self._held[offset : offset + length])
