"""What makes a listing one that may be relied on: strict order, nothing twice, broken pages asked for again."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from storages.stores.contract import Listed
from storages.stores.errors import BadListing
from storages.stores.keys import raw
from storages.stores.patience import Passing, Tries

# Longer than a page of any service: what a service repeats, it repeats from its last page or two.
REMEMBERED = 12_000
OUT_OF_ORDER = "The storage lists its objects out of order: nothing may be concluded from such a listing."
ENDLESS = "The storage lists the same objects over and over."


@dataclass(slots=True)
class _Behind:
    """How far a listing got."""

    last: bytes
    seen: deque[bytes]
    repeated: int = 0


def in_order(
    pages: Callable[[bytes], Iterator[Listed]], *, after: str, order: Callable[[bytes], bytes] = bytes
) -> Iterator[Listed]:
    """Everything that stands behind `after`. `pages` lists from behind a key on; it may begin earlier.

    A page that breaks off is asked for again from where it broke. Raises BadListing, and what `pages` raises.
    """
    behind = _Behind(last=b"", seen=deque(maxlen=REMEMBERED))
    start = raw(after)
    tries = Tries()
    while True:
        try:
            for one, key in _checked(pages(max(start, behind.last, key=order)), behind, order):
                tries.begin_again()
                if order(key) > order(start):
                    yield one
            return
        except Passing as error:
            tries.wait_or_raise(error)
            # From behind the last good key; what a service sends again of before is dropped as a repetition.


def _checked(
    found: Iterator[Listed], behind: _Behind, order: Callable[[bytes], bytes]
) -> Iterator[tuple[Listed, bytes]]:
    known = set(behind.seen)
    for one in found:
        key = raw(one.key)
        if order(key) > order(behind.last):
            _remember(key, behind, known)
            yield one, key
        elif key in known:
            behind.repeated += 1
            if behind.repeated > REMEMBERED:
                raise BadListing(ENDLESS)
        else:
            raise BadListing(OUT_OF_ORDER)


def _remember(key: bytes, behind: _Behind, known: set[bytes]) -> None:
    if len(behind.seen) == REMEMBERED:
        known.discard(behind.seen[0])
    behind.seen.append(key)
    known.add(key)
    behind.last, behind.repeated = key, 0
