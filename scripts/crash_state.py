"""What an import left behind, read from outside by plain SQL: two runs are equal when this is."""

import hashlib
import os
import stat
import zlib
from collections import Counter
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from homes import rows

Rows = list[tuple[Any, ...]]
ENDS = {"completed", "needs_review", "failed", "cancelled"}

_FILES = """
    SELECT su.label, se.label, a.label, f.name, f.type, f.modality, v.number, v.size, v.digest, v.members,
           v.source_path, m.lines
    FROM hierarchy_file f JOIN hierarchy_fileversion v ON v.file_id = f.id
    LEFT JOIN hierarchy_manifest m ON m.version_id = v.id
    LEFT JOIN hierarchy_acquisition a ON a.id = f.acquisition_id
    LEFT JOIN hierarchy_session se ON se.id = COALESCE(f.session_id, a.session_id)
    LEFT JOIN hierarchy_subject su ON su.id = COALESCE(f.subject_id, se.subject_id)"""
_CONTAINERS = """
    SELECT su.label, su.copy, su.firstname, su.lastname, su.sex, se.label, se.copy, se.uid, se.timestamp,
           se.timestamp_zone, se.age_seconds, se.weight_kg, se.operator, se.accession_number, a.label, a.copy, a.uid,
           a.timestamp, a.timestamp_zone
    FROM hierarchy_subject su LEFT JOIN hierarchy_session se ON se.subject_id = su.id
    LEFT JOIN hierarchy_acquisition a ON a.session_id = se.id"""
_ITEMS = """
    SELECT i.job_id, i.seq, i.path, i.size, i.sop_uid, COALESCE(i.outcome, p.outcome),
           CASE WHEN i.outcome IS NULL THEN p.reason ELSE i.reason END
    FROM importer_item i LEFT JOIN importer_placement p ON p.id = i.placement_id"""
_CONFLICTS = "SELECT level, type, status, upload_path, size, digest, manifest FROM importer_conflict"
_JOBS = """
    SELECT id, status, discovered, imported, skipped, conflict, failed, cancelled, extracted, open_chunks, bytes_found,
           bytes_planned, bytes_moved, error FROM importer_importjob"""


@dataclass(frozen=True, slots=True)
class State:
    """Sorted rows. An archived file is its place, its digest and its members with theirs; never its row's number."""

    files: Rows
    containers: Rows
    items: Rows
    conflicts: Rows
    jobs: Rows


def read(url: str) -> State:
    """`url` as in DATABASE_URL."""
    asked = (_FILES, _CONTAINERS, _ITEMS, _CONFLICTS, _JOBS)
    return State(*(sorted(map(_plain, rows(url, sql)), key=repr) for sql in asked))


def _plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(_value(value) for value in row)


def _value(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return zlib.decompress(bytes(value)).decode() if value else ""
    return str(value)[:19] if hasattr(value, "tzinfo") else value


def differences(found: State, wanted: State, *, most: int = 6) -> list[str]:
    """In words; none when the two are equal."""
    said = []
    for name in (field.name for field in fields(State)):
        lost = Counter(getattr(wanted, name)) - Counter(getattr(found, name))
        new = Counter(getattr(found, name)) - Counter(getattr(wanted, name))
        said += [f"{name}: missing {_short(row)}" for row in list(lost)[:most]]
        said += [f"{name}: unexpected {_short(row)}" for row in list(new)[:most]]
    return said


def _short(row: tuple[Any, ...]) -> str:
    return repr(tuple(str(value)[:80] for value in row))


def faults(state: State) -> list[str]:
    """What must hold in every state, whatever it is compared with."""
    said = [f"{name} twice" for name, times in Counter(row[:4] for row in state.files).items() if times > 1]
    for job in state.jobs:
        number, status, discovered, *counts = job[:8]
        listed = Counter(row[5] for row in state.items if row[0] == number)
        paths = [row[2] for row in state.items if row[0] == number]
        if status not in ENDS:
            said.append(f"import {number} is {status}")
        if sum(counts) != discovered or len(paths) != discovered or len(set(paths)) != discovered:
            said.append(f"import {number}: {discovered} discovered, {len(paths)} rows, {counts} counted")
        if [listed.get(name, 0) for name in ("imported", "skipped", "conflict", "failed", "cancelled")] != counts:
            said.append(f"import {number}: {dict(listed)} in its rows, {counts} counted")
        if job[9]:
            said.append(f"import {number}: {job[9]} open slices")
    return said


def fingerprint(root: Path) -> str:
    """Of a source tree: names, kinds, sizes, times, links and content."""
    total = hashlib.sha256()
    for folder, names, files in os.walk(os.fsencode(root)):
        names.sort()
        for name in sorted([*names, *files]):
            path = os.path.join(folder, name)
            found = os.lstat(path)
            total.update(repr((path, found.st_mode, found.st_size, found.st_mtime_ns, found.st_nlink)).encode())
            if stat.S_ISREG(found.st_mode):
                total.update(Path(os.fsdecode(path)).read_bytes())
    return total.hexdigest()
