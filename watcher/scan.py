"""One pass over a root: list its top level, look into what is not settled, recognise what was delivered before.

No database in here: what is known comes in as values, and what was found goes out as values.
"""

import errno
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from watcher import manifest
from watcher.deliveries import Delivery, Known, same_delivery, same_folder
from watcher.hints import Hint
from watcher.listing import Found, Listing, listed
from watcher.manifest import Manifest
from watcher.readiness import Mark, Observation, Policy, Tracker, Waiting
from watcher.recognition import Recognition
from watcher.states import Completion, FoundBy

# Seconds of walking in one pass: what is left over is due in the next one, and a rename never waits behind it.
WALK_BUDGET = 0.5
# A ready delivery that waited longer than this for its turn is looked at once more.
FRESH_SECONDS = 2.0

_UNHEALTHY = {
    errno.ENOENT: "The folder is not there.",
    errno.ENOTDIR: "It is not a folder.",
    errno.ELOOP: "It is a symbolic link now: links are not followed.",
    errno.EACCES: "It may not be read: check its permissions.",
    errno.EPERM: "It may not be read: check its permissions.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A drop folder as the watcher needs it."""

    id: int
    name: str
    path: bytes
    policy: Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one pass found. Unhealthy: the reason, and nothing else is known.

    `gone` are ids of batches whose folder has left; `moved` are (batch id, device, inode) of recognised ones that have
    another identity now; `next_look` is on the monotonic clock.
    """

    healthy: bool
    reason: str = ""
    ready: tuple[bytes, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    loose: tuple[bytes, ...] = ()
    refused: tuple[tuple[bytes, str], ...] = ()
    gone: tuple[int, ...] = ()
    moved: tuple[tuple[int, int, int], ...] = ()
    vanished: int = 0
    next_look: float | None = None


@dataclass(slots=True)
class RootScanner:
    """Keeps what is known of one root between two passes. `clock` is monotonic; `stopping` ends a walk early."""

    root: Root
    clock: Callable[[], float]
    stopping: Callable[[], bool] = manifest.never
    _tracker: Tracker = field(init=False)
    _recognition: Recognition = field(init=False)
    _manifests: dict[bytes, tuple[float, Manifest]] = field(default_factory=dict)
    _looks: int = 0

    def __post_init__(self) -> None:
        self._tracker = Tracker(policy=self.root.policy)
        self._recognition = Recognition(clock=self.clock, stopping=self.stopping)

    def look(self, *, hint: Hint, known: Mapping[bytes, Known]) -> Look:
        """One pass. Raises manifest.Stopped when the watcher is asked to stop meanwhile."""
        try:
            with manifest.opened(self.root.path) as handle:
                listing = listed(handle)
                vanished = self._take_in(handle, listing, hint=hint, known=known)
                self._walk_due(handle, listing, known=known)
                self._recognition.verify(handle, listing, known=known)
        except OSError as error:
            reason = _UNHEALTHY.get(error.errno or 0, f"It cannot be listed: {error.strerror}.")
            return Look(healthy=False, reason=reason)
        self._looks += 1
        return self._said(listing, known=known, vanished=vanished)

    def confirm(self, name: bytes, *, known: Mapping[bytes, Known], now: datetime) -> Delivery | None:
        """The delivery behind a ready name; None when it changed while it waited for its turn, or is gone."""
        taken_at, _ = self._manifests[name]
        if self.clock() - taken_at > FRESH_SECONDS and not self._still_ready(name, known=known):
            return None
        _, found = self._manifests[name]
        device, inode = self._tracker.identity(name)
        return Delivery(
            name=name,
            device=device,
            inode=inode,
            fingerprint=found.fingerprint,
            files=found.files,
            size=found.size,
            empty=found.empty,
            found_by=self._tracker.found_by(name),
            seen_at=now - timedelta(seconds=self.clock() - self._tracker.first_seen(name)),
        )

    def claimed(self, name: bytes) -> None:
        """The name has a Batch now, from whoever."""
        self._drop(name)
        self._recognition.forget(name)

    def _drop(self, name: bytes) -> None:
        self._tracker.drop(name)
        self._manifests.pop(name, None)

    def _still_ready(self, name: bytes, *, known: Mapping[bytes, Known]) -> bool:
        try:
            with manifest.opened(self.root.path) as handle:
                self._look_into(handle, name, known=known)
        except OSError:
            return False
        return any(name == ready for _, ready in self._tracker.ready())

    def _take_in(self, handle: int, listing: Listing, *, hint: Hint, known: Mapping[bytes, Known]) -> int:
        """Feeds the listing to the tracker; how many unclaimed folders have vanished."""
        at = self.clock()
        found_by = FoundBy.START if self._looks == 0 else FoundBy.EVENT if hint.changed else FoundBy.SCAN
        for name, found in listing.folders.items():
            if self._settled(name, found, known=known):
                self._drop(name)
                continue
            self._tracker.listed(
                name, identity=(found.device, found.inode), found_by=found_by, at=at, renamed=name in hint.renamed
            )
        vanished = self._tracker.keep_only(listing.folders.keys() | listing.temporary.keys())
        for name in vanished:
            self._manifests.pop(name, None)
        self._recognition.keep_only(listing.folders)
        # After the final names, so that a rename is still recognised by what the temporary name held.
        for name, found in listing.temporary.items():
            identity = (found.device, found.inode)
            marks = self._marks(handle, name) if self._wants_marks(name, found) else frozenset()
            self._tracker.temporary(name, identity=identity, marks=marks, at=at)
        return len(vanished)

    def _settled(self, name: bytes, found: Found, *, known: Mapping[bytes, Known]) -> bool:
        """True for what needs no look: being imported, held, or recognised and not touched at its top since."""
        before = known.get(name)
        if before is None or before.open:
            return before is not None
        if self._looks == 0 and same_folder(before, device=found.device, inode=found.inode):
            self._recognition.trust(name, found)
        return self._recognition.knows(name, found)

    def _wants_marks(self, name: bytes, found: Found) -> bool:
        if self.root.policy.completion is not Completion.AUTO:
            return False
        identity = (found.device, found.inode)
        return not self._tracker.knows_marks(name, identity=identity, enough=manifest.MARKS)

    @staticmethod
    def _marks(handle: int, name: bytes) -> frozenset[Mark]:
        try:
            with manifest.opened(name, parent=handle) as inside:
                return manifest.marks(inside)
        except OSError:
            return frozenset()

    def _walk_due(self, handle: int, listing: Listing, *, known: Mapping[bytes, Known]) -> None:
        until = self.clock() + WALK_BUDGET
        for name in self._tracker.due(self.clock()):
            self._look_into(handle, name, known=known, mtime_ns=listing.folders[name].mtime_ns)
            if self.clock() > until:
                return

    def _look_into(self, handle: int, name: bytes, *, known: Mapping[bytes, Known], mtime_ns: int = 0) -> None:
        """Walks one folder and has it judged, or recognises it as an earlier delivery."""
        started = self.clock()
        seen, walked = self._observed(handle, name)
        device, inode = self._tracker.identity(name)
        before = known.get(name)
        if before and walked and same_delivery(before, device=device, inode=inode, fingerprint=walked.fingerprint):
            self._drop(name)
            self._recognition.confirm(name, Found(device, inode, mtime_ns), before=before)
            return
        at = self.clock()
        again = before is not None and same_folder(before, device=device, inode=inode)
        self._tracker.observe(name, replace(seen, again=again, cost=at - started), at=at)
        if walked:
            self._manifests[name] = (at, walked)

    def _observed(self, handle: int, name: bytes) -> tuple[Observation, Manifest | None]:
        try:
            with manifest.opened(name, parent=handle) as inside:
                return self._observed_inside(inside, name)
        except OSError as error:
            said = error.strerror or "unknown error"
            return Observation(unreadable=said, stillness=said.encode()), None

    def _observed_inside(self, inside: int, name: bytes) -> tuple[Observation, Manifest | None]:
        marked = self.root.policy.completion is Completion.MARKER
        if marked and not manifest.has_marker(inside, self.root.policy.marker):
            return Observation(stillness=b"no marker"), None
        found = manifest.read(inside, sought=self._tracker.earlier(name), stopping=self.stopping)
        seen = Observation(
            stillness=found.stillness,
            empty=found.empty,
            temporary_inside=found.temporary,
            marker_present=marked,
            marks_found=found.marks_found,
        )
        return seen, found

    def _said(self, listing: Listing, *, known: Mapping[bytes, Known], vanished: int) -> Look:
        wanted = (self._tracker.next_look(), self._recognition.next_look())
        return Look(
            healthy=True,
            ready=tuple(name for _, name in self._tracker.ready()),
            waiting=tuple(self._tracker.waiting(self.clock())),
            loose=tuple(sorted(listing.loose)),
            refused=tuple(sorted(listing.refused)),
            gone=_gone(listing, known),
            moved=self._recognition.moved(),
            vanished=vanished,
            next_look=min((at for at in wanted if at is not None), default=None),
        )


def _gone(listing: Listing, known: Mapping[bytes, Known]) -> tuple[int, ...]:
    """Batches whose folder has left. A root that is not mounted shows another device: nothing has left that one."""
    return tuple(
        one.batch_id
        for name, one in known.items()
        if not one.open and name not in listing.folders and one.device == listing.device
    )
