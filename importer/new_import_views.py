"""The page that starts an import by hand, as a preview or at once."""

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from hierarchy.errors import NotAllowed, Refused
from importer.core.names import printable
from importer.new_import_forms import NewImportForm, uploadable_projects
from importer.services import start_import
from importer.sources import Source, may_type_paths, opened_source
from importer.views import reader

SETTINGS = ("strategy", "missing_meta", "uid_scope", "limit")


@require_http_methods(["GET", "HEAD", "POST"])
def import_new(request: HttpRequest) -> HttpResponse:
    """Asks for what an import needs; shows the import that it has started."""
    actor = reader(request)
    try:
        source = linked(request, actor)
    except NotAllowed:
        raise
    except Refused as refused:
        messages.error(request, str(refused))
        return redirect("import-new")
    if source is None and not may_type_paths(actor):
        return render(request, "importer/import_new.html", {"may_import": uploadable_projects(actor).exists()})
    form = NewImportForm(request.POST or None, actor=actor, source=source, initial=initial(source))
    if request.method == "POST" and form.is_valid():
        answer = started(request, form, actor)
        if answer is not None:
            return answer
    return render(
        request, "importer/import_new.html", context(request, form, source), status=400 if form.errors else 200
    )


def linked(request: HttpRequest, actor: User) -> Source | None:
    """The source that the address brings. Raises Refused for a link that does not hold."""
    token = request.GET.get("source", "")
    return opened_source(token, actor=actor) if token else None


def initial(source: Source | None) -> dict[str, object]:
    return {"label": source.label, "project": source.project_id} if source else {}


def started(request: HttpRequest, form: NewImportForm, actor: User) -> HttpResponse | None:
    """None where the service refuses: then the form says why."""
    dry_run = request.POST.get("what") != "import"
    try:
        job = start_import(form.request(dry_run=dry_run), actor=actor, now=timezone.now())
    except NotAllowed:
        raise
    except Refused as refused:
        form.add_error(None, str(refused))
        return None
    said = "The plan is being made: nothing is written before you approve it." if dry_run else "The import has started."
    messages.success(request, said)
    return redirect("import", job.pk)


def context(request: HttpRequest, form: NewImportForm, source: Source | None) -> dict[str, object]:
    return {
        "form": form,
        "may_import": True,
        "source": printable(source.root) if source else "",
        "first": [form[name] for name in ("project", "path", "rules", "label", "description") if name in form.fields],
        "more": [form[name] for name in SETTINGS],
        "more_open": any(form[name].errors or form[name].value() for name in SETTINGS),
        "has_projects": uploadable_projects(reader(request)).exists(),
    }
