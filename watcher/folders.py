"""Adding, changing and removing drop folders."""

import os
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import ProtectedError

from hierarchy.errors import Refused
from hierarchy.models import Project, Role
from hierarchy.selectors import Actor
from hierarchy.services import require
from importer.core.names import printable, raw
from importer.rule_choice import resolve
from storages.places import own_folders
from watcher.models import DropFolder
from watcher.states import Completion, WatchMode

NAME_LENGTH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderOptions:
    """How a drop folder treats what is dropped. Seconds; `marker` is a file's name, printable.

    `rule_set` is a name, empty for the default of the project; with `preview` a delivery waits as a plan.
    """

    name: str = ""
    project: Project | None = None
    completion: Completion = Completion.AUTO
    marker: str = ""
    quiet_seconds: float = 30.0
    scan_seconds: float = 60.0
    watch_mode: WatchMode = WatchMode.AUTO
    rule_set: str = ""
    preview: bool = False


def add_folder(path: bytes, options: FolderOptions, *, actor: Actor) -> DropFolder:
    """Watches a folder from the watcher's next round on.

    One that was removed before is switched on again with these options: its past deliveries are still recognised.
    Asks for the admin of the project, without a project of the site. Raises NotAllowed, or Refused with what to do.
    """
    require(actor, Role.ADMIN, project=options.project)
    check_rule_set(options.rule_set, options.project)
    resolved = os.path.realpath(path)
    known = DropFolder.objects.filter(path=printable(resolved), enabled=False).first()
    if known is not None:
        return change_folder(known, options, actor=actor)
    check_path(resolved)
    name = options.name or printable(os.path.basename(resolved))[:NAME_LENGTH]
    return _saved(DropFolder(name=name, path=printable(resolved)), options)


def change_folder(folder: DropFolder, options: FolderOptions, *, actor: Actor) -> DropFolder:
    """Sets all options and switches it on. Raises NotAllowed or Refused."""
    require(actor, Role.ADMIN, project=folder.project)
    require(actor, Role.ADMIN, project=options.project)
    check_rule_set(options.rule_set, options.project)
    check_path(raw(folder.path), but=folder)
    folder.enabled = True
    if options.name:
        folder.name = options.name
    return _saved(folder, options)


def remove_folder(folder: DropFolder, *, actor: Actor) -> bool:
    """Stops watching it; nothing in it is touched. True when it is gone, False when it was only switched off because
    its deliveries are part of the history."""
    require(actor, Role.ADMIN, project=folder.project)
    try:
        with transaction.atomic():
            folder.delete()
    except ProtectedError:
        DropFolder.objects.filter(pk=folder.pk).update(enabled=False)
        return False
    return True


def find_folder(said: str) -> DropFolder:
    """By id, name or path. Raises Refused when there is none."""
    folders = DropFolder.objects.select_related("project__group")
    found = (
        folders.filter(name=said).first() or folders.filter(path=printable(os.path.realpath(os.fsencode(said)))).first()
    )
    if found is None and said.isdecimal():
        found = folders.filter(pk=int(said)).first()
    if found is None:
        raise Refused(f"There is no drop folder {said}: drop_folder list shows them all.")
    return found


def check_path(path: bytes, *, but: DropFolder | None = None) -> None:
    """Raises Refused unless a drop folder may lie at the resolved path. `but` is the one that already lies there."""
    shown = printable(path)
    if not os.path.isdir(path):
        raise Refused(f"{shown} is not a folder: make it first, or give --create.")
    if not os.access(path, os.R_OK | os.X_OK):
        raise Refused(f"{shown} may not be read by this user: check its permissions.")
    resolved = Path(os.fsdecode(path))
    if not any(resolved.is_relative_to(allowed) for allowed in settings.PRATIQUE_LOCAL_ROOTS):
        raise Refused(f"{shown} lies outside PRATIQUE_LOCAL_ROOTS: ask the operator to allow its folder there.")
    _check_apart_from_ours(resolved, shown)
    for other in DropFolder.objects.exclude(pk__in=[but.pk] if but else []):
        if _nested(resolved, Path(os.fsdecode(raw(other.path)))):
            raise Refused(f"{shown} and the drop folder {other.name} lie inside each other: choose another folder.")


def _check_apart_from_ours(resolved: Path, shown: str) -> None:
    if settings.PRATIQUE_HOME.is_relative_to(resolved):
        raise Refused(f"{shown} holds this installation's own state: choose another folder.")
    for ours in own_folders():
        if _nested(resolved, ours):
            raise Refused(f"{shown} and a place of our own bytes lie inside each other: choose another folder.")


def _nested(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)


def _saved(folder: DropFolder, options: FolderOptions) -> DropFolder:
    folder.project = options.project
    folder.completion = options.completion
    folder.marker = options.marker
    folder.quiet_seconds = options.quiet_seconds
    folder.scan_seconds = options.scan_seconds
    folder.watch_mode = options.watch_mode
    folder.rule_set = options.rule_set
    folder.preview = options.preview
    try:
        check_marker(folder.marker, completion=folder.completion)
        folder.full_clean()
    except ValidationError as error:
        raise Refused(" ".join(error.messages)) from error
    folder.save()
    return folder


def check_rule_set(name: str, project: Project | None) -> None:
    """Raises Refused for a rule set that no delivery could be imported by. It is looked for again at each delivery."""
    if name and project is not None:
        resolve(project, name)


def check_marker(marker: str, *, completion: str) -> None:
    """Raises ValidationError for what cannot be a file's name, and for none where one is needed."""
    if completion == Completion.MARKER and not marker:
        raise ValidationError("Completion by a marker needs the marker's name, such as DONE.")
    if "/" in marker or "\0" in marker or marker in {".", ".."}:
        raise ValidationError("The marker is the name of one file inside the delivery, without a slash.")
