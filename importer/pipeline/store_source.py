"""A storage as a source: listed by pages, read by pieces, several objects at a time."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import takewhile
from threading import RLock
from typing import Self, TypeVar

from importer.core.folder import SourceAway, Vanished
from importer.core.members import REFUSED, Archive, NoArchive, Spoiled, Stamp
from importer.core.names import archive_and_member, member_path, raw
from importer.core.records import Bad, Entry, EntryKind
from importer.pipeline.opened import MemberFile, Opened, StoreFile
from importer.pipeline.reading import CHANGED, VANISHED, Listed, StoreTrouble, away, told, why
from storages.health import config_of
from storages.models import ExternalStorage
from storages.secrets import KeyMissing
from storages.stores import Kind, ListedKind, Missing, Store, StoreError, store_for
from storages.stores import Listed as Stored

T = TypeVar("T")
R = TypeVar("R")

# Of one worker: questions under way at once, and the bytes that they may hold.
AT_ONCE = 16
MOST_AHEAD = 64 * 1024 * 1024
# A listing has its answers by the thousand: so many names are looked through for one that is asked about.
SPARSE = 8

KINDS = {
    ListedKind.FILE: EntryKind.FILE,
    ListedKind.PLACEHOLDER: EntryKind.PLACEHOLDER,
    ListedKind.SYMLINK: EntryKind.SYMLINK,
    ListedKind.SPECIAL: EntryKind.SPECIAL,
    ListedKind.UNREADABLE: EntryKind.UNREADABLE,
    ListedKind.TOO_DEEP: EntryKind.TOO_DEEP,
}
OFF = "The storage is switched off: an admin of the site can switch it on again on its page."
OTHER = (
    "This is not the disk or bucket that it was when the storage was made: is the right one mounted? If everything "
    "was moved here as a whole, an admin of the site can say so on its page."
)


class StoreSource:
    """`prefixes` are in byte order, none the beginning of another; with none of them it is all of the storage."""

    far = True

    def __init__(self, storage: ExternalStorage, *, prefixes: Sequence[str] = ()) -> None:
        """Raises SourceAway where it cannot even be tried."""
        if not storage.enabled:
            raise SourceAway(OFF)
        self._storage, self._prefixes = storage, list(prefixes) or [""]
        try:
            with away():
                self._store = store_for(config_of(storage))
        except KeyMissing as error:
            raise SourceAway(str(error)) from error
        self._google = storage.kind == Kind.GOOGLE
        self._stack = ExitStack()
        self._pool: ThreadPoolExecutor | None = None
        self._archive: tuple[str, Archive] | None = None
        self._one_archive = RLock()

    def __enter__(self) -> Self:
        """Raises SourceAway for another disk or bucket under the same name: nothing is concluded from its names."""
        with away():
            found = self._store.identity()
        if not self._storage.identity:
            ExternalStorage.objects.filter(pk=self._storage.pk, identity="").update(identity=found)
        elif self._storage.identity != found:
            raise SourceAway(OTHER)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self._close_archive()

    @property
    def store(self) -> Store:
        return self._store

    def entries(self, *, after: str = "") -> Iterator[Entry]:
        for prefix in self._prefixes:
            if after and raw(prefix) <= raw(after) and not raw(after).startswith(raw(prefix)):
                continue
            yield from self._listed(prefix, after=after)

    def _listed(self, prefix: str, *, after: str) -> Iterator[Entry]:
        with away():
            yield from map(self._entry, self._store.list(prefix, after))

    def order(self, path: str) -> tuple[bytes, list[bytes]]:
        """The members of an archive come right after it."""
        archive, member = archive_and_member(path)
        return raw(archive), raw(member).split(b"/") if member else []

    def look(self, path: str) -> Iterator[Entry]:
        archive, member = archive_and_member(path)
        if member:
            yield from self._look_inside(archive, member)
        elif path.endswith("/") and self._storage.kind == Kind.LOCAL:
            # What could not be listed the last time.
            yield from self._listed(path, after="")
        else:
            found = self._stat(path)
            yield from [] if found is None else [found]

    def go_on(self, path: str, *, after: str) -> Iterator[Entry]:
        return self._listed(path, after=after)

    def _stat(self, path: str) -> Entry | None:
        try:
            return self._entry(self._store.stat(path))
        except Missing:
            return None
        except StoreError as error:
            why(StoreTrouble(error))
            return Entry(path, EntryKind.UNREADABLE, size=0, mtime_ns=0, inode="")

    def _look_inside(self, archive: str, member: str) -> Iterator[Entry]:
        try:
            with self._one_archive:
                found = self.archive(archive).entry(archive, member)
        except Vanished:
            return
        except NoArchive:
            found = Entry(member_path(archive, member), EntryKind.NO_ARCHIVE, size=0, mtime_ns=0, inode="")
        except OSError as error:
            why(error)
            found = Entry(member_path(archive, member), EntryKind.NO_ARCHIVE, size=0, mtime_ns=0, inode="")
        if found is not None:
            yield found

    def archive(self, path: str) -> Archive:
        if self._archive is None or self._archive[0] != path:
            self._close_archive()
            try:
                with told():
                    there = self._store.stat(path)
            except StoreTrouble as error:
                if isinstance(error.error, Missing):
                    raise Vanished from error
                raise
            stamp = Stamp(there.mtime_ns or 0, self._mark(there))
            stream = StoreFile(self._store, there).stream()
            self._archive = (path, Archive(stream, size=there.size, stamp=lambda: stamp))
        return self._archive[1]

    def _close_archive(self) -> None:
        if self._archive is not None:
            self._archive[1].close()
        self._archive = None

    def open(self, listed: Listed) -> Opened:
        archive, member = archive_and_member(listed.path)
        return self._member(archive, member, listed) if member else StoreFile(self._store, self.stored(listed))

    def _member(self, archive: str, member: str, listed: Listed) -> MemberFile:
        """One after the other: an archive is read from one place at a time."""
        with self._one_archive:
            try:
                opened = self.archive(archive)
                handle = opened.open(member)
            except NoArchive:
                raise Spoiled(REFUSED[EntryKind.NO_ARCHIVE]) from None
            except KeyError:
                raise Vanished from None
        same = opened.stamp() == Stamp(listed.mtime_ns, listed.inode)
        return MemberFile(handle, listed, same=same)

    def changed(self, page: Sequence[Listed]) -> Iterator[Bad | None]:
        keys = [archive_and_member(listed.path)[0] for listed in page]
        there = self._there(list(dict.fromkeys(keys))) if keys else {}
        for listed, key in zip(page, keys, strict=True):
            found = there[key]
            if found is None:
                yield VANISHED
                continue
            # A member is what it was as long as its archive is.
            size = found.size if listed.path == key else listed.size
            same = (size, found.mtime_ns, found.inode) == (listed.size, listed.mtime_ns, listed.inode)
            yield None if same and found.kind is EntryKind.FILE else CHANGED

    def _there(self, keys: Sequence[str]) -> dict[str, Entry | None]:
        """Of keys in order. Where they stand side by side a listing tells, else each is asked for."""
        found: dict[str, Entry | None] = dict.fromkeys(keys)
        found[keys[0]] = self._stat(keys[0])
        known_to, end = raw(keys[0]), raw(keys[-1])
        listing = self._listed(_folder_of(keys[0], keys[-1]), after=keys[0]) if len(keys) > 1 else iter(())
        for number, entry in enumerate(listing):
            if known_to >= end or number >= SPARSE * len(keys):
                break
            known_to = raw(entry.path)
            if entry.path in found:
                found[entry.path] = entry
        else:
            known_to = end
        left = [key for key in keys if raw(key) > known_to]
        found.update(zip(left, self.ahead(left, self._stat, weight=lambda _: 0), strict=True))
        return found

    def stored(self, listed: Listed) -> Stored:
        """As the store listed it."""
        etag, _, version = listed.inode.partition(" ")
        return Stored(listed.path, listed.size, listed.mtime_ns, etag, version)

    def _entry(self, found: Stored) -> Entry:
        return Entry(found.key, KINDS[found.kind], found.size, found.mtime_ns or 0, self._mark(found))

    def _mark(self, found: Stored) -> str:
        """By which a content is known again. Only Google's listing tells versions."""
        return f"{found.etag} {found.version}" if self._google else found.etag

    def ahead(self, items: Iterable[T], work: Callable[[T], R], *, weight: Callable[[T], int]) -> Iterator[R]:
        under_way: deque[tuple[int, Future[R]]] = deque()
        held = 0
        try:
            for item in items:
                heavy = weight(item)
                while under_way and (len(under_way) >= AT_ONCE or held + heavy > MOST_AHEAD):
                    held -= under_way[0][0]
                    yield under_way.popleft()[1].result()
                under_way.append((heavy, self._threads().submit(work, item)))
                held += heavy
            while under_way:
                yield under_way.popleft()[1].result()
        finally:
            for _, future in under_way:
                future.cancel()

    def _threads(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="source")
            self._stack.callback(self._pool.shutdown)
        return self._pool


def _folder_of(first: str, last: str) -> str:
    """With a `/` at its end: what both lie in; empty at the top."""
    pairs = zip(first.split("/")[:-1], last.split("/")[:-1], strict=False)
    return "".join(f"{one}/" for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
