"""A Placement that kills its worker again and again: its files fail, the job goes on."""

from django.db import transaction

from importer.core.states import Outcome, Work
from importer.models import Chunk, ImportJob, Placement
from importer.pipeline import chunks
from importer.pipeline.compare import Answer, to_blob
from importer.pipeline.leases import Lease
from importer.pipeline.worker import Worker

POISON = "Poison: moving it killed the worker three times"


def poison_placement(job: ImportJob, chunk: Chunk, lease: Lease, *, worker: Worker) -> None:
    asked: list[int] = chunks.unpacked(chunk.entries)
    compared = chunk.work == Work.COMPARE
    answers = to_blob([Answer(pk, "", (), (), ()) for pk in asked]) if compared else b""
    with transaction.atomic():
        Placement.objects.filter(job=job, pk__in=asked).update(outcome=Outcome.FAILED, reason=POISON)
        chunks.end(lease, worker=worker, answers=answers)
