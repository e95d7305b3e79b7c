"""What a plan that nobody has approved yet would become, counted in source files."""

from django.db.models import Count, QuerySet

from importer.core.states import Outcome
from importer.models import ImportJob, Item, Placement
from importer.pipeline.finish import outcomes

DESELECTED = "Deselected: left out of the plan"
# What an approval would move, into the archive or into quarantine: only this can be left out.
MOVES = (Outcome.PLANNED, Outcome.CONFLICT)
FORETOLD = (Outcome.SKIPPED, Outcome.CONFLICT, Outcome.FAILED)


def movable(job: ImportJob) -> "QuerySet[Placement]":
    return Placement.objects.filter(job=job, outcome__in=MOVES)


def files_by_outcome(rows: "QuerySet[Placement]") -> dict[str, int]:
    """Outcome of the Placement → number of its source files that have none of their own."""
    items = Item.objects.filter(placement__in=rows, outcome__isnull=True).order_by()
    counted = items.values("placement__outcome").annotate(files=Count("id"))
    return {row["placement__outcome"] or "": row["files"] for row in counted}


def forecast(job: ImportJob) -> dict[str, int]:
    """A plan's outcomes are final ones: only what would be imported is not counted yet. What is left out is skipped."""
    counts = outcomes(job.pk)
    for outcome, files in files_by_outcome(movable(job).filter(deselected=True)).items():
        counts[outcome] = counts.get(outcome, 0) - files
        counts[Outcome.SKIPPED] = counts.get(Outcome.SKIPPED, 0) + files
    return {outcome.value: counts.get(outcome, 0) for outcome in FORETOLD}
