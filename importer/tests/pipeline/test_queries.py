"""The number of queries goes with the number of slices, never with that of files."""

from django.db import connection
from django.test.utils import CaptureQueriesContext

from importer.tests.pipeline.drive import put, run, start


def queries(project, folder, *, became):
    with CaptureQueriesContext(
        connection,
    ) as asked:
        job = run(start(project, folder))
    assert getattr(job, became) == job.discovered
    return len(asked)


def test_neither_an_import_nor_its_repetition_asks_per_file(project, places, tmp_path):
    for count in (5, 100):
        for number in range(count):
            put(
                tmp_path / f"{count}" / f"subject {count}" / "session" / "acquisition" / f"{number}.txt", b"%d" % number
            )
    few, many = (queries(project, tmp_path / f"{count}", became="imported") for count in (5, 100))
    assert many <= few + 5
    few, many = (queries(project, tmp_path / f"{count}", became="skipped") for count in (5, 100))
    assert many <= few + 5
