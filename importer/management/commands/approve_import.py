"""Approves a plan: it is made again and, where nothing has changed, run."""

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
from importer.plans import approve_import
from importer.services import who_is


class Command(BaseCommand):
    help = (
        "Approve the plan of a dry run and run it. Exit status as import_folder; also 1 when the plan came out "
        "otherwise: then nothing has run, look at it and approve it again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", type=int)
        add_running_options(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        check_running_options(options)
        actor = actor_named(options["actor"])
        plan = job_numbered(options["id"])
        who = who_is(actor) if actor else "system"
        try:
            job = approve_import(plan.pk, actor=actor, who=who, now=timezone.now(), enqueue=options["queue"])
        except Refused as error:
            refuse(str(error))
        if options["queue"]:
            self.stdout.write(f"Import {job.pk} is approved and queued.")
            return
        run_to_the_end(job, options, default_workers=min(4, os.cpu_count() or 1))
