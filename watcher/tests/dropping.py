"""Folders on the disk, as the watcher would hand them over."""

import os
from datetime import UTC, datetime

from watcher import manifest
from watcher.deliveries import Delivery
from watcher.states import FoundBy

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def dropped(root, name=b"ST-000001", files=(b"a",), content=b"x"):
    path = os.path.join(os.fsencode(root), name)
    os.makedirs(path, exist_ok=True)
    for file in files:
        with open(os.path.join(path, file), "wb") as stream:
            stream.write(content)
    return seen(root, name)


def seen(root, name=b"ST-000001"):
    path = os.path.join(os.fsencode(root), name)
    with manifest.opened(path) as handle:
        found = manifest.read(handle)
    stat = os.lstat(path)
    return Delivery(
        name=name,
        device=stat.st_dev,
        inode=stat.st_ino,
        fingerprint=found.fingerprint,
        files=found.files,
        size=found.size,
        empty=found.empty,
        found_by=FoundBy.SCAN,
        seen_at=NOW,
    )
