"""Where the bytes of one source file can be read: the archive, the quarantine, or still at its source."""

import os
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import BinaryIO

from hierarchy.models import FileVersion
from importer.core.folder import NotPlain, Opener, SourceAway, Vanished
from importer.core.names import raw
from importer.core.states import Outcome, SourceKind
from importer.models import Conflict, Item
from storages.errors import PlaceError
from storages.places import archive, quarantine

_IN_ARCHIVE = frozenset({Outcome.IMPORTED, Outcome.SKIPPED})
_ON_DISK = frozenset({SourceKind.FOLDER, SourceKind.DROP_FOLDER, SourceKind.UPLOAD})


class NotThere(Exception):
    """None of the places has the bytes (any more). The text is for a person and holds no name."""


@contextmanager
def instance(item: Item) -> Iterator[BinaryIO]:
    """The bytes of one source file, seekable; what we store is preferred to a source that may have changed.

    Raises NotThere.
    """
    with ExitStack() as stack:
        yield _found(item, stack)


def _found(item: Item, stack: ExitStack) -> BinaryIO:
    try:
        return _stored(item, stack) or _held(item, stack) or _at_source(item, stack)
    except (OSError, PlaceError, Vanished, NotPlain, SourceAway, zipfile.BadZipFile) as error:
        raise NotThere("The bytes of this file cannot be read where they lay.") from error


def _stored(item: Item, stack: ExitStack) -> BinaryIO | None:
    placement = item.placement
    if placement is None or (item.outcome or placement.outcome) not in _IN_ARCHIVE or placement.file_id is None:
        return None
    version = FileVersion.objects.filter(file_id=placement.file_id, number=placement.version).first()
    if version is None or version.reference:
        return None
    return _member(archive().open(version.path), version.path, item.sop_uid, stack)


def _held(item: Item, stack: ExitStack) -> BinaryIO | None:
    held = Conflict.objects.filter(placement=item.placement_id).values_list("path", flat=True).first()
    if not held:
        return None
    return _member(quarantine().open(held), held, item.sop_uid, stack)


def _member(stream: BinaryIO, path: str, sop_uid: str, stack: ExitStack) -> BinaryIO | None:
    """The stream itself, or the member of a series' archive that is this instance."""
    stack.callback(stream.close)
    if not path.endswith(".zip"):
        return stream
    inside = stack.enter_context(zipfile.ZipFile(stream))
    names = (name for name in inside.namelist() if sop_uid and name.startswith(f"{sop_uid}."))
    name = next(names, None)
    return None if name is None else stack.enter_context(inside.open(name))  # type: ignore[return-value]


def _at_source(item: Item, stack: ExitStack) -> BinaryIO:
    if item.job.source_kind not in _ON_DISK:
        raise Vanished
    opener = stack.enter_context(Opener(raw(item.job.source_root)))
    return stack.enter_context(os.fdopen(opener.open(item.path), "rb"))
