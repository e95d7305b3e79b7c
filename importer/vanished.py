"""What an import from a storage was the first not to find any more: for its page, as CSV and over REST."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import QuerySet

from hierarchy.models import File
from importer.models import ImportJob, Known
from importer.pipeline.remember import vanished
from importer.report import csv_lines

COLUMNS = ("src_path", "size", "modified", "became", "file_id", "version")
ORDER = ("path", "pk")
STEP = 1000
NANO = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Gone:
    """`file` is what it was imported as, if that is still there; what is imported stays."""

    row: Known
    file: File | None

    @property
    def modified(self) -> datetime:
        return datetime.fromtimestamp(self.row.mtime_ns // NANO, tz=UTC)


def gone_rows(job: ImportJob) -> "QuerySet[Known]":
    """By path."""
    return vanished(job).order_by(*ORDER)


def with_files(rows: Sequence[Known]) -> list[Gone]:
    """One query."""
    files = File.objects.in_bulk({row.file_id for row in rows if row.file_id is not None})
    return [Gone(row, files.get(row.file_id or 0)) for row in rows]


def vanished_csv(job: ImportJob) -> Iterator[str]:
    """Exactly COLUMNS, in memory of a page."""
    yield csv_lines([COLUMNS])
    rows = gone_rows(job)
    page = list(rows[:STEP])
    while page:
        yield csv_lines(map(_cells, with_files(page)))
        # Of one storage each path is there once.
        page = list(rows.filter(path__gt=page[-1].path)[:STEP])


def _cells(gone: Gone) -> Sequence[object]:
    row = gone.row
    became = (row.file_id or "", row.version_id or "") if gone.file else ("", "")
    return (row.path, row.size, gone.modified.isoformat(), row.became, *became)
