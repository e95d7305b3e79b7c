"""Runs an import again: the same source and options, as a new import."""

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from hierarchy.errors import Refused
from importer.management.running import (
    actor_named,
    add_running_options,
    check_running_options,
    job_numbered,
    refuse,
    run_to_the_end,
)
from importer.services import rerun_import, who_is


class Command(BaseCommand):
    help = "Run an import again, all of it or only what failed. Exit status as import_folder."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", type=int)
        parser.add_argument("--failed", action="store_true", help="only the files that failed")
        add_running_options(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        check_running_options(options)
        actor = actor_named(options["actor"])
        before = job_numbered(options["id"])
        try:
            job = rerun_import(
                before.pk,
                actor=actor,
                who=who_is(actor) if actor else "system",
                now=timezone.now(),
                only_failed=options["failed"],
                enqueue=options["queue"],
            )
        except Refused as error:
            refuse(str(error))
        if options["queue"]:
            self.stdout.write(f"Import {job.pk} is queued.")
            return
        run_to_the_end(job, options, default_workers=min(4, os.cpu_count() or 1))
