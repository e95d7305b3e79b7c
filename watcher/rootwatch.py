"""One root while it is watched: when to look at it, and what was found."""

import logging
import os
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db import InterfaceError, OperationalError

from hierarchy.errors import Refused
from importer.core.names import raw
from watcher import services
from watcher.deliveries import Known
from watcher.filesystems import tells_of_changes
from watcher.hints import NOTHING, Hint, Hints
from watcher.manifest import Stopped
from watcher.models import DropFolder
from watcher.readiness import Policy
from watcher.reporting import RootReport
from watcher.scan import Look, Root, RootScanner
from watcher.states import Completion, WatchMode

log = logging.getLogger(__name__)

# Seconds. A burst of events is one look; where there are no events, the root's own mtime is asked so often.
EVENT_GAP = 0.1
POLL_EVERY = 1.0
# After a failure: long enough not to fill the log, short enough to recover while somebody watches.
RETRY_AFTER = 30.0
# A root that was away is asked for so often.
UNHEALTHY_EVERY = 5.0
# A pass may take a quarter of the time between two.
PASS_SHARE = 4

# The world is broken, not this root: the loop waits until the database is back.
DATABASE_AWAY = (OperationalError, InterfaceError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A drop folder's settings, as the loop compares them to notice a change."""

    root: Root
    has_project: bool
    mode: WatchMode
    scan_seconds: float

    @property
    def wants_events(self) -> bool:
        if self.mode is WatchMode.AUTO:
            return tells_of_changes(self.root.path)
        return self.mode is WatchMode.EVENTS


def enabled_folders() -> list[Folder]:
    """Those that are switched on, with their settings as they are now."""
    return [
        Folder(
            root=Root(id=row.pk, name=row.name, path=raw(row.path), policy=_policy(row)),
            has_project=row.project_id is not None,
            mode=WatchMode(row.watch_mode),
            scan_seconds=row.scan_seconds,
        )
        for row in DropFolder.objects.filter(enabled=True).order_by("id")
    ]


def _policy(row: DropFolder) -> Policy:
    return Policy(completion=Completion(row.completion), quiet_seconds=row.quiet_seconds, marker=raw(row.marker))


@dataclass(slots=True)
class RootWatch:
    """Raises only what concerns all roots: the database is away, or the watcher is asked to stop."""

    folder: Folder
    scanner: RootScanner
    hints: Hints
    clock: Callable[[], float]
    report: RootReport = field(init=False)
    known: dict[bytes, Known] = field(default_factory=dict)
    _stale: bool = True
    _due: float = 0.0
    _not_before: float = 0.0
    _claims_from: float = 0.0
    _poll_due: float = 0.0
    _root_mtime: int = 0

    def __post_init__(self) -> None:
        self.report = RootReport(mode=self.mode)
        self._due = self.clock()

    @property
    def mode(self) -> str:
        if self.folder.mode is WatchMode.SCAN:
            return WatchMode.SCAN
        armed = self.folder.wants_events and self.hints.armed(self.folder.root.id)
        return WatchMode.EVENTS if armed else WatchMode.POLL

    def look_at_once(self) -> None:
        """Something may have been missed, or the database changed."""
        self._stale, self._due = True, self.clock()

    def next_wake(self) -> float:
        """On the monotonic clock."""
        if self.hints.noted(self.folder.root.id):
            return self._not_before
        polls = self._poll_due if self.mode == WatchMode.POLL else self._due
        return max(min(self._due, polls), self._not_before)

    def look_if_due(self, *, now: datetime) -> bool:
        """True when it was looked at."""
        at = self.clock()
        if at < self._not_before:
            return False
        hint = self._hint(at)
        if not hint.changed and at < self._due:
            return False
        self._look(hint, at=at, now=now)
        return True

    def ready(self) -> tuple[bytes, ...]:
        """Names whose turn may come now."""
        look = self.report.look
        return look.ready if look and self.clock() >= self._claims_from else ()

    def claim(self, name: bytes, *, now: datetime) -> None:
        """Makes the Batch of one ready delivery; what fails is tried again later and said in the report."""
        try:
            delivery = self.scanner.confirm(name, known=self.known, now=now)
            if delivery is None:
                return
            batch = services.claim(self.folder.root.id, delivery, now=now)
            self.report.trouble = ""
            if batch is not None:
                self.report.found[delivery.found_by] += 1
            self._taken(name)
        except (Stopped, *DATABASE_AWAY):
            raise
        except Refused as error:
            if os.path.isdir(os.path.join(self.folder.root.path, name)):
                self._hold_claims(str(error))
        except Exception as error:  # noqa: BLE001  one delivery must not stop the others
            log_failure(f"Drop folder {self.folder.root.id}", error)
            self._hold_claims("A delivery could not be taken: the watcher's log says more. It is tried again.")
        finally:
            self.look_at_once()

    def _taken(self, name: bytes) -> None:
        self.scanner.claimed(name)
        look = self.report.look
        if look is not None:
            self.report.look = replace(look, ready=tuple(other for other in look.ready if other != name))

    def _hold_claims(self, reason: str) -> None:
        self.report.trouble = reason
        self._claims_from = self.clock() + RETRY_AFTER

    def _hint(self, at: float) -> Hint:
        if self.mode == WatchMode.EVENTS:
            return self.hints.drain(self.folder.root.id) if self.hints.noted(self.folder.root.id) else NOTHING
        if self.mode == WatchMode.POLL and at >= self._poll_due:
            self._poll_due = at + POLL_EVERY
            return Hint(changed=self._root_changed())
        return NOTHING

    def _root_changed(self) -> bool:
        """Names that come and go change the root's own mtime, on a share as well."""
        try:
            mtime = os.lstat(self.folder.root.path).st_mtime_ns
        except OSError:
            return False
        before, self._root_mtime = self._root_mtime, mtime
        return before not in {0, mtime}

    def _look(self, hint: Hint, *, at: float, now: datetime) -> None:
        try:
            self._refresh_known()
            look = self.scanner.look(hint=hint, known=self.known)
            self._note(look, now=now)
        except (Stopped, *DATABASE_AWAY):
            raise
        except Exception as error:  # noqa: BLE001  one root must not stop the others
            log_failure(f"Drop folder {self.folder.root.id}", error)
            look = Look(healthy=False, reason="It could not be looked at: the watcher's log says more.")
            self._not_before = at + RETRY_AFTER
        self.report.look, self.report.scanned_at, self.report.mode = look, now, self.mode
        self._plan_next(look, started=at)

    def _plan_next(self, look: Look, *, started: float) -> None:
        ended = self.clock()
        took = ended - started
        pause = self.folder.scan_seconds if look.healthy else min(self.folder.scan_seconds, UNHEALTHY_EVERY)
        self._due = ended + max(pause, PASS_SHARE * took)
        if look.next_look is not None:
            self._due = min(self._due, max(look.next_look, ended))
        self._not_before = max(self._not_before, ended + max(EVENT_GAP, took))

    def _refresh_known(self) -> None:
        """All of it when something changed, else only whether what was open has been closed by somebody else."""
        open_before = {one.batch_id for one in self.known.values() if one.open}
        if self._stale or (open_before and open_before != services.open_batches(self.folder.root.id)):
            self.known = services.known_batches(self.folder.root.id)
            self._stale = False

    def _note(self, look: Look, *, now: datetime) -> None:
        if look.gone or look.moved:
            services.note_gone(look.gone, now=now)
            services.note_moved({batch: (device, inode) for batch, device, inode in look.moved})
            self._stale = True
        if look.vanished:
            log.info("Drop folder %d: %d folders left before they were taken.", self.folder.root.id, look.vanished)


def log_failure(who: str, error: Exception) -> None:
    """Where and what kind, without the text: it may hold a folder's name, and that a patient's."""
    where = "".join(traceback.format_tb(error.__traceback__))
    log.error("%s: %s\n%s", who, type(error).__name__, where)
