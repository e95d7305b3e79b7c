"""start_watcher: watch all drop folders."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from hierarchy.errors import Refused
from watcher import daemon, dryrun, serving


class Command(BaseCommand):
    help = (
        "Watches all drop folders: in the background, or here with --foreground. Exit status 2 when a watcher "
        "runs already; of --once: 0 when every drop folder could be looked at, else 1."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--foreground", action="store_true", help="stay here and log to standard error")
        parser.add_argument(
            "--once",
            action="store_true",
            help="take what is whole, wait one quiet period for what is settling, and end",
        )
        parser.add_argument("--dry-run", action="store_true", help="print what would be taken now; change nothing")

    def handle(self, *, foreground: bool, once: bool, dry_run: bool, **_options: Any) -> None:
        if dry_run:
            self._end(dryrun.look(say=self.stdout.write))
            return
        try:
            if once:
                self._end(serving.once(say=self.stdout.write))
            elif foreground:
                self._end(serving.serve(started=lambda: None))
            else:
                self._background()
        except Refused as error:
            raise CommandError(str(error), returncode=2) from error

    def _background(self) -> None:
        failed = daemon.in_background(
            lambda started: serving.serve(started=started), log=settings.PRATIQUE_HOME / "log" / "watcher.log"
        )
        if failed:
            raise CommandError(failed, returncode=2)
        self.stdout.write("The watcher is running. stop_watcher ends it, watcher_status tells how it is.")

    def _end(self, code: int) -> None:
        if code:
            raise SystemExit(code)
