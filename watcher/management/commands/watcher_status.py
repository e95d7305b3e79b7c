"""watcher_status: how the watcher and each drop folder are."""

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from watcher import process, status
from watcher.health import Health


class Command(BaseCommand):
    help = "Tells whether somebody watches, and how each drop folder is. Exit status 0 when all is healthy, else 1."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="for scripts")

    def handle(self, *, json: bool, **_options: Any) -> None:
        found = status.now(at=timezone.now(), locked=process.is_held(settings.PRATIQUE_WATCHER_LOCK))
        self.stdout.write(_as_json(found) if json else "\n".join(status.in_words(found)))
        if found["state"] != Health.HEALTHY:
            raise SystemExit(1)


def _as_json(found: status.Status) -> str:
    return json.dumps(found, indent=2)
