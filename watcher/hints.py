"""What the kernel tells: only ever a reason to look earlier, never a reason to believe.

One observer for all roots, top levels only. It is rebuilt whole as soon as a part of it has died: threads of the
library end silently when their folder goes away, while the observer goes on calling itself alive.
"""

import logging
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileCreatedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.api import BaseObserver
from watchdog.observers.inotify import InotifyEmitter
from watchdog.observers.inotify_c import InotifyEvent, InotifyFD

from watcher.readiness import Identity, NameVerdict, judge_name

log = logging.getLogger(__name__)

# Without a filter our own listing of the folder would be an event, and every look would ask for the next one.
_WANTED: list[type[FileSystemEvent]] = [
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileCreatedEvent,
    FileMovedEvent,
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """`changed`: something happened in the root. `renamed`: final names that were temporary ones a moment ago."""

    changed: bool = False
    renamed: frozenset[bytes] = frozenset()


NOTHING = Hint()


class RootHandler(FileSystemEventHandler):
    """Runs in the library's thread: it notes and wakes, and nothing in it may raise, or that thread is gone."""

    def __init__(self, *, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._changed = False
        self._renamed: set[bytes] = set()

    def dispatch(self, event: FileSystemEvent) -> None:
        try:
            self._note(event)
        except Exception:
            # Whatever it was: the look that it asks for finds out.
            log.exception("An event could not be read; the folder is looked at instead.")
            self._changed = True
        self._wake()

    @property
    def noted(self) -> bool:
        return self._changed

    def drain(self) -> Hint:
        with self._lock:
            hint = Hint(changed=self._changed, renamed=frozenset(self._renamed))
            self._changed, self._renamed = False, set()
        return hint

    def _note(self, event: FileSystemEvent) -> None:
        source, target = _name(event.src_path), _name(event.dest_path)
        with self._lock:
            self._changed = True
            # Whatever happens to a name later, the earlier rename says nothing about what has it now.
            self._renamed -= {source, target}
            finished = judge_name(target) is NameVerdict.READY_NAME if target else False
            if isinstance(event, DirMovedEvent) and finished and judge_name(source) is NameVerdict.UNFINISHED:
                self._renamed.add(target)


def _name(path: bytes | str) -> bytes:
    return os.path.basename(os.fsencode(path))


class _NoticingInotify(InotifyFD):
    """Counts the times that the kernel's queue ran over."""

    def __init__(self) -> None:
        super().__init__()
        self.overflows = 0

    def handle_event(self, event: InotifyEvent) -> None:
        if event.is_queue_overflow:
            self.overflows += 1
        super().handle_event(event)


class _Observer(BaseObserver):
    """The library's inotify observer with the queue's overflows counted."""

    def __init__(self) -> None:
        self.inotify = _NoticingInotify()
        self.inotify.start()
        super().__init__(InotifyEmitter, inotify_fd=self.inotify)

    def on_thread_stop(self) -> None:
        super().on_thread_stop()
        self.inotify.stop()
        self.inotify.join()


@dataclass(slots=True)
class _Armed:
    identity: Identity
    handler: RootHandler


@dataclass(slots=True)
class Hints:
    """Events of a set of roots. `wake` is called from another thread."""

    wake: Callable[[], None]
    rebuilt: int = 0
    overflows: int = 0
    _roots: dict[int, bytes] = field(default_factory=dict)
    _armed: dict[int, _Armed] = field(default_factory=dict)
    _refused: dict[int, Identity] = field(default_factory=dict)
    _observer: _Observer | None = None

    def arm(self, roots: Mapping[int, bytes]) -> bool:
        """Watches exactly these folders, by drop folder id. What cannot be watched is left to the scans.

        True when that was a change: whatever happened meanwhile went unseen, and the caller scans all roots.
        """
        if dict(roots) == self._roots:
            return False
        self.close()
        self._roots = dict(roots)
        if roots:
            self._build()
        return True

    def armed(self, root: int) -> bool:
        return root in self._armed

    def noted(self, root: int) -> bool:
        armed = self._armed.get(root)
        return armed is not None and armed.handler.noted

    def drain(self, root: int) -> Hint:
        """What was noted since the last time."""
        armed = self._armed.get(root)
        return armed.handler.drain() if armed else NOTHING

    def check(self) -> bool:
        """True when events may have been lost: a thread died, a root was replaced, or the kernel's queue ran over.

        Everything is watched anew then; the caller scans all roots.
        """
        observer = self._observer
        if observer is None:
            return False
        lost = observer.inotify.overflows > 0
        self.overflows += observer.inotify.overflows
        observer.inotify.overflows = 0
        if not (observer.is_alive() and observer.inotify.is_alive() and all(map(self._sound, self._roots))):
            self.rebuilt += 1
            roots = self._roots
            self.close()
            self.arm(roots)
            lost = True
        return lost

    def close(self) -> None:
        observer, self._observer = self._observer, None
        self._armed, self._refused, self._roots = {}, {}, {}
        if observer is not None and observer.is_alive():
            observer.stop()
            observer.join(timeout=5)

    def _sound(self, root: int) -> bool:
        armed = self._armed.get(root)
        now = _identity(self._roots[root])
        if armed is None:
            # One that was missing and came back is watched again; one that the kernel refused stays as it is.
            return now is None or now == self._refused.get(root)
        path = os.fsdecode(self._roots[root])
        emitters = self._observer.emitters if self._observer else set()
        return now == armed.identity and any(one.is_alive() and one.watch.path == path for one in emitters)

    def _build(self) -> None:
        try:
            self._observer = _Observer()
            self._observer.start()
        except OSError as error:
            log.warning("The kernel gives no more event queues (%s): scanning alone.", error.strerror)
            self._observer = None
            return
        for root, path in self._roots.items():
            self._watch(self._observer, root, path)

    def _watch(self, observer: _Observer, root: int, path: bytes) -> None:
        identity, handler = _identity(path), RootHandler(wake=self.wake)
        if identity is None:
            return
        try:
            observer.schedule(handler, os.fsdecode(path), recursive=False, event_filter=_WANTED)
        except OSError as error:
            self._refused[root] = identity
            log.warning("Drop folder %d cannot be watched (%s): it is scanned alone.", root, error.strerror)
            return
        self._armed[root] = _Armed(identity=identity, handler=handler)


def _identity(path: bytes) -> Identity | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
