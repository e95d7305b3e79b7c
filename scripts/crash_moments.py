"""When the crash run strikes."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from homes import Point


@dataclass(frozen=True, slots=True)
class Moment:
    """At a point of the code, as soon as the import has a status, or after a part of the import's time.

    `again`: during a second import of the same source. `strikes`: above 1 the sweep that follows is struck, too.
    """

    name: str
    point: Point | None = None
    status: str = ""
    part: float = 0.0
    victim: str = "group"
    again: bool = False
    strikes: int = 1


def _at(name: str, target: str, when: str, call: int = 1, *, victim: str = "group", strikes: int = 1) -> Moment:
    return Moment(name, Point(target, when, call, victim), victim=victim, strikes=strikes)


_PIPELINE = "importer.pipeline."
_PLACES = "storages.places:"

STAGES = [
    Moment("scanning: seen from outside", status="scanning"),
    _at("scanning: names found, not told", _PIPELINE + "scan:_write", "before"),
    _at("scanning: some names told", _PIPELINE + "scan:_write", "after"),
    _at("scanning: all names told", _PIPELINE + "scan:_done", "before"),
    Moment("extracting: seen from outside", status="extracting"),
    _at("extracting: headers read, not told", _PIPELINE + "extract:_write", "before", 2),
    _at("extracting: told, not committed", _PIPELINE + "extract:_write", "after", 2),
    _at("extracting: one of two workers", _PIPELINE + "extract:_write", "after", 2, victim="self"),
    Moment("planning: seen from outside", status="planning"),
    _at("planning: labels settled", _PIPELINE + "plan:settle_all", "after"),
    _at("planning: places found", _PIPELINE + "plan:place_all", "after"),
    _at("planning: comparisons asked", _PIPELINE + "plan:_ask", "after"),
    _at("planning: in a comparison", _PIPELINE + "compare:_answer", "before", 4),
    _at("planning: answers used", _PIPELINE + "decide:_apply", "after"),
    _at("planning: outcomes given", _PIPELINE + "plan:decide_all", "after"),
    _at("planning: slices told", _PIPELINE + "plan:_go_on", "after"),
    Moment("transferring: seen from outside", status="transferring"),
    _at("transferring: bytes written, no intent told", _PIPELINE + "intents:tell", "before", 2),
    _at("transferring: intent told, nothing named", _PIPELINE + "intents:tell", "after", 2),
    _at("transferring: half of a slice named", _PLACES + "LocalPlace._made", "before", 12),
    _at("transferring: named, names not flushed", _PLACES + "flush_folders", "before", 3),
    _at("transferring: named, not told", _PIPELINE + "transfer:land", "before", 2),
    _at("transferring: told, not committed", _PIPELINE + "transfer:hold", "after", 2),
    _at("transferring: committed", _PIPELINE + "transfer:_land", "after", 2),
    _at("transferring: one of two workers", _PIPELINE + "transfer:land", "before", 2, victim="self"),
    _at("transferring: once more in the sweep", _PIPELINE + "transfer:land", "before", strikes=2),
    _at("transferring: twice more in the sweep", _PIPELINE + "transfer:land", "before", strikes=3),
    Moment("a re-import: unwanted bytes lie", Point(_PLACES + "LocalPlace.delete", "before", 1), again=True),
    _at("finishing: before the sums", _PIPELINE + "finish:_conserved", "before"),
    _at("finishing: before the end", _PIPELINE + "finish:_end", "before"),
    _at("finishing: ended", _PIPELINE + "finish:_end", "after"),
]


def at_random(rounds: int, *, seed: int) -> Iterator[Moment]:
    """Every third strikes one worker alone."""
    chosen = random.Random(seed)
    for number in range(rounds):
        part = chosen.random()
        victim = "self" if number % 3 == 2 else "group"
        who = "one worker" if victim == "self" else "all"
        yield Moment(f"at random: {part:4.0%} of the time, {who}", part=part, victim=victim)
