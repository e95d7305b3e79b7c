"""Reports of an import as downloads: streamed, whatever their size."""

from collections.abc import Callable, Iterator, Mapping

from django.http import Http404, StreamingHttpResponse

from importer import report
from importer.models import ImportJob
from importer.plan_csv import plan_csv
from importer.vanished import vanished_csv

CSV, JSON_LINES = "text/csv; charset=utf-8", "application/jsonl; charset=utf-8"
Writers = Mapping[str, tuple[str, Callable[[ImportJob], Iterator[str]]]]
AUDIT: Writers = {"csv": (CSV, report.audit_csv), "jsonl": (JSON_LINES, report.audit_jsonl)}
CONFLICTS: Writers = {"csv": (CSV, report.conflict_csv), "jsonl": (JSON_LINES, report.conflict_jsonl)}
PLAN: Writers = {"csv": (CSV, plan_csv)}
VANISHED: Writers = {"csv": (CSV, vanished_csv)}


def download(job: ImportJob, writers: Writers, *, ending: str, name: str) -> StreamingHttpResponse:
    """Raises Http404 for a format that there is not."""
    if ending not in writers:
        raise Http404
    content_type, lines = writers[ending]
    response = StreamingHttpResponse(lines(job), content_type=content_type)
    response.headers["Content-Disposition"] = f'attachment; filename="import-{job.pk}-{name}.{ending}"'
    response.headers["Cache-Control"] = "no-store"
    return response
