"""Work is done in batches: the number of queries follows pages and slices, never files."""

import os

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from importer.models import Chunk
from importer.pipeline.advance import advance
from importer.tests.pipeline.drive import imported, instance, put, put_series, start, until, worker

pytestmark = pytest.mark.django_db(transaction=True)
STAGES = ("scanning", "extracting", "planning", "transferring", "finishing", "completed")


def queries(job):
    """Stage that was worked in → queries."""
    found = dict.fromkeys(("pending", *STAGES), 0)
    for _ in range(200):
        job.refresh_from_db()
        if job.status in {"completed", "needs_review", "failed"}:
            return found
        at = job.status
        with CaptureQueriesContext(connection) as seen:
            advance(job.pk, worker=worker())
        found[at] += len([one for one in seen if not one["sql"].startswith(("SAVEPOINT", "RELEASE", "BEGIN"))])
    raise AssertionError("no end")


def one_series(folder, count):
    put_series(folder, count)


def many_papers(folder, count):
    for number in range(count):
        put(folder / "S" / "E" / "A" / f"{number}.txt", b"%d" % number)


def many_series(folder, count):
    for number in range(count):
        put(folder / f"{number}.dcm", instance(1, series=number + 1))


def nameless_series(folder, count):
    for number in range(count):
        put(folder / f"{number}.dcm", instance(1, series=number + 1, patient=None))


def colliding_papers(folder, count):
    for number in range(count):
        put(folder / ("a" if number % 2 else "b") / "S" / "E" / "A" / f"{number // 2}.txt", b"%d" % (number % 3))


def twin_instances(folder, count):
    for number in range(count):
        put(folder / f"{number}.dcm", instance(number // 3, ContentDate=f"2020010{number % 2 + 1}"))


def bad_files(folder, count):
    for number in range(count):
        put(folder / f"{number}.dcm", b"bad")


SOURCES = [one_series, many_papers, many_series, nameless_series, colliding_papers, twin_instances, bad_files]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
def test_ten_times_the_files_of_one_slice_ask_no_more(project, places, tmp_path, source):
    source(tmp_path / "few", 12)
    source(tmp_path / "many", 120)

    few = queries(start(project, tmp_path / "few"))
    other = type(project).objects.create(group=project.group, label="Other")
    many = queries(start(other, tmp_path / "many"))

    # A page of rows may be one statement or two.
    assert {stage: many[stage] - few[stage] <= 6 for stage in few} == dict.fromkeys(few, True), (few, many)


@pytest.mark.parametrize("source", [one_series, many_papers], ids=lambda source: source.__name__)
def test_a_second_import_asks_no_more_per_file_either(project, places, tmp_path, source):
    source(tmp_path / "in", 120)
    first = queries(start(project, tmp_path / "in"))

    second = queries(start(project, tmp_path / "in"))

    # COMPARE is a slice of its own.
    assert {stage: second[stage] - first[stage] <= 40 for stage in first} == dict.fromkeys(first, True), (first, second)


def test_nothing_is_flushed_file_by_file(project, places, tmp_path, monkeypatch):
    many_papers(tmp_path / "in", 60)
    job = start(project, tmp_path / "in")
    until(job, "transferring")
    flushed = []
    original = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: flushed.append(handle) or original(handle))

    while Chunk.objects.filter(job=job, status="open").exists():
        advance(job.pk, worker=worker())

    assert len(flushed) < 10


def test_memory_of_a_scan_does_not_grow_with_the_names(tmp_path):
    """Runs of names are sorted on disk; what is held is a run, whatever the folder's size."""
    import tracemalloc

    from importer.core import folder

    names = tmp_path / "names"
    names.mkdir()
    for number in range(6000):
        (names / f"{number:06}{'x' * 100}").touch()
    original = folder.RUN
    folder.RUN = 200
    tracemalloc.start()
    try:
        last = ""
        for entry in folder.walk(os.fsencode(tmp_path)):
            assert entry.path > last
            last = entry.path
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        folder.RUN = original

    assert last.startswith("names/005999")
    assert peak < 1_500_000


def test_the_law_is_counted_by_the_database(project, places, tmp_path):
    """FINISH asks for sums, not for rows."""
    many_papers(tmp_path / "in", 60)
    assert queries(start(project, tmp_path / "in"))["finishing"] < 20
    assert imported(project, tmp_path / "in").skipped == 60
