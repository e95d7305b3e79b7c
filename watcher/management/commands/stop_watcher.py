"""stop_watcher: end the watcher of this machine."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from watcher import process


class Command(BaseCommand):
    help = "Ends the watcher of this machine after its current step. Exit status 1 when it still runs after that."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--kill", action="store_true", help="kill it when it does not end by itself")

    def handle(self, *, kill: bool, **_options: Any) -> None:
        stopped = process.stop(settings.PRATIQUE_WATCHER_LOCK, kill=kill)
        if not stopped.done:
            raise CommandError(stopped.said)
        self.stdout.write(stopped.said)
