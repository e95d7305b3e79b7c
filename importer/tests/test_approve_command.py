"""`approve_import`: its exit codes, its sentences, its reports."""

import csv
import io

import pytest
from django.utils import timezone

from importer.core.states import Level
from importer.models import ImportJob
from importer.plans import Branch, deselect
from importer.tests.pipeline.drive import imported, put, put_series, run, start
from importer.tests.test_commands import code, handlers  # noqa: F401  a fixture that each test here uses

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def job(project, places, tmp_path):
    put_series(tmp_path / "in" / "a", 2)
    put(tmp_path / "in" / "a" / "notes.txt")
    return run(start(project, tmp_path / "in", dry_run=True))


def approve(*words):
    return code("approve_import", *words, "--workers", "1")


def test_an_approved_plan_runs_here_and_all_clean_is_zero(job, capsys):
    assert approve(job.pk) == 0
    assert f"Import {job.pk} completed: 3 files found: 3 imported" in capsys.readouterr().out
    assert ImportJob.objects.get(pk=job.pk).approved_by == "system"


def test_what_waits_is_three(job, project, tmp_path, capsys):
    put_series(tmp_path / "more" / "a", 3)
    approve(job.pk)
    other = run(start(project, tmp_path / "more", dry_run=True))
    assert approve(other.pk) == 3


def test_a_plan_that_came_out_otherwise_is_one_with_a_sentence_and_nothing_has_run(job, project, tmp_path, capsys):
    put(tmp_path / "in" / "a" / "notes.txt", b"written to since")
    assert approve(job.pk) == 1
    said = capsys.readouterr().out
    assert f"Import {job.pk} planned: 3 files found: 2 planned" in said
    assert "1 came out otherwise than approved, so nothing was run: look at the plan and approve it again" in said
    assert approve(job.pk) == 1
    assert (
        f"Import {job.pk} completed: 3 files found: 2 imported, 0 skipped, 0 conflict, 1 failed"
        in capsys.readouterr().out
    )


def test_what_is_no_plan_is_refused_with_two(job, project, people, capsys):
    assert approve(job.pk, "--as", "viewer") == 2
    assert approve(job.pk) == 0
    assert approve(job.pk) == 2
    assert approve(999) == 2


def test_queued_it_is_left_to_the_workers(job, capsys):
    assert approve(job.pk, "--queue") == 0
    assert capsys.readouterr().out == f"Import {job.pk} is approved and queued.\n"
    assert ImportJob.objects.get(pk=job.pk).status == "planning"


def rows(text):
    return [(row["status"], row["reason"], row["src_path"]) for row in csv.DictReader(io.StringIO(text))]


def test_the_report_of_a_plan_says_planned_and_what_is_left_out_is_skipped(job, capsys):
    code("import_report", job.pk)
    assert {row[:2] for row in rows(capsys.readouterr().out)} == {("planned", "")}
    chosen = [job.placements.get(file_name="notes.txt").pk]
    deselect(job.pk, chosen, actor=None, who="system", now=timezone.now())
    for look in (("import_report", job.pk), ("approve_import", job.pk, "--workers", "1", "--report", "-")):
        code(*look)
        found = rows(capsys.readouterr().out)
        assert ("skipped", "Deselected: left out of the plan", "a/notes.txt") in found
        assert len(found) == 3


def test_a_plan_that_leaves_out_a_branch_of_a_standing_series_is_zero(job, project, tmp_path, capsys):
    approve(job.pk)
    put_series(tmp_path / "more" / "a", 3)
    other = run(start(project, tmp_path / "more", dry_run=True))
    deselect(other.pk, Branch(Level.SUBJECT, "P01"), actor=None, who="system", now=timezone.now())
    assert approve(other.pk) == 0
    assert imported(project, tmp_path / "more").conflict == 3
