"""What archive, quarantine and staging can do, wherever they lie."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from django.conf import settings

from storages.errors import PlaceError, PlaceFull, explained

INCOMING = ".incoming"
# Says which place this is: an empty mount point has none.
MARK = ".pratique-place"


@dataclass(slots=True)
class Staged:
    """Bytes on the way to `path`: in a temporary file of ours, or, without one, still where `stream` reads them."""

    path: str
    temporary: Path | None
    stream: BinaryIO = field(repr=False)
    size: int = 0
    # Where bytes without a temporary file lie: a place and the path there.
    origin: tuple["Place", str] | None = None


@dataclass(frozen=True, slots=True)
class Lying:
    """What a walk knows of a stored file: bytes, and seconds since 1970."""

    size: int
    at: float


class Place(Protocol):
    """Paths are relative, with `/`, and never leave the place. All raise PlaceAway and PlaceFull."""

    @property
    def folder(self) -> Path | None:
        """The folder of this machine where it lies, if it is one."""

    def where(self, path: str) -> str:
        """For people: what they would look for outside of us."""

    def stage(self, path: str) -> Staged:
        """A new temporary file, open for writing."""

    def stage_from(self, other: "Place", path: str, *, to: str) -> Staged:
        """The bytes of another place's file. Raises FileNotFoundError when it is not there."""

    def publish(self, staged: Sequence[Staged]) -> None:
        """All of them: after it returns, the bytes and their names survive a power cut.

        Raises PlaceError for a path that is taken; what was named before that stays, and is the caller's to delete.
        """

    def discard(self, staged: Staged) -> None:
        """What did not become a file leaves nothing behind."""

    def open(self, path: str) -> BinaryIO:
        """For reading, from the start. FileNotFoundError when it is not there."""

    def exists(self, path: str) -> bool: ...

    def size(self, path: str) -> int:
        """Bytes. FileNotFoundError when it is not there."""

    def delete(self, path: str) -> None:
        """What is not there is already deleted."""

    def walk(self) -> Iterator[tuple[str, Lying]]:
        """Every stored file; what is on its way is left out."""

    def drop_leftovers(self, older_than: datetime) -> int:
        """What killed workers left on its way and nobody has written to since then. How many."""

    def check(self, needed: int = 0) -> None:
        """Raises PlaceFull when fewer than `needed` bytes beyond the configured reserve are free."""

    def mark(self) -> str:
        """What identifies the place, from inside it; empty where there is none."""

    def set_mark(self, mark: str) -> str:
        """Only where there is none yet: of two who do it at once, one wins. What is there now."""


def inside(path: str) -> list[str]:
    """The parts of a path. Raises PlaceError for what is no path inside a place."""
    parts = path.split("/")
    if not path or any(part in {"", ".", ".."} for part in parts) or parts[0] in {INCOMING, MARK} or "\0" in path:
        raise PlaceError(f"{path!r} is no path inside a place.")
    return parts


def check_free(folder: Path, needed: int) -> None:
    """Makes the folder. Raises PlaceFull when fewer than `needed` bytes beyond the configured reserve are free."""
    with explained(f"place {folder.name}"):
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    reserve = settings.PRATIQUE_MIN_FREE_BYTES
    if free < needed + reserve:
        raise PlaceFull(f"No space left: {needed + reserve:,} bytes are needed, {free:,} are free.")


def drop_old(files: Iterable[Path], older_than: datetime) -> int:
    """Temporary files that nobody has written to since then. How many."""
    dropped = 0
    for path in files:
        try:
            if path.stat().st_mtime < older_than.timestamp():
                path.unlink(missing_ok=True)
                dropped += 1
        except FileNotFoundError:
            continue
    return dropped
