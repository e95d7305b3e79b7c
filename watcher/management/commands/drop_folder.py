"""drop_folder add|list|remove|judge: the folders that the watcher watches."""

import json
import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from hierarchy.errors import Refused
from hierarchy.models import Project
from hierarchy.selectors import find_project
from hierarchy.services import ensure_project
from importer.core.names import shown
from watcher import folders, listings
from watcher.models import DropFolder
from watcher.readiness import judge_name
from watcher.states import Completion, WatchMode


class Command(BaseCommand):
    help = "Adds, lists and removes drop folders; judges names. Exit status 2 when it is refused."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        _add_options(verbs.add_parser("add", help="watch a folder"))
        _list_options(verbs.add_parser("list", help="all drop folders, newest first"))
        remove = verbs.add_parser("remove", help="watch it no more; what lies in it stays")
        remove.add_argument("folder", metavar="NAME|PATH|ID")
        judge = verbs.add_parser("judge", help="say what the watcher makes of a name")
        judge.add_argument("name", nargs="+")

    def handle(self, *, verb: str, **options: Any) -> None:
        verbs = {"add": self._add, "list": self._list, "remove": self._remove, "judge": self._judge}
        try:
            verbs[verb](options)
        except Refused as error:
            raise CommandError(str(error), returncode=2) from error

    def _add(self, options: dict[str, Any]) -> None:
        if options["create"]:
            Path(options["path"]).mkdir(parents=True, exist_ok=True)
        chosen = folders.FolderOptions(
            name=options["name"] or "",
            project=_project(options["project"], create=options["create"]),
            completion=Completion(options["completion"]),
            marker=options["marker"],
            quiet_seconds=options["quiet"],
            scan_seconds=options["scan"],
            watch_mode=WatchMode(options["watch_mode"]),
            rule_set=options["rule_set"],
            preview=options["preview"],
        )
        folder = folders.add_folder(os.fsencode(options["path"]), chosen, actor=None)
        goes = f"into {folder.project}" if folder.project else "nowhere yet: deliveries are held until it has a project"
        self.stdout.write(f"Drop folder {folder.pk} ({shown(folder.name)}): {shown(folder.path)} goes {goes}.")

    def _list(self, options: dict[str, Any]) -> None:
        chosen = listings.Listing(
            filters=tuple(options["filter"]), sort=options["sort"], limit=options["limit"], after_id=options["after_id"]
        )
        rows = [_row(folder) for folder in listings.drop_folders(chosen)]
        self.stdout.write(json.dumps(rows, indent=2) if options["json"] else "\n".join(_line(row) for row in rows))

    def _remove(self, options: dict[str, Any]) -> None:
        folder = folders.find_folder(options["folder"])
        if folders.remove_folder(folder, actor=None):
            self.stdout.write(f"{shown(folder.name)} is removed; what lies in it is untouched.")
        else:
            self.stdout.write(f"{shown(folder.name)} is switched off; its past deliveries stay on record.")

    def _judge(self, options: dict[str, Any]) -> None:
        for name in options["name"]:
            self.stdout.write(f"{shown(name)}: {judge_name(os.fsencode(name)).value}")


def _add_options(parser: CommandParser) -> None:
    defaults = folders.FolderOptions()
    parser.add_argument("path", help="a folder on this machine")
    parser.add_argument("--project", metavar="GROUP/PROJECT", help="where its deliveries go; without: they are held")
    parser.add_argument("--name", help="what it is called (default: the folder's own name)")
    parser.add_argument("--completion", choices=[one.value for one in Completion], default=defaults.completion.value)
    parser.add_argument("--marker", default="", metavar="FILE", help="the file that says that a delivery is whole")
    parser.add_argument("--quiet", type=float, default=defaults.quiet_seconds, metavar="SECONDS")
    parser.add_argument("--scan", type=float, default=defaults.scan_seconds, metavar="SECONDS")
    parser.add_argument("--watch-mode", choices=[one.value for one in WatchMode], default=defaults.watch_mode.value)
    parser.add_argument("--rule-set", default="", metavar="NAME", help="default: that of the project, group or site")
    parser.add_argument("--preview", action="store_true", help="a delivery waits as a plan until somebody approves it")
    parser.add_argument("--create", action="store_true", help="make the folder, the group and the project")


def _list_options(parser: CommandParser) -> None:
    parser.add_argument("--filter", action="append", default=[], metavar="FIELD=VALUE", help=listings.FILTER_HELP)
    parser.add_argument("--sort", default="-id", metavar="[-]FIELD")
    parser.add_argument("--limit", type=int, default=50, metavar="N")
    parser.add_argument("--after-id", type=int, metavar="ID", help="go on after this one")
    parser.add_argument("--json", action="store_true", help="for scripts")


def _project(address: str | None, *, create: bool) -> Project | None:
    if address is None:
        return None
    return ensure_project(address, actor=None) if create else find_project(address)


def _row(folder: DropFolder) -> dict[str, Any]:
    return {
        "id": folder.pk,
        "name": folder.name,
        "path": folder.path,
        "project": str(folder.project) if folder.project else None,
        "enabled": folder.enabled,
        "completion": folder.completion,
        "marker": folder.marker,
        "quiet_seconds": folder.quiet_seconds,
        "scan_seconds": folder.scan_seconds,
        "watch_mode": folder.watch_mode,
        "rule_set": folder.rule_set,
        "preview": folder.preview,
    }


def _line(row: dict[str, Any]) -> str:
    state = "on" if row["enabled"] else "off"
    rules = f"{row['rule_set'] or 'default rules'}{', preview' if row['preview'] else ''}"
    cells = (str(row["id"]), row["name"], state, row["project"] or "no project", row["completion"], rules, row["path"])
    return "\t".join(shown(cell) for cell in cells)
