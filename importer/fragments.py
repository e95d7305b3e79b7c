"""What the fragments of pages show, the same for an import's own page, for a batch's and for the dashboard."""

from collections.abc import Iterable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from hierarchy.models import Role
from hierarchy.paging import number, words
from hierarchy.services import may
from importer import page_queries
from importer.core.progress import progress
from importer.core.states import FINAL, JobStatus, Outcome
from importer.core.wording import OUTCOME
from importer.models import ImportJob
from importer.paging import paged


def with_progress(jobs: Iterable[ImportJob]) -> list[dict[str, object]]:
    """Each job beside what a row says about how far it is."""
    now = timezone.now()
    return [{"job": job, "progress": progress(job, now=now)} for job in jobs]


def live_context(request: HttpRequest, job: ImportJob) -> dict[str, object]:
    """What changes while a job runs: the same for the first paint and for every poll."""
    return {
        "job": job,
        "progress": progress(job, now=timezone.now()),
        "may_act": may(request.user, Role.UPLOADER, project=job.project),
        "may_stop": page_queries.may_stop(job),
        "may_rerun": job.status in FINAL | {JobStatus.PLANNED},
        "paused": job.status == JobStatus.PAUSED,
        "needs_review": job.status == JobStatus.NEEDS_REVIEW,
        "live_url": reverse("import-progress", args=[job.pk]),
    }


def files_context(request: HttpRequest, job: ImportJob) -> dict[str, object]:
    """One page of a job's source files, as the address chooses them."""
    choice = item_choice(request)
    rows = page_queries.item_page(job, choice=choice, after=number(request, "after"))
    return {
        "choice": choice,
        "outcomes": [(outcome.value, OUTCOME[outcome].label) for outcome in Outcome if outcome != Outcome.PLANNED],
        "page": paged(request, rows),
    }


def item_choice(request: HttpRequest) -> page_queries.ItemChoice:
    """An outcome that does not exist is no choice."""
    outcome = request.GET.get("outcome", "")
    return page_queries.ItemChoice(
        outcome=outcome if outcome in set(Outcome) else "",
        reason=words(request, "reason"),
        words=words(request),
    )


def polled(request: HttpRequest, context: dict[str, object], *, ended: bool) -> HttpResponse:
    """The progress fragment with what else on its page has changed; `ended` tells the page to renew its lists."""
    response = render(request, "importer/_live.html", context)
    if ended:
        response.headers["HX-Trigger"] = "ended"
    return response
