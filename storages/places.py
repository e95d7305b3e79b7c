"""Where our own bytes lie: archive, quarantine and staging, each named by an URL in the settings."""

import errno
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from django.conf import settings

from storages.durable import flush_files, flush_folders
from storages.errors import PlaceAway, PlaceError, explained
from storages.object_places import ObjectPlace, config_of
from storages.place_contract import INCOMING, MARK, Lying, Place, Staged, check_free, drop_old, inside

# How often a folder that somebody else removes is made again.
ATTEMPTS = 1000
# What file systems without hard links answer (FAT, some network and user-space ones).
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


@dataclass(frozen=True, slots=True)
class LocalPlace:
    """A folder. Paths are relative, with `/`, and never leave the root."""

    root: Path

    @property
    def folder(self) -> Path:
        return self.root

    def where(self, path: str) -> str:
        return str(self._resolved(path))

    def stage(self, path: str) -> Staged:
        """A new temporary file beside the final ones, on the same file system."""
        self._resolved(path)
        temporary = self.root / INCOMING / uuid.uuid4().hex
        with explained(f"place {self.root.name}"):
            temporary.parent.mkdir(parents=True, exist_ok=True)
            return Staged(path=path, temporary=temporary, stream=temporary.open("xb", buffering=1 << 20))

    def stage_from(self, other: Place, path: str, *, to: str) -> Staged:
        """The bytes of another place's file; on one file system by a second name, without copying.

        Raises FileNotFoundError when it is not there.
        """
        temporary = self.root / INCOMING / uuid.uuid4().hex
        with other.open(path) as source, explained(f"place {self.root.name}"):
            temporary.parent.mkdir(parents=True, exist_ok=True)
            _second_name(other, path, source, temporary)
            return Staged(path=to, temporary=temporary, stream=temporary.open("rb"))

    def publish(self, staged: Sequence[Staged]) -> None:
        """All at once: flushed to disk together, then each its final name, then the names flushed.

        After it returns, the bytes and their names survive a power cut. Raises PlaceFull or PlaceAway, and PlaceError
        for a path that is taken; what was named before that stays, and is the caller's to delete.
        """
        with explained(f"place {self.root.name}"):
            for one in staged:
                one.stream.close()
                one.size = _temporary(one).lstat().st_size
            # A symbolic link is on the disk with its folder; what it leads to is not ours to flush.
            flush_files([_temporary(one) for one in staged if not _temporary(one).is_symlink()])
            flush_folders({folder for one in staged for folder in self._named(one)})

    def discard(self, staged: Staged) -> None:
        """What did not become a file leaves nothing behind."""
        try:
            staged.stream.close()
        except OSError:
            pass  # A full disk refuses the last buffer; the file goes away all the same.
        _temporary(staged).unlink(missing_ok=True)

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

    def walk(self) -> Iterator[tuple[str, Lying]]:
        """Every stored file; temporary ones are left out."""
        for folder, names, files in os.walk(self.root):
            top = Path(folder) == self.root
            if top and INCOMING in names:
                names.remove(INCOMING)
            for name in files:
                found = Path(folder, name)
                if name == MARK and found.parent == self.root:
                    continue
                try:
                    stat = found.lstat()
                except FileNotFoundError:
                    continue  # Deleted since its folder was listed.
                if not (top and name == MARK):
                    yield found.relative_to(self.root).as_posix(), Lying(stat.st_size, stat.st_mtime)

    def leftovers(self) -> Iterator[Path]:
        """Temporary files: those of a killed worker are swept once they are old."""
        incoming = self.root / INCOMING
        yield from incoming.iterdir() if incoming.is_dir() else ()

    def drop_leftovers(self, older_than: datetime) -> int:
        return drop_old(self.leftovers(), older_than)

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
        check_free(self.root, needed)

    def _named(self, one: Staged) -> set[Path]:
        """Gives the bytes their final name; every folder whose list of names changed."""
        final, temporary = self._resolved(one.path), _temporary(one)
        for _ in range(ATTEMPTS):
            try:
                changed = self._made(final.parent)
            except (FileExistsError, FileNotFoundError):
                # delete() takes away folders that it finds empty: this one came and went between two looks.
                continue
            try:
                _name_once(temporary, final)
            except FileExistsError as error:
                raise PlaceError(f"{one.path} is already there: a stored file is never written over.") from error
            except FileNotFoundError:
                if not temporary.exists():
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
        return self.root.joinpath(*inside(path))


def _temporary(one: Staged) -> Path:
    assert one.temporary is not None  # noqa: S101  narrows: a local place stages nothing else
    return one.temporary


def _second_name(other: Place, path: str, source: BinaryIO, temporary: Path) -> None:
    if other.folder is not None:
        try:
            os.link(other.where(path), temporary)
        except OSError:
            pass
        else:
            return
    with temporary.open("xb") as target:
        shutil.copyfileobj(source, target, 1 << 20)


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
def place(url: str) -> Place:
    """The place that an URL names. Raises PlaceAway for one that makes no sense."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return LocalPlace(Path(unquote(parts.path)))
    staging = urlsplit(settings.PRATIQUE_STAGING_URL)
    if staging.scheme != "file":
        raise PlaceAway("PRATIQUE_STAGING_URL has to be a folder: write file:///PATH.")
    return ObjectPlace(config_of(url), staging=Path(unquote(staging.path)))


def archive() -> Place:
    return place(settings.PRATIQUE_ARCHIVE_URL)


def quarantine() -> Place:
    return place(settings.PRATIQUE_QUARANTINE_URL)


def own_folders() -> list[Path]:
    """Folders of this machine that hold our own bytes, resolved: nothing is imported from these."""
    found = []
    for url in (settings.PRATIQUE_ARCHIVE_URL, settings.PRATIQUE_QUARANTINE_URL, settings.PRATIQUE_STAGING_URL):
        with suppress(PlaceError):
            folder = place(url).folder
            found += [folder.resolve()] if folder is not None else []
    return found
