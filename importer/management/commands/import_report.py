"""Writes an import's audit or conflict report to standard output, whatever the import's state."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from importer import report
from importer.management.running import job_numbered, write_lines

WRITERS = {
    (False, "csv"): report.audit_csv,
    (False, "jsonl"): report.audit_jsonl,
    (True, "csv"): report.conflict_csv,
    (True, "jsonl"): report.conflict_jsonl,
}


class Command(BaseCommand):
    help = "Print the audit report of an import: one row per source file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", type=int)
        parser.add_argument("--conflicts", action="store_true", help="the conflict report instead")
        parser.add_argument("--format", default="csv", choices=["csv", "jsonl"])

    def handle(self, *_args: Any, **options: Any) -> None:
        write = WRITERS[options["conflicts"], options["format"]]
        try:
            write_lines(write(job_numbered(options["id"])), sys.stdout)
        except BrokenPipeError:
            # `| head` has seen enough.
            sys.stderr.close()
