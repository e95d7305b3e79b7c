"""The page of what an import did not find any more."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from hierarchy.paging import keyset
from importer.downloads import VANISHED, download
from importer.vanished import ORDER, gone_rows, with_files
from importer.views import visible_job


@require_safe
def import_vanished(request: HttpRequest, job_id: int) -> HttpResponseBase:
    """A page of it; with `?format=csv` all of it, streamed."""
    job = visible_job(request, job_id)
    if "format" in request.GET:
        return download(job, VANISHED, ending=request.GET["format"], name="vanished")
    page = keyset(request, gone_rows(job), by=ORDER)
    return render(request, "importer/vanished.html", {"job": job, "page": page, "gone": with_files(page.rows)})
