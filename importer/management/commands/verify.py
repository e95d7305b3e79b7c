"""Checks what is stored: exists, size, digest."""

import sys
from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand

from importer.core.names import shown
from importer.management.running import refuse
from importer.pipeline.verify import State, verify

WHOLE = 100


class Command(BaseCommand):
    help = "Verify the archive and the quarantine. Exit status: 0 all is well, 1 something is not."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--sample", default="100%", metavar="N%", help="read so many of the files whole")
        parser.add_argument("--repair", action="store_true", help="not built yet")

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["repair"]:
            refuse("--repair is not built yet: leave it out.")
        counts: Counter[str] = Counter()
        for check in verify(percent=_percent(options["sample"])):
            counts[check.state] += 1
            if check.state is not State.OK:
                self.stdout.write(f"{check.state}\t{check.place}\t{shown(check.path)}")
        self.stdout.write(f"{counts.total():,} stored files: " + (_said(counts) or "nothing to verify"))
        sys.exit(1 if counts.total() - counts[State.OK] else 0)


def _percent(text: str) -> float:
    try:
        found = float(text.removesuffix("%"))
    except ValueError:
        refuse(f"--sample {text}: write a percentage such as 5%.")
    return found if 0 <= found <= WHOLE else refuse(f"--sample {text}: write a percentage from 0% to 100%.")


def _said(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {state}" for state, count in sorted(counts.items()))
