"""What a decision teaches, and the conflicts that pass by it without another question."""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import F, Q

from importer.core.methods import Action
from importer.core.states import ConflictStatus, DecisionStatus, Level
from importer.core.tree import AliasKey
from importer.models import Alias, Conflict, Decision, ImportJob, Resolution
from importer.pipeline.cases import Case
from importer.pipeline.landing import Landed


def follow(job: ImportJob, live: Sequence[Case], landed: Landed, *, now: datetime) -> None:
    """Inside the transaction: aliases are written, and open conflicts that ask for the same are decided along."""
    of = {case.placement.pk: case.decision for case in live}
    for key, node, placement in landed.learned:
        decision = of.get(placement)
        if decision is None or node.id is None:
            continue
        Alias.objects.update_or_create(
            project=job.project,
            level=key.level,
            uid=key.uid,
            label=key.label,
            defaults={"container_id": node.id, "decision": decision, "created_at": now},
        )
        _along(job, key, decision, now=now)


def _along(job: ImportJob, key: AliasKey, leader: Decision, *, now: datetime) -> None:
    uid = "placement__acquisition_uid" if key.level == Level.ACQUISITION else "placement__session_uid"
    label = Q(**{f"placement__{key.level}_label": key.label})
    same = Conflict.objects.filter(
        label, project=job.project, status=ConflictStatus.OPEN, level=key.level, **{uid: key.uid}
    )
    pending = Decision.objects.filter(status=DecisionStatus.PENDING).values("conflict")
    ids = list(same.exclude(pk__in=pending).values_list("pk", flat=True))
    Decision.objects.bulk_create(
        [
            Decision(
                resolution_id=leader.resolution_id, conflict_id=pk, leader=leader, action=Action.RETRY, created_at=now
            )
            for pk in ids
        ],
        batch_size=1000,
    )
    Resolution.objects.filter(pk=leader.resolution_id).update(total=F("total") + len(ids))
