"""Imports a folder of this machine, here or by the workers that run anyway."""

import os
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils import timezone

from hierarchy.errors import Refused
from hierarchy.models import Project
from hierarchy.services import ensure_project, find_project
from importer.core.states import MissingMeta, SourceKind, Strategy, UidScope
from importer.core.transfer_rules import STAYS, Transfer
from importer.management.rules import RulesAsked, add_rule_options, rules_asked
from importer.management.running import (
    actor_named,
    add_running_options,
    check_running_options,
    refuse,
    run_to_the_end,
)
from importer.services import ImportRequest, start_import, who_is
from importer.transfers import declared_folder

# Options of the contract whose work is not built yet: refused, never ignored.
NOT_BUILT = {"fail_fast": "--fail-fast", "deidentify": "--deidentify"}


class Command(BaseCommand):
    help = "Import a folder. Exit status: 2 refused, 1 something failed, 3 something is quarantined, 0 all clean."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", help="the folder that holds the files")
        parser.add_argument("--project", required=True, metavar="GROUP/PROJECT", help="where it goes")
        parser.add_argument("--create", action="store_true", help="make the group and the project if they are missing")
        parser.add_argument("--label", help="what the import is called (default: the folder's name)")
        parser.add_argument("--description", default="")
        add_rule_options(parser)
        parser.add_argument(
            "--conflict-strategy", help="default: as the rules say, else review", choices=[s.value for s in Strategy]
        )
        parser.add_argument(
            "--uid-scope",
            help="where a UID may be only once (default: as the rules say, else the project)",
            choices=[s.value for s in UidScope],
        )
        parser.add_argument(
            "--missing-meta",
            help="what happens to DICOM without a label (default: as the rules say, else hold)",
            choices=[m.value for m in MissingMeta],
        )
        parser.add_argument("--limit", type=int, metavar="N", help="look at the first N files only")
        parser.add_argument(
            "--transfer",
            default=Transfer.AUTO,
            choices=[t.value for t in Transfer],
            help="reference and symlink leave the bytes where they lie, and make the folder a storage provider",
        )
        parser.add_argument(
            "--acknowledge",
            action="store_true",
            help="with --transfer reference or symlink: the folder's files stay as they are, stay for good, and are "
            "backed up there",
        )
        parser.add_argument("--delete-source", default="never", choices=["never", "on_success"])
        parser.add_argument("--checksum", action="store_true", help="compare digests (always done for a folder)")
        parser.add_argument("--dry-run", action="store_true", help="plan, report, write nothing")
        for name, flag in NOT_BUILT.items():
            parser.add_argument(flag, dest=name, action="append", help="not built yet")
        add_running_options(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        _check(options)
        check_running_options(options)
        actor = actor_named(options["actor"])
        try:
            # What is refused has not made a project either.
            with transaction.atomic():
                project = _project(options, actor)
                rules = rules_asked(options, project, actor=actor)
                who = who_is(actor) if actor else "system"
                request = replace(_request(options, project, rules, who=who), **_source(options, actor, who=who))
                job = start_import(request, actor=actor, now=timezone.now(), enqueue=options["queue"])
        except Refused as error:
            refuse(str(error))
        if options["queue"]:
            self.stdout.write(f"Import {job.pk} is queued.")
            return
        run_to_the_end(job, options, default_workers=min(4, os.cpu_count() or 1))


def _check(options: dict[str, Any]) -> None:
    for name, flag in NOT_BUILT.items():
        if options[name]:
            refuse(f"{flag} is not built yet: leave it out.")
    if options["acknowledge"] and options["transfer"] not in STAYS:
        refuse("--acknowledge is about files that stay where they are: it belongs to --transfer reference or symlink.")
    if options["delete_source"] != "never":
        refuse("--delete-source on_success is not built yet: leave it out.")
    if options["limit"] is not None and options["limit"] < 1:
        refuse("--limit takes a number above 0.")


def _project(options: dict[str, Any], actor: Any) -> Project:
    if options["create"]:
        return ensure_project(options["project"], actor=actor)
    return find_project(options["project"], actor=actor)


def _source(options: dict[str, Any], actor: User | None, *, who: str) -> dict[str, Any]:
    """The folder; where its files stay in it, the storage that it thereby is."""
    root = os.fsencode(Path(options["path"]).absolute())
    if options["transfer"] not in STAYS:
        return {"source_kind": SourceKind.FOLDER, "source_root": root}
    acknowledged = options["acknowledge"]
    found = declared_folder(root, acknowledged=acknowledged, actor=actor, who=who, now=timezone.now())
    prefixes = [found.prefix] if found.prefix else []
    return {"source_kind": SourceKind.STORAGE, "storage": found.storage, "prefixes": prefixes}


def _request(options: dict[str, Any], project: Project, rules: RulesAsked, *, who: str) -> ImportRequest:
    root = Path(options["path"]).absolute()
    return ImportRequest(
        project=project,
        source_kind=SourceKind.FOLDER,
        transfer=Transfer(options["transfer"]),
        checksum=options["checksum"],
        label=options["label"] or os.fsencode(root.name).decode(errors="replace"),
        description=options["description"],
        who=who,
        strategy=Strategy(options["conflict_strategy"]) if options["conflict_strategy"] else None,
        uid_scope=UidScope(options["uid_scope"]) if options["uid_scope"] else None,
        missing_meta=MissingMeta(options["missing_meta"]) if options["missing_meta"] else None,
        limit=options["limit"],
        dry_run=options["dry_run"],
        rules=rules.name,
        rules_text=rules.text,
    )
