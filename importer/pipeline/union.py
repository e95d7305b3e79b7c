"""A stored archive and an incoming one become one: the union, deterministic like every other archive.

Where both lie in one storage it is a list again, and nothing is copied; else whatever lies elsewhere is read.
"""

import hashlib
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from hierarchy.manifests import InPlace
from hierarchy.models import FileVersion
from hierarchy.references import config_for, content
from importer.core.manifest import Member, from_lines
from importer.models import Conflict
from importer.pipeline.in_place import MERGED, ZIP
from importer.pipeline.packing import Packed, member_info
from storages.errors import PlaceAway, explained
from storages.models import ExternalStorage
from storages.place_contract import Place
from storages.places import archive, quarantine
from storages.stores import StoreAway, StoreError

Reader = Callable[[Member], bytes]
DAMAGED = "The stored or the held archive is damaged: run `verify`."


class Damaged(Exception):
    """The stored or the held archive is not what its manifest says: nothing is built on it."""


def merge(packed: Packed, conflict: Conflict, base: FileVersion, *, incoming_wins: bool) -> None:
    """Where both have an instance, the stored one stays, or with `incoming_wins` the incoming one replaces it.

    Raises Damaged, PlaceFull or PlaceAway, or FileNotFoundError when the held bytes are gone.
    """
    stored = {member.name: member for member in from_lines(base.manifest.lines)}
    incoming = {member.name: member for member in from_lines(conflict.manifest)}
    both = {**stored, **incoming} if incoming_wins else {**incoming, **stored}
    packed.members = sorted(both.values())
    if base.storage_id is not None and base.storage_id == conflict.storage_id:
        return
    ours = {name for name in both if name not in incoming or (name in stored and not incoming_wins)}
    packed.storage = None
    _write(packed, conflict, base, ours)
    if conflict.storage_id is not None:
        packed.placement.transfer, packed.placement.transfer_reason = ZIP, MERGED


def _write(packed: Packed, conflict: Conflict, base: FileVersion, ours: set[str]) -> None:
    """`ours` are the names of what comes from the stored side."""
    packed.staged = packed.place.stage(packed.path)
    try:
        with ExitStack() as stack:
            old = stack.enter_context(_side(base.storage, archive(), base.path))
            new = stack.enter_context(_side(conflict.storage, quarantine(), conflict.path))
            target = stack.enter_context(zipfile.ZipFile(packed.staged.stream, "w", zipfile.ZIP_STORED))
            written = [_copy(old if one.name in ours else new, target, one) for one in packed.members]
    except BaseException as error:
        packed.place.discard(packed.staged)
        packed.staged = None
        if isinstance(error, zipfile.BadZipFile | KeyError):
            raise Damaged(DAMAGED) from error
        raise
    packed.members = written


@contextmanager
def _side(storage: ExternalStorage | None, place: Place, path: str) -> Iterator[Reader]:
    if storage is not None:
        yield _at_source(storage)
        return
    with place.open(path) as stream, zipfile.ZipFile(stream) as found:
        yield lambda member: found.read(member.name)


def _at_source(storage: ExternalStorage) -> Reader:
    def read(member: Member) -> bytes:
        lies = InPlace(member.name, member.size, member.sha256, member.source, member.mtime_ns, member.etag)
        try:
            return content(config_for(storage), lies)
        except StoreAway as error:
            raise PlaceAway(str(error)) from error
        except StoreError as error:
            raise Damaged(
                "What the stored or the held archive refers to is gone or has changed: run `verify`."
            ) from error

    return read


def _copy(read: Reader, target: zipfile.ZipFile, member: Member) -> Member:
    """Instances are read whole: they are at most as large as what was read whole when they came in."""
    found = read(member)
    sha256 = hashlib.sha256(found).hexdigest()
    if member.sha256 not in {"", sha256}:
        raise Damaged("The stored or the held archive is not what its manifest says: run `verify`.")
    with explained("place"):
        target.writestr(member_info(member.name), found)
    return Member(member.name, member.size, sha256, member.source)
