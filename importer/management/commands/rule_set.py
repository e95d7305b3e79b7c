"""rule_set list|show|create|update|archive|restore|default|export: the rule sets that people keep."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from hierarchy.errors import Refused
from hierarchy.selectors import Actor, find_project
from importer import rule_sets
from importer.core.names import shown
from importer.listing import FILTER_HELP, Fields, Listing, chosen_rows
from importer.management.rules import file_bytes, placed
from importer.management.running import actor_named, refuse
from importer.rule_sets import BadRules, NewRuleSet, RuleSetChoice, RuleSetRow
from importer.services import who_is

STDIN = "-"
FIELDS = Fields(
    {
        "id": "id",
        "name": "name",
        "description": "description",
        "group": "group__name",
        "project": "project__label",
        "version": "version",
        "default": "is_default",
        "created": "created_at",
    },
    flags=frozenset({"default"}),
)


class Command(BaseCommand):
    help = "Keep rule sets: scoped, versioned, archived rather than deleted. Exit status 2 when it is refused."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        _list_options(verbs.add_parser("list", help="built-in ones, then those that are kept, newest first"))
        show = _one(verbs.add_parser("show", help="what it is, its versions and its text"))
        show.add_argument("--version", dest="number", type=int, metavar="N", help="the text of this version")
        show.add_argument("--diff", nargs=2, type=int, metavar=("OLD", "NEW"), help="what changed between two versions")
        _create_options(verbs.add_parser("create", help="keep a file of rules, or a copy of another set"))
        update = _one(verbs.add_parser("update", help="a new version, or another description"))
        update.add_argument("file", nargs="?", metavar="FILE", help="the rules; - is standard input")
        update.add_argument("--base", type=int, metavar="N", help="the version it was written on (default: the newest)")
        update.add_argument("--description")
        _one(verbs.add_parser("archive", help="no import can choose it any more; those that ran keep it"))
        _one(verbs.add_parser("restore", help="the way back"))
        default = _one(verbs.add_parser("default", help="what imports run that name no rule set"))
        default.add_argument("--off", action="store_true", help="it is the default no more")
        export = _one(verbs.add_parser("export", help="its text, as it was written"))
        export.add_argument("--version", dest="number", type=int, metavar="N")
        export.add_argument("--output", metavar="FILE", help="default: standard output")

    def handle(self, *, verb: str, **options: Any) -> None:
        options["user"] = actor_named(options["actor"])
        try:
            getattr(self, f"_{verb}")(options)
        except BadRules as error:
            refuse("\n".join(placed(options.get("file") or "rules", error.problems)))
        except Refused as error:
            refuse(str(error))

    def _list(self, options: dict[str, Any]) -> None:
        chosen = Listing(
            filters=tuple(options["filter"]), sort=options["sort"], limit=options["limit"], after_id=options["after_id"]
        )
        kept = rule_sets.listed(options["user"], RuleSetChoice(archived=None if options["archived"] else False))
        found = [rule_sets.row_of(one) for one in chosen_rows(kept, FIELDS, chosen)]
        # They have no number, no date and no scope to be filtered by: they head the list that asks for nothing.
        first = [] if options["filter"] or options["after_id"] is not None else rule_sets.built_ins()
        rows = [*first, *found]
        if options["json"]:
            self.stdout.write(json.dumps([_data(row) for row in rows], indent=2, ensure_ascii=False))
        else:
            self.stdout.write("\n".join(map(_line, rows)))

    def _show(self, options: dict[str, Any]) -> None:
        row = _found(options)
        if options["diff"]:
            lines = rule_sets.difference(row, *options["diff"])
            self.stdout.write("\n".join(map(shown, lines)) or "They are the same.")
            return
        self.stdout.write(_line(row))
        if row.description:
            self.stdout.write(shown(row.description))
        for version in rule_sets.versions(row).defer("text"):
            self.stdout.write(f"version {version.number}\t{version.created_at.isoformat()}\t{shown(version.who)}")
        self.stdout.write("")
        self.stdout.write(rule_sets.text_of(row, number=options["number"]))

    def _create(self, options: dict[str, Any]) -> None:
        if options["from_set"]:
            source = rule_sets.find_named(options["user"], options["from_set"])
            text, description = rule_sets.text_of(source), source.description
        else:
            _, description, text = rule_sets.from_file(_read(options["file"]), options["file"])
        if options["description"] is not None:
            description = options["description"]
        new = NewRuleSet(
            name=options["name"], text=text, description=description, is_default=options["default"], **_scope(options)
        )
        made = rule_sets.create(new, **_by(options))
        self.stdout.write(f"Rule set {made.pk} ({shown(made.name)}) is kept, version 1.")

    def _update(self, options: dict[str, Any]) -> None:
        row = _found(options)
        pk = rule_sets.own_id(row)
        if options["file"] is not None:
            text = rule_sets.from_file(_read(options["file"]), options["file"])[2]
            base = row.version if options["base"] is None else options["base"]
            made = rule_sets.edit(pk, text, base=base, description=options["description"], **_by(options))
            self.stdout.write(f"{shown(row.name)} has version {made.number} now.")
        elif options["description"] is not None:
            rule_sets.describe(pk, options["description"], **_by(options))
            self.stdout.write(f"{shown(row.name)} is described anew; it is still version {row.version}.")
        else:
            refuse("Say what is new: a FILE, --description, or both.")

    def _archive(self, options: dict[str, Any]) -> None:
        made = rule_sets.archive(rule_sets.own_id(_found(options)), **_by(options))
        self.stdout.write(f"{shown(made.name)} is archived; rule_set restore brings it back.")

    def _restore(self, options: dict[str, Any]) -> None:
        made = rule_sets.restore(rule_sets.own_id(_found(options)), **_by(options))
        self.stdout.write(f"{shown(made.name)} can be chosen again.")

    def _default(self, options: dict[str, Any]) -> None:
        row = _found(options)
        verb = rule_sets.unmake_default if options["off"] else rule_sets.make_default
        made = verb(rule_sets.own_id(row), **_by(options))
        said = "is the default" if made.is_default else "is not the default"
        self.stdout.write(f"{shown(made.name)} {said} of {shown(row.where) or 'the site'}.")

    def _export(self, options: dict[str, Any]) -> None:
        text = rule_sets.export(_found(options), number=options["number"]).text
        if options["output"] is None:
            sys.stdout.write(text)
            return
        try:
            Path(options["output"]).write_text(text, encoding="utf-8", newline="")
        except OSError as error:
            refuse(f"{options['output']} cannot be written: {error.strerror}.")


def _list_options(parser: ArgumentParser) -> None:
    parser.add_argument("--filter", action="append", default=[], metavar="FIELD=VALUE", help=FILTER_HELP)
    parser.add_argument("--sort", default="-id", metavar="[-]FIELD")
    parser.add_argument("--limit", type=int, default=50, metavar="N")
    parser.add_argument("--after-id", type=int, metavar="ID", help="go on after this one")
    parser.add_argument("--archived", action="store_true", help="archived ones, too")
    parser.add_argument("--json", action="store_true", help="for scripts")
    _as(parser)


def _one(parser: ArgumentParser) -> ArgumentParser:
    parser.add_argument("name", metavar="NAME|ID")
    _where(parser)
    _as(parser)
    return parser


def _create_options(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("file", nargs="?", metavar="FILE", help="the rules; - is standard input")
    source.add_argument("--from", dest="from_set", metavar="NAME|ID", help="a copy of this one, such as standard")
    parser.add_argument("--description")
    parser.add_argument("--default", action="store_true", help="and make it the default there")
    _where(parser)
    _as(parser)


def _where(parser: ArgumentParser) -> None:
    scope = parser.add_mutually_exclusive_group()
    scope.add_argument("--project", metavar="GROUP/PROJECT", help="the set of this project")
    scope.add_argument("--group", metavar="GROUP", help="the set of this group (with neither: of the site)")


def _as(parser: ArgumentParser) -> None:
    parser.add_argument("--as", dest="actor", metavar="USER", help="act as this user, with their rights")


def _by(options: dict[str, Any]) -> dict[str, Any]:
    actor = options["user"]
    return {"actor": actor, "who": who_is(actor) if actor else "system", "now": timezone.now()}


def _scope(options: dict[str, Any]) -> dict[str, Any]:
    actor: Actor = options["user"]
    return {
        "group": rule_sets.find_group(options["group"], actor=actor) if options["group"] else None,
        "project": find_project(options["project"], actor=actor) if options["project"] else None,
    }


def _found(options: dict[str, Any]) -> RuleSetRow:
    return rule_sets.find_named(options["user"], options["name"], **_scope(options))


def _read(path: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if path == STDIN else file_bytes(path)
    except OSError as error:
        refuse(f"{path} cannot be read: {error.strerror}.")


def _data(row: RuleSetRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "scope": row.scope.value,
        "where": row.where,
        "version": row.version,
        "default": row.is_default,
        "archived": row.archived,
        "changed_at": row.changed_at.isoformat() if row.changed_at else None,
        "changed_by": row.changed_by,
    }


def _line(row: RuleSetRow) -> str:
    said = "archived" if row.archived else "default" if row.is_default else ""
    version = f"v{row.version}" if row.version else ""
    cells = ("-" if row.id is None else str(row.id), row.name, row.scope.value, row.where, version, said)
    return "\t".join(shown(cell) for cell in cells).rstrip()
