"""Verifying on a schedule: a little of every place each hour, one run per place at a time, within its budget."""

from datetime import timedelta

from django.conf import settings

from importer.models import CheckedRoot
from importer.pipeline.leases import free
from importer.pipeline.roots import roots
from importer.pipeline.verify import Budget, Due, Tally, run
from importer.pipeline.worker import Worker, proved_dead

# What is there is looked at so often; what is wrong, in every run.
LOOK_AGAIN = timedelta(days=1)
# Beyond its budget, until whoever has it is taken for dead: the last file may be a long one.
GRACE = timedelta(minutes=10)


def due_roots() -> list[int]:
    """Places to look after, none while verifying is switched off."""
    if not settings.PRATIQUE_VERIFY_SECONDS:
        return []
    return [root.pk for root in roots() if root.storage is None or root.storage.enabled]


def run_due(root_id: int, *, worker: Worker) -> Tally | None:
    """None where somebody else is at it, or it is gone."""
    root = CheckedRoot.objects.select_related("storage").filter(pk=root_id).first()
    if root is None or not _take(root, worker):
        return None
    now = worker.now()
    due = Due(look_before=now - LOOK_AGAIN, read_before=now - timedelta(days=settings.PRATIQUE_VERIFY_DAYS))
    budget = Budget(seconds=settings.PRATIQUE_VERIFY_SECONDS, bytes=settings.PRATIQUE_VERIFY_BYTES)
    try:
        return run(root, due=due, budget=budget, now=worker.now)
    finally:
        CheckedRoot.objects.filter(pk=root.pk, epoch=root.epoch).update(owner="", leased_until=None)


def _take(root: CheckedRoot, worker: Worker) -> bool:
    """Two at once would do the same work twice, and no harm: so the lease is not renewed on the way."""
    now = worker.now()
    rows = CheckedRoot.objects.filter(pk=root.pk, epoch=root.epoch)
    if not (root.owner and proved_dead(root.owner)):
        rows = rows.filter(free(now))
    until = now + timedelta(seconds=settings.PRATIQUE_VERIFY_SECONDS) + GRACE
    won = rows.update(owner=worker.owner, leased_until=until, epoch=root.epoch + 1)
    root.epoch += 1
    return bool(won)
