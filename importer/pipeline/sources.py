"""Where a job's files are: a folder of this machine, or a storage. The stages ask here, and know neither by name."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any, Protocol, Self, TypeVar

from importer.core.folder import Opener, walk
from importer.core.members import Archive
from importer.core.names import archive_and_member, raw
from importer.core.records import Bad, Entry, EntryKind
from importer.core.states import SourceKind
from importer.models import ImportJob
from importer.pipeline.opened import HandleFile, Opened
from importer.pipeline.reading import CHANGED, UNOPENED, VANISHED, Listed, why
from importer.pipeline.store_source import StoreSource

T = TypeVar("T")
R = TypeVar("R")


class Source(Protocol):
    """Open between enter and exit; all but `entries`, `look` and `go_on` from the thread that opened it, or inside of
    `ahead`. Everything raises SourceAway where it is not a file that is broken."""

    # Whether each reading is a question to somebody else: then few are asked, several at a time.
    far: bool

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...

    def entries(self, *, after: str = "") -> Iterator[Entry]:
        """Every name that is no folder, behind `after`, each once, in an order that is always the same."""

    def order(self, path: str) -> Any:
        """What the paths of `entries` are ordered by."""

    def look(self, path: str) -> Iterator[Entry]:
        """What lies there now: the file, everything below the folder, the archive's member, or nothing."""

    def go_on(self, path: str, *, after: str) -> Iterator[Entry]:
        """What lies below the folder behind `after`, which is in it."""

    def archive(self, path: str) -> Archive:
        """Kept open until another one is asked for. Raises NoArchive, and as `open`."""

    def open(self, listed: Listed) -> Opened:
        """The file, for the caller to close. It, or reading it, raises one of UNOPENED."""

    def changed(self, page: Sequence[Listed]) -> Iterator[Bad | None]:
        """Of each of these, which are in the source's order, why it is not as it was listed. Nothing is read."""

    def ahead(self, items: Iterable[T], work: Callable[[T], R], *, weight: Callable[[T], int]) -> Iterator[R]:
        """`work` of each in turn; of a far source several at a time, as long as they weigh little (bytes)."""


def source_of(job: ImportJob) -> Source:
    """Raises SourceAway, here or when it is entered."""
    if job.source_kind == SourceKind.STORAGE and job.storage is not None:
        return StoreSource(job.storage, prefixes=job.prefixes)
    return FolderSource(raw(job.source_root))


class FolderSource:
    """A folder of this machine, by its path in bytes."""

    far = False

    def __init__(self, root: bytes) -> None:
        self._root = root
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._opener = self._stack.enter_context(Opener(self._root))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def entries(self, *, after: str = "") -> Iterator[Entry]:
        return walk(self._root, after=after)

    def order(self, path: str) -> tuple[list[bytes], list[bytes]]:
        """The members of an archive come right after it."""
        archive, member = archive_and_member(path.rstrip("/"))
        return raw(archive).split(b"/"), raw(member).split(b"/") if member else []

    def look(self, path: str) -> Iterator[Entry]:
        return self._opener.look(path)

    def go_on(self, path: str, *, after: str) -> Iterator[Entry]:
        return self._opener.go_on(path, after=after)

    def archive(self, path: str) -> Archive:
        return self._opener.archive(path)

    def open(self, listed: Listed) -> HandleFile:
        return HandleFile(self._opener.open(listed.path), self._opener, listed)

    def changed(self, page: Sequence[Listed]) -> Iterator[Bad | None]:
        return map(self._why_not, page)

    def _why_not(self, listed: Listed) -> Bad | None:
        try:
            found = next(self._opener.look(listed.path), None)
        except UNOPENED as error:
            return why(error)
        if found is None:
            return VANISHED
        before = (listed.path, listed.size, listed.mtime_ns, listed.inode)
        same = (found.path, found.size, found.mtime_ns, found.inode) == before
        return None if same and found.kind in {EntryKind.FILE, EntryKind.MEMBER} else CHANGED

    def ahead(self, items: Iterable[T], work: Callable[[T], R], *, weight: Callable[[T], int]) -> Iterator[R]:  # noqa: ARG002  a disk is near
        return map(work, items)
