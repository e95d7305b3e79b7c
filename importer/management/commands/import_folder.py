"""Imports a folder of this machine, here or by the workers that run anyway."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils import timezone

from hierarchy.errors import Refused
from importer.core.states import SourceKind
from importer.core.transfer_rules import STAYS
from importer.management.importing import add_import_options, check_import_options, project_asked, request_asked
from importer.management.rules import rules_asked
from importer.management.running import actor_named, refuse, run_to_the_end
from importer.services import ImportRequest, start_import, who_is
from importer.transfers import declared_folder


class Command(BaseCommand):
    help = "Import a folder. Exit status: 2 refused, 1 something failed, 3 something is quarantined, 0 all clean."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", help="the folder that holds the files")
        add_import_options(
            parser,
            transfer="reference and symlink leave the bytes where they lie, and make the folder a storage provider",
            acknowledge="with --transfer reference or symlink: the folder's files stay as they are, stay for good, "
            "and are backed up there",
            checksum="compare digests (always done for a folder)",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["acknowledge"] and options["transfer"] not in STAYS:
            refuse(
                "--acknowledge is about files that stay where they are: it belongs to --transfer reference or symlink."
            )
        check_import_options(options)
        actor = actor_named(options["actor"])
        try:
            # What is refused has not made a project either.
            with transaction.atomic():
                request = _request(options, actor)
                job = start_import(request, actor=actor, now=timezone.now(), enqueue=options["queue"])
        except Refused as error:
            refuse(str(error))
        if options["queue"]:
            self.stdout.write(f"Import {job.pk} is queued.")
            return
        run_to_the_end(job, options, default_workers=min(4, os.cpu_count() or 1))


def _request(options: dict[str, Any], actor: User | None) -> ImportRequest:
    project = project_asked(options, actor=actor)
    rules = rules_asked(options, project, actor=actor)
    who = who_is(actor) if actor else "system"
    root = Path(options["path"]).absolute()
    asked = request_asked(options, label=os.fsencode(root.name).decode(errors="replace"))
    source = _source(options, actor, who=who)
    return ImportRequest(project=project, who=who, rules=rules.name, rules_text=rules.text, **asked, **source)


def _source(options: dict[str, Any], actor: User | None, *, who: str) -> dict[str, Any]:
    """The folder; where its files stay in it, the storage that it thereby is."""
    root = os.fsencode(Path(options["path"]).absolute())
    if options["transfer"] not in STAYS:
        return {"source_kind": SourceKind.FOLDER, "source_root": root}
    acknowledged = options["acknowledge"]
    found = declared_folder(root, acknowledged=acknowledged, actor=actor, who=who, now=timezone.now())
    prefixes = [found.prefix] if found.prefix else []
    return {"source_kind": SourceKind.STORAGE, "storage": found.storage, "prefixes": prefixes}
