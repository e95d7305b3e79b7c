"""Pages of the tree. Whoever may not see a project finds nothing at the addresses of what is in it."""

from collections.abc import Sequence

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from hierarchy import page_queries
from hierarchy.models import Acquisition, FileVersion, Project, Role, Session, Subject
from hierarchy.paging import Page, keyset, sliced, words
from hierarchy.services import may
from hierarchy.viewer import Viewer, viewer

CARDS = 48
Crumb = tuple[str, str]


@require_safe
def projects(request: HttpRequest) -> HttpResponse:
    """All projects that the reader sees; a search goes over all that is in them."""
    asked = words(request)
    found = page_queries.projects(request.user, label=asked)
    context = {
        "words": asked,
        "page": keyset(request, found, by=("group__name", "label")),
        "found": page_queries.search(request.user, words=asked) if asked else None,
        "may_create": may(request.user, Role.ADMIN),
    }
    return render(request, "hierarchy/projects.html", context)


@require_safe
def project(request: HttpRequest, project_id: int) -> HttpResponse:
    found = get_object_or_404(page_queries.projects(request.user), pk=project_id)
    asked = words(request)
    context = {
        "project": found,
        "words": asked,
        "crumbs": above(found),
        "page": keyset(request, page_queries.subjects_of(found, label=asked), by=("label", "copy")),
        "files": _files(request, page_queries.current_files(project=found)),
    }
    return render(request, "hierarchy/project.html", context)


@require_safe
def subject(request: HttpRequest, subject_id: int) -> HttpResponse:
    found = get_object_or_404(page_queries.subjects(request.user), pk=subject_id)
    context = {
        "subject": found,
        "crumbs": above(found),
        "page": keyset(request, page_queries.sessions_of(found), by=("label", "copy")),
        "files": _files(request, page_queries.current_files(subject=found)),
    }
    return render(request, "hierarchy/subject.html", context)


@require_safe
def session(request: HttpRequest, session_id: int) -> HttpResponse:
    """One visit: its acquisitions, each by a picture of its middle."""
    found = get_object_or_404(page_queries.sessions(request.user), pk=session_id)
    page = sliced(request, page_queries.acquisitions_of(found), key="from", step=CARDS)
    scans = found.acquisitions.in_bulk(page.rows)
    held = page_queries.contents(page.rows)
    context = {
        "session": found,
        "crumbs": above(found),
        "page": page,
        "scans": [(scans[pk], held.get(pk, page_queries.NOTHING)) for pk in page.rows if pk in scans],
        "files": _files(request, page_queries.current_files(session=found)),
    }
    return render(request, "hierarchy/session.html", context)


@require_safe
def acquisition(request: HttpRequest, acquisition_id: int) -> HttpResponse:
    """One scan: its pictures, slice by slice, and its files."""
    found = get_object_or_404(page_queries.acquisitions(request.user), pk=acquisition_id)
    held = page_queries.contents([found.pk]).get(found.pk, page_queries.NOTHING)
    context = {
        "acquisition": found,
        "crumbs": above(found),
        "content": held,
        "files": _files(request, page_queries.current_files(acquisition=found)),
        "viewer": _viewer_of(request, found, held),
    }
    return render(request, "hierarchy/acquisition.html", context)


def _viewer_of(request: HttpRequest, found: Acquisition, held: page_queries.Content) -> Viewer | None:
    """Of the file that the address names, else of the first that can be shown."""
    shown = page_queries.current_files(acquisition=found).filter(file__type=page_queries.DICOM)
    version: FileVersion | None = shown.filter(file=held.picture).first() if held.picture else None
    return None if version is None else viewer(request, version)


def _files(request: HttpRequest, found: QuerySet[FileVersion]) -> Page[FileVersion]:
    return keyset(request, found, by=("file__name",), key="files-after", ident="file_id")


def above(found: Project | Subject | Session | Acquisition) -> Sequence[Crumb]:
    """The way down to a container, itself left out: labels and addresses."""
    way: list[Crumb] = []
    here: Project | Subject | Session | Acquisition = found
    while not isinstance(here, Project):
        here = _parent(here)
        way.insert(0, crumb(here))
    return [("Projects", reverse("projects")), *way]


def crumb(found: Project | Subject | Session | Acquisition) -> Crumb:
    label = str(found) if isinstance(found, Project) else found.label
    return label, reverse(found._meta.model_name or "", args=[found.pk])


def _parent(found: Subject | Session | Acquisition) -> Project | Subject | Session:
    if isinstance(found, Subject):
        return found.project
    return found.subject if isinstance(found, Session) else found.session
