"""What the watcher and the database say about one folder in a root, as values."""

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
