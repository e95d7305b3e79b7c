"""The dashboard, and the pages of drop folders and deliveries."""

from datetime import timedelta

from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from hierarchy.models import Project, Role
from hierarchy.paging import number
from hierarchy.selectors import sees_all
from hierarchy.services import may
from importer import page_queries
from importer.core.states import LIVE, SourceKind
from importer.fragments import files_context, live_context, polled, with_progress
from importer.models import ImportJob
from importer.paging import paged
from importer.sources import Source, signed_source
from watcher import selectors
from watcher.models import Batch
from watcher.services import folder_of

RECENT = timedelta(hours=24)
BATCHES_SHOWN = 8

FILTER_WORDS = (
    ("", "All"),
    ("held", "Held"),
    ("importing", "Importing"),
    ("planned", "Planned"),
    ("review", "Needs review"),
    ("imported", "Imported"),
    ("failed", "Failed"),
    ("other", "Empty or cancelled"),
)


@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """What happens now, and what came last."""
    return render(request, "watcher/dashboard.html", _now(request))


@require_safe
def dashboard_live(request: HttpRequest) -> HttpResponse:
    """The fragment that the dashboard polls."""
    return render(request, "watcher/_live.html", _now(request))


def _now(request: HttpRequest) -> dict[str, object]:
    now, actor = timezone.now(), request.user
    watch = selectors.watch_state(now=now)
    folders = selectors.folder_rows(actor, watch=watch)
    return {
        "watch": selectors.as_seen(watch, folders=folders),
        "folders": folders,
        "tally": page_queries.tally(actor, since=now - RECENT),
        "running": with_progress(page_queries.live_jobs(actor)),
        "ended": with_progress(page_queries.ended_jobs(actor)),
        "batches": selectors.batch_page(actor, step=BATCHES_SHOWN).rows,
        "may_set_up": sees_all(actor),
    }


@require_safe
def drop_folder(request: HttpRequest, folder_id: int) -> HttpResponse:
    """One drop folder: how it is treated, what settles in it, what it has delivered."""
    folder = get_object_or_404(selectors.visible_folders(request.user), pk=folder_id)
    watch = selectors.watch_state(now=timezone.now())
    rows = selectors.batch_page(request.user, folder=folder.pk, before=number(request, "before"))
    page = paged(request, rows, key="before")
    row = selectors.folder_row(folder, watch=watch, last=None)
    may_try = may(request.user, Role.UPLOADER, project=folder.project)
    context = {"folder": folder, "row": row, "watch": watch, "page": page, "may_try": may_try}
    return render(request, "watcher/drop_folder.html", context)


@require_safe
def batches(request: HttpRequest) -> HttpResponse:
    """All deliveries that the reader may see, newest first."""
    chosen = request.GET.get("status", "")
    chosen = chosen if chosen in selectors.BATCH_FILTERS else ""
    rows = selectors.batch_page(request.user, chosen=chosen, before=number(request, "before"))
    context = {"page": paged(request, rows, key="before"), "chosen": chosen, "filters": FILTER_WORDS}
    return render(request, "watcher/batches.html", context)


def visible_batch(request: HttpRequest, batch_id: int) -> Batch:
    """Raises Http404 also for a delivery that the reader may not see."""
    return get_object_or_404(selectors.visible_batches(request.user), pk=batch_id)


def project_of(found: Batch) -> Project | None:
    """Where it went, or else where its drop folder would send it."""
    return found.job.project if found.job else found.drop_folder.project


def again_url(request: HttpRequest, found: Batch) -> str:
    """The page on which the delivery is previewed or imported once more; empty where it has left its drop folder."""
    project, user = project_of(found), request.user
    if not isinstance(user, User) or project is None or found.left_at:
        return ""
    lies = Source(
        root=folder_of(found.drop_folder, found),
        label=found.label,
        kind=SourceKind.DROP_FOLDER,
        project_id=project.pk,
    )
    return reverse("import-new", query={"source": signed_source(lies, actor=user)})


@require_safe
def batch(request: HttpRequest, batch_id: int) -> HttpResponse:
    """One delivery and its images."""
    found = visible_batch(request, batch_id)
    context: dict[str, object] = {"batch": found}
    if found.job is not None:
        context |= _job_context(request, found, found.job) | files_context(request, found.job)
    else:
        context["may_act"] = may(request.user, Role.UPLOADER, project=project_of(found))
    if context["may_act"]:
        context["again_url"] = again_url(request, found)
    return render(request, "watcher/batch.html", context)


@require_safe
def batch_progress(request: HttpRequest, batch_id: int) -> HttpResponse:
    """The fragment that a batch's page polls while its import runs."""
    found = visible_batch(request, batch_id)
    if found.job is None:
        raise Http404
    context = _job_context(request, found, found.job) | {"polled": "watcher/_polled.html"}
    return polled(request, context, ended=found.job.status not in LIVE)


def _job_context(request: HttpRequest, found: Batch, job: ImportJob) -> dict[str, object]:
    live_url = reverse("batch-progress", args=[found.pk])
    return {"batch": found, **live_context(request, job), "live_url": live_url}
