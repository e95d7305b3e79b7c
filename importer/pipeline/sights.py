"""Looking at a stored thing where it lies, and reading it. What is found is told; nothing there is ever changed."""

import hashlib
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import IO, Protocol

from hierarchy import references
from hierarchy.manifests import InPlace
from hierarchy.models import DigestOf, FileVersion
from importer.core import manifest
from importer.core.checks import CheckState
from importer.core.manifest import Member
from importer.core.names import shown
from storages.deadline import within
from storages.errors import PlaceError
from storages.place_contract import Place
from storages.stores import (
    BadKey,
    Changed,
    Kind,
    Listed,
    Missing,
    Store,
    StoreConfig,
    StoreError,
    Unreadable,
    store_for,
)

BLOCK = 1 << 20
# Seconds for the question whether a place is there at all.
PATIENCE = 25
# From so many files of one reference on, their folder is listed; fewer are asked for one by one.
FEW = 4
# Objects of such a listing that are passed over at most, for each one that is wanted.
PASSED_OVER = 4
AT_ONCE = 8

GONE = "It is not there."
DISGUISED = "Its members are what they were, the bytes between them are not."


class RootAway(Exception):
    """Nothing is to be concluded about what lies there. The text says what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What is to lie at `path` of a place: our own bytes, or (`members`) files of a storage. Sizes in bytes.

    `lines` are those of an own archive's manifest; `sha256` is over its bytes, where they were read before.
    """

    check: int
    state: str
    path: str
    size: int
    digest: str = ""
    digest_of: str = DigestOf.CONTENT
    lines: bytes = b""
    sha256: str = ""
    members: tuple[InPlace, ...] = ()
    version: FileVersion | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """`bytes_read` is 0 where it was only looked at. `sha256` is to be kept: of an archive, as it lies."""

    state: CheckState
    words: str = ""
    bytes_read: int = 0
    sha256: str = ""


OK = Found(CheckState.OK)


class Sight(Protocol):
    """Both raise RootAway."""

    def look(self, stored: Stored) -> Found:
        """Is it there, of its size and, where that is told, of its time or etag?"""

    def read(self, stored: Stored) -> Found:
        """Every byte."""


@dataclass(frozen=True, slots=True)
class OwnBytes:
    """Archive and quarantine."""

    place: Place

    def look(self, stored: Stored) -> Found:
        try:
            there = self.place.size(stored.path)
        except (FileNotFoundError, NotADirectoryError):
            return Found(CheckState.MISSING, GONE)
        except OSError as error:
            return Found(CheckState.UNREADABLE, _said(error))
        except PlaceError as error:
            raise RootAway(str(error)) from error
        if there != stored.size:
            return Found(CheckState.CHANGED, f"It has {there:,} bytes instead of {stored.size:,}.")
        return OK

    def read(self, stored: Stored) -> Found:
        found = self.look(stored)
        if found is not OK:
            return found
        try:
            with self.place.open(stored.path) as stream:
                return compared(stream, stored)
        except (FileNotFoundError, NotADirectoryError):
            return Found(CheckState.MISSING, GONE)
        except OSError as error:
            return Found(CheckState.UNREADABLE, _said(error))
        except PlaceError as error:
            raise RootAway(str(error)) from error


def _said(error: OSError) -> str:
    return f"{error.strerror or 'Input/output error'}."


def compared(stream: IO[bytes], stored: Stored, *, packing_counts: bool = True) -> Found:
    """Bytes with what they are to be; without `packing_counts` only the members of an archive."""
    whole = digest_of(stream)
    if stored.digest_of != DigestOf.MANIFEST:
        right = whole == stored.digest
        words = "" if right else "Its content is not what was stored."
        return Found(CheckState.OK if right else CheckState.CHANGED, words, stored.size)
    if whole == stored.sha256:
        return Found(CheckState.OK, "", stored.size, whole)
    stream.seek(0)
    wrong = _wrong_members(stream, stored.lines)
    if wrong or (stored.sha256 and packing_counts):
        return Found(CheckState.CHANGED, wrong or DISGUISED, stored.size)
    return Found(CheckState.OK, "", stored.size, whole)


def _wrong_members(stream: IO[bytes], lines: bytes) -> str:
    """What is wrong with the members of an archive, in words; empty when nothing is."""
    expected = [Member(m.name, m.size, m.sha256) for m in manifest.from_lines(lines)]
    members = members_of(stream)
    if members is None:
        return "It is no whole archive any more."
    if sorted(members) == expected:
        return ""
    wrong = sorted(member.name for member in set(expected) - set(members))
    first = f", the first is {shown(wrong[0])}" if wrong else ""
    return f"{len(wrong):,} of {len(expected):,} members are not what was stored{first}."


def members_of(stream: IO[bytes]) -> list[Member] | None:
    """None where it is no archive any more: a spoiled one makes the reader raise almost anything. A member that cannot
    be read has no SHA-256."""
    try:
        with zipfile.ZipFile(stream) as packed:
            return [_member(packed, info) for info in packed.infolist()]
    except (OSError, PlaceError):
        raise
    except Exception:  # noqa: BLE001
        return None


def _member(packed: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    try:
        with packed.open(info) as member:
            return Member(info.filename, info.file_size, digest_of(member))
    except (OSError, PlaceError):
        raise
    except Exception:  # noqa: BLE001
        return Member(info.filename, info.file_size, "")


def digest_of(stream: IO[bytes]) -> str:
    content = hashlib.sha256()
    while block := stream.read(BLOCK):
        content.update(block)
    return content.hexdigest()


@dataclass(slots=True)
class _Tally:
    """What was found of the files of one reference, and the first of each kind."""

    total: int
    found: dict[CheckState, list[str]] = field(default_factory=dict)
    words: dict[CheckState, str] = field(default_factory=dict)

    def add(self, state: CheckState, member: InPlace, words: str) -> None:
        self.found.setdefault(state, []).append(member.key)
        self.words.setdefault(state, words)

    def verdict(self, bytes_read: int = 0) -> Found:
        """The worst that there is: what is gone, then what is another, then what nobody may read."""
        for state in (CheckState.MISSING, CheckState.CHANGED, CheckState.UNREADABLE):
            if state in self.found:
                return Found(state, self._said(), bytes_read)
        return Found(CheckState.OK, "", bytes_read)

    def _said(self) -> str:
        if self.total == 1:
            return " ".join(self.words.values())
        said = [
            f"{len(keys):,} of {self.total:,} files {state}, the first is {shown(keys[0])}. {self.words[state]}"
            for state, keys in self.found.items()
        ]
        return " ".join(said)


_STATES: tuple[tuple[type[StoreError], CheckState], ...] = (
    (Missing, CheckState.MISSING),
    (BadKey, CheckState.MISSING),
    (Changed, CheckState.CHANGED),
    (Unreadable, CheckState.UNREADABLE),
)


@dataclass(frozen=True, slots=True)
class References:
    """Files where they came from. `known_as` is the print of the storage (`print_of`) when the run began."""

    config: StoreConfig
    known_as: str

    def look(self, stored: Stored) -> Found:
        tally = _Tally(len(stored.members))
        for member, there in self._there(stored.members):
            if isinstance(there, StoreError):
                tally.add(self._state(there), member, str(there))
            elif words := _difference(member, there):
                tally.add(CheckState.CHANGED, member, words)
        return tally.verdict()

    def read(self, stored: Stored) -> Found:
        unread = stored.digest_of == DigestOf.UNREAD
        if unread and self.config.kind is not Kind.LOCAL and (looked := self.look(stored)).state != CheckState.OK:
            # Not every service holds a reading to one content: what is learned for good has to be of the right one.
            return looked
        tally, learned, done = _Tally(len(stored.members)), {}, 0
        for member, there in self._read(stored.members):
            if isinstance(there, Changed):
                tally.add(CheckState.CHANGED, member, self._how(member, there))
            elif isinstance(there, StoreError):
                tally.add(self._state(there), member, str(there))
            elif member.sha256 and there != member.sha256:
                tally.add(CheckState.CHANGED, member, self._how(member, Changed(references.ANOTHER)))
            else:
                learned[member.name] = there
            done += member.size
        if stored.version is not None and unread and not tally.found:
            references.record(stored.version, learned)
        return tally.verdict(done)

    def _how(self, member: InPlace, error: Changed) -> str:
        there = _stat(store_for(self.config), member)
        return (not isinstance(there, StoreError) and _difference(member, there)) or str(error)

    def _state(self, error: StoreError) -> CheckState:
        """Raises RootAway where it is not the file that is wrong. A sector of a disk that is there is one file's."""
        for kind, state in _STATES:
            if isinstance(error, kind):
                return state
        if self.config.kind is Kind.LOCAL and self._here():
            return CheckState.UNREADABLE
        raise RootAway(self.config.credentials.masked(str(error))) from error

    def _here(self) -> bool:
        try:
            return print_of(self.config) == self.known_as
        except StoreError:
            return False

    def _there(self, members: Sequence[InPlace]) -> Iterator[tuple[InPlace, Listed | StoreError]]:
        store = store_for(self.config)
        listed = {} if self.config.kind is Kind.LOCAL or len(members) < FEW else _listed(store, members)
        for member in members:
            # What a listing does not have may still be there: only the store's own word counts.
            yield member, listed.get(member.key) or _stat(store, member)

    def _read(self, members: Sequence[InPlace]) -> Iterator[tuple[InPlace, str | StoreError]]:
        if self.config.kind is Kind.LOCAL or len(members) == 1:
            yield from ((member, self._digest(member)) for member in members)
            return
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for some in _in_pieces(members, AT_ONCE * 8):
                yield from zip(some, pool.map(self._digest, some), strict=True)

    def _digest(self, member: InPlace) -> str | StoreError:
        try:
            return references.digest_of(self.config, member)
        except StoreError as error:
            return error


def _difference(member: InPlace, there: Listed) -> str:
    """In words; empty where it is as it was listed when it was imported."""
    known = member.listed
    if there.size != known.size:
        return f"It has {there.size:,} bytes instead of {known.size:,}."
    same = there.etag == known.etag and known.version in {"", there.version}
    return "" if same else "It was written since: its time or etag is another."


def _in_pieces(members: Sequence[InPlace], size: int) -> Iterable[Sequence[InPlace]]:
    return (members[start : start + size] for start in range(0, len(members), size))


def _stat(store: Store, member: InPlace) -> Listed | StoreError:
    try:
        return store.stat(member.key)
    except StoreError as error:
        return error


def _listed(store: Store, members: Sequence[InPlace]) -> dict[str, Listed]:
    """Those of the members that one listing of their folder finds, without walking through everything beside them."""
    wanted = {member.key for member in members}
    folder = _common_folder(min(wanted), max(wanted))
    left, found = PASSED_OVER * len(wanted) + 1000, {}
    try:
        for one in store.list(prefix=folder):
            left -= 1
            if one.key in wanted:
                found[one.key] = one
            if len(found) == len(wanted) or not left:
                break
    except StoreError:
        return found
    return found


def _common_folder(first: str, last: str) -> str:
    same = 0
    while same < min(len(first), len(last)) and first[same] == last[same]:
        same += 1
    return first[: first.rfind("/", 0, same) + 1]


def print_of(config: StoreConfig) -> str:
    """Which disk or bucket it is, and which disk a folder inside it: another one may be mounted there. 32 characters.

    Raises StoreError, in time.
    """
    said = within(PATIENCE, store_for(config).identity, about=("identity", config))
    if config.kind is Kind.LOCAL and config.prefix:
        inner = StoreConfig(kind=config.kind, bucket=f"{config.bucket}/{config.prefix}")
        said += f" {within(PATIENCE, store_for(inner).identity, about=('identity', inner))}"
    return hashlib.blake2b(said.encode(), digest_size=16).hexdigest()
