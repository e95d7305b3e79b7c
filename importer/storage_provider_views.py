"""Pages of storage providers: what they are, which there are, and the warning that comes before one is made."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from hierarchy.errors import NotAllowed, Refused
from hierarchy.paging import keyset
from importer import storage_forms, storage_providers, storage_queries, storage_services
from importer.storage_providers import PROVIDER_WARNING
from importer.storage_views import by
from importer.storage_words import ACCESS, KINDS
from storages.models import StorageProvider

STORAGES_SHOWN = 50


def visible_provider(request: HttpRequest, provider_id: int) -> StorageProvider:
    """Raises Http404 also for one that the reader may not see."""
    return get_object_or_404(storage_queries.providers(request.user), pk=provider_id)


@require_safe
def providers(request: HttpRequest) -> HttpResponse:
    """All that the reader may see, with how many storages stand on each."""
    page = keyset(request, storage_queries.providers(request.user), by=("label", "id"))
    context = {"page": page, "may_manage": storage_queries.may_manage(request.user)}
    return render(request, "storages/providers.html", context)


@require_safe
def provider(request: HttpRequest, provider_id: int) -> HttpResponse:
    """One: where it lies, who answers for it, what stands on it."""
    found = visible_provider(request, provider_id)
    context = {
        "provider": found,
        "kind": KINDS[found.kind],
        "storages": storage_queries.visible(request.user).filter(provider=found)[:STORAGES_SHOWN],
        "events": storage_queries.events_of(provider_id=found.pk),
        "may_manage": storage_queries.may_manage(request.user),
        "warning": PROVIDER_WARNING,
    }
    return render(request, "storages/provider.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def provider_new(request: HttpRequest) -> HttpResponse:
    """The warning, and the form below it."""
    storage_services.guard(request.user)
    if request.method != "POST":
        return _form(request, storage_forms.shown_values(request.GET.dict()))
    try:
        made = storage_providers.create(storage_forms.new_provider(request.POST), **by(request))
    except NotAllowed:
        raise
    except storage_providers.NotAcknowledged:
        said = "Read the warning, and tick that these files stay as they are and stay at all."
        return _form(request, storage_forms.shown_values(request.POST.dict()), error=said)
    except Refused as refused:
        return _form(request, storage_forms.shown_values(request.POST.dict()), error=str(refused))
    messages.success(request, f"{made.label} is a storage provider now. Make a storage inside it to import from it.")
    return redirect("storage-provider", made.pk)


@require_http_methods(["GET", "HEAD", "POST"])
def provider_edit(request: HttpRequest, provider_id: int) -> HttpResponse:
    """Its words and what may be done with its bytes; where it lies stays."""
    found = visible_provider(request, provider_id)
    storage_services.guard(request.user)
    if request.method != "POST":
        return _form(request, storage_forms.provider_values(found), provider=found)
    try:
        storage_providers.update(found.pk, storage_forms.provider_edit(request.POST), **by(request))
    except NotAllowed:
        raise
    except Refused as refused:
        return _form(request, storage_forms.shown_values(request.POST.dict()), error=str(refused), provider=found)
    messages.success(request, "Saved.")
    return redirect("storage-provider", found.pk)


def _form(
    request: HttpRequest, values: dict[str, str], *, error: str = "", provider: StorageProvider | None = None
) -> HttpResponse:
    context: dict[str, Any] = {
        "values": values,
        "error": error,
        "provider": provider,
        "kinds": KINDS,
        "accesses": ACCESS,
        "warning": PROVIDER_WARNING,
    }
    return render(request, "storages/provider_form.html", context)


@require_POST
def provider_delete(request: HttpRequest, provider_id: int) -> HttpResponse:
    """Refused while a storage stands on it."""
    found = visible_provider(request, provider_id)
    storage_providers.delete(found.pk, **by(request))
    messages.success(request, f"{found.label} is no storage provider any more. Nothing at the place was touched.")
    return redirect("storage-providers")
