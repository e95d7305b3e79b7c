"""Rows for tests of pages: whole enough for every constraint, with the shortest way to what a test is about."""

import hashlib
import itertools
from datetime import UTC, datetime, timedelta

from hierarchy.models import Group, Project
from importer.core.states import FINAL, ConflictStatus, JobStatus
from importer.models import Conflict, Event, ImportJob, Item, Placement

START = datetime(2025, 11, 24, 9, 30, tzinfo=UTC)
_numbers = itertools.count(1)


def make_project(address: str = "lab/Brain") -> Project:
    group, _, label = address.partition("/")
    return Project.objects.get_or_create(group=Group.objects.get_or_create(name=group)[0], label=label)[0]


def make_job(project: Project | None = None, *, status: str = JobStatus.COMPLETED, **fields) -> ImportJob:
    """A final one is finished a minute after its start; the sums hold unless `discovered` is given."""
    counts = [fields.get(name, 0) for name in ("imported", "skipped", "conflict", "failed", "cancelled")]
    defaults = {
        "label": f"ST-{next(_numbers):06}",
        "source_kind": "folder",
        "source_root": "/data/incoming",
        "who": "user anna@example.org",
        "created_at": START,
        "started_at": START + timedelta(seconds=1),
        "finished_at": START + timedelta(seconds=61) if status in FINAL else None,
        "discovered": sum(counts),
        "scan_done": status in FINAL,
    }
    if status == JobStatus.PAUSED:
        defaults["next_attempt_at"] = START + timedelta(minutes=5)
    return ImportJob.objects.create(project=project or make_project(), status=status, **{**defaults, **fields})


def make_placement(job: ImportJob, **fields) -> Placement:
    defaults = {
        "key": hashlib.sha256(str(next(_numbers)).encode()).hexdigest(),
        "kind": "series",
        "first_seq": 0,
        "outcome": "imported",
        "subject_label": "98892003",
        "session_label": "BRAIN-ROUTINE",
        "acquisition_label": "3 - t1",
        "file_name": "3 - t1.dicom.zip",
        "level": "acquisition",
    }
    return Placement.objects.create(job=job, **{**defaults, **fields})


def make_item(job: ImportJob, *, placement: Placement | None = None, **fields) -> Item:
    number = next(_numbers)
    defaults = {"seq": number, "path": f"MR1/{number:05}.dcm", "size": 526_000, "mtime_ns": 0}
    if placement is None:
        defaults["outcome"] = "imported"
    return Item.objects.create(job=job, placement=placement, **{**defaults, **fields})


def make_conflict(job: ImportJob, *, placement: Placement | None = None, **fields) -> Conflict:
    number = next(_numbers)
    placement = placement or make_placement(job, outcome="conflict", reason="File already exists")
    defaults = {
        "level": "file",
        "type": "file_name_already_exists",
        "upload_path": f"98892003/BRAIN-ROUTINE/3 - t1/{number}.dicom.zip",
        "held_key": hashlib.sha256(str(number).encode()).hexdigest(),
        "created_at": START,
        "path": f"conflicts/{number}.dicom.zip",
        "size": 1_000_000,
        "digest": "0" * 64,
    }
    if fields.get("status") == ConflictStatus.RESOLVED:
        defaults["resolved_at"] = START
    return Conflict.objects.create(job=job, project=job.project, placement=placement, **{**defaults, **fields})


def make_event(job: ImportJob, *, what: str = "scanning", who: str = "system", **fields) -> Event:
    return Event.objects.create(**{"job_id": job.pk, "what": what, "who": who, "at": START, **fields})
