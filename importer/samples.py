"""Samples to try rules on: made from an upload, from pasted names, or from a folder. One person's, for a day."""

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet

from hierarchy.errors import Refused
from importer.core import spans
from importer.core.folder import SourceAway
from importer.core.header import read_header
from importer.core.recognise import PREAMBLE, claims_dicom, has_preamble
from importer.core.records import Bad, Entry, EntryKind, Header
from importer.core.rules.model import SourceFile
from importer.core.rules.samples import (
    EXAMPLES,
    LONGEST_PATH,
    MOST_NAMES,
    Fact,
    keywords,
    named,
    pack,
    spread,
    unpack,
)
from importer.core.window import ReadAt
from importer.models import RuleSample
from importer.pipeline.reading import UNOPENED, why
from importer.pipeline.sources import FolderSource

MOST_UPLOADED = 50
MOST_BYTES = 200_000_000
KEPT = timedelta(days=1)
# The newest so many of one person stay.
MOST_KEPT = 20
# Seconds that a page waits for headers of a slow source; what is not read by then stays unread.
PATIENCE = 5.0


def mine(actor: User | AnonymousUser) -> "QuerySet[RuleSample]":
    """The actor's own samples, newest first, without what is in them."""
    rows = RuleSample.objects.filter(owner_id=actor.pk) if actor.pk else RuleSample.objects.none()
    return rows.defer("facts").order_by("-id")


def facts_of(sample: RuleSample | None) -> tuple[Fact, ...]:
    """Without a sample: the examples."""
    return EXAMPLES if sample is None else unpack(bytes(sample.facts))


def from_uploads(
    files: "Sequence[UploadedFile[Any]]", *, paths: Sequence[str] = (), actor: User, now: datetime
) -> RuleSample:
    """Reads the headers of what was uploaded; its bytes are not kept. `paths` are names with folders, where known.

    Raises Refused for nothing, too many files or too many bytes.
    """
    if not files:
        raise Refused("Choose files first: any that you would import.")
    if len(files) > MOST_UPLOADED:
        raise Refused(f"{len(files)} files are too many: choose up to {MOST_UPLOADED}, a few of each kind.")
    total = sum(one.size or 0 for one in files)
    if total > MOST_BYTES:
        raise Refused(f"{spans.size(total)} are too much: choose files of up to {spans.size(MOST_BYTES)} together.")
    names = paths if len(paths) == len(files) else [one.name or "" for one in files]
    facts = [_uploaded(one, _clean(name) or "file", now=now) for one, name in zip(files, names, strict=True)]
    title = facts[0].path if len(facts) == 1 else f"{facts[0].path} and {len(facts) - 1} more"
    return _kept(facts, title=title, actor=actor, now=now)


def _uploaded(file: "UploadedFile[Any]", path: str, *, now: datetime) -> Fact:
    def read_at(offset: int, length: int) -> bytes:
        file.seek(offset)
        return bytes(file.read(length))

    at = int(now.timestamp()) * 1_000_000_000
    known = SourceFile(path=path, size=file.size or 0, mtime_ns=at, ctime_ns=at)
    return _read(known, read_at)


def _read(file: SourceFile, read_at: ReadAt) -> Fact:
    """What the bytes say; an OSError of `read_at` passes."""
    is_dicom = claims_dicom(file.path) or has_preamble(read_at(0, PREAMBLE))
    found = read_header(read_at, size=file.size, wanted=keywords()) if is_dicom else None
    return Fact(
        file=file,
        is_dicom=is_dicom,
        header=found if isinstance(found, Header) else None,
        bad=found if isinstance(found, Bad) else None,
    )


def from_paths(text: str, *, title: str = "", actor: User, now: datetime) -> RuleSample:
    """One path a line. Raises Refused for none, and for more than a sample holds."""
    paths = list(dict.fromkeys(filter(None, map(_clean, text.splitlines()))))
    if not paths:
        raise Refused("Paste the paths of some files first, one per line.")
    if len(paths) > MOST_NAMES:
        raise Refused(f"{len(paths):,} paths are too many: paste up to {MOST_NAMES:,}.")
    return _kept([named(path) for path in paths], title=title or f"{paths[0]} …", actor=actor, now=now)


def _clean(path: str) -> str:
    """As a listing would give it: with `/`, relative, without what no database keeps."""
    text = path.strip().replace("\0", "")
    if "/" not in text:
        text = text.replace("\\", "/")
    return "/".join(part for part in text.split("/") if part not in {"", ".", ".."})[:LONGEST_PATH]


def from_folder(
    root: bytes, *, title: str, actor: User, now: datetime, below: str = "", deliveries: bool = False
) -> RuleSample:
    """The first files of a folder, with the headers of some of each of its folders.

    `below` is a folder of it that no link is followed to; with `deliveries` each of its folders is a source of its
    own, so that paths begin inside of them. The caller has asked whether the actor may. Raises Refused for a folder
    that cannot be read or is empty.
    """
    try:
        with FolderSource(root) as source:
            found = source.look(below) if below else source.entries()
            files = _listed(found, skip=1 if below or deliveries else 0)
            facts = _facts(source, files, until=time.monotonic() + PATIENCE)
    except SourceAway as error:
        raise Refused(f"{error} There is nothing to try rules on.") from error
    if not facts:
        raise Refused("There are no files here to try rules on.")
    return _kept(facts, title=title, actor=actor, now=now)


def _listed(entries: Iterable[Entry], *, skip: int) -> dict[str, tuple[str, SourceFile]]:
    """By the path that rules see, without its first `skip` folders: the path below the root, and the file."""
    found: dict[str, tuple[str, SourceFile]] = {}
    for one in islice((one for one in entries if one.kind is EntryKind.FILE), MOST_NAMES):
        path = one.path.split("/", skip)[-1] if one.path.count("/") >= skip else ""
        if path and len(path) <= LONGEST_PATH:
            found.setdefault(path, (one.path, SourceFile(path=path, size=one.size, mtime_ns=one.mtime_ns)))
    return found


def _facts(source: FolderSource, files: Mapping[str, tuple[str, SourceFile]], *, until: float) -> list[Fact]:
    """Those whose bytes were looked at come first: they are the ones to learn from."""
    read: dict[str, Fact] = {}
    for path in spread(files):
        if time.monotonic() > until:
            break
        read[path] = _opened(source, *files[path])
    left = [Fact(file=file) for path, (_, file) in files.items() if path not in read]
    return [read[path] for path in files if path in read] + left


def _opened(source: FolderSource, path: str, file: SourceFile) -> Fact:
    """A file that cannot be read is a fact, too."""
    try:
        with source.open(Entry(path, EntryKind.FILE, file.size, file.mtime_ns or 0, inode="")) as opened:
            return _read(file, opened.read_at)
    except UNOPENED as error:
        return Fact(file=file, is_dicom=claims_dicom(file.path), bad=why(error))


def _kept(facts: Sequence[Fact], *, title: str, actor: User, now: datetime) -> RuleSample:
    made = RuleSample.objects.create(
        owner=actor, title=title[:255], files=len(facts), facts=pack(facts), created_at=now
    )
    _drop(mine(actor).values_list("pk", flat=True)[MOST_KEPT:])
    return made


def _drop(ids: Iterable[int]) -> None:
    RuleSample.objects.filter(pk__in=list(ids)).delete()


def drop_old(*, now: datetime) -> int:
    """Samples hold patient data: after a day they go. How many."""
    return RuleSample.objects.filter(created_at__lt=now - KEPT).delete()[0]
