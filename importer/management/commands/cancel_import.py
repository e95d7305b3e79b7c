"""Cancels an import: what is under way ends whole, what waits is dropped."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from hierarchy.errors import Refused
from importer.core.states import FINAL
from importer.management.running import actor_named, job_numbered, refuse
from importer.pipeline.advance import Step, advance
from importer.pipeline.leases import recover
from importer.pipeline.worker import Worker, this_owner
from importer.services import cancel_import, who_is


class Command(BaseCommand):
    help = "Cancel an import. Files that are stored already stay."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", type=int)
        parser.add_argument("--as", dest="actor", metavar="USER", help="act as this user, with their rights")

    def handle(self, *_args: Any, **options: Any) -> None:
        actor = actor_named(options["actor"])
        job = job_numbered(options["id"])
        try:
            job = cancel_import(job.pk, actor=actor, who=who_is(actor) if actor else "system", now=timezone.now())
        except Refused as error:
            refuse(str(error))
        # Nobody may be running that could end it: one step here does, unless a slice is still under way elsewhere.
        worker = Worker(owner=this_owner())
        recover(worker.now())
        while advance(job.pk, worker=worker) is Step.DID:
            pass
        job.refresh_from_db()
        ended = "is cancelled" if job.status in FINAL else "is being cancelled: its running slices end first"
        self.stdout.write(f"Import {job.pk} {ended}.")
