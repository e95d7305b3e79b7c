"""The page that starts an import by hand, of a folder or from a storage, as a preview or at once."""

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from hierarchy.errors import NotAllowed, Refused
from hierarchy.paging import number
from importer import storage_providers
from importer.core.names import printable
from importer.new_import_forms import NewImportForm, uploadable_projects
from importer.services import start_import, who_is
from importer.sources import Source, may_type_paths, opened_source
from importer.storage_import_forms import StorageImportForm, usable_storage, usable_storages
from importer.views import reader
from storages.models import ExternalStorage

SETTINGS = ("strategy", "missing_meta", "uid_scope", "limit")
STORAGE_SETTINGS = (*SETTINGS, "transfer", "delete_source", "checksum")
FIRST = ("project", "path", "prefixes", "rules", "label", "description")


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
    storages = [] if source else usable_storages(actor)
    storage = None if source else usable_storage(actor, number(request, "storage"))
    said: dict[str, object] = {"storages": storages, "storage": storage, "may_type": may_type_paths(actor)}
    if storage is None and source is None and not may_type_paths(actor):
        said["may_import"] = uploadable_projects(actor).exists()
        return render(request, "importer/import_new.html", said)
    form = form_for(request, actor, storage or source)
    if request.method == "POST" and form.is_valid():
        answer = started(request, form, actor)
        if answer is not None:
            return answer
    said |= context(request, form, source)
    return render(request, "importer/import_new.html", said, status=400 if form.errors else 200)


def form_for(
    request: HttpRequest, actor: User, source: ExternalStorage | Source | None
) -> StorageImportForm | NewImportForm:
    """None: a path is typed."""
    if isinstance(source, ExternalStorage):
        begins: dict[str, object] = {"prefixes": "\n".join(request.GET.getlist("prefix"))}
        begins["project"] = number(request, "project") or source.project_id
        return StorageImportForm(request.POST or None, actor=actor, storage=source, initial=begins)
    return NewImportForm(request.POST or None, actor=actor, source=source, initial=initial(source))


def linked(request: HttpRequest, actor: User) -> Source | None:
    """The source that the address brings. Raises Refused for a link that does not hold."""
    token = request.GET.get("source", "")
    return opened_source(token, actor=actor) if token else None


def initial(source: Source | None) -> dict[str, object]:
    return {"label": source.label, "project": source.project_id} if source else {}


def started(request: HttpRequest, form: StorageImportForm | NewImportForm, actor: User) -> HttpResponse | None:
    """None where the service refuses: then the form says why."""
    dry_run, now = request.POST.get("what") != "import", timezone.now()
    try:
        if isinstance(form, StorageImportForm) and form.agreed:
            storage_providers.acknowledge(form.storage.pk, actor=actor, who=who_is(actor), now=now)
        job = start_import(form.request(dry_run=dry_run), actor=actor, now=now)
    except NotAllowed:
        raise
    except Refused as refused:
        form.add_error(None, str(refused))
        return None
    said = "The plan is being made: nothing is written before you approve it." if dry_run else "The import has started."
    messages.success(request, said)
    return redirect("import", job.pk)


def context(request: HttpRequest, form: StorageImportForm | NewImportForm, source: Source | None) -> dict[str, object]:
    more = [form[name] for name in STORAGE_SETTINGS if name in form.fields]
    return {
        "form": form,
        "may_import": True,
        "source": printable(source.root) if source else "",
        "first": [form[name] for name in FIRST if name in form.fields],
        "more": more,
        "more_open": any(field.errors or field.value() not in {None, "", False, "auto", "never"} for field in more),
        "has_projects": uploadable_projects(reader(request)).exists(),
    }
