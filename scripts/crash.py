"""Kills an import in every stage and at random moments, lets `sweep` finish it, and compares what is stored.

    python scripts/crash.py [--database sqlite|postgres] [--celery] [--files N] [--rounds N] [--seed N] [--only WORD]

An uninterrupted import is the reference. Every round has a fresh installation. After the kill and the sweep its files,
versions, digests, members, containers, outcomes, reasons, conflicts and sums must be those of the reference, `verify`
must find all well, no temporary file may be left, and the source must be untouched. One line per round; exit status 0
only if every round is equal.
"""

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import crash_state
import trees
from crash_drivers import Broken, Driver, Here, Process, Queued, kill
from crash_moments import STAGES, Moment, at_random
from crash_state import ENDS, State
from homes import Databases, Home, databases
from private_services import redis

TRIES = 5
LOOK_SECONDS = 0.001
GRACE_SECONDS = 5


class Missed(Exception):
    """The import ended before its moment came: the machine has less to do than when the reference was measured."""


@dataclass(frozen=True, slots=True)
class Reference:
    """After an uninterrupted import, and after a second one. `seconds`: how long the first took."""

    once: State
    twice: State
    seconds: float
    source: str


@dataclass(frozen=True, slots=True)
class Ground:
    """What all rounds share."""

    stores: Databases
    driver: Driver
    source: Path
    broker: str = ""


def measure(ground: Ground) -> Reference:
    """Raises Broken when not even an import that nobody strikes is sound."""
    with ground.stores.fresh(broker=ground.broker) as home:
        ground.driver.end(home, ground.driver.begin(home, ground.source))
        once, seconds = crash_state.read(home.url), home.seconds()
        faults = crash_state.faults(once) + verified(home)
        ground.driver.end(home, ground.driver.begin(home, ground.source))
        twice = crash_state.read(home.url)
        faults += crash_state.faults(twice) + verified(home)
    if faults:
        raise Broken(f"Not even the uninterrupted import is sound: {faults}")
    return Reference(once, twice, seconds, crash_state.fingerprint(ground.source))


def round_of(moment: Moment, ground: Ground, reference: Reference) -> tuple[str, list[str]]:
    """When it struck, and what is wrong afterwards."""
    seconds = reference.seconds
    for number in range(TRIES):
        with ground.stores.fresh(broker=ground.broker) as home:
            sooner = replace(moment, part=moment.part * 0.95**number)
            try:
                struck = strike(sooner, home, ground, seconds=seconds)
                return struck, judged(moment, home, ground, reference)
            except Missed:
                seconds = min(seconds, home.seconds())
            except Broken as broken:
                return "", [str(broken)]
    return "", ["the moment never came"]


def strike(moment: Moment, home: Home, ground: Ground, *, seconds: float) -> str:
    """Raises Missed or Broken. Says when it struck, and where the import was."""
    if moment.again:
        ground.driver.end(home, ground.driver.begin(home, ground.source))
        home.forget_imports()
    begun = time.monotonic()
    process = ground.driver.begin(home, ground.source, point=moment.point)
    if moment.point is None:
        wait_for(moment, home, process, seconds=seconds)
        kill(process, victim=moment.victim)
    if moment.victim == "group":
        wait_for_death(home, process)
    said = f"{time.monotonic() - begun:5.2f} s {home.status()}"
    if moment.victim == "self":
        ground.driver.lost_one(home, process)
        said = f"{time.monotonic() - begun:5.2f} s to its end"
    for _ in range(moment.strikes - 1):
        if moment.point is None or not ground.driver.recover(home, point=replace(moment.point, call=1)):
            raise Missed
    return said


def wait_for(moment: Moment, home: Home, process: Process, *, seconds: float) -> None:
    """Looks at the import from outside, through the database. Raises Missed."""
    started = 0.0
    for status in home.statuses(every=LOOK_SECONDS):
        if status in ENDS or process.poll() is not None:
            raise Missed
        if moment.status and status == moment.status:
            return
        if status not in {"", "pending"}:
            started = started or time.monotonic()
        if not moment.status and started and time.monotonic() - started >= moment.part * seconds:
            return


def wait_for_death(home: Home, process: Process) -> None:
    """Raises Missed when the import ends first, as it does where a point is never reached."""
    for status in home.statuses(every=0.02):
        if status in ENDS:
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_SECONDS)
        if status in ENDS or process.poll() is not None:
            break
    if process.poll() != -signal.SIGKILL:
        raise Missed


def judged(moment: Moment, home: Home, ground: Ground, reference: Reference) -> list[str]:
    home.let_days_pass()
    ground.driver.recover(home)
    state = crash_state.read(home.url)
    wrong = crash_state.faults(state)
    wrong += crash_state.differences(state, reference.twice if moment.again else reference.once)
    wrong += verified(home)
    wrong += [f"left behind: {path}" for path in home.temporary()]
    if crash_state.fingerprint(ground.source) != reference.source:
        wrong.append("the source was touched")
    return wrong


def verified(home: Home) -> list[str]:
    return [f"verify: {home.said()}"] if home.run("verify") else []


def run(moments: Iterable[Moment], ground: Ground) -> int:
    """How many rounds were not equal."""
    reference = measure(ground)
    stored, held = len(reference.once.files), len(reference.once.conflicts)
    print(f"reference: {reference.seconds:.2f} s, {stored:,} stored files, {held:,} held", flush=True)
    unequal = 0
    for moment in moments:
        struck, wrong = round_of(moment, ground, reference)
        unequal += bool(wrong)
        print(f"{'DIFFERS' if wrong else 'equal':8}{moment.name:50}{struck}", *wrong, sep="\n        ", flush=True)
    return unequal


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--server", default="", help="DATABASE_URL of a PostgreSQL to use instead of a private one")
    parser.add_argument("--celery", action="store_true", help="a Celery worker on a private Redis")
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=20, help="random moments")
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    parser.add_argument("--only", default="", metavar="WORD", help="moments in whose name it occurs")
    asked = parser.parse_args()
    moments = [one for one in [*STAGES, *at_random(asked.rounds, seed=asked.seed)] if asked.only in one.name]
    print(
        f"{asked.files:,} files, {asked.database}, {'celery' if asked.celery else 'own processes'}, seed {asked.seed}"
    )
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pratique-crash-")))
        trees.mixed(folder / "source", files=asked.files)
        stores = stack.enter_context(databases(folder, kind=asked.database, server=asked.server))
        broker = stack.enter_context(redis()) if asked.celery else ""
        unequal = run(moments, Ground(stores, Queued() if asked.celery else Here(), folder / "source", broker))
    print(f"{len(moments) - unequal} of {len(moments)} rounds equal")
    return 1 if unequal else 0


if __name__ == "__main__":
    sys.exit(main())
