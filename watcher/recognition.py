"""Finished deliveries that still lie in their root: recognised cheaply, walked again now and then."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from watcher import manifest
from watcher.deliveries import Known, same_folder
from watcher.listing import Found, Listing

# Seconds of walking in one pass.
VERIFY_BUDGET = 0.2
# How often a finished delivery is walked again, to find what was added deep inside it.
VERIFY_EVERY = 3600.0
# While some were only taken on trust since the start, the next pass comes so soon.
VERIFY_PAUSE = 1.0


@dataclass(slots=True)
class _Seen:
    found: Found
    verified_at: float | None


@dataclass(slots=True)
class Recognition:
    """At the top only identity and mtime are compared; the whole fingerprint has a budget. `clock` is monotonic."""

    clock: Callable[[], float]
    stopping: Callable[[], bool]
    _seen: dict[bytes, _Seen] = field(default_factory=dict)
    _queue: deque[bytes] = field(default_factory=deque)
    _moved: list[tuple[int, int, int]] = field(default_factory=list)

    def knows(self, name: bytes, found: Found) -> bool:
        """True when it was recognised and its top has not changed since."""
        seen = self._seen.get(name)
        return seen is not None and seen.found == found

    def trust(self, name: bytes, found: Found) -> None:
        """At the start: by identity alone for now, to be walked within the budget of the next passes."""
        if name not in self._seen:
            self._seen[name] = _Seen(found, verified_at=None)
            self._queue.appendleft(name)

    def confirm(self, name: bytes, found: Found, *, before: Known) -> None:
        """Its fingerprint was just seen to be that of the batch."""
        if name not in self._seen:
            self._queue.append(name)
        self._seen[name] = _Seen(found, verified_at=self.clock())
        if not same_folder(before, device=found.device, inode=found.inode):
            self._moved.append((before.batch_id, found.device, found.inode))

    def forget(self, name: bytes) -> None:
        self._seen.pop(name, None)

    def keep_only(self, folders: Mapping[bytes, Found]) -> None:
        for name in [name for name in self._seen if name not in folders]:
            del self._seen[name]

    def moved(self) -> tuple[tuple[int, int, int], ...]:
        """(batch id, device, inode) of those that have another identity since a move of the whole root; once each."""
        moved, self._moved = tuple(self._moved), []
        return moved

    def next_look(self) -> float | None:
        """When the next pass is wanted, None when all were verified."""
        waiting = any(seen.verified_at is None for seen in self._seen.values())
        return self.clock() + VERIFY_PAUSE if waiting else None

    def verify(self, handle: int, listing: Listing, *, known: Mapping[bytes, Known]) -> None:
        """Walks the longest unverified ones again; what has changed is forgotten, and so looked at in the next pass."""
        until = self.clock() + VERIFY_BUDGET
        while self._queue and self.clock() <= until:
            name = self._queue[0]
            seen = self._seen.get(name)
            if seen and seen.verified_at is not None and self.clock() - seen.verified_at < VERIFY_EVERY:
                return
            self._queue.popleft()
            if seen and name in listing.folders and name in known:
                self._verify_one(handle, name, listing.folders[name], before=known[name])

    def _verify_one(self, handle: int, name: bytes, found: Found, *, before: Known) -> None:
        try:
            with manifest.opened(name, parent=handle) as inside:
                now = manifest.read(inside, stopping=self.stopping).fingerprint
        except OSError:
            now = before.fingerprint  # What cannot be read now is looked at in the next round.
        self.forget(name)
        if now == before.fingerprint:
            self.confirm(name, found, before=before)
