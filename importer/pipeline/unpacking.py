"""SCAN, inside archives: where a rule asks for their members, these stand for the archive."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from importer.core.folder import NotPlain, Vanished
from importer.core.members import Archive, NoArchive
from importer.core.names import archive_and_member
from importer.core.recognise import is_junk
from importer.core.records import Entry, EntryKind
from importer.core.rules.model import RuleSet
from importer.pipeline.reading import why
from importer.pipeline.sources import Source

Wanted = Callable[[str], bool]


def wanted_by(rules: RuleSet) -> Wanted:
    """Whether the members of the archive of this path are files of their own."""
    tests = [one.archive for one in rules.archives if one.archive is not None]
    return lambda path: any(test(path) for test in tests)


def unpacked_entries(source: Source, *, after: str, wanted: Wanted) -> Iterator[Entry]:
    """As `source.entries`, each wanted archive replaced by its members, behind `after`. No path comes twice."""
    archive, member = archive_and_member(after)
    if member:
        yield from _members(source, archive, after=member)
    yield from unpacked(source, source.entries(after=archive), wanted=wanted)


def unpacked(source: Source, entries: Iterator[Entry], *, wanted: Wanted) -> Iterator[Entry]:
    for entry in entries:
        if _is_archive(entry) and wanted(entry.path):
            yield from _instead(source, entry)
        else:
            yield entry


def look(source: Source, path: str, *, wanted: Wanted) -> Iterator[Entry]:
    """What is there now under this path of an earlier listing, which may be that of an archive's member."""
    archive, member = archive_and_member(path)
    if not member:
        yield from unpacked(source, source.look(path), wanted=wanted)
    elif wanted(archive):
        yield from source.look(path)


def go_on(source: Source, path: str, *, after: str, wanted: Wanted) -> Iterator[Entry]:
    """What lies below the folder, or in the archive, behind `after`, which is in it."""
    archive, member = archive_and_member(after)
    if member:
        yield from _members(source, archive, after=member)
    if path != archive:
        yield from unpacked(source, source.go_on(path, after=archive), wanted=wanted)


def _is_archive(entry: Entry) -> bool:
    return entry.kind is EntryKind.FILE and entry.size > 0 and not is_junk(entry.path)


def _instead(source: Source, entry: Entry) -> Iterator[Entry]:
    """An archive that cannot be opened, or holds nothing, has one row. One that went away meanwhile is a file that
    did."""
    found = _opened(source, entry.path)
    if isinstance(found, Archive):
        empty = True
        for member in found.entries(entry.path):
            empty = False
            yield member
        if empty:
            yield replace(entry, kind=EntryKind.NO_MEMBERS)
    else:
        yield entry if found is None else replace(entry, kind=found)


def _members(source: Source, archive: str, *, after: str) -> Iterator[Entry]:
    """The rest of an archive that was begun; one that cannot be opened any more has one row for it."""
    found = _opened(source, archive)
    if isinstance(found, Archive):
        yield from found.entries(archive, after=after)
    elif found is not None:
        yield Entry(path=archive, kind=found, size=0, mtime_ns=0, inode="")


def _opened(source: Source, path: str) -> Archive | EntryKind | None:
    """What is wrong with it; None where it is not there. Raises SourceAway."""
    try:
        return source.archive(path)
    except (Vanished, NotPlain):
        return None
    except NoArchive:
        return EntryKind.NO_ARCHIVE
    except OSError as error:
        why(error)
        return EntryKind.NO_ARCHIVE
