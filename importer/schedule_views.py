"""Pages of schedules: the list, one with its runs, and the form. Services ask who may."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from hierarchy.errors import NotAllowed, Refused
from hierarchy.models import Role
from hierarchy.paging import keyset, number, words
from hierarchy.services import may
from importer import page_queries, schedules, storage_providers
from importer.core.states import FINAL
from importer.fragments import with_progress
from importer.models import ImportSchedule
from importer.paging import paged
from importer.schedule_queries import STATES, ScheduleChoice, events_of, listed, visible, with_last_run
from importer.services import who_is
from importer.storage_import_forms import USUAL_TIMES, ScheduleForm, initial_of, usable_storage, usable_storages
from importer.views import reader
from storages.models import ExternalStorage

FILTERS = (("", "All"), ("on", "On"), ("trouble", "In trouble"), ("over", "Over"), ("off", "Off"))
FIRST = ("name", "project", "prefixes", "rules")
TIMES = ("cron", "start", "end", "dry_run")
MORE = ("description", "strategy", "missing_meta", "uid_scope", "transfer", "limit", "delete_source", "checksum")


def by(request: HttpRequest) -> dict[str, Any]:
    """Who does it, and when."""
    actor = reader(request)
    return {"actor": actor, "who": who_is(actor), "now": timezone.now()}


def visible_schedule(request: HttpRequest, schedule_id: int) -> ImportSchedule:
    """Raises Http404 also for one of a project that the reader may not see."""
    return get_object_or_404(visible(reader(request)), pk=schedule_id)


@require_safe
def schedules_page(request: HttpRequest) -> HttpResponse:
    """All that the reader may see, newest first."""
    chosen = request.GET.get("state", "")
    choice = ScheduleChoice(
        state=chosen if chosen in STATES else "", project=number(request, "project"), words=words(request)
    )
    actor = reader(request)
    page = keyset(request, with_last_run(listed(actor, choice)), by=("-id",), key="before")
    context = {
        "page": page,
        "choice": choice,
        "filters": FILTERS,
        "is_narrowed": choice != ScheduleChoice(),
        "may_make": bool(usable_storages(actor, most=1)),
    }
    return render(request, "schedules/list.html", context)


@require_safe
def schedule_page(request: HttpRequest, schedule_id: int) -> HttpResponse:
    """One schedule: when it runs, what its runs did, how it is set up."""
    found = visible_schedule(request, schedule_id)
    runs = page_queries.visible_jobs(request.user).filter(schedule=found)
    before = number(request, "before")
    page = paged(
        request,
        page_queries.cut(runs.filter(id__lt=before) if before else runs, step=20, key=lambda job: job.pk),
        key="before",
    )
    context = {
        "schedule": found,
        "upcoming": schedules.upcoming(found),
        "page": page,
        "jobs": with_progress(page.rows),
        "under_way": found.runs.exclude(status__in=sorted(FINAL)).first(),
        "events": events_of(found),
        "may_change": may(reader(request), Role.UPLOADER, project=found.project),
    }
    return render(request, "schedules/schedule.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def schedule_new(request: HttpRequest) -> HttpResponse:
    """Which storage, then the rest."""
    actor = reader(request)
    storage = usable_storage(actor, number(request, "storage"))
    if storage is None:
        return render(request, "schedules/form.html", {"storages": usable_storages(actor)})
    prefixes = "\n".join(request.GET.getlist("prefix"))
    initial = {"prefixes": prefixes, "project": number(request, "project") or storage.project_id}
    form = ScheduleForm(request.POST or None, actor=actor, storage=storage, initial=initial)
    if request.method == "POST" and form.is_valid():
        made = kept(request, form)
        if made is not None:
            messages.success(request, "The schedule is kept.")
            return redirect("schedule", made.pk)
    return shown_form(request, form, storage)


@require_http_methods(["GET", "HEAD", "POST"])
def schedule_edit(request: HttpRequest, schedule_id: int) -> HttpResponse:
    """All but storage and project. Who saves it answers for it from then on."""
    found, actor = visible_schedule(request, schedule_id), reader(request)
    if not may(actor, Role.UPLOADER, project=found.project):
        raise NotAllowed("You need the role uploader for this: ask an admin of the project.")
    form = ScheduleForm(
        request.POST or None, actor=actor, storage=found.storage, schedule=found, initial=initial_of(found)
    )
    if request.method == "POST" and form.is_valid():
        saved = kept(request, form)
        if saved is not None:
            messages.success(request, "Saved. You answer for this schedule from now on.")
            return redirect("schedule", saved.pk)
    return shown_form(request, form, found.storage)


def kept(request: HttpRequest, form: ScheduleForm) -> ImportSchedule | None:
    """None where a service refuses: then the form says why."""
    try:
        if form.agreed:
            storage_providers.acknowledge(form.storage.pk, **by(request))
        if form.schedule is None:
            return schedules.create(form.new(), **by(request))
        return schedules.update(form.schedule.pk, form.edit(), **by(request))
    except NotAllowed:
        raise
    except Refused as refused:
        form.add_error(None, str(refused))
        return None


def shown_form(request: HttpRequest, form: ScheduleForm, storage: ExternalStorage) -> HttpResponse:
    context = {
        "form": form,
        "storage": storage,
        "schedule": form.schedule,
        "first": [form[name] for name in FIRST if name in form.fields],
        "times": [form[name] for name in TIMES],
        "more": [form[name] for name in MORE if name in form.fields],
        "more_open": any(form[name].errors for name in MORE if name in form.fields),
        "usual_times": USUAL_TIMES,
    }
    return render(request, "schedules/form.html", context, status=400 if form.errors else 200)


@require_POST
def schedule_run(request: HttpRequest, schedule_id: int) -> HttpResponse:
    """Now, and not only when it is due; shows the import."""
    job = schedules.run_now(visible_schedule(request, schedule_id).pk, **by(request))
    messages.success(request, "The run has started.")
    return redirect("import", job.pk)


@require_POST
def schedule_switch(request: HttpRequest, schedule_id: int) -> HttpResponse:
    """On or off."""
    on = request.POST.get("active") == "1"
    schedules.switch(visible_schedule(request, schedule_id).pk, on=on, **by(request))
    messages.success(request, "Switched on." if on else "Switched off. A run that is under way goes on.")
    return redirect("schedule", schedule_id)


@require_POST
def schedule_remove(request: HttpRequest, schedule_id: int) -> HttpResponse:
    """To the list. Its imports stay."""
    found = visible_schedule(request, schedule_id)
    schedules.remove(found.pk, **by(request))
    messages.success(request, f"{found.name} is removed. Its imports stay.")
    return redirect("schedules")
