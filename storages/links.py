"""Names among our own files for bytes that were not written by us: a second name, or a link to where they lie."""

import os
import uuid
from pathlib import Path

from storages.errors import PlaceError, explained
from storages.place_contract import INCOMING, Place, Staged


def stage_link(place: Place, path: str, *, to: bytes) -> Staged:
    """A symbolic link to a file outside, whose bytes stay there."""
    temporary = _incoming(place)
    with explained(f"place {temporary.parent.parent.name}"):
        temporary.symlink_to(os.fsdecode(to))
    return Staged(path=path, temporary=temporary, stream=Path(os.devnull).open("rb"))


def stage_same(place: Place, path: str, *, handle: int) -> Staged:
    """A further name for an open file of the same file system. Raises OSError where it may not be linked."""
    temporary = _incoming(place)
    folder = os.open(temporary.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # By its handle: what lies under its old name by now may be something else. Only with a folder's handle is
        # the link of /proc followed.
        os.link(f"/proc/self/fd/{handle}", temporary.name, dst_dir_fd=folder, follow_symlinks=True)
    finally:
        os.close(folder)
    return Staged(path=path, temporary=temporary, stream=temporary.open("rb"))


def _incoming(place: Place) -> Path:
    if place.folder is None:
        raise PlaceError("Only a folder holds links: copy instead.")
    temporary = place.folder / INCOMING / uuid.uuid4().hex
    with explained(f"place {place.folder.name}"):
        temporary.parent.mkdir(parents=True, exist_ok=True)
    return temporary
