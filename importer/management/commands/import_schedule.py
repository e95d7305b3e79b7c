"""import_schedule add|list|on|off|remove: imports from storages that come again."""

import json
import os
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils import timezone

from hierarchy.errors import Refused
from importer import schedule_queries, schedules, storage_providers
from importer.core.names import printable, shown
from importer.listing import FILTER_HELP, Fields, Listing, chosen_rows
from importer.management.importing import add_settings, check_settings, project_asked, settings_asked
from importer.management.rules import rules_asked
from importer.management.running import actor_named, refuse
from importer.models import ImportSchedule
from importer.schedule_words import state_of
from importer.schedules import NewSchedule, Options, Times
from importer.services import who_is
from importer.storage_sources import named_storage

FIELDS = Fields(
    {
        "id": "id",
        "name": "name",
        "group": "project__group__name",
        "project": "project__label",
        "storage": "storage__label",
        "active": "active",
        "cron": "cron",
        "next_run_at": "next_run_at",
        "last_run_at": "last_run_at",
        "who": "who",
    },
    flags=frozenset({"active"}),
)


class Command(BaseCommand):
    help = "Keep schedules of imports from storages; beat starts what is due. Exit status 2 when it is refused."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        _add_options(verbs.add_parser("add", help="import from a storage again and again: only what is new"))
        _list_options(verbs.add_parser("list", help="all schedules, newest first"))
        _one(verbs.add_parser("on", help="due again at its next time"))
        _one(verbs.add_parser("off", help="nothing is due; a run that is under way goes on"))
        _one(verbs.add_parser("remove", help="its imports stay"))

    def handle(self, *, verb: str, **options: Any) -> None:
        options["user"] = actor_named(options["actor"])
        try:
            getattr(self, f"_{verb}")(options)
        except Refused as error:
            refuse(str(error))

    def _add(self, options: dict[str, Any]) -> None:
        check_settings(options)
        # What is refused has not made a project either.
        with transaction.atomic():
            made = schedules.create(_new(options, options["user"]), **_by(options))
        due = f"{made.next_run_at:%Y-%m-%d %H:%M} UTC" if made.next_run_at else "never"
        self.stdout.write(f"Schedule {made.pk} ({shown(made.name)}) is kept; its first run is due {due}.")

    def _list(self, options: dict[str, Any]) -> None:
        chosen = Listing(
            filters=tuple(options["filter"]), sort=options["sort"], limit=options["limit"], after_id=options["after_id"]
        )
        rows = chosen_rows(schedule_queries.visible(options["user"]), FIELDS, chosen)
        said = [_data(row) for row in rows]
        if options["json"]:
            self.stdout.write(json.dumps(said, indent=2, ensure_ascii=False))
        else:
            self.stdout.write("\n".join(map(_line, said)))

    def _on(self, options: dict[str, Any]) -> None:
        kept = schedules.switch(_found(options).pk, on=True, **_by(options))
        self.stdout.write(f"{shown(kept.name)} is on; its next run is due {kept.next_run_at:%Y-%m-%d %H:%M} UTC.")

    def _off(self, options: dict[str, Any]) -> None:
        kept = schedules.switch(_found(options).pk, on=False, **_by(options))
        self.stdout.write(f"{shown(kept.name)} is off.")

    def _remove(self, options: dict[str, Any]) -> None:
        found = _found(options)
        schedules.remove(found.pk, **_by(options))
        self.stdout.write(f"{shown(found.name)} is removed; its imports stay.")


def _add_options(parser: ArgumentParser) -> None:
    parser.add_argument("storage", help="its label or number")
    parser.add_argument("prefixes", nargs="*", metavar="PREFIX", help="only keys that begin so")
    parser.add_argument(
        "--cron", required=True, metavar="'M H D M W'", help="when, in UTC: '0 3 * * *' is every night at 03:00"
    )
    parser.add_argument("--name", default="", help="what it and its imports are called")
    parser.add_argument(
        "--start", type=_moment, metavar="TIME", help="no run before (ISO 8601; without an offset: UTC)"
    )
    parser.add_argument("--end", type=_moment, metavar="TIME", help="no run after")
    add_settings(
        parser,
        transfer="default: by reference from a storage on a provider, else copied",
        acknowledge="of a storage on a provider, once: its files stay as they are, and they stay",
        checksum="each time read every byte, also of files that are as they were",
    )
    _as(parser)


def _list_options(parser: ArgumentParser) -> None:
    parser.add_argument("--filter", action="append", default=[], metavar="FIELD=VALUE", help=FILTER_HELP)
    parser.add_argument("--sort", default="-id", metavar="[-]FIELD")
    parser.add_argument("--limit", type=int, default=50, metavar="N")
    parser.add_argument("--after-id", type=int, metavar="ID", help="go on after this one")
    parser.add_argument("--json", action="store_true", help="for scripts")
    _as(parser)


def _one(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME|ID")
    _as(parser)


def _as(parser: ArgumentParser) -> None:
    parser.add_argument("--as", dest="actor", metavar="USER", help="act as this user, with their rights")


def _moment(said: str) -> datetime:
    """Raises ValueError, which argparse tells."""
    at = datetime.fromisoformat(said)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _by(options: dict[str, Any]) -> dict[str, Any]:
    actor = options["user"]
    return {"actor": actor, "who": who_is(actor) if actor else "system", "now": timezone.now()}


def _new(options: dict[str, Any], actor: User | None) -> NewSchedule:
    storage, project = named_storage(options["storage"], actor=actor), project_asked(options, actor=actor)
    rules = rules_asked(options, project, actor=actor)
    if options["acknowledge"]:
        storage = storage_providers.acknowledge(storage.pk, **_by(options))
    return NewSchedule(
        project=project,
        storage=storage,
        times=Times(cron=options["cron"], start=options["start"], end=options["end"]),
        name=options["name"],
        description=options["description"],
        prefixes=tuple(printable(os.fsencode(prefix)) for prefix in options["prefixes"]),
        options=Options(rules=rules.name, rules_text=rules.text, **settings_asked(options)),
    )


def _found(options: dict[str, Any]) -> ImportSchedule:
    return schedule_queries.find(options["user"], options["name"])


def _data(row: ImportSchedule) -> dict[str, Any]:
    times = {"start": row.start_at, "end": row.end_at, "next_run_at": row.next_run_at, "last_run_at": row.last_run_at}
    return {
        "id": row.pk,
        "name": row.name,
        "state": state_of(row),
        "project": str(row.project),
        "storage": row.storage.label,
        "prefixes": row.prefixes,
        "cron": row.cron,
        **{name: at.astimezone(UTC).isoformat() if at else None for name, at in times.items()},
        "trouble": row.trouble,
        "rules": row.rules,
        "dry_run": row.dry_run,
        "who": row.who,
    }


def _line(row: dict[str, Any]) -> str:
    due = row["next_run_at"] or "-"
    cells = (
        str(row["id"]),
        row["name"],
        row["state"],
        row["storage"],
        row["project"],
        row["cron"],
        due,
        row["trouble"],
    )
    return "\t".join(shown(cell) for cell in cells).rstrip()
