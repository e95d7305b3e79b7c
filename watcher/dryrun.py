"""What the watcher would do with what lies there now, without doing anything."""

import time
from collections.abc import Callable, Iterator, Mapping

from importer.core.names import printable, shown
from watcher import services
from watcher.deliveries import Known
from watcher.hints import NOTHING
from watcher.rootwatch import Folder, enabled_folders
from watcher.scan import Look, RootScanner


def look(*, say: Callable[[str], object]) -> int:
    """One look at every drop folder: 0 when all could be looked at, else 1."""
    healthy = True
    for folder in enabled_folders():
        known = services.known_batches(folder.root.id)
        found = RootScanner(root=folder.root, clock=time.monotonic).look(hint=NOTHING, known=known)
        healthy = healthy and found.healthy
        for line in _lines(folder, found, known):
            say(line)
    return 0 if healthy else 1


def _lines(folder: Folder, found: Look, known: Mapping[bytes, Known]) -> Iterator[str]:
    yield f"{shown(folder.root.name)}: {found.reason or f'{len(known)} delivered before'}"
    for name in found.ready:
        yield f"  {_name(name)}: would be taken now{'' if folder.has_project else ', and held: there is no project'}"
    for one in found.waiting:
        yield f"  {_name(one.name)}: {one.why}"
    for name, why in found.refused:
        yield f"  {_name(name)}: {why}"
    for name in found.loose:
        yield f"  {_name(name)}: a file in the drop folder itself is not imported: put it into a folder"


def _name(name: bytes) -> str:
    return shown(printable(name))
