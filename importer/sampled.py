"""Files of this machine to try rules on, read as an import would read them."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hierarchy.errors import Refused
from importer.core.folder import SourceAway
from importer.core.names import printable
from importer.core.records import Bad, Entry, Header
from importer.core.rules.model import RuleSet, SourceFile
from importer.core.rules.samples import Fact
from importer.pipeline.content import NoContent, SourceContent
from importer.pipeline.extract import by_listing
from importer.pipeline.sources import FolderSource
from importer.pipeline.unpacking import Wanted, look, unpacked_entries, wanted_by


@dataclass(frozen=True, slots=True)
class Looked:
    """A file as rules ask about it, or why an import would not even ask."""

    path: str
    fact: Fact | None = None
    bad: Bad | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sample lies: the folder that is opened, one name in it or all, and what its paths begin with."""

    folder: bytes
    name: str
    prefix: str


def looked_at(said: str, rules: RuleSet, *, root: str | None = None) -> Iterator[Looked]:
    """The file, or every file below the folder, in name order. Paths count from `root`; without it a folder's from the
    folder, a file's from the current folder if it lies below that, else from the top.

    Raises Refused for what is not there.
    """
    place = _place(Path(said), root)
    try:
        with FolderSource(place.folder) as source:
            for entry in _entries(place, source, wanted_by(rules)):
                yield _looked(source, entry, place.prefix, keywords=rules.keywords)
    except SourceAway as error:
        raise Refused(f"{said}: {error}") from error


def _place(said: Path, root: str | None) -> Place:
    above = Path(os.path.realpath(said.parent))
    whole = above / said.name if said.name not in {"", "..", "."} else Path(os.path.realpath(said))
    if not os.path.lexists(whole):
        raise Refused(f"There is no file or folder {said}.")
    if whole.is_dir():
        return Place(os.fsencode(whole), "", _below(whole, root, otherwise=whole))
    current = Path(os.path.realpath("."))
    start = current if whole.is_relative_to(current) else Path("/")
    prefix = _below(whole.parent, root, otherwise=start)
    return Place(os.fsencode(whole.parent), printable(os.fsencode(whole.name)), prefix)


def _below(folder: Path, root: str | None, *, otherwise: Path) -> str:
    start = Path(os.path.realpath(root)) if root else otherwise
    if not folder.is_relative_to(start):
        raise Refused(f"{folder} does not lie in {root}: the samples are files below it.")
    inside = printable(os.fsencode(folder.relative_to(start)))
    return "" if inside == "." else f"{inside}/"


def _entries(place: Place, source: FolderSource, wanted: Wanted) -> Iterator[Entry]:
    def below(path: str) -> bool:
        return wanted(place.prefix + path)

    if place.name:
        return look(source, place.name, wanted=below)
    return unpacked_entries(source, after="", wanted=below)


def _looked(source: FolderSource, entry: Entry, prefix: str, *, keywords: frozenset[str]) -> Looked:
    path = prefix + entry.path
    refused = by_listing(entry)
    if refused is not None:
        return Looked(path, bad=refused)
    file = SourceFile(path=path, size=entry.size, mtime_ns=entry.mtime_ns, ctime_ns=entry.ctime_ns or None)
    with SourceContent(source, entry, keywords=keywords) as content:
        try:
            return Looked(path, _fact(file, content))
        except NoContent as error:
            return Looked(path, bad=error.bad)


def _fact(file: SourceFile, content: SourceContent) -> Fact:
    is_dicom = content.is_dicom()
    found = content.header() if is_dicom else None
    return Fact(
        file=file,
        is_dicom=is_dicom,
        header=found if isinstance(found, Header) else None,
        bad=found if isinstance(found, Bad) else None,
    )
