"""A file of a local store as the plain open file that it is: for processes that want a descriptor, and no copy."""

import os
from typing import BinaryIO

from storages.stores import handles, keys
from storages.stores.contract import Kind, Listed, ListedKind, StoreConfig
from storages.stores.errors import CHANGED, MISSING, BadKey, Changed, Missing
from storages.stores.walking import of_file


def opened_plainly(config: StoreConfig, expect: Listed) -> BinaryIO | None:
    """None where the store is no folder. Raises Missing, Changed, Unreadable or StoreAway.

    Of size and time it is sure at the moment of opening only: who reads to the end asks `still` afterwards.
    """
    if config.kind is not Kind.LOCAL:
        return None
    try:
        *folders, name = handles.parts_of(expect.key)
    except BadKey:
        raise Missing(MISSING) from None
    top = os.path.join(config.bucket, os.fsdecode(keys.folder(config.prefix).rstrip(b"/")))
    with handles.root(top) as root, handles.reading(), handles.below(root, folders) as folder:
        stream = os.fdopen(os.open(name, handles.FILE, dir_fd=folder), "rb")
    try:
        still(stream, expect)
    except BaseException:
        stream.close()
        raise
    return stream


def still(stream: BinaryIO, expect: Listed) -> None:
    """Raises Missing for what is no file, Changed for another one."""
    found = of_file(b"", os.fstat(stream.fileno()))
    if found.kind is not ListedKind.FILE:
        raise Missing(MISSING)
    if (found.size, found.etag) != (expect.size, expect.etag):
        raise Changed(CHANGED)
