"""Where our own bytes lie: archive, quarantine and staging, each named by an URL in the settings."""

import errno
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from django.conf import settings

from storages.durable import flush_files, flush_folders
from storages.errors import PlaceAway, PlaceError, PlaceFull, explained
from storages.place_contract import MARK

INCOMING = ".incoming"
# How often a folder that somebody else removes is made again.
ATTEMPTS = 1000
# What file systems without hard links answer (FAT, some network and user-space ones).
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


@dataclass(slots=True)
class Staged:
    """Bytes under a temporary name, on the way to `path`."""

    path: str
    temporary: Path
    stream: BinaryIO = field(repr=False)
    size: int = 0


@dataclass(frozen=True, slots=True)
class LocalPlace:
    """A folder. Paths are relative, with `/`, and never leave the root."""

    root: Path

    def stage(self, path: str) -> Staged:
        """A new temporary file beside the final ones, on the same file system."""
        self._resolved(path)
        temporary = self.root / INCOMING / uuid.uuid4().hex
        with explained(f"place {self.root.name}"):
            temporary.parent.mkdir(parents=True, exist_ok=True)
            return Staged(path=path, temporary=temporary, stream=temporary.open("xb", buffering=1 << 20))

    def stage_from(self, other: "LocalPlace", path: str, *, to: str) -> Staged:
        """The bytes of another place's file; on one file system by a second name, without copying.

        Raises FileNotFoundError when it is not there.
        """
        source = other._resolved(path)  # noqa: SLF001  another place of the same class
        temporary = self.root / INCOMING / uuid.uuid4().hex
        if not source.is_file():
            raise FileNotFoundError(path)
        with explained(f"place {self.root.name}"):
            temporary.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(source, temporary)
            except OSError:
                shutil.copyfile(source, temporary)
            return Staged(path=to, temporary=temporary, stream=temporary.open("rb"))

    def publish(self, staged: Sequence[Staged]) -> None:
        """All at once: flushed to disk together, then each its final name, then the names flushed.

        After it returns, the bytes and their names survive a power cut. Raises PlaceFull or PlaceAway, and PlaceError
        for a path that is taken; what was named before that stays, and is the caller's to delete.
        """
        with explained(f"place {self.root.name}"):
            for one in staged:
                one.stream.close()
                one.size = one.temporary.lstat().st_size
            # A symbolic link is on the disk with its folder; what it leads to is not ours to flush.
            flush_files([one.temporary for one in staged if not one.temporary.is_symlink()])
            flush_folders({folder for one in staged for folder in self._named(one)})

    def discard(self, staged: Staged) -> None:
        """What did not become a file leaves nothing behind."""
        try:
            staged.stream.close()
        except OSError:
            pass  # A full disk refuses the last buffer; the file goes away all the same.
        staged.temporary.unlink(missing_ok=True)

    def open(self, path: str) -> BinaryIO:
        """For reading, from the start. FileNotFoundError when it is not there."""
        return self._resolved(path).open("rb")

    def exists(self, path: str) -> bool:
        return self._resolved(path).is_file()

    def size(self, path: str) -> int:
        """Bytes. FileNotFoundError when it is not there."""
        return self._resolved(path).stat().st_size

    def delete(self, path: str) -> None:
        """Its emptied folders go too; what is not there is already deleted."""
        found = self._resolved(path)
        found.unlink(missing_ok=True)
        for folder in found.parents:
            if folder == self.root:
                return
            try:
                folder.rmdir()
            except OSError:
                return

    def walk(self) -> Iterator[tuple[str, os.stat_result]]:
        """Every stored file; temporary ones are left out."""
        for folder, names, files in os.walk(self.root):
            if Path(folder) == self.root and INCOMING in names:
                names.remove(INCOMING)
            for name in files:
                found = Path(folder, name)
                if name == MARK and found.parent == self.root:
                    continue
                try:
                    stat = found.lstat()
                except FileNotFoundError:
                    continue  # Deleted since its folder was listed.
                yield found.relative_to(self.root).as_posix(), stat

    def leftovers(self) -> Iterator[Path]:
        """Temporary files: those of a killed worker are swept once they are old."""
        incoming = self.root / INCOMING
        yield from incoming.iterdir() if incoming.is_dir() else ()

    def mark(self) -> str:
        try:
            return (self.root / MARK).read_text().strip()
        except OSError:
            return ""

    def set_mark(self, mark: str) -> str:
        staged = self.root / INCOMING / uuid.uuid4().hex
        with explained(f"place {self.root.name}"):
            staged.parent.mkdir(parents=True, exist_ok=True)
            staged.write_text(f"{mark}\n")
            flush_files([staged])
            try:
                _name_once(staged, self.root / MARK)
            except FileExistsError:
                staged.unlink()
            flush_folders([self.root])
        return self.mark()

    def check(self, needed: int = 0) -> None:
        """Raises PlaceFull when fewer than `needed` bytes beyond the configured reserve are free."""
        with explained(f"place {self.root.name}"):
            self.root.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self.root).free
        reserve = settings.PRATIQUE_MIN_FREE_BYTES
        if free < needed + reserve:
            raise PlaceFull(f"No space left: {needed + reserve:,} bytes are needed, {free:,} are free.")

    def _named(self, one: Staged) -> set[Path]:
        """Gives the bytes their final name; every folder whose list of names changed."""
        final = self._resolved(one.path)
        for _ in range(ATTEMPTS):
            try:
                changed = self._made(final.parent)
            except (FileExistsError, FileNotFoundError):
                # delete() takes away folders that it finds empty: this one came and went between two looks.
                continue
            try:
                _name_once(one.temporary, final)
            except FileExistsError as error:
                raise PlaceError(f"{one.path} is already there: a stored file is never written over.") from error
            except FileNotFoundError:
                if not one.temporary.exists():
                    raise
            else:
                return changed
        raise PlaceAway(f"place {self.root.name}: the folder of {one.path} keeps going away.")

    def _made(self, folder: Path) -> set[Path]:
        """Makes the folder; every folder whose list of names thereby changes."""
        changed = {folder}
        while not folder.is_dir():
            folder = folder.parent
            changed.add(folder)
        for made in changed:
            made.mkdir(parents=True, exist_ok=True)
        return changed

    def _resolved(self, path: str) -> Path:
        parts = path.split("/")
        if not path or any(part in {"", ".", ".."} for part in parts) or parts[0] == INCOMING or "\0" in path:
            raise PlaceError(f"{path!r} is no path inside a place.")
        return self.root.joinpath(*parts)


def _name_once(temporary: Path, final: Path) -> None:
    """A rename writes over what is there, a link never does: of two who want one name, one gets FileExistsError."""
    try:
        os.link(temporary, final, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if final.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from error
        temporary.rename(final)
    else:
        temporary.unlink()


@lru_cache(maxsize=16)
def place(url: str) -> LocalPlace:
    """The place that an URL names. Only `file://` is built: others are refused, never silently replaced."""
    parts = urlsplit(url)
    if parts.scheme != "file":
        raise PlaceAway(f"Places of kind {parts.scheme or 'nothing'}:// are not built yet: use file://.")
    return LocalPlace(Path(unquote(parts.path)))


def archive() -> LocalPlace:
    return place(settings.PRATIQUE_ARCHIVE_URL)


def quarantine() -> LocalPlace:
    return place(settings.PRATIQUE_QUARANTINE_URL)
