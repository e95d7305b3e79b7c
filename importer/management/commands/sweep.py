"""Recovers and finishes whatever lost its worker."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from importer import tasks
from importer.pipeline.sweep import drop_leftovers, finish_all, sweep
from importer.pipeline.worker import Worker, this_owner


class Command(BaseCommand):
    help = "Finish imports that lost their worker, here; --queue hands them to the workers that run anyway."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--queue", action="store_true")

    def handle(self, *_args: Any, **options: Any) -> None:
        drop_leftovers(now=timezone.now())
        if options["queue"]:
            jobs = sweep(worker=Worker(owner=this_owner(), wake=tasks.wake))
            for job_id in jobs:
                tasks.wake(job_id, 1)
            self.stdout.write(f"{len(jobs)} imports are handed to the workers.")
            return
        left = finish_all(worker=Worker(owner=this_owner()))
        named = ", ".join(map(str, left))
        self.stdout.write(f"Still open, with another worker or paused: {named}." if left else "Nothing is left to do.")
