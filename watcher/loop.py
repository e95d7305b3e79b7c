"""The watcher's loop. Scans are the truth, events only make it look earlier, and the database remembers."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from django.db import DatabaseError, close_old_connections, connection
from django.utils import timezone

from watcher import lease, reporting, services
from watcher.deliveries import turns
from watcher.hints import Hints
from watcher.identity import Owner
from watcher.manifest import Stopped
from watcher.rootwatch import DATABASE_AWAY, Folder, RootWatch, enabled_folders, log_failure
from watcher.scan import RootScanner
from watcher.wake import Waker

log = logging.getLogger(__name__)

# Seconds.
FOLDERS_EVERY = 2.0
BEAT_EVERY = 5.0
# After a look there is news to tell, but not more often than this.
BEAT_SOON = 1.0
SETTLE_EVERY = 1.0
CLAIM_EVERY = 1.0
SETTLE_IDLE = 30.0
MOST_SLEEP = 1.0
LONGEST_PAUSE = 30.0
# A fault of our own that does not pass: ending makes it seen, and a supervisor starts afresh.
MOST_FAILURES = 5
# Held deliveries have no import to wait for, but a heartbeat comes between so many of them.
MOST_CLAIMS = 100


@dataclass(slots=True)
class Watcher:
    """Watches every enabled drop folder until `waker` says stop. `owner` holds the lease."""

    owner: Owner
    waker: Waker
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = timezone.now
    use_events: bool = True
    hints: Hints = field(init=False)
    roots: dict[int, RootWatch] = field(default_factory=dict)
    _folders_due: float = 0.0
    _last_beat: float = float("-inf")
    _last_settle: float = float("-inf")
    _claims_due: float = 0.0

    def __post_init__(self) -> None:
        self.hints = Hints(wake=self.waker.wake)
        # Taking the lease was the first beat; the next one has something to tell.
        self._last_beat = self.clock() - BEAT_SOON

    def run(self, *, started: Callable[[], None]) -> None:
        """Until asked to stop; `started` is called when the roots are watched and the first scan begins.

        Raises LeaseLost. Anything that only concerns one root, and a database that is away, is waited out.
        """
        failures = 0
        try:
            self.load_folders()
            started()
            while not self.waker.stopping():
                failures = self._attempt(failures)
        except Stopped:
            pass
        finally:
            self.hints.close()

    def _attempt(self, failures: int) -> int:
        """One step and the sleep after it; how many steps have failed in a row."""
        try:
            self.step()
        except (Stopped, lease.LeaseLost):
            raise
        except DATABASE_AWAY as error:
            log.warning("The database is away (%s): it is tried again.", type(error).__name__)
            with suppress(DatabaseError):
                connection.close()
        except Exception as error:
            log_failure("The watcher", error)
            if failures + 1 >= MOST_FAILURES:
                raise
        else:
            self.waker.sleep(self.until_next())
            return 0
        self._rest(min(2.0**failures, LONGEST_PAUSE))
        return failures + 1

    def _rest(self, seconds: float) -> None:
        """Whatever happens meanwhile, except a stop."""
        end = self.clock() + seconds
        while self.clock() < end and not self.waker.stopping():
            self.waker.sleep(end - self.clock())

    def step(self) -> None:
        """One round: settings, looks, ended imports, claims, heartbeat; each only when it is due."""
        close_old_connections()
        if self.clock() >= self._folders_due:
            self.load_folders()
        if self.hints.check():
            log.warning("Events may have been lost: all drop folders are scanned.")
            self._all_at_once()
        looked = False
        for watch in list(self.roots.values()):
            looked = watch.look_if_due(now=self.now()) or looked
            self._beat_if_due(every=BEAT_EVERY)
        if looked:
            self._claims_due = self.clock()
        self._settle_if_due()
        self._claim_if_due()
        self._beat_if_due(every=BEAT_SOON if looked else BEAT_EVERY)

    def load_folders(self) -> None:
        """Drop folders that were added, changed, switched off or given a project since the last time."""
        self._folders_due = self.clock() + FOLDERS_EVERY
        wanted = {folder.root.id: folder for folder in enabled_folders()}
        for root in self.roots.keys() - wanted.keys():
            del self.roots[root]
        changed = [root for root, folder in wanted.items() if self._differs(root, folder)]
        for root in changed:
            self._take_up(wanted[root])
        events = {one.root.id: one.root.path for one in wanted.values() if self.use_events and one.wants_events}
        if self.hints.arm(events):
            self._all_at_once()

    def _differs(self, root: int, folder: Folder) -> bool:
        return root not in self.roots or self.roots[root].folder != folder

    def _take_up(self, folder: Folder) -> None:
        """A new or changed one begins anew; one that only got a project goes on, and lets its held ones go."""
        before = self.roots.get(folder.root.id)
        self._last_settle = float("-inf")
        if before is not None and before.folder.root == folder.root:
            before.folder = folder
            before.look_at_once()
            return
        scanner = RootScanner(root=folder.root, clock=self.clock, stopping=self.waker.stopping)
        self.roots[folder.root.id] = RootWatch(folder=folder, scanner=scanner, hints=self.hints, clock=self.clock)

    def _all_at_once(self) -> None:
        self._claims_due = self.clock()
        for watch in self.roots.values():
            watch.look_at_once()

    def _settle_if_due(self) -> None:
        if self.clock() < self._settle_due():
            return
        self._last_settle = self.clock()
        if services.settle_batches(now=self.now()) + services.release_held(now=self.now()):
            self._all_at_once()

    def _settle_due(self) -> float:
        """Often while something is open, so that a free place among the imports is taken at once."""
        active = any(one.open for watch in self.roots.values() for one in watch.known.values())
        return self._last_settle + (SETTLE_EVERY if active else SETTLE_IDLE)

    def _claim_if_due(self) -> None:
        """In-flight imports are bounded over all roots; what is only held needs no import."""
        if self.clock() < self._claims_due:
            return
        self._claims_due = self.clock() + CLAIM_EVERY
        ready = {root: watch.ready() for root, watch in self.roots.items()}
        if not any(ready.values()):
            return
        with_project = {root: names for root, names in ready.items() if self.roots[root].folder.has_project}
        importing = services.importing_by_folder()
        free = services.MAX_INFLIGHT - sum(importing.values())
        held = [(root, name) for root in ready.keys() - with_project.keys() for name in ready[root]]
        for root, name in [*turns(with_project, importing=importing, free=free), *held[:MOST_CLAIMS]]:
            if self.waker.stopping():
                return
            self.roots[root].claim(name, now=self.now())
            self._beat_if_due(every=BEAT_EVERY)

    def _beat_if_due(self, *, every: float) -> None:
        if self.clock() >= self._last_beat + every:
            self._last_beat = self.clock()
            lease.beat(self.owner, self.report(), now=self.now())

    def report(self) -> dict[str, object]:
        return reporting.whole(
            {root: watch.report for root, watch in self.roots.items()},
            now=self.now(),
            at=self.clock(),
            overflows=self.hints.overflows,
            rebuilt=self.hints.rebuilt,
        )

    def settling(self) -> bool:
        """True while there is something that only has to be left alone for a while."""
        looks = [watch.report.look for watch in self.roots.values()]
        return any(one.time_only for look in looks if look for one in look.waiting)

    def unfinished(self) -> int:
        """Deliveries that are there and not taken."""
        looks = [watch.report.look for watch in self.roots.values()]
        return sum(len(look.waiting) + len(look.ready) for look in looks if look)

    def until_next(self) -> float:
        """Seconds until something is due, MOST_SLEEP at most."""
        due = [watch.next_wake() for watch in self.roots.values()]
        soonest = min([*due, self._folders_due, self._last_beat + BEAT_EVERY, self._settle_due()])
        return min(max(soonest - self.clock(), 0.0), MOST_SLEEP)
