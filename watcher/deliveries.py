"""What the watcher and the database say about one folder in a root, as values."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from watcher.states import FoundBy


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A folder that is whole: what a Batch is made of. `size` in bytes of its `files` regular files."""

    name: bytes
    device: int
    inode: int
    fingerprint: str
    files: int
    size: int
    empty: bool
    found_by: FoundBy
    seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The newest Batch of a name, as far as it still lies there. `open`: it is held or being imported."""

    batch_id: int
    device: int
    inode: int
    fingerprint: str
    open: bool


def same_folder(known: Known, *, device: int, inode: int) -> bool:
    return (known.device, known.inode) == (device, inode)


def same_delivery(known: Known, *, device: int, inode: int, fingerprint: str) -> bool:
    """True when the folder is the one that was delivered before, with the same content.

    On another device every inode is another one: a whole root that was moved or mounted anew is no new delivery.
    """
    moved_root = known.device != device
    return known.fingerprint == fingerprint and (moved_root or known.inode == inode)


def turns(ready: Mapping[int, Sequence[bytes]], *, importing: Mapping[int, int], free: int) -> list[tuple[int, bytes]]:
    """Who is claimed next, (root, name), `free` at most: in each root the oldest first, and among the roots always
    the one with the fewest imports under way, so that a root with thousands does not keep another waiting."""
    left = {root: deque(names) for root, names in ready.items() if names}
    busy = {root: importing.get(root, 0) for root in left}
    taken: list[tuple[int, bytes]] = []
    while left and len(taken) < free:
        root = min(left, key=lambda one: (busy[one], one))
        taken.append((root, left[root].popleft()))
        busy[root] += 1
        if not left[root]:
            del left[root]
    return taken
