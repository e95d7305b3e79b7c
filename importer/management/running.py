"""What the commands that import share: options, running here, progress, reports, exit codes."""

import sys
from argparse import ArgumentParser
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from django.contrib.auth.models import User
from django.core.management.base import CommandError
from django.db.models import Q

from importer import report
from importer.core.states import FINAL, JobStatus
from importer.models import ImportJob
from importer.pipeline.processes import run

REFUSED, FAILED, QUARANTINED, CLEAN = 2, 1, 3, 0
MOST_WORKERS = 64
FORMATS = (".csv", ".jsonl")


def refuse(reason: str) -> NoReturn:
    raise CommandError(reason, returncode=REFUSED)


def add_running_options(parser: ArgumentParser) -> None:
    parser.add_argument("--as", dest="actor", metavar="USER", help="act as this user (name or mail), with their rights")
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes to use (default: one per processor, at most 4)"
    )
    parser.add_argument("--queue", action="store_true", help="only hand it to the workers that run anyway")
    parser.add_argument("--report", metavar="FILE", help="audit report, .csv or .jsonl; - is CSV on standard output")
    parser.add_argument("--conflict-report", metavar="FILE", help="conflict report, in the same way")


def check_running_options(options: dict[str, Any]) -> None:
    """Before anything is made. Exits with 2."""
    for name in ("report", "conflict_report"):
        target = options[name]
        if target and target != "-" and Path(target).suffix not in FORMATS:
            refuse(
                f"--{name.replace('_', '-')} {target}: a report ends in .csv or .jsonl, or is - for standard output."
            )
        if target and options["queue"]:
            refuse("With --queue there is no report yet: ask for it with import_report when the import has ended.")
    if options["workers"] is not None and not 1 <= options["workers"] <= MOST_WORKERS:
        refuse(f"--workers takes a number from 1 to {MOST_WORKERS}.")


def actor_named(name: str | None) -> User | None:
    """None, the system, when nobody is named."""
    if not name:
        return None
    found = User.objects.filter(Q(username=name) | Q(email=name), is_active=True).first()
    return found or refuse(f"There is no active user {name}.")


def job_numbered(pk: int) -> ImportJob:
    found = ImportJob.objects.select_related("project__group").filter(pk=pk).first()
    return found or refuse(f"There is no import {pk}.")


def run_to_the_end(job: ImportJob, options: dict[str, Any], *, default_workers: int) -> NoReturn:
    """Runs the job here and exits with the contract's code."""
    progress = Progress(job.pk)
    try:
        run(job.pk, workers=options["workers"] or default_workers, look=progress.show)
    except KeyboardInterrupt:
        with suppress(OSError, KeyboardInterrupt):
            progress.clear()
            _say(
                f"Interrupted. Import {job.pk} can go on: `manage.py sweep` finishes it, "
                f"`manage.py cancel_import {job.pk}` ends it.\n"
            )
        sys.exit(FAILED)
    progress.clear()
    job.refresh_from_db()
    write_reports(job, options)
    tell(job, stream_is_taken="-" in (options["report"], options["conflict_report"]))
    if job.status not in FINAL | {JobStatus.PLANNED}:
        sys.stderr.write(
            f"Its workers died again and again. Import {job.pk} can go on: `manage.py sweep` finishes it.\n"
        )
    sys.exit(exit_code(job))


class Progress:
    """One line on a terminal; nothing where standard error is a file."""

    def __init__(self, job_id: int) -> None:
        self.job_id, self.on = job_id, sys.stderr.isatty()
        self._paused = ""

    def show(self) -> None:
        job = ImportJob.objects.get(pk=self.job_id)
        if job.status == JobStatus.PAUSED and job.pause_reason != self._paused:
            self._paused = job.pause_reason
            _say(f"Paused, goes on by itself: {job.pause_reason}\n")
        if self.on:
            said = (
                f"{job.status}: {job.discovered:,} found, {job.extracted:,} read, {job.bytes_moved / 1e6:,.1f} MB moved"
            )
            _say(f"\r\x1b[K{said}")

    def clear(self) -> None:
        if self.on:
            _say("\r\x1b[K")


def _say(text: str) -> None:
    """A terminal that was closed is an interrupt, whether its signal or our words meet it first."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        raise KeyboardInterrupt from None


def write_reports(job: ImportJob, options: dict[str, Any]) -> None:
    writers = {
        "report": (report.audit_csv, report.audit_jsonl),
        "conflict_report": (report.conflict_csv, report.conflict_jsonl),
    }
    for name, (as_csv, as_jsonl) in writers.items():
        target = options[name]
        if target == "-":
            write_lines(as_csv(job), sys.stdout)
        elif target:
            with Path(target).open("w", encoding="utf-8", newline="") as stream:
                write_lines((as_jsonl if target.endswith(".jsonl") else as_csv)(job), stream)


def write_lines(lines: Iterable[str], stream: Any) -> None:
    stream.writelines(lines)
    stream.flush()


def tell(job: ImportJob, *, stream_is_taken: bool) -> None:
    stream = sys.stderr if stream_is_taken else sys.stdout
    sums = {name: getattr(job, name) for name in ("imported", "skipped", "conflict", "failed", "cancelled")}
    if job.status == JobStatus.PLANNED:
        sums = {"planned": job.discovered - sum(sums.values()), **sums}
    counts = ", ".join(f"{count:,} {name}" for name, count in sums.items())
    stream.write(f"Import {job.pk} {job.status.replace('_', ' ')}: {job.discovered:,} files found: {counts}.\n")
    if job.status == JobStatus.PLANNED and job.plan_changed:
        stream.write(
            f"{job.plan_changed:,} came out otherwise than approved, so nothing was run: look at the plan "
            f"and approve it again (`manage.py import_report {job.pk}`, `manage.py approve_import {job.pk}`).\n"
        )
    if job.error:
        stream.write(f"{job.error}\n")


def exit_code(job: ImportJob) -> int:
    if job.status not in {JobStatus.COMPLETED, JobStatus.NEEDS_REVIEW, JobStatus.PLANNED} or job.failed:
        return FAILED
    if job.status == JobStatus.PLANNED and job.plan_changed:
        return FAILED
    return QUARANTINED if job.conflict else CLEAN
