"""The picture and the header of one source file, from wherever its bytes are: archive, quarantine, or its source."""

import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import BinaryIO

from hierarchy.decode.why import NoPicture, Why
from hierarchy.models import FileVersion
from hierarchy.pictures import HeaderRow, header_rows, render_instance, slice_picture, slices
from importer.core.folder import NotPlain, SourceAway, Vanished
from importer.core.members import NoRoom, Spoiled
from importer.core.states import Outcome
from importer.models import Conflict, Item
from importer.pipeline.reading import StoreTrouble
from importer.pipeline.sources import source_of
from storages.errors import PlaceError
from storages.places import archive, quarantine

_IN_ARCHIVE = frozenset({Outcome.IMPORTED, Outcome.SKIPPED})
_UNREADABLE = (OSError, PlaceError, Vanished, NotPlain, SourceAway, Spoiled, NoRoom, zipfile.BadZipFile)


def picture_of(item: Item, *, width: int) -> bytes:
    """PNG. What is stored is drawn once and kept; anything else may change, so it is drawn anew. Raises NoPicture."""
    version = stored(item)
    index = _slice_of(version, item) if version else None
    if version and index is not None:
        return slice_picture(version, index=index, width=width)
    with instance(item, version=version) as stream:
        return render_instance(stream, width=width)


def header_of(item: Item) -> list[HeaderRow]:
    """Raises NoPicture."""
    with instance(item, version=stored(item)) as stream:
        return header_rows(stream)


def stored(item: Item) -> FileVersion | None:
    """The version that holds these bytes, if they are in the archive."""
    placement = item.placement
    if placement is None or (item.outcome or placement.outcome) not in _IN_ARCHIVE or placement.file_id is None:
        return None
    versions = FileVersion.objects.filter(file_id=placement.file_id, reference=False)
    return versions.filter(number=placement.version or 0).first()


def _slice_of(version: FileVersion, item: Item) -> int | None:
    """The middle frame of this instance, counted through the whole version."""
    if not version.path.endswith(".zip") or not item.sop_uid:
        return None
    found = slices(version)
    for end, (member, frames) in zip(found.ends, found.members, strict=True):
        if _is(member, item):
            return end - frames + frames // 2
    return None


@contextmanager
def instance(item: Item, *, version: FileVersion | None) -> Iterator[BinaryIO]:
    """The bytes of one source file; what we hold is preferred to a source that may have changed. Raises NoPicture."""
    with ExitStack() as stack:
        stream = _opened(item, version, stack)
        try:
            yield stream
        except StoreTrouble as error:
            # An object is opened by nobody before it is read.
            raise NoPicture(Why.MISSING) from error


def _opened(item: Item, version: FileVersion | None, stack: ExitStack) -> BinaryIO:
    try:
        kept = _member(archive().open(version.path), version.path, item, stack) if version else None
        return kept or _held(item, stack) or _at_source(item, stack)
    except _UNREADABLE as error:
        raise NoPicture(Why.MISSING) from error


def _held(item: Item, stack: ExitStack) -> BinaryIO | None:
    held = Conflict.objects.filter(placement=item.placement_id).values_list("path", flat=True).first()
    return _member(quarantine().open(held), held, item, stack) if held else None


def _is(member: str, item: Item) -> bool:
    """By the name that a rule gave it, else by its UID, with which every other name begins."""
    return member == item.member if item.member else bool(item.sop_uid) and member.startswith(f"{item.sop_uid}.")


def _member(stream: BinaryIO, path: str, item: Item, stack: ExitStack) -> BinaryIO | None:
    """The stream itself, or the member of an archive that is this file."""
    stack.callback(stream.close)
    if not path.endswith(".zip"):
        return stream
    inside = stack.enter_context(zipfile.ZipFile(stream))
    name = next((name for name in inside.namelist() if _is(name, item)), None)
    return None if name is None else stack.enter_context(inside.open(name))  # type: ignore[return-value]


def _at_source(item: Item, stack: ExitStack) -> BinaryIO:
    source = stack.enter_context(source_of(item.job))
    file = stack.enter_context(source.open(item))
    # Something else may lie there by now, of another patient even.
    if not file.as_listed():
        raise NoPicture(Why.MISSING)
    return stack.enter_context(file.stream())
