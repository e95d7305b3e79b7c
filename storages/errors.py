"""A place that cannot do its work. The world is broken, not the file: the job pauses."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager


class PlaceError(Exception):
    """The text says which place and why; it never holds a credential."""


class PlaceFull(PlaceError):
    """No space, no inodes, or over quota."""


class PlaceAway(PlaceError):
    """Not mounted, not reachable or not writable."""


_FULL = {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turns an OSError of a place into PlaceFull or PlaceAway with words."""
    try:
        yield
    except OSError as error:
        kind = PlaceFull if error.errno in _FULL else PlaceAway
        said = "No space left" if kind is PlaceFull else error.strerror or "not reachable"
        raise kind(f"{what}: {said}.") from error
