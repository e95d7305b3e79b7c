"""Imports from a storage, here or by the workers that run anyway."""

import os
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils import timezone

from hierarchy.errors import Refused
from importer import storage_providers
from importer.core.names import printable
from importer.core.states import SourceKind
from importer.management.importing import add_import_options, check_import_options, project_asked, request_asked
from importer.management.rules import rules_asked
from importer.management.running import actor_named, refuse, run_to_the_end
from importer.services import ImportRequest, bring_back_deleted, start_import, who_is
from importer.storage_sources import named_storage


class Command(BaseCommand):
    help = (
        "Import from a storage: only what is new or has changed since the last time is read. "
        "Exit status: 2 refused, 1 something failed, 3 something is quarantined, 0 all clean."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("storage", help="its label or number")
        parser.add_argument(
            "prefixes", nargs="*", metavar="PREFIX", help="only keys that begin so; end it with / for one folder"
        )
        add_import_options(
            parser,
            transfer="default: by reference from a storage on a provider, else copied",
            acknowledge="of a storage on a provider, once: its files stay as they are, stay for good, and are backed "
            "up there",
            checksum="read every byte, also of files that are as they were",
        )
        parser.add_argument(
            "--restore-deleted", action="store_true", help="take again what was deleted here after an earlier import"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        check_import_options(options)
        actor = actor_named(options["actor"])
        try:
            # What is refused has not made a project either.
            with transaction.atomic():
                request = _request(options, actor)
                job = start_import(request, actor=actor, now=timezone.now(), enqueue=options["queue"])
                if options["restore_deleted"]:
                    bring_back_deleted(job, who=request.who, now=timezone.now())
        except Refused as error:
            refuse(str(error))
        if options["queue"]:
            self.stdout.write(f"Import {job.pk} is queued.")
            return
        run_to_the_end(job, options, default_workers=min(4, os.cpu_count() or 1))


def _request(options: dict[str, Any], actor: User | None) -> ImportRequest:
    storage = named_storage(options["storage"], actor=actor)
    project = project_asked(options, actor=actor)
    rules = rules_asked(options, project, actor=actor)
    who = who_is(actor) if actor else "system"
    if options["acknowledge"]:
        storage = storage_providers.acknowledge(storage.pk, actor=actor, who=who, now=timezone.now())
    return ImportRequest(
        project=project,
        source_kind=SourceKind.STORAGE,
        storage=storage,
        prefixes=tuple(printable(os.fsencode(prefix)) for prefix in options["prefixes"]),
        who=who,
        rules=rules.name,
        rules_text=rules.text,
        **request_asked(options, label=storage.label),
    )
