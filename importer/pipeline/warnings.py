"""What is odd and holds nothing: another sex or birth date than the subject has. Said once per import and subject."""

from collections.abc import Sequence
from datetime import datetime

from hierarchy.models import Subject
from importer.core.states import Level
from importer.core.tree import Node
from importer.models import Event, ImportJob, Placement
from importer.pipeline.chunks import SYSTEM

WARNING = "warning"
ASKED = {"sex": "sex", "birth_date": "birth date"}


def warn(job: ImportJob, arrived: Sequence[tuple[Placement, Node]], *, now: datetime) -> None:
    """Inside the landing's transaction. The Event names the subject by id: values of tags are patient data."""
    said = _said(arrived)
    found = sorted(
        f"Subject {subject.pk}: another {ASKED[name]} came in than it has"
        for subject in Subject.objects.filter(pk__in=said)
        for name in ASKED
        if said[subject.pk].get(name, set()) - {"", str(getattr(subject, name) or "")} and getattr(subject, name)
    )
    if not found:
        return
    told = set(Event.objects.filter(job_id=job.pk, what=WARNING).values_list("detail", flat=True))
    Event.objects.bulk_create(
        Event(at=now, who=SYSTEM, what=WARNING, job_id=job.pk, detail=detail) for detail in found if detail not in told
    )


def _said(arrived: Sequence[tuple[Placement, Node]]) -> dict[int, dict[str, set[str]]]:
    said: dict[int, dict[str, set[str]]] = {}
    for placement, node in arrived:
        subject = next((at for at in node.upwards() if at.level == Level.SUBJECT), None)
        if subject is not None and subject.id is not None:
            for name in ASKED:
                value = str(placement.said.get("subject", {}).get(name, ""))
                said.setdefault(subject.id, {}).setdefault(name, set()).add(value)
    return said
