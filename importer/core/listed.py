"""What a listing keeps of a file, by which it is known again."""

import os

MAX_DEPTH = 64
MOST_NS = 2**63 - 1


def identity(found: os.stat_result) -> str:
    """Device and inode: what a file is, whatever it is called."""
    return f"{found.st_dev:x}:{found.st_ino:x}"


def modified(found: os.stat_result) -> int:
    """Nanoseconds since 1970, in 64 bits: file systems hold times that no database does."""
    return max(-MOST_NS, min(MOST_NS, found.st_mtime_ns))


def changed(found: os.stat_result) -> int:
    """When content, name or rights were last changed, as in `modified`."""
    return max(-MOST_NS, min(MOST_NS, found.st_ctime_ns))
