"""One instance of a stored file: the file itself, or a member of its archive."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import IO, BinaryIO, cast

from hierarchy.decode.why import NoPicture, Why
from hierarchy.natural import natural

# A member that is packed is unpacked into memory: bytes.
MAX_UNPACKED = 512 * 1024 * 1024


@contextmanager
def archive(stream: BinaryIO) -> Iterator[zipfile.ZipFile | None]:
    """The zip archive that the stream is, or None. Raises NoPicture for a damaged one."""
    stream.seek(0)
    if stream.read(4) not in {b"PK\x03\x04", b"PK\x05\x06"}:
        yield None
        return
    try:
        opened = zipfile.ZipFile(stream)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise NoPicture(Why.ARCHIVE) from error
    with opened:
        yield opened


@contextmanager
def instance(stream: BinaryIO, member: str) -> Iterator[BinaryIO]:
    """The bytes of one instance, seekable: a member of an archive ('': its first), or the file itself."""
    with archive(stream) as opened:
        if opened is None:
            stream.seek(0)
            yield stream
            return
        with read_member(opened, member or first(opened)) as found:
            yield found


@contextmanager
def read_member(opened: zipfile.ZipFile, member: str) -> Iterator[BinaryIO]:
    try:
        info = opened.getinfo(member)
        with opened.open(info) as packed:
            yield cast("BinaryIO", packed) if info.compress_type == zipfile.ZIP_STORED else _unpacked(info, packed)
    except KeyError as error:
        raise NoPicture(Why.NO_SLICE) from error
    except (zipfile.BadZipFile, RuntimeError, EOFError) as error:
        raise NoPicture(Why.ARCHIVE) from error


def _unpacked(info: zipfile.ZipInfo, packed: IO[bytes]) -> BinaryIO:
    if info.file_size > MAX_UNPACKED:
        raise NoPicture(Why.TOO_LARGE)
    return BytesIO(packed.read(MAX_UNPACKED))


def names(opened: zipfile.ZipFile) -> list[str]:
    """The archive's files in natural order: `…1.9` before `…1.10`, as most scanners count their instances."""
    return sorted((info.filename for info in opened.infolist() if not info.is_dir()), key=natural)


def first(opened: zipfile.ZipFile) -> str:
    """The name of the first member in natural order. Raises NoPicture for an empty archive."""
    found = names(opened)
    if not found:
        raise NoPicture(Why.NO_PIXELS)
    return found[0]
