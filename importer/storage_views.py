"""Pages of storages: the list, one with its health, its folders like a tree, and the forms. Services ask who may."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from hierarchy.errors import NotAllowed, Refused
from hierarchy.paging import keyset, words
from importer import storage_forms, storage_providers, storage_queries, storage_services
from importer.services import who_is
from importer.storage_queries import DIRECTIONS, HEALTHS, StorageChoice
from importer.storage_words import KINDS
from importer.views import reader
from storages.models import ExternalStorage, Health

FILTERS = (("", "All"), ("ok", "Work"), ("failed", "Do not work"), ("unchecked", "Not checked"), ("off", "Off"))


def by(request: HttpRequest) -> dict[str, Any]:
    """Who does it, and when."""
    actor = reader(request)
    return {"actor": actor, "who": who_is(actor), "now": timezone.now()}


def visible_storage(request: HttpRequest, storage_id: int) -> ExternalStorage:
    """Raises Http404 also for one that the reader may not see."""
    return get_object_or_404(storage_queries.visible(request.user), pk=storage_id)


@require_safe
def storages(request: HttpRequest) -> HttpResponse:
    """All that the reader may see, with how they are."""
    choice = StorageChoice(
        health=_one_of(request, "health", HEALTHS),
        kind=_one_of(request, "kind", KINDS),
        direction=_one_of(request, "direction", DIRECTIONS),
        words=words(request),
    )
    page = keyset(request, storage_queries.listed(request.user, choice), by=("label", "id"))
    context = {
        "page": page,
        "choice": choice,
        "filters": FILTERS,
        "is_narrowed": choice != StorageChoice(),
        "may_manage": storage_queries.may_manage(request.user),
    }
    return render(request, "storages/list.html", context)


def _one_of(request: HttpRequest, name: str, known: Any) -> str:
    """What is not known is no choice."""
    said = request.GET.get(name, "")
    return said if said in known else ""


@require_safe
def storage(request: HttpRequest, storage_id: int) -> HttpResponse:
    """One storage: how it is, what its checks said, how it is set up."""
    found = visible_storage(request, storage_id)
    checks = storage_queries.checks_of(found)
    may_use = storage_queries.usable(request.user).filter(pk=found.pk).exists()
    context = {
        "storage": found,
        "kind": KINDS[found.kind],
        "checks": checks,
        "last": checks[0] if checks and found.health != Health.UNCHECKED else None,
        "events": storage_queries.events_of(storage_id=found.pk),
        "may_manage": storage_queries.may_manage(request.user),
        "may_use": may_use,
        "warning": storage_providers.warning_before_import(found) if may_use else "",
    }
    return render(request, "storages/storage.html", context)


@require_safe
def storage_new(request: HttpRequest) -> HttpResponse:
    """Which kind."""
    storage_services.guard(request.user)
    return render(request, "storages/kinds.html", {"kinds": KINDS})


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def storage_new_kind(request: HttpRequest, kind: str) -> HttpResponse:
    """The form of a kind; what is wrong with it stands above it. Saved, it is tested at once."""
    storage_services.guard(request.user)
    if kind not in KINDS:
        raise Http404
    if request.method != "POST":
        return _form(request, kind, storage_forms.shown_values(request.GET.dict(), kind))
    try:
        made = storage_services.create(storage_forms.new_storage(kind, request.POST, request.user), **by(request))
    except NotAllowed:
        raise
    except Refused as refused:
        return _form(request, kind, storage_forms.shown_values(request.POST.dict(), kind), error=str(refused))
    _test(request, made, "Saved")
    return redirect("storage", made.pk)


def _form(
    request: HttpRequest, kind: str, values: dict[str, str], *, error: str = "", storage: ExternalStorage | None = None
) -> HttpResponse:
    offered = storage_queries.providers(request.user).filter(kind=kind)
    context = {
        "kind": kind,
        "words": KINDS[kind],
        "values": values,
        "error": error,
        "storage": storage,
        "scopes": storage_forms.scopes(request.user),
        "providers": offered,
    }
    return render(request, "storages/form.html", context)


def _test(request: HttpRequest, row: ExternalStorage, said: str) -> None:
    """Says above the next page how it went."""
    actor = reader(request)
    found = storage_services.check(row.pk, actor=actor, who=who_is(actor))
    if found is None:
        messages.info(request, f"{said}. It was changed meanwhile: test it again.")
    elif found.health == Health.OK:
        messages.success(request, f"{said} and tested: it works.")
    else:
        messages.error(request, f"{said}, but the test failed: {found.words}")


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def storage_edit(request: HttpRequest, storage_id: int) -> HttpResponse:
    """All but the place, which stays."""
    found = visible_storage(request, storage_id)
    storage_services.guard(request.user)
    if request.method != "POST":
        return _form(request, found.kind, storage_forms.values_of(found), storage=found)
    try:
        edit = storage_forms.edit_of(found, request.POST, request.user)
        changed = storage_services.update(found.pk, edit, **by(request))
    except NotAllowed:
        raise
    except Refused as refused:
        values = storage_forms.values_of(found) | storage_forms.shown_values(request.POST.dict(), found.kind)
        return _form(request, found.kind, values, error=str(refused), storage=found)
    if changed.enabled:
        _test(request, changed, "Saved")
    return redirect("storage", found.pk)


@require_POST
def storage_check(request: HttpRequest, storage_id: int) -> HttpResponse:
    """Now; the page says what was found."""
    _test(request, visible_storage(request, storage_id), "Asked")
    return redirect("storage", storage_id)


@require_POST
def storage_switch(request: HttpRequest, storage_id: int) -> HttpResponse:
    """On or off."""
    on = request.POST.get("enabled") == "1"
    storage_services.update(storage_id, storage_services.StorageEdit(enabled=on), **by(request))
    messages.success(request, "Switched on." if on else "Switched off: nothing reads it or writes to it any more.")
    return redirect("storage", storage_id)


@require_POST
def storage_move(request: HttpRequest, storage_id: int) -> HttpResponse:
    """Everything was moved as a whole; then tested."""
    moved = storage_services.move(storage_id, request.POST.get("bucket", "").strip(), **by(request))
    _test(request, moved, "Moved")
    return redirect("storage", storage_id)


@require_POST
def storage_delete(request: HttpRequest, storage_id: int) -> HttpResponse:
    """To the list, or, to begin again, to a form with what it was."""
    found = visible_storage(request, storage_id)
    values = {name: value for name, value in storage_forms.values_of(found).items() if value}
    storage_services.delete(found.pk, **by(request))
    if request.POST.get("again") == "1":
        messages.success(request, "Deleted. Correct what was wrong, and enter the credentials once more.")
        return redirect(f"{reverse('storage-new-kind', args=[found.kind])}?{urlencode(_again(values))}")
    messages.success(request, f"{found.label} is deleted. Nothing at the place itself was touched.")
    return redirect("storages")


def _again(values: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if name not in {"sign_in", "enabled"}}


@require_POST
def storage_acknowledge(request: HttpRequest, storage_id: int) -> HttpResponse:
    """Once per storage, before its first import by reference."""
    if request.POST.get("acknowledged") != "1":
        messages.warning(request, "Nothing was changed: tick that you have read it.")
        return redirect("storage", storage_id)
    storage_providers.acknowledge(storage_id, **by(request))
    messages.success(request, "Noted. What is imported from here is imported by reference.")
    return redirect("storage", storage_id)


@require_safe
def storage_browse(request: HttpRequest, storage_id: int) -> HttpResponse:
    """One folder as a page; for htmx one level of the tree, or its next names."""
    found = visible_storage(request, storage_id)
    path, after = request.GET.get("path", ""), request.GET.get("after", "")
    context: dict[str, Any] = {"storage": found, "path": path, "parts": _parts(path)}
    try:
        context["level"] = storage_services.browse(found.pk, path, actor=reader(request), after=after)
    except NotAllowed:
        raise
    except Refused as refused:
        context["error"] = str(refused)
    part = "HX-Request" in request.headers
    return render(request, "storages/_level.html" if part else "storages/browse.html", context)


def _parts(path: str) -> list[tuple[str, str]]:
    """Name and path of every folder on the way."""
    names = path.rstrip("/").split("/") if path else []
    return [(name, "/".join(names[: at + 1]) + "/") for at, name in enumerate(names)]
