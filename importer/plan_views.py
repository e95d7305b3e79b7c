"""The page of a plan: what an import would do, a level of the tree at a time; leaving parts of it out; approving it."""

import json

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from hierarchy.models import Role
from hierarchy.paging import number, words
from hierarchy.services import may
from importer import page_queries, plan_queries
from importer.core.states import JobStatus
from importer.downloads import PLAN, download
from importer.models import ImportJob
from importer.plan_choice import Ticks, part_of
from importer.plan_queries import ROOT, SHOWN, PlanChoice
from importer.plan_tree import At, crumbs, head, listing, placeless
from importer.plans import approve_import, deselect
from importer.review_forms import next_of
from importer.services import who_is
from importer.views import ending_of, reader, visible_job

FILTERS = (
    ("", "All"),
    ("new", "To import"),
    ("conflicts", "Conflicts"),
    ("skipped", "Skipped"),
    ("failed", "Failed"),
    ("changed", "Changed"),
)
# Each open branch costs a few queries.
MOST_OPEN = 20


@require_safe
def plan(request: HttpRequest, job_id: int) -> HttpResponse:
    """What would be made, with the way to trim and to approve it. What is no plan (any more) is an import."""
    job = visible_job(request, job_id)
    if job.status != JobStatus.PLANNED:
        return redirect("import", job.pk)
    at = place(request, job)
    opened = plan_queries.branches_at(job, request.GET.getlist("open")[:MOST_OPEN])
    context = {
        **head_context(request, job),
        "choice": at.choice,
        "at": at,
        "crumbs": crumbs(at),
        "listing": listing(at, opened=frozenset(opened.values())),
        "placeless": 0 if at.key else plan_queries.placeless_items(job, at.choice).count(),
        "filters": FILTERS if job.plan_changed else FILTERS[:-1],
        "reasons": page_queries.reasons(job),
        "back": request.get_full_path(),
    }
    return render(request, "importer/plan.html", context)


def place(request: HttpRequest, job: ImportJob) -> At:
    """What of the plan the address asks for. Raises Http404 for a branch that is not there."""
    show, key = request.GET.get("show", ""), request.GET.get("at", "")
    branch = plan_queries.branch_at(job, key) if key else ROOT
    if branch is None:
        raise Http404
    choice = PlanChoice(show=show if show in SHOWN else "", words=words(request))
    return At(job, choice, branch, key=key, after=number(request, "after"), files_after=number(request, "from"))


def head_context(request: HttpRequest, job: ImportJob) -> dict[str, object]:
    return {"job": job, "head": head(job), "may_act": may(request.user, Role.UPLOADER, project=job.project)}


@require_safe
def plan_branch(request: HttpRequest, job_id: int) -> HttpResponse:
    """What lies in one container of the plan: a fragment."""
    job = visible_job(request, job_id)
    may_act = may(request.user, Role.UPLOADER, project=job.project)
    if request.GET.get("at") == "placeless":
        choice = PlanChoice(show=request.GET.get("show", ""), words=words(request))
        found = placeless(job, choice, after=number(request, "after"))
        return render(request, "importer/_plan_placeless.html", {"job": job, "found": found})
    context = {"job": job, "may_act": may_act, "listing": listing(place(request, job))}
    return render(request, "importer/_plan_branch.html", context)


@require_POST
def plan_select(request: HttpRequest, job_id: int) -> HttpResponse:
    """One tick, by script; or all that a form shows, without."""
    job, actor = visible_job(request, job_id), reader(request)
    ticks = Ticks.of(request.POST)
    for key, on in ticks.changes():
        part = part_of(job, key, ticks.choice)
        deselect(job.pk, part, off=not on, actor=actor, who=who_is(actor), now=timezone.now())
    if not ticks.single:
        return redirect(next_of(request, otherwise=reverse("plan", args=[job.pk])))
    job.refresh_from_db()
    response = render(request, "importer/_plan_head.html", head_context(request, job))
    told = {"plan-chosen": {"on": ticks.single_on, "above": ticks.above(job)}}
    response.headers["HX-Trigger"] = json.dumps(told)
    return response


@require_POST
def plan_approve(request: HttpRequest, job_id: int) -> HttpResponse:
    """Runs the plan that the reader has seen."""
    job, actor = visible_job(request, job_id), reader(request)
    seen = request.POST.get("expect", "")
    expect = int(seen) if seen.isascii() and seen.isdecimal() else None
    approve_import(job.pk, actor=actor, who=who_is(actor), now=timezone.now(), expect=expect)
    messages.success(request, "Approved. The plan is made once more; if nothing has changed, it is run.")
    return redirect("import", job.pk)


@require_safe
def plan_report(request: HttpRequest, job_id: int) -> StreamingHttpResponse:
    """The plan as CSV, streamed."""
    return download(visible_job(request, job_id), PLAN, ending=ending_of(request), name="plan")
