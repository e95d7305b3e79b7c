"""Files of a drop folder or of a delivery, to try rules on."""

from collections.abc import Callable
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from hierarchy.errors import Refused
from hierarchy.models import Project, Role
from hierarchy.services import require
from importer import rule_choice, samples
from importer.core.names import raw
from importer.models import RuleSample
from importer.views import reader
from watcher import selectors
from watcher.models import DropFolder
from watcher.views import project_of, visible_batch


@require_POST
def folder_sample(request: HttpRequest, folder_id: int) -> HttpResponse:
    """What lies in a drop folder now, each delivery as an import would see it."""
    folder = get_object_or_404(selectors.visible_folders(request.user), pk=folder_id)
    actor, project = reader(request), folder.project
    _guard(actor, project)

    def make() -> RuleSample:
        root = raw(folder.path)
        return samples.from_folder(root, title=folder.name, deliveries=True, actor=actor, now=timezone.now())

    return _tried(request, make, rules=_rules_of(folder, project, actor), back=reverse("drop-folder", args=[folder.pk]))


@require_POST
def batch_sample(request: HttpRequest, batch_id: int) -> HttpResponse:
    """The files of one delivery, if it still lies under its name."""
    batch = visible_batch(request, batch_id)
    actor, project = reader(request), project_of(batch)
    _guard(actor, project)

    def make() -> RuleSample:
        root = raw(batch.drop_folder.path)
        return samples.from_folder(root, below=batch.name, title=batch.label, actor=actor, now=timezone.now())

    rules = _rules_of(batch.drop_folder, project, actor)
    return _tried(request, make, rules=rules, back=reverse("batch", args=[batch.pk]))


def _guard(actor: User, project: Project | None) -> None:
    """Headers are patient data of the project: who may import there may look at them."""
    require(actor, Role.UPLOADER, project=project)


def _tried(request: HttpRequest, make: Callable[[], RuleSample], *, rules: str, back: str) -> HttpResponse:
    try:
        made = make()
    except Refused as refused:
        messages.error(request, str(refused))
        return redirect(back)
    return redirect(f"{reverse('rule-set-try')}?{urlencode({'sample': made.pk, 'from': rules})}")


def _rules_of(folder: DropFolder, project: Project | None, actor: User) -> str:
    """The key of the rules that its deliveries run, where the actor sees them."""
    if project is None:
        return rule_choice.STANDARD
    try:
        chosen = rule_choice.resolve(project, folder.rule_set, actor=actor)
    except Refused:
        return rule_choice.STANDARD
    return chosen.name if chosen.version is None else str(chosen.version.rule_set_id)
