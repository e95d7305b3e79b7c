"""Members of zip archives as source files of their own. Archives are hostile: what is odd about a member becomes its
kind, names are never used as paths, and no more comes out of a member than its archive lists.
"""

import os
import stat
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from typing import IO, BinaryIO, NamedTuple, Self

from importer.core import archives
from importer.core.archives import Careful
from importer.core.listed import MAX_DEPTH, changed, identity, modified
from importer.core.names import member_path, printable, raw
from importer.core.records import Bad, Entry, EntryKind

# Images shrink to a fifth, masks to a hundredth: what shrinks to less, and is large, is a bomb.
MOST_RATIO = 200
LARGE = 64 * 1024 * 1024
_BLOCK = 1 << 20
_UTF_8 = 0x800
_ENCRYPTED = 0x1 | 0x40 | 0x2000
# No name in an archive holds a NUL: this one is free for the member without any.
_NAMELESS = "\\x00"

REFUSED = {
    EntryKind.ENCRYPTED: Bad("failed", "Unreadable: encrypted in its archive"),
    EntryKind.COMPRESSION: Bad("failed", "Unreadable: its compression in the archive is not supported"),
    EntryKind.BOMB: Bad("failed", f"Unreadable: in its archive it claims to shrink to less than 1/{MOST_RATIO}"),
    EntryKind.OUTSIDE: Bad("failed", "Unreadable: its name leads out of its archive"),
    EntryKind.TWICE: Bad("failed", "Unreadable: its archive has more than one member of this name"),
    EntryKind.BROKEN: Bad("failed", "Unreadable: broken in its archive"),
    EntryKind.NO_ARCHIVE: Bad("failed", "Unreadable: not a zip archive, or a broken one"),
    EntryKind.NO_MEMBERS: Bad("skipped", "Empty archive: it has no members"),
}


class NoArchive(Exception):
    """Not a zip, a broken one, or one that lists more than archives.MOST_DIRECTORY."""


class NoRoom(Exception):
    """There is no room to unpack a member: the world is broken, not the member."""


class Spoiled(Exception):
    """The member cannot be had; `bad` says why."""

    def __init__(self, bad: Bad) -> None:
        super().__init__(bad.reason)
        self.bad = bad


class Stamp(NamedTuple):
    """By which an archive is known again: as in an Entry."""

    mtime_ns: int
    inode: str
    ctime_ns: int = 0


class Archive:
    """An open zip: its members by their printable names, in the order in which folders are walked."""

    def __init__(self, stream: BinaryIO, *, size: int, stamp: Callable[[], Stamp]) -> None:
        """Owns the stream, also where it raises: NoArchive, or OSError where the world below fails.

        `stamp` tells that of the archive as it is now.
        """
        careful = Careful(stream)
        try:
            self._zip = zipfile.ZipFile(careful)
            # By its own names; here each member has one that is printable.
            self._zip.NameToInfo.clear()
            self._members = _named(self._zip.infolist(), size=size)
        except archives.BROKEN as error:
            stream.close()
            raise careful.trouble or NoArchive from error
        except BaseException:
            stream.close()
            raise
        self._stream, self._careful, self.stamp = stream, careful, stamp

    @classmethod
    def of_handle(cls, handle: int) -> Self:
        """Owns the handle, also where it raises: NoArchive or OSError."""
        return cls(os.fdopen(handle, "rb"), size=os.fstat(handle).st_size, stamp=lambda: stamp_of(os.fstat(handle)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._zip.close()
        self._stream.close()

    def entries(self, path: str, *, after: str = "") -> Iterator[Entry]:
        """Every member behind `after`, under this path of the archive; times and inode are the archive's."""
        start = _place(after) if after else b""
        for name in sorted(self._members, key=_place):
            if _place(name) > start:
                yield self._entry(path, name)

    def entry(self, path: str, name: str) -> Entry | None:
        return self._entry(path, name) if name in self._members else None

    def open(self, name: str) -> int:
        """A handle on the member's bytes, for the caller to close. Raises Spoiled, NoRoom or OSError; KeyError."""
        kind, info = self._members[name]
        if kind is not EntryKind.MEMBER:
            raise Spoiled(REFUSED.get(kind, REFUSED[EntryKind.BROKEN]))
        self._careful.taken()
        with tempfile.TemporaryFile() as inflated:
            try:
                with self._zip.open(info) as member:
                    _copy(member, inflated)
                if os.fstat(inflated.fileno()).st_size != info.file_size:
                    # The checksum alone does not say so.
                    raise zipfile.BadZipFile
            except (*archives.BROKEN, RuntimeError) as error:
                raise self._careful.taken() or Spoiled(REFUSED[EntryKind.BROKEN]) from error
            os.lseek(inflated.fileno(), 0, os.SEEK_SET)
            return os.dup(inflated.fileno())

    def _entry(self, path: str, name: str) -> Entry:
        kind, info = self._members[name]
        whole = member_path(path, name)
        if kind is EntryKind.MEMBER and whole.count("/") > MAX_DEPTH:
            kind = EntryKind.TOO_DEEP
        found = self.stamp()
        return Entry(
            path=whole,
            kind=kind,
            size=info.file_size if kind is EntryKind.MEMBER else 0,
            mtime_ns=found.mtime_ns,
            inode=found.inode,
            ctime_ns=found.ctime_ns,
        )


def stamp_of(found: os.stat_result) -> Stamp:
    return Stamp(modified(found), identity(found), changed(found))


def _place(name: str) -> bytes:
    """Orders names by their parts: no name in an archive holds a NUL, and nothing comes before one."""
    return raw(name).replace(b"/", b"\0")


def _named(infos: list[zipfile.ZipInfo], *, size: int) -> dict[str, tuple[EntryKind, zipfile.ZipInfo]]:
    """Printable name → what it is. Raises NoArchive where members share bytes: small archives grow without end so."""
    if sum(info.compress_size for info in infos) > size:
        raise NoArchive
    found: dict[str, tuple[EntryKind, zipfile.ZipInfo]] = {}
    for info in infos:
        if not info.is_dir():
            name = _name(info)
            found[name] = (EntryKind.TWICE if name in found else _kind(name, info), info)
    return found


def _name(info: zipfile.ZipInfo) -> str:
    """Printable. Without `.` and empty parts, which mean nothing, unless it leads out; never empty."""
    name = printable(_bytes(info))
    if not _leads_out(name):
        name = "/".join(part for part in name.split("/") if part not in {"", "."})
    # As in member_path: by this name it is asked for.
    return f"\\x3a{name[1:]}" if name.startswith(":") else name or _NAMELESS


def _bytes(info: zipfile.ZipInfo) -> bytes:
    """Who does not say that names are UTF-8 means code page 437, or writes UTF-8 all the same."""
    if info.flag_bits & _UTF_8:
        return info.filename.encode()
    try:
        stored = info.filename.encode("cp437")
        stored.decode()
    except UnicodeError:
        return info.filename.encode()
    return stored


def _leads_out(name: str) -> bool:
    stored = raw(name)
    return stored.startswith((b"/", b"\\")) or b".." in stored.replace(b"\\", b"/").split(b"/")


def _kind(name: str, info: zipfile.ZipInfo) -> EntryKind:
    if _leads_out(name) or name == _NAMELESS:
        return EntryKind.OUTSIDE
    mode = stat.S_IFMT(info.external_attr >> 16)
    if mode and mode != stat.S_IFREG:
        return EntryKind.SYMLINK if mode == stat.S_IFLNK else EntryKind.SPECIAL
    if info.flag_bits & _ENCRYPTED:
        return EntryKind.ENCRYPTED
    if info.compress_type not in archives.METHODS:
        return EntryKind.COMPRESSION
    if info.file_size > LARGE and info.file_size > MOST_RATIO * info.compress_size:
        return EntryKind.BOMB
    return EntryKind.MEMBER


def _copy(member: IO[bytes], inflated: IO[bytes]) -> None:
    """Zipfile gives no byte more than the archive lists, and holds the checksum to it. Raises NoRoom."""
    while block := member.read(_BLOCK):
        try:
            inflated.write(block)
            inflated.flush()
        except OSError as error:
            raise NoRoom(error.strerror) from error
