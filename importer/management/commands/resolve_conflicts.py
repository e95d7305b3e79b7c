"""Decides about conflicts from the shell, through the same services as the pages."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db.models import QuerySet
from django.utils import timezone

from hierarchy.errors import Refused
from importer.core.methods import Action, Word
from importer.core.states import ConflictStatus, ResolutionStatus
from importer.management.running import CLEAN, FAILED, QUARANTINED, actor_named, job_numbered, refuse
from importer.models import Conflict, Resolution
from importer.pipeline.resolving import resolve
from importer.pipeline.worker import Worker, this_owner
from importer.review import Verdict, decide, forecast
from importer.selection import selected
from importer.services import who_is

NAMES = [*(word.value for word in Word), *(action.value for action in Action if action != Action.RETRY)]


class Command(BaseCommand):
    help = (
        "Decide about the open conflicts of an import. "
        "Exit status: 2 refused, 1 something could not be carried out, 3 some are still open, 0 none is."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--import", dest="job", type=int, required=True, metavar="ID")
        parser.add_argument("--action", required=True, choices=NAMES, metavar="ACTION", help=", ".join(NAMES))
        parser.add_argument(
            "--filter", action="append", default=[], metavar="F", help="type=…, level=…, path=~…; all hold"
        )
        parser.add_argument("--label", action="append", default=[], metavar="LEVEL=LABEL", help="for assign_label")
        parser.add_argument("--target", type=int, metavar="ID", help="the container to use, where several are named")
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, change nothing")
        parser.add_argument("--as", dest="actor", metavar="USER", help="act as this user, with their rights")

    def handle(self, *_args: Any, **options: Any) -> None:
        actor = actor_named(options["actor"])
        job = job_numbered(options["job"])
        verdict = Verdict(
            action=options["action"],
            who=who_is(actor) if actor else "system",
            target=options["target"],
            labels=_labels(options["label"]),
        )
        waiting = Conflict.objects.filter(job=job, status=ConflictStatus.OPEN)
        try:
            chosen = selected(waiting, options["filter"])
            if options["dry_run"]:
                self._foretell(chosen, verdict, actor)
                return
            resolution = decide(chosen, verdict, actor=actor, now=timezone.now(), enqueue=False)
        except Refused as error:
            refuse(str(error))
        resolution = resolve(resolution.pk, worker=Worker(owner=this_owner()))
        self._tell(resolution, still=waiting.count())

    def _foretell(self, chosen: "QuerySet[Conflict]", verdict: Verdict, actor: Any) -> None:
        found = forecast(chosen, verdict, actor=actor)
        for action, number in found.by_action.items():
            self.stdout.write(f"{number:,} would be decided by {action}")
        for reason, number in found.left_out.items():
            self.stdout.write(f"{number:,} would be left out: {reason}")
        if not found.total:
            self.stdout.write("Nothing that is open matches.")

    def _tell(self, resolution: Resolution, *, still: int) -> None:
        if resolution.status == ResolutionStatus.PAUSED:
            self.stdout.write(f"Paused, `manage.py sweep` goes on: {resolution.reason}")
            sys.exit(FAILED)
        self.stdout.write(f"{resolution.applied:,} decided, {resolution.refused:,} could not be, {still:,} still open.")
        refused = resolution.decisions.filter(status="refused").values_list("conflict_id", "error")
        for conflict, error in refused[:20]:
            self.stdout.write(f"conflict {conflict}: {error}")
        sys.exit(FAILED if resolution.refused else QUARANTINED if still else CLEAN)


def _labels(pairs: list[str]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        level, equals, label = pair.partition("=")
        if not equals:
            refuse(f"--label {pair}: write LEVEL=LABEL, for example subject=P01.")
        found[level] = label
    return found
