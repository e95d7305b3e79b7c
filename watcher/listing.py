"""The top level of a root, sorted by what each name and kind says."""

import os
import stat
from dataclasses import dataclass, field

from watcher.readiness import NameVerdict, judge_name


@dataclass(frozen=True, slots=True)
class Found:
    """A folder as the listing shows it: cheap to compare with what it was the last time."""

    device: int
    inode: int
    mtime_ns: int


@dataclass(slots=True)
class Listing:
    """`loose` are finished files that lie in the root itself; `refused` are names with the reason why not."""

    device: int
    folders: dict[bytes, Found] = field(default_factory=dict)
    temporary: dict[bytes, Found] = field(default_factory=dict)
    loose: list[bytes] = field(default_factory=list)
    refused: list[tuple[bytes, str]] = field(default_factory=list)


def listed(root: int) -> Listing:
    """Lists the open folder. OSError when the file system fails: then nothing is known."""
    listing = Listing(device=os.fstat(root).st_dev)
    with os.scandir(root) as entries:
        for entry in entries:
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            _sort_in(listing, os.fsencode(entry.name), found)
    return listing


def _sort_in(listing: Listing, name: bytes, found: os.stat_result) -> None:
    verdict = judge_name(name)
    if verdict is NameVerdict.IGNORED:
        return
    if stat.S_ISDIR(found.st_mode):
        group = listing.folders if verdict is NameVerdict.READY_NAME else listing.temporary
        group[name] = Found(found.st_dev, found.st_ino, found.st_mtime_ns)
    elif stat.S_ISLNK(found.st_mode):
        listing.refused.append((name, "is a symbolic link: links are never followed"))
    elif not stat.S_ISREG(found.st_mode):
        listing.refused.append((name, "is neither a folder nor a file"))
    elif verdict is NameVerdict.READY_NAME:
        listing.loose.append(name)
