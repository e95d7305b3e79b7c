"""One pass per Placement that reads, digests and writes: a series or a group into a stored zip, others as they are."""

import hashlib
import uuid
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO

from hierarchy.models import DigestOf, Project
from importer.core import manifest
from importer.core.labels import on_disk
from importer.core.manifest import Member
from importer.core.records import Bad
from importer.core.states import PACKED_KINDS, Level, Outcome
from importer.models import Item, Placement
from importer.pipeline.compare import BLOCK, member_name
from importer.pipeline.leases import Lease
from importer.pipeline.opened import Opened
from importer.pipeline.reading import CHANGED, UNOPENED, why
from importer.pipeline.sources import Source
from storages.errors import explained
from storages.place_contract import Place, Staged
from storages.places import archive, quarantine

# Up to here a file is read whole before a byte of it is written, so a bad one never spoils an archive.
SMALL = 16 * 1024 * 1024
# Bytes: an object store takes 1,024, its prefix among them. What is longer has its names cut to so many.
LONGEST_PATH, SHORTENED = 800, 100
EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(slots=True)
class Packed:
    """A Placement's bytes under a temporary name; of a reference nothing, or a link. Without `members` nothing of it
    could be read, and nothing lies."""

    placement: Placement
    place: Place
    id: uuid.UUID
    path: str
    staged: Staged | None = None
    members: list[Member] = field(default_factory=list)
    bad: list[tuple[int, str, str]] = field(default_factory=list)
    # File and version that a decision builds on: landing compares and sets.
    base: tuple[int, int] | None = None
    # Items that were skipped as duplicates of others that failed now.
    heirs: list[int] = field(default_factory=list)
    # The storage that the members lie in and stay in.
    storage: int | None = None

    @property
    def held(self) -> bool:
        return self.placement.outcome == Outcome.CONFLICT

    @property
    def size(self) -> int:
        if self.storage is None and self.staged is not None:
            return self.staged.size
        return sum(member.size for member in self.members)

    @property
    def digest_of(self) -> DigestOf:
        if not all(member.sha256 for member in self.members):
            return DigestOf.UNREAD
        return DigestOf.MANIFEST if self.placement.kind in PACKED_KINDS else DigestOf.CONTENT

    @property
    def digest(self) -> str:
        """Empty while somebody has yet to read it."""
        of = self.digest_of
        if of is DigestOf.UNREAD:
            return ""
        return manifest.digest(self.members) if of is DigestOf.MANIFEST else self.members[0].sha256

    @property
    def stamp(self) -> str:
        """By which a reference is known again; empty for bytes of our own."""
        return "" if self.storage is None else manifest.stamp(self.storage, self.members)


class _Spoiled(Exception):
    """A large file broke in the middle of an archive, which is then written again without it."""

    def __init__(self, item: Item, bad: Bad) -> None:
        super().__init__()
        self.item, self.bad = item, bad


def pack(placement: Placement, items: Sequence[Item], *, project: Project, source: Source, lease: Lease) -> Packed:
    """Raises PlaceFull, PlaceAway, SourceAway, LostLease or Stopped, and then leaves nothing behind."""
    packed = begun(placement, project)
    left = list(items)
    while left:
        packed.staged, packed.members = packed.place.stage(packed.path), []
        try:
            _write(packed, left, source, lease)
        except _Spoiled as spoiled:
            packed.bad = [row for row in packed.bad if row[0] != spoiled.item.pk]
            packed.bad.append((spoiled.item.pk, str(spoiled.bad.outcome), spoiled.bad.reason))
            left = [item for item in left if item.pk != spoiled.item.pk]
            packed.place.discard(packed.staged)
            continue
        except BaseException:
            packed.place.discard(packed.staged)
            raise
        break
    if packed.staged is not None and not packed.members:
        packed.place.discard(packed.staged)
        packed.staged = None
    return packed


def begun(placement: Placement, project: Project) -> Packed:
    """Nothing of it yet, but where its bytes would go."""
    made = uuid.uuid4()
    if placement.outcome == Outcome.CONFLICT:
        path = f"{project.pk}/{made.hex[:2]}/{made}/{on_disk(placement.file_name)}"
        return Packed(placement=placement, place=quarantine(), id=made, path=path)
    return Packed(placement=placement, place=archive(), id=made, path=archive_path(placement, project, made))


def archive_path(placement: Placement, project: Project, version: uuid.UUID) -> str:
    """`GROUP/PROJECT/SUBJECT/SESSION/ACQUISITION/vN-<8 of the id>/FILE`, readable by people."""
    depth = {Level.PROJECT: 0, Level.SUBJECT: 1, Level.SESSION: 2, Level.ACQUISITION: 3}[Level(placement.level)]
    labels = [placement.subject_label, placement.session_label, placement.acquisition_label][:depth]
    number = (placement.version or 0) + 1
    parts = [project.group.name, project.label, *labels, f"v{number}-{version.hex[:8]}", placement.file_name]
    path = "/".join(on_disk(part) for part in parts)
    return path if len(path.encode()) <= LONGEST_PATH else "/".join(on_disk(part, SHORTENED) for part in parts)


def _write(packed: Packed, items: Sequence[Item], source: Source, lease: Lease) -> None:
    if packed.placement.kind not in PACKED_KINDS:
        _as_it_is(packed, items[0], source, lease)
        return
    assert packed.staged is not None  # noqa: S101  narrows: pack() staged it
    with explained("place"):
        target = zipfile.ZipFile(packed.staged.stream, "w", zipfile.ZIP_STORED)
    try:
        named = _by_name(packed.placement, items)
        for one, content in zip(named, _contents(named, source), strict=True):
            lease.check()
            _member(packed, target, one, content, source)
    except BaseException:
        # Closing writes the list of members: of an archive that is thrown away, nobody needs it, and a full disk
        # would hide the real error behind a second one.
        with suppress(Exception):
            target.close()
        raise
    with explained("place"):
        target.close()


def _by_name(placement: Placement, items: Sequence[Item]) -> list[tuple[str, Item]]:
    return sorted(((member_name(placement, item), item) for item in items), key=lambda pair: (pair[0], pair[1].seq))


def member_info(name: str) -> zipfile.ZipInfo:
    """The same for every archive that holds this member: no clock, no owner, no system."""
    info = zipfile.ZipInfo(name, date_time=EPOCH)
    info.external_attr = 0o644 << 16
    info.create_system = 3
    return info


def _member(
    packed: Packed, target: zipfile.ZipFile, named: tuple[str, Item], content: bytes | Bad | None, source: Source
) -> None:
    """`content` is None of what is too large to be held."""
    name, item = named
    info = member_info(name)
    if content is None:
        _large(packed, target, info, item, source)
        return
    if isinstance(content, Bad):
        packed.bad.append((item.pk, str(content.outcome), content.reason))
        return
    with explained("place"):
        target.writestr(info, content)
    packed.members.append(Member(name, len(content), hashlib.sha256(content).hexdigest(), item.path))


def _contents(named: Sequence[tuple[str, Item]], source: Source) -> Iterator[bytes | Bad | None]:
    def content(pair: tuple[str, Item]) -> bytes | Bad | None:
        return _content(pair[1], source) if pair[1].size <= SMALL else None

    return source.ahead(named, content, weight=lambda pair: pair[1].size if pair[1].size <= SMALL else 0)


def _content(item: Item, source: Source) -> bytes | Bad:
    try:
        with source.open(item) as file:
            content = b"".join(iter(lambda: file.read(max(item.size + 1, 1)), b""))
            return content if file.as_listed() and len(content) == item.size else CHANGED
    except UNOPENED as error:
        return why(error)


def _large(packed: Packed, target: zipfile.ZipFile, info: zipfile.ZipInfo, item: Item, source: Source) -> None:
    info.file_size = item.size
    with explained("place"), target.open(info, "w", force_zip64=item.size > zipfile.ZIP64_LIMIT // 2) as stream:
        digest = _copied(stream, item, source)
    if isinstance(digest, Bad):
        raise _Spoiled(item, digest)
    packed.members.append(Member(info.filename, item.size, digest, item.path))


def _as_it_is(packed: Packed, item: Item, source: Source, lease: Lease) -> None:
    lease.check()
    assert packed.staged is not None  # noqa: S101  narrows: pack() staged it
    with explained("place"):
        digest = _copied(packed.staged.stream, item, source)
    if isinstance(digest, Bad):
        packed.bad.append((item.pk, str(digest.outcome), digest.reason))
        return
    packed.members.append(Member(packed.placement.file_name, item.size, digest, item.path))


def _copied(stream: IO[bytes], item: Item, source: Source) -> str | Bad:
    """Source to `stream` block by block; an OSError that escapes is the target's, the source's become reasons."""
    try:
        file = source.open(item)
    except UNOPENED as error:
        return why(error)
    with file:
        digest = hashlib.sha256()
        while True:
            block = _block(file)
            if isinstance(block, Bad):
                return block
            if not block:
                break
            digest.update(block)
            stream.write(block)
        return digest.hexdigest() if file.as_listed() else CHANGED


def _block(file: Opened) -> bytes | Bad:
    try:
        return file.read(BLOCK)
    except OSError as error:
        return why(error)
