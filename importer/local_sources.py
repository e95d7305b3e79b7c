"""Which folders of this machine may be a source."""

import os
import stat
from pathlib import Path

from django.conf import settings

from hierarchy.errors import Refused
from storages.places import own_folders


def checked_source(root: bytes) -> bytes:
    """The folder's real path: a link is followed here, once, and never again.

    Raises Refused unless it is a folder inside PRATIQUE_LOCAL_ROOTS and outside our own places.
    """
    try:
        found = os.stat(root)
    except OSError as error:
        raise Refused(f"The source cannot be opened: {error.strerror}. Check the path and its permissions.") from error
    if not stat.S_ISDIR(found.st_mode):
        raise Refused("The source is not a folder: give the folder that holds the files.")
    resolved = Path(os.fsdecode(os.path.realpath(root)))
    if not any(resolved.is_relative_to(allowed) for allowed in settings.PRATIQUE_LOCAL_ROOTS):
        raise Refused("The source lies outside PRATIQUE_LOCAL_ROOTS: ask the operator to allow its folder there.")
    for ours in own_folders():
        if resolved.is_relative_to(ours) or ours.is_relative_to(resolved):
            raise Refused("The source and a place of our own bytes lie inside each other: choose another folder.")
    return os.fsencode(resolved)
