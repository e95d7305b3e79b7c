"""Quarantine: what conflicts is kept whole and explained, outside the project, and never twice."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from importer.core import manifest
from importer.core.states import ConflictStatus, Outcome
from importer.models import Conflict, ImportJob, Placement, bulk
from importer.pipeline.decide import path_of
from importer.pipeline.packing import Packed

HELD = "Already held in review: the same content waits for a decision"


def hold(job: ImportJob, packed: Sequence[Packed], *, now: datetime) -> list[Packed]:
    """Inside the transaction that holds the scope's lock and ends the chunk. Gives back what was held already."""
    keys = {one.placement.pk: held_key(one) for one in packed}
    waiting = Conflict.objects.filter(project=job.project, status=ConflictStatus.OPEN, held_key__in=keys.values())
    known = set(waiting.values_list("held_key", flat=True))
    rows, unwanted = [], []
    for one in packed:
        key = keys[one.placement.pk]
        if key in known:
            one.placement.outcome, one.placement.reason = Outcome.SKIPPED, HELD
            unwanted.append(one)
        else:
            known.add(key)
            rows.append(_row(job, one, key, now=now))
    Conflict.objects.bulk_create(rows)
    bulk.update(
        Placement,
        ["outcome", "reason"],
        [(o.placement.pk, str(o.placement.outcome), o.placement.reason) for o in unwanted],
    )
    return unwanted


def held_key(one: Packed) -> str:
    said: list[Any] = [one.placement.conflict_type, path_of(one.placement), one.digest]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


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
        path=one.path,
        size=one.staged.size if one.staged else 0,
        digest=one.digest,
        manifest=manifest.to_lines(one.members),
    )
