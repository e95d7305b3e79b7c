"""Pages of imports. Who may see a project sees its imports; the services ask for more before they do anything."""

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_POST, require_safe

from hierarchy.decode.why import NoPicture
from hierarchy.paging import number
from hierarchy.pictures import placeholder, width_near
from hierarchy.selectors import sees_all
from importer import page_queries, services
from importer.core.names import base_name, folder_of
from importer.core.states import LIVE
from importer.downloads import AUDIT, CONFLICTS, download
from importer.fragments import files_context, live_context, polled, with_progress
from importer.instances import header_of, picture_of, stored
from importer.models import ImportJob, Item
from importer.paging import paged
from importer.vanished import gone_rows, with_files

FILTER_WORDS = (
    ("", "All"),
    ("running", "Running"),
    ("review", "Needs review"),
    ("planned", "Planned"),
    ("completed", "Completed"),
    ("failed", "Failed"),
    ("cancelled", "Cancelled"),
)
CONFLICTS_SHOWN = VANISHED_SHOWN = 5
# Pixels; the smallest picture that is kept.
SMALL = 256
# Seconds: bytes at a source may change, and a reader may lose the right to look.
PICTURE_KEPT = 300


@require_safe
def imports(request: HttpRequest) -> HttpResponse:
    """All imports that the reader may see, newest first."""
    chosen = request.GET.get("status", "")
    chosen = chosen if chosen in page_queries.JOB_FILTERS else ""
    project = number(request, "project")
    rows = page_queries.job_page(request.user, chosen=chosen, project=project, before=number(request, "before"))
    page = paged(request, rows, key="before")
    context = {
        "page": page,
        "jobs": with_progress(page.rows),
        "chosen": chosen,
        "project": project,
        "projects": page_queries.project_choices(request.user),
        "filters": FILTER_WORDS,
        "may_set_up": sees_all(request.user),
    }
    return render(request, "importer/imports.html", context)


def visible_job(request: HttpRequest, job_id: int) -> ImportJob:
    """Raises Http404 also for a job of a project that the reader may not see: its existence is nobody's business."""
    jobs = page_queries.visible_jobs(request.user).select_related("rerun_of", "storage", "schedule").defer(None)
    unread = ("rules_version__text", "storage__credentials", "schedule__rules_text")
    return get_object_or_404(jobs.defer(*unread), pk=job_id)


@require_safe
def import_page(request: HttpRequest, job_id: int) -> HttpResponse:
    """One import: how far it is, what became of every file, and why."""
    job = visible_job(request, job_id)
    context = {
        **live_context(request, job),
        **files_context(request, job),
        "reasons": page_queries.reasons(job),
        "events": page_queries.events_of(job),
        "conflicts": page_queries.conflicts_of(job, step=CONFLICTS_SHOWN),
        "gone": with_files(list(gone_rows(job)[:VANISHED_SHOWN])) if job.vanished else [],
    }
    return render(request, "importer/import.html", context)


@require_safe
def import_progress(request: HttpRequest, job_id: int) -> HttpResponse:
    """The fragment that a page polls; with the job's end it says so, and asks for no more."""
    job = visible_job(request, job_id)
    context = {**live_context(request, job), "polled": "importer/_polled.html"}
    return polled(request, context, ended=job.status not in LIVE)


@require_safe
def import_conflicts(request: HttpRequest, job_id: int) -> HttpResponse:
    """What one import could not land."""
    job = visible_job(request, job_id)
    page = paged(request, page_queries.conflicts_of(job, after=number(request, "after")))
    return render(request, "importer/conflicts.html", {"job": job, "page": page})


@require_safe
def item(request: HttpRequest, job_id: int, item_id: int) -> HttpResponse:
    """One source file: its picture, its header, what became of it."""
    job = visible_job(request, job_id)
    found = visible_item(job, item_id)
    folder, name = folder_of(found.path), base_name(found.path)
    context = {"job": job, "item": found, "folder": folder, "name": name, "version": stored(found)}
    context["neighbours"] = page_queries.neighbours(found)
    try:
        context |= {"header": header_of(found), "picture": True}
    except NoPicture as without:
        context["why"] = str(without.why)
    return render(request, "importer/item.html", context)


def visible_item(job: ImportJob, item_id: int) -> Item:
    found = page_queries.items_of(job).filter(pk=item_id).first()
    if found is None:
        raise Http404
    return found


@require_safe
def item_picture(request: HttpRequest, job_id: int, item_id: int) -> HttpResponse:
    """PNG, or an SVG that says why there is none: a page of fifty must not be full of broken pictures."""
    found = visible_item(visible_job(request, job_id), item_id)
    try:
        picture = picture_of(found, width=width_near(number(request, "size") or SMALL))
        response = HttpResponse(picture, content_type="image/png")
    except NoPicture as without:
        response = HttpResponse(placeholder(str(without.why)), content_type="image/svg+xml")
    patch_cache_control(response, private=True, max_age=PICTURE_KEPT)
    return response


def reader(request: HttpRequest) -> User:
    """Who asks. LoginRequiredMiddleware has turned everybody else away."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


@require_POST
def import_cancel(request: HttpRequest, job_id: int) -> HttpResponse:
    """Asks the import to stop, and shows how it does."""
    job = visible_job(request, job_id)
    actor = reader(request)
    services.cancel_import(job.pk, actor=actor, who=services.who_is(actor), now=timezone.now())
    messages.success(request, "The import is being cancelled. What it is in the middle of ends whole.")
    return redirect("import", job.pk)


@require_POST
def import_rerun(request: HttpRequest, job_id: int) -> HttpResponse:
    """A new import of the same source; shows it."""
    job = visible_job(request, job_id)
    actor, only_failed = reader(request), request.POST.get("what") == "failed"
    again = services.rerun_import(
        job.pk, actor=actor, who=services.who_is(actor), now=timezone.now(), only_failed=only_failed
    )
    messages.success(request, f"Started again as import {again.pk}.")
    return redirect("import", again.pk)


@require_safe
def import_report(request: HttpRequest, job_id: int) -> StreamingHttpResponse:
    """One row per source file, streamed."""
    return download(visible_job(request, job_id), AUDIT, ending=ending_of(request), name="report")


@require_safe
def import_conflict_report(request: HttpRequest, job_id: int) -> StreamingHttpResponse:
    """One row per conflict ever detected, streamed."""
    return download(visible_job(request, job_id), CONFLICTS, ending=ending_of(request), name="conflicts")


def ending_of(request: HttpRequest) -> str:
    """The format that the address asks for."""
    return request.GET.get("format", "csv")
