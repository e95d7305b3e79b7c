"""Counters of an ended import follow what is decided later, so that they always add up."""

from collections.abc import Mapping

from django.db.models import Count, F

from importer.core.states import FINAL, Outcome
from importer.models import ImportJob, Item


def recount(job: ImportJob, changed: Mapping[int, str], *, before: str = Outcome.CONFLICT) -> None:
    """Inside the transaction: the files of these Placements were `before` and are now what the mapping says.

    A job that still runs counts at its end.
    """
    if not changed:
        return
    # Locked first: an import that ends at this moment counts either before all of this or after it.
    status = ImportJob.objects.select_for_update().filter(pk=job.pk).values_list("status", flat=True).get()
    if status not in FINAL:
        return
    rows = Item.objects.filter(placement__in=list(changed), outcome__isnull=True)
    counts = dict(rows.values_list("placement").annotate(files=Count("id")).order_by())
    moves: dict[str, int] = {}
    for placement, outcome in changed.items():
        if outcome != before:
            moves[outcome] = moves.get(outcome, 0) + counts.get(placement, 0)
    changes = {outcome: F(outcome) + files for outcome, files in moves.items()}
    ImportJob.objects.filter(pk=job.pk).update(**{before: F(before) - sum(moves.values()), **changes})
