"""The folders of a storage, to choose prefixes among: a fragment of the forms that import from one."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from hierarchy.errors import NotAllowed, Refused
from importer import storage_services
from importer.storage_import_forms import usable_storage
from importer.views import reader


@require_safe
def storage_folders(request: HttpRequest, storage_id: int) -> HttpResponse:
    """One level, or the next names of it (`after`). Raises Http404 for a storage that nothing may be imported from."""
    storage = usable_storage(reader(request), storage_id)
    if storage is None:
        raise Http404
    path, after = request.GET.get("path", ""), request.GET.get("after", "")
    context: dict[str, Any] = {"storage": storage, "path": path}
    try:
        context["level"] = storage_services.browse(storage.pk, path, actor=reader(request), after=after)
    except NotAllowed:
        raise
    except Refused as refused:
        context["error"] = str(refused)
    return render(request, "importer/_folders.html", context)
