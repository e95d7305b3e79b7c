"""Is what is stored still what was stored? Every file: there, of its size, of its digest; and nothing without a row."""

import hashlib
import random
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import IO

from hierarchy.models import DigestOf, FileVersion
from importer.core import manifest
from importer.core.manifest import Member
from importer.core.states import PACKED_KINDS
from importer.models import Conflict
from storages.errors import PlaceError
from storages.place_contract import Place
from storages.places import archive, quarantine

BLOCK = 1 << 20
PAGE = 500


class State(StrEnum):
    OK = "ok"
    MISSING = "missing"
    CHANGED = "changed"
    UNREADABLE = "unreadable"
    UNKNOWN = "no row"


@dataclass(frozen=True, slots=True)
class Check:
    """One stored file; `path` is inside its place."""

    place: str
    path: str
    state: State


@dataclass(frozen=True, slots=True)
class _Stored:
    path: str
    size: int
    digest: str
    digest_of: str
    lines: bytes


def verify(*, percent: float = 100.0, seed: int = 0) -> Iterator[Check]:
    """Archive, then quarantine. `percent` of the files are read whole, the others looked at only."""
    chosen = random.Random(seed)  # noqa: S311  a sample, no secret
    for name, place, rows in (("archive", archive(), _versions()), ("quarantine", quarantine(), _waiting())):
        for stored in rows:
            yield Check(name, stored.path, state(place, stored, read=chosen.random() * 100 < percent))
        for path in _unknown(name, place):
            yield Check(name, path, State.UNKNOWN)


def state(place: Place, stored: _Stored, *, read: bool) -> State:
    try:
        if place.size(stored.path) != stored.size:
            return State.CHANGED
        if not read:
            return State.OK
        with place.open(stored.path) as stream:
            return State.OK if _same(stream, stored) else State.CHANGED
    except FileNotFoundError:
        return State.MISSING
    except OSError:
        return State.UNREADABLE


def _same(stream: IO[bytes], stored: _Stored) -> bool:
    if stored.digest_of == DigestOf.MANIFEST:
        expected = [Member(m.name, m.size, m.sha256) for m in manifest.from_lines(stored.lines)]
        return _members(stream) == expected
    return _digest(stream) == stored.digest


def _members(stream: IO[bytes]) -> list[Member] | None:
    """None where it is no archive any more: a spoiled one makes the reader raise almost anything."""
    found = []
    try:
        with zipfile.ZipFile(stream) as packed:
            for info in packed.infolist():
                with packed.open(info) as member:
                    found.append(Member(info.filename, info.file_size, _digest(member)))
    except (OSError, PlaceError):
        raise
    except Exception:  # noqa: BLE001
        return None
    return sorted(found)


def _digest(stream: IO[bytes]) -> str:
    content = hashlib.sha256()
    while block := stream.read(BLOCK):
        content.update(block)
    return content.hexdigest()


def _versions() -> Iterator[_Stored]:
    own = FileVersion.objects.filter(reference=False).order_by("pk")
    rows = own.values_list("path", "size", "digest", "digest_of", "manifest__lines")
    for path, size, digest, digest_of, lines in rows.iterator(chunk_size=PAGE):
        yield _Stored(path, size, digest, digest_of, bytes(lines or b""))


def _waiting() -> Iterator[_Stored]:
    rows = Conflict.objects.exclude(path="").order_by("pk")
    found = rows.values_list("path", "size", "digest", "placement__kind", "manifest")
    for path, size, digest, kind, lines in found.iterator(chunk_size=PAGE):
        of = DigestOf.MANIFEST if kind in PACKED_KINDS else DigestOf.CONTENT
        yield _Stored(path, size, digest, of, bytes(lines))


def _unknown(name: str, place: Place) -> Iterator[str]:
    """Bytes that no row speaks of, page by page."""
    rows = FileVersion.objects.all() if name == "archive" else Conflict.objects.all()
    page: list[str] = []
    for path, _ in place.walk():
        page.append(path)
        if len(page) == PAGE:
            yield from sorted(set(page) - set(rows.filter(path__in=page).values_list("path", flat=True)))
            page = []
    yield from sorted(set(page) - set(rows.filter(path__in=page).values_list("path", flat=True)))
