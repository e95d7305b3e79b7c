"""Checks what is stored: exists, size, digest; our own bytes, and those that we refer to."""

import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from hierarchy.errors import Refused
from importer.core.checks import CheckState
from importer.core.names import shown
from importer.management.running import refuse
from importer.models import CheckedRoot
from importer.pipeline.repair import CannotRepair, repair, spoiled
from importer.pipeline.roots import roots
from importer.pipeline.verify import Finding, State, verify
from importer.storage_queries import find
from importer.verify_queries import coverage_of

WHOLE = 100
# Of a place that is away, not every file has a line.
SILENT = frozenset({State.OK, State.AWAY})


class Command(BaseCommand):
    help = (
        "Verify archive, quarantine and what is referred to at storages. Exit status: 0 all is well, 1 something is "
        "not. Nothing is changed, but for what --repair puts back from a proven copy."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--sample", default="100%", metavar="N%", help="read so many whole, those that were not for longest"
        )
        parser.add_argument("--repair", action="store_true", help="put back what is spoiled, where a good copy is left")
        parser.add_argument("--storage", metavar="S", help="only what is referred to there: a label or a number")

    def handle(self, *_args: Any, **options: Any) -> None:
        percent, which = _percent(options["sample"]), _chosen(options["storage"])
        counts: Counter[State] = Counter()
        for found in verify(percent=percent, which=which):
            counts[found.state] += 1
            if found.state not in SILENT:
                self.stdout.write(_line(found))
        self._tell_away(which)
        left = self._repaired(counts, which) if options["repair"] else counts.total() - counts[State.OK]
        self.stdout.write(f"{counts.total():,} stored files: " + (_said(counts) or "nothing to verify"))
        self.stdout.write(coverage_of(actor=None, now=timezone.now()).words)
        sys.exit(1 if left else 0)

    def _tell_away(self, which: Sequence[CheckedRoot] | None) -> None:
        for root in which if which is not None else roots():
            root.refresh_from_db()
            if root.away_since is not None:
                self.stdout.write(f"{CheckState.AWAY}\t{root}\t{shown(root.words)}")

    def _repaired(self, counts: Counter[State], which: Sequence[CheckedRoot] | None) -> int:
        """How many are still not well."""
        left = counts.total() - counts[State.OK]
        for pk in spoiled([root.pk for root in (which if which is not None else roots())]):
            try:
                words = repair(pk, who="system", now=timezone.now())
            except CannotRepair as error:
                self.stdout.write(f"not repaired\t{shown(str(error))}")
            else:
                left -= 1
                self.stdout.write(f"repaired\tfrom {shown(words)}")
        return left


def _chosen(storage: str | None) -> list[CheckedRoot] | None:
    """None: all places."""
    if storage is None:
        return None
    try:
        wanted = find(None, storage)
    except Refused as error:
        refuse(str(error))
    return [root for root in roots() if root.storage_id == wanted.pk]


def _line(found: Finding) -> str:
    words = f"\t{shown(found.words)}" if found.words else ""
    return f"{found.state}\t{found.place}\t{shown(found.path)}{words}"


def _percent(text: str) -> float:
    try:
        found = float(text.removesuffix("%"))
    except ValueError:
        refuse(f"--sample {text}: write a percentage such as 5%.")
    return found if 0 <= found <= WHOLE else refuse(f"--sample {text}: write a percentage from 0% to 100%.")


def _said(counts: Counter[State]) -> str:
    return ", ".join(f"{count:,} {state}" for state, count in sorted(counts.items()))
