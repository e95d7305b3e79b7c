"""Imports side by side, in processes of their own: the same places are taken once each, and nothing is lost."""

import multiprocessing
import time

import pytest
from django.db import connections

from conftest import ON_SQLITE
from hierarchy.models import File, FileVersion
from importer.models import Conflict, Item
from importer.pipeline import chunks, scan
from importer.pipeline.advance import Step, advance
from importer.pipeline.processes import run as run_in_processes
from importer.tests.pipeline.drive import (
    assert_conserved,
    containers,
    imported,
    leftovers,
    outcomes,
    put,
    put_series,
    start,
    tree,
    worker,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.service, pytest.mark.slow]
SIDE_BY_SIDE = 3 if ON_SQLITE else 8
DELIVERIES = 20 if ON_SQLITE else 60


def at_once(jobs, *, workers=SIDE_BY_SIDE):
    """Every process works at every job, each beginning with another one; all begin together."""
    connections.close_all()
    fork = multiprocessing.get_context("fork")
    barrier = fork.Barrier(workers)
    ids = [job.pk for job in jobs]
    crew = [fork.Process(target=finish, args=(ids[n:] + ids[:n], barrier)) for n in range(workers)]
    for process in crew:
        process.start()
    for process in crew:
        process.join(120)
    assert [process.exitcode for process in crew] == [0] * len(crew)
    for job in jobs:
        job.refresh_from_db()
        assert job.status in {"completed", "needs_review"}
        assert_conserved(job)


def finish(ids, barrier):
    by = worker()
    barrier.wait(60)
    for _ in range(5000):
        steps = {advance(job_id, worker=by) for job_id in ids}
        if steps == {Step.ENDED}:
            return
        if Step.DID not in steps:
            time.sleep(0.02)
    raise SystemExit(1)


@pytest.fixture(autouse=True)
def small_slices(monkeypatch):
    """So that there is something to share out."""
    monkeypatch.setattr(scan, "CHUNK_ENTRIES", 7)
    monkeypatch.setattr(chunks, "SLICE_COUNT", 3)


@pytest.fixture(autouse=True)
def no_trouble(capfd):
    """No error surfaces from any of the processes."""
    yield
    said = "".join(capfd.readouterr())
    assert "Error" not in said
    assert "broke" not in said


def test_the_same_source_at_once_is_imported_once(project, places, tmp_path):
    source = tmp_path / "in"
    for series in (1, 2, 3):
        put_series(source / f"{series}", 4, series=series)
    put(source / "1" / "report.pdf")
    jobs = [start(project, source) for _ in range(SIDE_BY_SIDE)]

    at_once(jobs)

    assert containers() == (1, 1, 3)
    assert File.objects.count() == FileVersion.objects.count() == 4
    assert sum(job.imported for job in jobs) == 13
    assert sum(job.skipped for job in jobs) == 13 * (SIDE_BY_SIDE - 1)
    assert not Conflict.objects.exists()
    assert leftovers(places) == []


def test_many_deliveries_of_one_new_visit_make_one_subject_and_one_session(project, places, tmp_path):
    jobs = []
    for number in range(1, DELIVERIES + 1):
        put_series(tmp_path / f"in{number}", 2, series=number, study=1)
        jobs.append(start(project, tmp_path / f"in{number}"))

    at_once(jobs)

    assert containers() == (1, 1, DELIVERIES)
    assert all(job.imported == 2 for job in jobs)
    assert leftovers(places) == []


def test_many_contents_for_one_name_leave_one_standing_and_all_others_held_once(project, places, tmp_path):
    jobs = []
    for number in range(SIDE_BY_SIDE):
        # Every second pair brings the same.
        put(tmp_path / f"in{number}" / "S" / "E" / "A" / "x.txt", b"content %d" % (number // 2))
        jobs.append(start(project, tmp_path / f"in{number}"))

    at_once(jobs)

    contents = len({number // 2 for number in range(SIDE_BY_SIDE)})
    assert File.objects.count() == 1
    assert sum(job.imported for job in jobs) == 1
    assert Conflict.objects.count() == contents - 1
    assert sum(job.conflict for job in jobs) == contents - 1
    assert leftovers(places) == []


def test_studies_that_clash_at_once_clash_as_they_do_one_after_the_other(project, places, tmp_path):
    jobs = []
    for number in range(1, SIDE_BY_SIDE + 1):
        put_series(tmp_path / f"in{number}", 2, first=number * 10, patient=f"P{number:02}")
        jobs.append(start(project, tmp_path / f"in{number}"))

    at_once(jobs)

    assert sum(job.imported for job in jobs) == 2
    assert {c.type for c in Conflict.objects.all()} == {"uid_match_belongs_to_a_different_parent"}
    assert Conflict.objects.count() == SIDE_BY_SIDE - 1
    assert containers() == (1, 1, 1)


def test_two_hundred_folders_of_one_new_visit_by_eight_workers(project, places, tmp_path):
    for number in range(200):
        put_series(tmp_path / "in" / f"{number:03}", 1, series=number + 1, study=1)
    job = start(project, tmp_path / "in")
    connections.close_all()

    run_in_processes(job.pk, workers=4 if ON_SQLITE else 8, look=lambda: None)

    job.refresh_from_db()
    assert (job.status, job.imported) == ("completed", 200)
    assert containers() == (1, 1, 200)
    assert Item.objects.filter(job=job).count() == 200
    assert leftovers(places) == []


def test_several_processes_give_what_one_gives(project, places, tmp_path, dicom_study):
    put(dicom_study / "notes.txt")
    other = type(project).objects.create(group=project.group, label="Other")
    alone = imported(other, dicom_study)
    expected = outcomes(alone), tree(other)
    job = start(project, dicom_study)
    connections.close_all()

    run_in_processes(job.pk, workers=3, look=lambda: None)

    job.refresh_from_db()
    assert (outcomes(job), tree(project)) == expected
