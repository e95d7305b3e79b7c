"""Quarantine: what conflicts is kept whole and explained, outside the project, and never twice. What would be imported
by reference is noted where it lies."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from importer.core import manifest
from importer.core.states import ConflictStatus, ConflictType, Level, Outcome
from importer.models import Conflict, ImportJob, Placement, bulk
from importer.pipeline.automatisms import decide_by_itself
from importer.pipeline.decide import path_of
from importer.pipeline.packing import Packed

INCOMING = ("level", "subject_label", "session_label", "acquisition_label", "file_name")
HELD = "Already held in review: the same content waits for a decision"


def hold(job: ImportJob, packed: Sequence[Packed], *, now: datetime) -> list[Packed]:
    """Inside the transaction that holds the scope's lock and ends the chunk. Gives back the bytes that nobody needs."""
    keys = {one.placement.pk: held_key(one) for one in packed}
    waiting = Conflict.objects.filter(project=job.project, status=ConflictStatus.OPEN, held_key__in=keys.values())
    held = {conflict.held_key: conflict for conflict in waiting.select_related("placement")}
    rows, moved, unwanted, skipped = [], [], [], []
    for one in packed:
        known = held.get(keys[one.placement.pk])
        if known is None:
            held[keys[one.placement.pk]] = _row(job, one, keys[one.placement.pk], now=now)
            rows.append(held[keys[one.placement.pk]])
            continue
        unwanted.append(one)
        if _came_later(known, job, one):
            skipped.append(known.placement)
            known.placement, known.manifest = one.placement, manifest.to_lines(one.members)
            moved.append(known)
        else:
            skipped.append(one.placement)
    Conflict.objects.bulk_create(rows)
    Conflict.objects.bulk_update(moved, ["placement", "manifest"])
    decide_by_itself(job, rows, now=now)
    outcome = str(Outcome.SKIPPED)
    bulk.update(Placement, ["outcome", "reason"], [(placement.pk, outcome, HELD) for placement in skipped])
    return unwanted


def _came_later(known: Conflict, job: ImportJob, one: Packed) -> bool:
    """Of the equal ones of a job the first by path is the one that waits, whichever was moved first."""
    return known.pk is not None and known.job_id == job.pk and known.placement.first_seq > one.placement.first_seq


def held_key(one: Packed) -> str:
    said: list[Any] = [one.placement.conflict_type, path_of(one.placement), one.digest or one.stamp]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def cause_key(job: ImportJob, placement: Placement) -> str:
    """The same cause at the same container is one question. A label that nobody gives is one per delivery."""
    said: list[Any] = [placement.conflict_type, placement.conflict_level]
    match Level(placement.conflict_level):
        case _ if placement.conflict_type == ConflictType.LABEL_MISSING:
            said += [job.pk]
        case Level.SUBJECT:
            said += [placement.subject_label]
        case Level.SESSION:
            said += [placement.subject_label, placement.session_label, placement.session_uid]
        case Level.ACQUISITION:
            said += [placement.session_uid, placement.acquisition_label, placement.acquisition_uid]
        case _:
            said += [path_of(placement)]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def container_of(placement: Placement) -> str:
    """The incoming container that clashes, as a path; of a missing label what is known above it."""
    labels = [placement.subject_label, placement.session_label, placement.acquisition_label]
    depth = {Level.SUBJECT: 1, Level.SESSION: 2, Level.ACQUISITION: 3}.get(Level(placement.conflict_level))
    return path_of(placement) if depth is None else "/".join(label for label in labels[:depth] if label)


def _row(job: ImportJob, one: Packed, key: str, *, now: datetime) -> Conflict:
    placement = one.placement
    return Conflict(
        token=one.id,
        project=job.project,
        job=job,
        placement=placement,
        level=placement.conflict_level,
        type=placement.conflict_type,
        upload_path=path_of(placement),
        held_key=key,
        candidates=placement.candidates,
        created_at=now,
        cause=cause_key(job, placement),
        container=container_of(placement),
        incoming={name: getattr(placement, name) for name in INCOMING},
        path=one.path if one.storage is None else "",
        storage_id=one.storage,
        size=one.size,
        digest=one.digest,
        manifest=manifest.to_lines(one.members),
    )
