"""Holding lock and lease while the loop runs, and letting go of both."""

import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone

from watcher import lease, process
from watcher.identity import Owner
from watcher.loop import Watcher
from watcher.wake import Waker

log = logging.getLogger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# Seconds beyond a quiet period, for the looks at its two ends.
_SLACK = 2.0


@contextmanager
def held(waker: Waker) -> Iterator[Owner]:
    """The right to watch. Raises process.LockHeld or lease.LeaseHeld.

    From here on SIGTERM, SIGINT and SIGHUP (a closed terminal) end the loop after its step.
    """
    now = timezone.now()
    with process.locked(settings.PRATIQUE_WATCHER_LOCK, now=now) as owner:
        lease.take(owner, now=now)
        before = {number: signal.signal(number, lambda *_: waker.stop()) for number in _SIGNALS}
        try:
            yield owner
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            # Without a database the lease runs out by itself.
            with suppress(DatabaseError):
                lease.release(owner)


def serve(*, started: Callable[[], None]) -> int:
    """Watches until told to stop: 0. 1 when another watcher took over. Raises LockHeld, LeaseHeld."""
    waker = Waker()
    with held(waker) as owner:
        log.info("The watcher starts.")
        try:
            Watcher(owner=owner, waker=waker).run(started=started)
        except lease.LeaseLost as error:
            log.error("%s", error)
            return 1
        log.info("The watcher stops.")
        return 0


def once(*, say: Callable[[str], None]) -> int:
    """One round: what is whole is claimed; what only has to be quiet is waited for, one quiet period long.

    0 when every root could be looked at and nothing that was ready had to stay for a failure, else 1. What is empty,
    waits for a marker or a rename, or for a free place among the imports, is left for the next time.
    """
    waker = Waker()
    with held(waker) as owner:
        watcher = Watcher(owner=owner, waker=waker, use_events=False)
        watcher.step()
        quiet = max((watch.folder.root.policy.quiet_seconds for watch in watcher.roots.values()), default=0.0)
        end = watcher.clock() + quiet + _SLACK
        while watcher.settling() and watcher.clock() <= end and not waker.stopping():
            waker.sleep(watcher.until_next())
            watcher.step()
    reports = [watch.report for watch in watcher.roots.values()]
    say(f"{sum(sum(report.found.values()) for report in reports)} taken, {watcher.unfinished()} left for later.")
    for watch in watcher.roots.values():
        if not watch.report.healthy:
            say(f"{watch.folder.root.name}: {watch.report.reason}")
    return 0 if all(report.healthy for report in reports) else 1
