"""When a delivery is whole. Plain Python: no Django, no file system, and the clock is a parameter.

The rules in words are in docs/operations.md, "When a delivery is taken".
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum

from importer.core.names import printable, shown
from importer.core.recognise import is_junk
from watcher.states import Completion, FoundBy

# The written rule is "an extension that starts with tmp"; the others are what browsers and transfer programs write.
_PARTIAL = frozenset({b"part", b"partial", b"filepart", b"crdownload"})

# An empty folder may be somebody's mkdir: it gets so many quiet periods before it counts as an empty delivery.
EMPTY_FACTOR = 10
# After a day a delivery that is not whole is pointed out; it is never imported half.
OVERDUE_SECONDS = 86_400.0
# A walk may take a tenth of the time, so that a huge folder that is being filled does not keep the disk busy.
WALK_SHARE = 10
_STEP = (0.05, 5.0)

# A name inside a folder and its inode: what a folder is recognised by after it was renamed.
Mark = tuple[bytes, int]
# Device and inode.
Identity = tuple[int, int]


class NameVerdict(StrEnum):
    READY_NAME = "ready name"
    UNFINISHED = "unfinished"
    IGNORED = "ignored"


def judge_name(name: bytes) -> NameVerdict:
    """What the name of a top-level entry says. The one rule for events, scans, commands and the admin.

    Junk of operating systems is ignored. Unfinished: the last extension begins with `tmp` in any case, or is one of
    `.part .partial .filepart .crdownload`; a leading dot; a trailing `~`.
    """
    if is_junk(name.decode("utf-8", "surrogateescape")):
        return NameVerdict.IGNORED
    if name.startswith(b".") or name.endswith(b"~") or is_temporary(name):
        return NameVerdict.UNFINISHED
    return NameVerdict.READY_NAME


def is_temporary(name: bytes) -> bool:
    """True for a name that somebody will rename. Inside a delivery only these block: a dot file may be data."""
    _, dot, extension = name.lower().rpartition(b".")
    return bool(dot) and (extension.startswith(b"tmp") or extension in _PARTIAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How one drop folder decides. `quiet_seconds` of a clock that never jumps."""

    completion: Completion = Completion.AUTO
    quiet_seconds: float = 30.0
    marker: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One look into a folder. `stillness` is the digest that changes with any write; `cost` seconds were spent.

    `again`: the same folder (name, device, inode) was delivered before and has changed since.
    """

    stillness: bytes = b""
    empty: bool = False
    temporary_inside: bytes = b""
    marker_present: bool = False
    marks_found: frozenset[Mark] = frozenset()
    again: bool = False
    unreadable: str = ""
    cost: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`why` is a sentence for people and may hold names. `next_look` and `since` are on the monotonic clock."""

    ready: bool
    why: str
    since: float
    next_look: float


@dataclass(slots=True)
class _Item:
    identity: Identity
    first_seen: float
    found_by: FoundBy
    next_look: float
    earlier: frozenset[Mark] = frozenset()
    renamed: bool = False
    stillness: bytes = b""
    still_since: float = 0.0
    looks: int = 0
    ready_since: float | None = None
    why: str = "just seen"
    time_only: bool = True


@dataclass(slots=True)
class _Temporary:
    identity: Identity
    first_seen: float
    marks: frozenset[Mark] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """For the report: not ready yet, and why. `time_only`: it is ready soon, if nobody writes to it."""

    name: bytes
    since: float
    why: str
    overdue: bool
    time_only: bool = False


@dataclass(slots=True)
class Tracker:
    """What is known about the unclaimed entries of one root. Feed it a listing, then a look per name that is due."""

    policy: Policy
    _items: dict[bytes, _Item] = field(default_factory=dict)
    _temporaries: dict[bytes, _Temporary] = field(default_factory=dict)

    def temporary(self, name: bytes, *, identity: Identity, marks: frozenset[Mark], at: float) -> None:
        """A folder that lies there under an unfinished name, with some of what is in it."""
        known = self._temporaries.get(name)
        if known is None or known.identity != identity:
            self._temporaries[name] = known = _Temporary(identity=identity, first_seen=at)
        known.marks = marks or known.marks

    def knows_marks(self, name: bytes, *, identity: Identity, enough: int) -> bool:
        """True when no further look into this folder is needed to recognise it after its rename."""
        known = self._temporaries.get(name)
        return known is not None and known.identity == identity and len(known.marks) >= enough

    def listed(self, name: bytes, *, identity: Identity, found_by: FoundBy, at: float, renamed: bool = False) -> None:
        """A folder that lies there under a final name. `renamed`: the kernel told of a rename from a temporary one."""
        item = self._items.get(name)
        if item is None or item.identity != identity:
            item = _Item(identity=identity, first_seen=at, found_by=found_by, next_look=at)
            item.earlier = self._marks_of(identity)
            self._items[name] = item
        if renamed and not item.renamed:
            item.renamed, item.next_look = True, at

    def keep_only(self, names: Collection[bytes]) -> list[bytes]:
        """Forgets what is not among the listed names: the folders that vanished before they were claimed."""
        for name in [name for name in self._temporaries if name not in names]:
            del self._temporaries[name]
        vanished = [name for name in self._items if name not in names]
        for name in vanished:
            del self._items[name]
        return vanished

    def drop(self, name: bytes) -> None:
        """Claimed, or recognised as an earlier delivery."""
        self._items.pop(name, None)

    def due(self, at: float) -> list[bytes]:
        """Names to look at now: new and renamed ones first, then the longest due. What is ready waits for its turn."""
        waiting = [
            (item.looks > 0 and not item.renamed, item.next_look, name)
            for name, item in self._items.items()
            if item.ready_since is None and item.next_look <= at
        ]
        return [name for _, _, name in sorted(waiting)]

    def next_look(self) -> float | None:
        return min((item.next_look for item in self._items.values() if item.ready_since is None), default=None)

    def earlier(self, name: bytes) -> frozenset[Mark]:
        """What the folder held under its temporary name, to look for."""
        return self._items[name].earlier

    def identity(self, name: bytes) -> Identity:
        return self._items[name].identity

    def first_seen(self, name: bytes) -> float:
        return self._items[name].first_seen

    def found_by(self, name: bytes) -> FoundBy:
        return self._items[name].found_by

    def observe(self, name: bytes, seen: Observation, *, at: float) -> Verdict:
        """Judges one look at a listed name."""
        item = self._items[name]
        changed = item.looks > 0 and seen.stillness != item.stillness
        if item.looks == 0 or changed:
            item.stillness, item.still_since, item.looks = seen.stillness, at, 0
        item.looks += 1
        if changed:
            # Somebody still writes: the rename was not the end of it.
            item.renamed, item.earlier = False, frozenset()
        item.time_only = False
        ready, item.why = self._judge(item, seen, at=at)
        item.ready_since = (at if item.ready_since is None else item.ready_since) if ready else None
        item.next_look = self._next_look(item, seen, at=at)
        return Verdict(ready=ready, why=item.why, since=item.first_seen, next_look=item.next_look)

    def ready(self) -> list[tuple[float, bytes]]:
        """Since when, and name; the oldest first."""
        return sorted((item.ready_since, name) for name, item in self._items.items() if item.ready_since is not None)

    def waiting(self, at: float) -> list[Waiting]:
        """Everything that is not ready, the oldest first."""
        found = [
            Waiting(name=name, since=one.first_seen, why="has an unfinished name", overdue=_overdue(one, at))
            for name, one in self._temporaries.items()
        ]
        found += [
            Waiting(name=name, since=one.first_seen, why=one.why, overdue=_overdue(one, at), time_only=one.time_only)
            for name, one in self._items.items()
            if one.ready_since is None
        ]
        return sorted(found, key=lambda one: (one.since, one.name))

    def _marks_of(self, identity: Identity) -> frozenset[Mark]:
        return next((known.marks for known in self._temporaries.values() if known.identity == identity), frozenset())

    def _judge(self, item: _Item, seen: Observation, *, at: float) -> tuple[bool, str]:
        if seen.unreadable:
            return False, f"cannot be read: {seen.unreadable}"
        if seen.temporary_inside:
            return False, f"still holds {shown(printable(seen.temporary_inside))}"
        if self.policy.completion is Completion.MARKER and not seen.marker_present:
            return False, f"waits for {shown(printable(self.policy.marker))} in it"
        proof = "" if seen.empty or seen.again else self._proof(item, seen)
        return (True, proof) if proof else self._quiet(item, seen, at=at)

    def _proof(self, item: _Item, seen: Observation) -> str:
        """A sentence when the delivery is whole without waiting, else nothing."""
        match self.policy.completion:
            case Completion.RENAME:
                return "has its final name"
            case Completion.MARKER:
                return "its marker is there"
            case Completion.AUTO if item.renamed or (item.earlier and item.earlier <= seen.marks_found):
                return "was renamed from a temporary name"
            case _:
                return ""

    def _quiet(self, item: _Item, seen: Observation, *, at: float) -> tuple[bool, str]:
        needed = self._needed(seen)
        item.time_only = not seen.empty
        if item.looks > 1 and at - item.still_since >= needed:
            return True, f"unchanged for {needed:g} s"
        return False, f"{'empty' if seen.empty else 'waits'} until it is unchanged for {needed:g} s"

    def _needed(self, seen: Observation) -> float:
        return self.policy.quiet_seconds * (EMPTY_FACTOR if seen.empty else 1)

    def _next_look(self, item: _Item, seen: Observation, *, at: float) -> float:
        low, high = _STEP
        step = max(min(max(self.policy.quiet_seconds / 4, low), high), seen.cost * WALK_SHARE)
        if seen.unreadable or seen.temporary_inside:
            return at + step
        if self.policy.completion is Completion.MARKER and not seen.marker_present:
            return at + min(step, 1.0)
        return max(at + low, min(at + step, item.still_since + self._needed(seen)))


def _overdue(one: _Item | _Temporary, at: float) -> bool:
    return at - one.first_seen >= OVERDUE_SECONDS
