"""Pages of one stored file: its versions and members, its header, a picture, its bytes."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from hierarchy import page_queries
from hierarchy.decode.why import NoPicture
from hierarchy.downloads import download as downloaded
from hierarchy.models import File, FileVersion
from hierarchy.paging import keyset, number, sliced, words
from hierarchy.pictures import DRAWN, HeaderRow, placeholder, slice_header, slice_picture, width_near
from hierarchy.references import address_of
from hierarchy.viewer import WIDTH, viewer
from hierarchy.views import Crumb, above, crumb
from storages.places import archive

VERSIONS = 20


def chosen(request: HttpRequest, file_id: int) -> FileVersion:
    """The version that the address names, else the newest, with its file. Raises Http404 also for a stranger."""
    file = get_object_or_404(page_queries.files(request.user), pk=file_id)
    wanted = number(request, "version")
    version = get_object_or_404(FileVersion, file=file, number=file.version if wanted is None else wanted)
    version.file = file
    return version


def way_to(file: File) -> Sequence[Crumb]:
    parent = page_queries.container(file)
    return [*above(parent), crumb(parent)]


@require_safe
def file(request: HttpRequest, file_id: int) -> HttpResponse:
    version = chosen(request, file_id)
    members = page_queries.members(version)
    context = {
        **_about(version),
        "versions": keyset(
            request, version.file.versions.all(), by=("-number",), key="versions-after", ident="number", step=VERSIONS
        ),
        "members": sliced(request, members, key="members"),
        "member_count": len(members),
        "viewer": viewer(request, version) if version.file.type == page_queries.DICOM else None,
        "path": "" if version.reference else archive().where(version.path),
    }
    return render(request, "hierarchy/file.html", context)


def _about(version: FileVersion) -> dict[str, Any]:
    return {
        "file": version.file,
        "version": version,
        "newest": version.number == version.file.version,
        "crumbs": way_to(version.file),
        "is_dicom": version.file.type == page_queries.DICOM,
        "lies": address_of(version.storage, version.path) if version.storage is not None else "",
    }


@require_safe
def header(request: HttpRequest, file_id: int) -> HttpResponse:
    """Every element of one instance; `q` keeps those whose tag, name or value holds all the words."""
    version = chosen(request, file_id)
    asked, index = words(request), number(request, "slice")
    try:
        rows, why = slice_header(version, index=index), ""
    except NoPicture as without:
        rows, why = [], str(without.why)
    context = {
        **_about(version),
        "rows": matching(rows, asked),
        "total": len(rows),
        "why": why,
        "words": asked,
        "slice": index,
    }
    return render(request, "hierarchy/header.html", context)


def matching(rows: Sequence[HeaderRow], asked: str) -> list[HeaderRow]:
    """Those that hold every word, whatever its case, in tag, name or value."""
    wanted = asked.casefold().split()
    texts = [(row, f"{row.tag} {row.keyword} {row.vr} {row.value}".casefold()) for row in rows]
    return [row for row, text in texts if all(word in text for word in wanted)]


@require_safe
def picture(request: HttpRequest, file_id: int) -> HttpResponse:
    """PNG of a slice (without one: of the middle); where there is none, a drawing that says why."""
    version = chosen(request, file_id)
    index, width = number(request, "slice"), width_near(number(request, "width") or WIDTH)
    etag = f'"{version.pk.hex}-{DRAWN}-{index}-{width}"'
    unchanged = get_conditional_response(request, etag)
    if unchanged is not None:
        return unchanged
    try:
        drawn = slice_picture(version, index=index, width=width)
    except NoPicture as without:
        return HttpResponse(
            placeholder(str(without.why)), content_type="image/svg+xml", headers={"Cache-Control": "no-store"}
        )
    # Asked again each time, so that who lost the right to look, or signed out, sees nothing.
    return HttpResponse(drawn, content_type="image/png", headers={"Cache-Control": "private, no-cache", "ETag": etag})


@require_safe
def download(request: HttpRequest, file_id: int) -> HttpResponseBase:
    version = chosen(request, file_id)
    return downloaded(request, version, name=version.file.name)
