"""The reports of an import: one row per source file, one per conflict. Streamed, live, in memory of one page.

Each function gives whole lines (CSV after RFC 4180, so with CRLF); the queries of a page are few, their number fixed.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

from importer.core.states import FINAL, Level, Outcome, Upsert
from importer.models import Conflict, Event, ImportJob, Item, Placement
from importer.pipeline.decide import path_of
from importer.pipeline.forecast import DESELECTED, MOVES
from importer.pipeline.in_place import Way, way_of
from importer.pipeline.rules import rules_of
from importer.report_digests import Digests, Standing, standing
from storages.stores import Kind

PAGE = 2000
CONFLICT_PAGE = 500
AUDIT_COLUMNS = ("status", "reason", "src_path", "dst_path", "file_id", "version", "session_uid", "acquisition_uid")
CONFLICT_COLUMNS = (
    "id", "created", "level", "type", "upload_path", "resolved", "resolved_by", "action", "action_error",
    "action_result",
)  # fmt: skip
NOT_REACHED = "Not reached: the import ended before"
# Spreadsheets run a cell that starts like this as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Row:
    """One source file and what became of it. Without a placement it never had a destination."""

    item: Item
    placement: Placement | None
    status: str
    reason: str
    way: Way | None = None


def audit_csv(job: ImportJob) -> Iterator[str]:
    """Exactly AUDIT_COLUMNS."""
    yield csv_lines([AUDIT_COLUMNS])
    for page in _pages(job):
        yield csv_lines(_audit_cells(row) for row in page)


def audit_jsonl(job: ImportJob) -> Iterator[str]:
    """One object per source file. `created` repeats `modified`: a listing records no other time."""
    digests = Digests()
    kind = job.storage.kind if job.storage is not None else Kind.LOCAL
    for page in _pages(job):
        found = standing([row.placement for row in page if row.placement is not None])
        hashes = digests.of([(row.item, row.placement, row.status) for row in page], found)
        yield "".join(_json(_audit_object(row, found, hashes.get(row.item.pk, ""), kind=kind)) for row in page)


def conflict_csv(job: ImportJob) -> Iterator[str]:
    """Exactly CONFLICT_COLUMNS, every conflict ever detected."""
    yield csv_lines([CONFLICT_COLUMNS])
    for page in _conflict_pages(job):
        yield csv_lines(_conflict_cells(conflict).values() for conflict in page)


def conflict_jsonl(job: ImportJob) -> Iterator[str]:
    """The columns, what came in, from which source files, what it met, and who tried what."""
    for page in _conflict_pages(job):
        history = _history(page)
        sources = _sources(page)
        for conflict in page:
            yield _json(_conflict_object(conflict, next(sources), history.get(conflict.pk, [])))


def _pages(job: ImportJob) -> Iterator[list[Row]]:
    """In source order. Placements of the page before are kept: a series goes on from page to page."""
    placements: dict[int, Placement] = {}
    last = -1
    while items := list(Item.objects.filter(job=job, seq__gt=last).order_by("seq")[:PAGE]):
        placements = _placements({item.placement_id for item in items if item.placement_id}, placements)
        yield [_row(job, item, placements.get(item.placement_id or 0)) for item in items]
        last = items[-1].seq


def _placements(wanted: set[int], known: dict[int, Placement]) -> dict[int, Placement]:
    found = {pk: known[pk] for pk in wanted if pk in known}
    missing = wanted - set(found)
    if missing:
        found |= {row.pk: row for row in Placement.objects.filter(pk__in=missing).defer("candidates")}
    return found


def _row(job: ImportJob, item: Item, placement: Placement | None) -> Row:
    outcome, reason = item.outcome, item.reason
    if outcome is None and placement is not None:
        outcome, reason = placement.outcome, placement.reason
    if placement is not None and placement.deselected and item.outcome is None and outcome in MOVES:
        outcome, reason = Outcome.SKIPPED, DESELECTED
    if job.status in FINAL and outcome in {None, Outcome.PLANNED}:
        outcome, reason = Outcome.CANCELLED, NOT_REACHED
    way = _way_of(job, item, placement) if placement is not None else None
    return Row(item, placement, outcome or "", "" if outcome == Outcome.IMPORTED else reason, way)


def _way_of(job: ImportJob, item: Item, to: Placement) -> Way:
    """As it was; while it has yet to travel, as it would."""
    if to.transfer:
        return Way(to.transfer, to.transfer_reason)
    return way_of(to, rules_of(job), transfer=job.transfer, items=[item])


def _audit_cells(row: Row) -> Sequence[object]:
    to = row.placement
    if to is None:
        return (row.status, row.reason, row.item.path, "", "", "", "", "")
    place = (path_of(to), to.file_id, to.version, to.session_uid, to.acquisition_uid)
    return (row.status, row.reason, row.item.path, *place)


def _audit_object(row: Row, found: dict[int, Standing], content: str, *, kind: str) -> dict[str, Any]:
    to = row.placement
    return {
        "_id": row.item.pk,
        "src_path": row.item.path,
        "src_stat": _source_stat(row.item, content, kind=kind),
        "status": row.status,
        "dst_path": path_of(to) if to else "",
        "dst_stat": _destination(to, found.get(to.pk)) if to else {},
        "file_id": to.file_id if to else None,
        "file_version": to.version if to else None,
        "reason": row.reason,
        **_way(row),
    }


def _way(row: Row) -> dict[str, Any]:
    """How it travelled, or would have; and why not by reference where that was wanted and not possible."""
    if row.way is None:
        return {"transfer": None}
    said = {"transfer": row.way.transfer}
    return {**said, "transfer_reason": row.way.why} if row.way.why else said


def _source_stat(item: Item, content: str, *, kind: str) -> dict[str, Any]:
    """Of what nobody read, a storage has an etag of its own."""
    seconds = round(item.mtime_ns / 1e9, 6)
    etag = item.inode.partition(" ")[0] if kind != Kind.LOCAL else ""
    stat = {"type": kind, "path": item.path, "size": item.size, "hash": content or etag}
    return {**stat, "created": seconds, "modified": seconds}


def _destination(to: Placement, version: Standing | None) -> dict[str, Any]:
    """Each level down to that of the file."""
    levels = {
        Level.SUBJECT: {"_id": to.subject_id, "label": to.subject_label},
        Level.SESSION: {"_id": to.session_id, "uid": to.session_uid, "label": to.session_label},
        Level.ACQUISITION: {"_id": to.acquisition_id, "uid": to.acquisition_uid, "label": to.acquisition_label},
    }
    depth = {Level.PROJECT: 0, Level.SUBJECT: 1, Level.SESSION: 2}.get(Level(to.level or Level.ACQUISITION), 3)
    found: dict[str, Any] = {
        level.value: {**said, "upsert": _upsert(to, level)} for level, said in list(levels.items())[:depth]
    }
    id_ = {"file_id": to.file_id, "version": to.version}
    size = version.size if version else None
    return {**found, "file": {"_id": id_, "name": to.file_name, "size": size, "upsert": _upsert(to, Level.FILE)}}


def _upsert(to: Placement, level: Level) -> str:
    """What did not land changed nothing."""
    return str(to.upserts.get(level.value, Upsert.SKIP.value))


def _conflict_pages(job: ImportJob) -> Iterator[list[Conflict]]:
    last = 0
    conflicts = Conflict.objects.filter(job=job).select_related("placement").defer("manifest").order_by("id")
    while page := list(conflicts.filter(id__gt=last)[:CONFLICT_PAGE]):
        yield page
        last = page[-1].pk


def _conflict_cells(conflict: Conflict) -> dict[str, Any]:
    resolved = conflict.resolved_at.isoformat() if conflict.resolved_at else ""
    return {
        "id": conflict.pk,
        "created": conflict.created_at.isoformat(),
        "level": conflict.level,
        "type": conflict.type,
        "upload_path": conflict.upload_path,
        "resolved": resolved,
        "resolved_by": conflict.resolved_by,
        "action": conflict.action,
        "action_error": conflict.action_error,
        "action_result": conflict.action_result,
    }


def _conflict_object(
    conflict: Conflict, sources: list[dict[str, Any]], history: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        **_conflict_cells(conflict),
        "incoming": _incoming(conflict),
        "sources": sources,
        "matches": [one for one in conflict.candidates if "suggestion" not in one],
        "suggestions": [one["suggestion"] for one in conflict.candidates if "suggestion" in one],
        "history": history,
    }


def _incoming(conflict: Conflict) -> dict[str, Any]:
    """What the incoming file says about each level, and about itself."""
    to = conflict.placement
    session = {"label": to.session_label, "uid": to.session_uid, **to.said.get("session", {})}
    acquisition = {"label": to.acquisition_label, "uid": to.acquisition_uid, **to.said.get("acquisition", {})}
    file = {"name": to.file_name, "size": conflict.size, "digest": conflict.digest}
    return {
        "subject": {"label": to.subject_label, **to.said.get("subject", {})},
        "session": session,
        "acquisition": acquisition,
        "file": {**file, "modality": to.said.get("modality", ""), **to.said.get("file", {})},
    }


def _sources(page: Sequence[Conflict]) -> Iterator[list[dict[str, Any]]]:
    """For each conflict in turn its source files, one conflict's in memory at a time."""
    placements = {conflict.placement_id: conflict.pk for conflict in page}
    items = Item.objects.filter(placement__in=placements).order_by("placement__conflict_row__id", "seq")
    rows = items.values_list("placement_id", "path", "size", "sop_uid").iterator(chunk_size=PAGE)
    groups = groupby(rows, key=lambda row: placements[row[0]])
    group = next(groups, None)
    for conflict in page:
        if group is None or group[0] != conflict.pk:
            yield []
            continue
        yield [{"path": path, "size": size, "sop_uid": uid} for _, path, size, uid in group[1]]
        group = next(groups, None)


def _history(page: Sequence[Conflict]) -> dict[int | None, list[dict[str, Any]]]:
    events = Event.objects.filter(conflict_id__in=[conflict.pk for conflict in page]).order_by("conflict_id", "id")
    return {
        conflict: [{"at": e.at.isoformat(), "who": e.who, "what": e.what, "detail": e.detail} for e in some]
        for conflict, some in groupby(events, key=attrgetter("conflict_id"))
    }


def csv_lines(rows: Iterable[Iterable[object]]) -> str:
    """Whole lines, with cells defused that a spreadsheet would run."""
    out = io.StringIO()
    csv.writer(out).writerows([_defused(cell) for cell in row] for row in rows)
    return out.getvalue()


def _defused(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _json(line: dict[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=False) + "\n"
