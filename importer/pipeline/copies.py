"""Where good bytes may still lie: in quarantine, in another version, at the source. All are proven before use."""

import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import IO, TypeVar

from django.db.models import Model, QuerySet

from hierarchy.models import DigestOf, FileVersion
from importer.core.folder import SourceAway
from importer.core.manifest import Member
from importer.core.states import PACKED_KINDS
from importer.models import Check, Conflict, ImportJob, Item
from importer.pipeline.sights import digest_of
from importer.pipeline.sources import Source, source_of
from storages.place_contract import Place
from storages.places import archive, quarantine

Row = TypeVar("Row", bound=Model)
BLOCK = 1 << 20
# Of the same content, so many are tried.
MOST = 10
PAGE = 500


@dataclass(frozen=True, slots=True)
class Copy:
    """A file of a place of ours that had the same content; `words` are for people."""

    words: str
    place: Place
    path: str


def repaired(path: str) -> str:
    """Where a proven copy lies until it has the place of what is spoiled."""
    return f"{path}.repaired"


def whole_copies(row: Check, *, digest: str, kind: str) -> Iterator[Copy]:
    """What a repair that was killed left behind; then what had this digest: held bytes first, then versions."""
    path = row.version.path if row.version is not None else row.conflict.path if row.conflict is not None else ""
    yield Copy("a repair that was not finished", archive() if row.version is not None else quarantine(), repaired(path))
    held = Conflict.objects.exclude(path="").filter(digest=digest, purged_at=None)
    for path, placed in _but(held, row.conflict_id).order_by("-pk").values_list("path", "placement__kind")[:MOST]:
        if (placed in PACKED_KINDS) == (kind == DigestOf.MANIFEST):
            yield Copy("quarantine", quarantine(), path)
    versions = FileVersion.objects.filter(digest=digest, digest_of=kind, reference=False)
    for path in _but(versions, row.version_id).order_by("-created_at").values_list("path", flat=True)[:MOST]:
        yield Copy(f"another version of the same content ({path})", archive(), path)


def _but(rows: "QuerySet[Row]", pk: object) -> "QuerySet[Row]":
    return rows if pk is None else rows.exclude(pk=pk)


def of_its_members(row: Check) -> Iterator[Copy]:
    """Archives that may hold some of its members: itself, the other versions of its file, what these were made of."""
    if row.version is None:
        assert row.conflict is not None  # noqa: S101  a check constraint of Check
        yield Copy("itself", quarantine(), row.conflict.path)
        return
    yield Copy("itself", archive(), row.version.path)
    others = FileVersion.objects.filter(file=row.version.file_id, reference=False)
    for number, path in _but(others, row.version_id).order_by("-number").values_list("number", "path")[:MOST]:
        yield Copy(f"version {number}", archive(), path)
    held = Conflict.objects.exclude(path="").filter(decisions__file_id=row.version.file_id, purged_at=None)
    for path in held.order_by("-pk").values_list("path", flat=True).distinct()[:MOST]:
        yield Copy("quarantine", quarantine(), path)


def jobs_of(row: Check) -> list[ImportJob]:
    """The imports that brought it or parts of it, the last one first."""
    if row.version is None:
        assert row.conflict is not None  # noqa: S101  a check constraint of Check
        return [row.conflict.job]
    ids = FileVersion.objects.filter(file=row.version.file_id, import_id__isnull=False).values("import_id")
    return list(ImportJob.objects.filter(pk__in=ids).select_related("storage").order_by("-pk")[:MOST])


class Broken(Exception):
    """A copy was not what it was when it was proven a moment ago, or could not be read."""


@dataclass(slots=True)
class Good:
    """Bytes that were read once and had the SHA-256 that they are to have: `write` reads them again, and proves it."""

    words: str
    open: Callable[[], AbstractContextManager[IO[bytes]]]
    sha256: str

    def is_right(self) -> bool:
        try:
            with self.open() as stream:
                return digest_of(stream) == self.sha256
        except Exception:  # noqa: BLE001  a spoiled archive makes its reader raise almost anything
            return False

    def blocks(self) -> Iterator[bytes]:
        """Raises Broken."""
        try:
            with self.open() as stream:
                while block := stream.read(BLOCK):
                    yield block
        except Exception as error:
            raise Broken(self.words) from error


@dataclass(slots=True)
class Sources:
    """The sources of some imports, opened when they are first asked, for `paths`. One that is away is passed over."""

    jobs: list[ImportJob]
    paths: list[str]
    stack: ExitStack
    _open: dict[int, tuple[Source, dict[str, Item]] | None] = field(default_factory=dict)

    def having(self, path: str, sha256: str) -> "Iterator[Good]":
        """What was imported under this path and still has this content."""
        for job in self.jobs:
            source, items = self._source(job) or (None, {})
            if source is not None and path in items:
                good = Good(f"the source of import {job.pk}", partial(_reading, source, items[path]), sha256)
                if good.is_right():
                    yield good

    def _source(self, job: ImportJob) -> tuple[Source, dict[str, Item]] | None:
        if job.pk not in self._open:
            try:
                self._open[job.pk] = (self.stack.enter_context(source_of(job)), self._items(job))
            except (SourceAway, OSError):
                self._open[job.pk] = None
        return self._open[job.pk]

    def _items(self, job: ImportJob) -> dict[str, Item]:
        found: dict[str, Item] = {}
        for start in range(0, len(self.paths), PAGE):
            rows = Item.objects.filter(job=job, path__in=self.paths[start : start + PAGE])
            found |= {item.path: item for item in rows}
        return found


@contextmanager
def _reading(source: Source, item: Item) -> Iterator[IO[bytes]]:
    """Opened anew each time: an archive has more members than a process may have files open."""
    with source.open(item) as opened, opened.stream() as stream:
        stream.seek(0)
        yield stream


@dataclass(slots=True)
class Archives:
    """Archives of ours, kept open while members are looked for in them."""

    copies: list[Copy]
    stack: ExitStack
    _open: list[tuple[str, zipfile.ZipFile]] | None = None

    def having(self, member: Member) -> Iterator[Good]:
        for words, packed in self._opened():
            if member.name in packed.NameToInfo:
                good = Good(words, partial(packed.open, member.name), member.sha256)
                if good.is_right():
                    yield good

    def _opened(self) -> list[tuple[str, zipfile.ZipFile]]:
        if self._open is None:
            self._open = []
            for copy in self.copies:
                try:
                    stream = self.stack.enter_context(copy.place.open(copy.path))
                    self._open.append((copy.words, self.stack.enter_context(zipfile.ZipFile(stream))))
                except Exception:  # noqa: BLE001, S112  it is spoiled or gone, which is why we are here
                    continue
        return self._open
