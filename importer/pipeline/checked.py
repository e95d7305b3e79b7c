"""The rows of what is verified: made for what is stored, turned into what to look for, told what was found."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Coalesce

from hierarchy import manifests
from hierarchy.manifests import InPlace
from hierarchy.models import DigestOf, FileVersion
from importer.core.checks import CheckState, Lies
from importer.core.states import PACKED_KINDS, ConflictStatus
from importer.models import Check, CheckedRoot, Conflict, bulk
from importer.pipeline.sights import Found, Stored

PAGE = 500
NOTHING = uuid.UUID(int=0)
COLUMNS = ["state", "words", "since", "looked_at", "read_at", "sha256"]
PROJECT = Coalesce(
    "file__project",
    "file__subject__project",
    "file__session__subject__project",
    "file__acquisition__session__subject__project",
)


def enrol(root: CheckedRoot, *, now: datetime) -> int:
    """A row for whatever came to lie there since the last time, and none for what was let go. How many are new."""
    Check.objects.filter(root=root, conflict__isnull=False).exclude(conflict__in=_held(root)).delete()
    made = 0
    for page in _new_versions(root):
        made += len(page)
        _add(Check(root=root, version_id=pk, project_id=project, since=now) for pk, project in page)
    for pks in _new_conflicts(root):
        made += len(pks)
        _add(Check(root=root, conflict_id=pk, project_id=project, since=now) for pk, project in pks)
    return made


def _add(rows: Iterable[Check]) -> None:
    """Two that enrol at once make one row."""
    Check.objects.bulk_create(rows, ignore_conflicts=True)


def _new_versions(root: CheckedRoot) -> Iterator[list[tuple[uuid.UUID, int]]]:
    """Each page begins behind the last one: what is there already is passed over once."""
    if root.place == Lies.QUARANTINE:
        return
    rows = FileVersion.objects.filter(storage=root.storage_id, reference=root.place == Lies.STORAGE, check_row=None)
    last = NOTHING
    while page := list(rows.filter(pk__gt=last).order_by("pk").values_list("pk", PROJECT)[:PAGE]):
        yield page
        last = page[-1][0]


def _new_conflicts(root: CheckedRoot) -> Iterator[list[tuple[int, int]]]:
    last = 0
    rows = _held(root).filter(check_row=None)
    while page := list(rows.filter(pk__gt=last).order_by("pk").values_list("pk", "project_id")[:PAGE]):
        yield page
        last = page[-1][0]


def _held(root: CheckedRoot) -> "QuerySet[Conflict]":
    """Conflicts whose bytes wait there: held by us, or noted at a storage while they are open."""
    if root.place == Lies.ARCHIVE:
        return Conflict.objects.none()
    if root.place == Lies.QUARANTINE:
        return Conflict.objects.exclude(path="").filter(purged_at=None)
    return Conflict.objects.filter(storage=root.storage_id, status=ConflictStatus.OPEN)


def in_pages(rows: "QuerySet[Check]", *, size: int = PAGE) -> Iterator[list[Stored]]:
    """By number. Rows that change on the way may leave the filter, never come twice."""
    last = 0
    while page := stored(rows.filter(pk__gt=last).order_by("pk")[:size]):
        yield page
        last = page[-1].check


def longest_unread(rows: "QuerySet[Check]", *, most: int) -> list[Stored]:
    """What was never read first, then what was not for the longest time."""
    never = stored(rows.filter(read_at=None).order_by("pk")[:most])
    if len(never) == most:
        return never
    return never + stored(rows.filter(read_at__isnull=False).order_by("read_at", "pk")[: most - len(never)])


def stored(rows: "QuerySet[Check]") -> list[Stored]:
    found = rows.select_related("version__storage", "version__file", "version__manifest", "conflict__placement")
    return [_of_version(row) if row.version is not None else _of_conflict(row) for row in found]


def _of_version(row: Check) -> Stored:
    version = row.version
    assert version is not None  # noqa: S101  asked by the caller
    kept = getattr(version, "manifest", None)
    lines = bytes(kept.lines) if kept is not None else b""
    return Stored(
        check=row.pk,
        state=row.state,
        path=version.path,
        size=version.size,
        digest=version.digest,
        digest_of=version.digest_of,
        lines=lines,
        sha256=row.sha256,
        members=_in_place(version, lines) if version.reference else (),
        version=version,
    )


def _in_place(version: FileVersion, lines: bytes) -> tuple[InPlace, ...]:
    if lines:
        return tuple(manifests.from_lines(lines))
    digest = version.digest if version.digest_of == DigestOf.CONTENT else ""
    return (InPlace(version.file.name, version.size, digest, version.path, version.mtime_ns, version.etag),)


def _of_conflict(row: Check) -> Stored:
    conflict = row.conflict
    assert conflict is not None  # noqa: S101  a check constraint of Check
    lines = bytes(conflict.manifest)
    packed = conflict.placement.kind in PACKED_KINDS
    return Stored(
        check=row.pk,
        state=row.state,
        path=conflict.path,
        size=conflict.size,
        digest=conflict.digest,
        digest_of=DigestOf.MANIFEST if packed else DigestOf.CONTENT,
        lines=lines,
        sha256=row.sha256,
        members=tuple(manifests.from_lines(lines)) if conflict.storage_id else (),
    )


def tell(found: Sequence[tuple[Stored, Found]], *, begun: datetime | None, now: datetime, read: bool) -> None:
    """One statement for all. Only reading proves that what was found changed is right again.

    What somebody else has told since `begun`, when these were taken up, stands: it is newer, a repair perhaps. None:
    this is the newest there can be.
    """
    with transaction.atomic():
        rows = Check.objects.select_for_update().filter(pk__in=[one.check for one, _ in found]).order_by("pk")
        before = {row["pk"]: row for row in rows.values("pk", *COLUMNS) if _is_older(row["looked_at"], begun)}
        told = [_row(before[one.check], what, now=now, read=read) for one, what in found if one.check in before]
        bulk.update(Check, COLUMNS, told)


def _is_older(told: datetime | None, begun: datetime | None) -> bool:
    return told is None or begun is None or told <= begun


def _row(before: dict[str, Any], found: Found, *, now: datetime, read: bool) -> tuple[Any, ...]:
    state, words, sha256 = found.state, found.words, found.sha256 or before["sha256"]
    read_at = now if read else before["read_at"]
    if not read and state == CheckState.OK:
        if before["state"] == CheckState.CHANGED:
            state, words = CheckState.CHANGED, before["words"]
        elif before["state"] in {CheckState.MISSING, CheckState.UNREADABLE}:
            read_at = None
    since = before["since"] if before["state"] == state else now
    return (before["pk"], state, words, since, now, read_at, sha256)


def witnesses(root: CheckedRoot, *, most: int) -> list[Stored]:
    """Some of what is to lie there, preferably what was found right the last time: the oldest and the newest."""
    rows = Check.objects.filter(root=root)
    right = rows.filter(state=CheckState.OK)
    chosen = right if right.exists() else rows
    some = {one.check: one for one in stored(chosen.order_by("pk")[: most // 2])}
    some |= {one.check: one for one in stored(chosen.order_by("-pk")[: most // 2])}
    return list(islice(some.values(), most))
