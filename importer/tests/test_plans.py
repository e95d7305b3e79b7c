"""Approving a plan and leaving parts of it out: who may, when, and what the counters say."""

import threading

import pytest
from django.db import connections
from django.utils import timezone

from hierarchy.errors import NotAllowed, Refused
from importer.core.states import Level
from importer.models import Event, ImportJob, Placement
from importer.plans import Branch, approve_import, deselect
from importer.services import cancel_import, rerun_import
from importer.tests.pipeline.drive import assert_conserved, became, imported, put, put_series, reasons, run, start, tree

pytestmark = pytest.mark.django_db(transaction=True)
ANNA = {"actor": None, "who": "user anna@example.org"}
LEFT_OUT = "skipped: Deselected"


def approve(job, **fields):
    return approve_import(job.pk, **({"now": timezone.now(), "enqueue": False} | ANNA | fields))


def leave_out(job, part, **fields):
    return deselect(job.pk, part, **({"now": timezone.now()} | ANNA | fields))


def planned(project, folder, **options):
    job = run(start(project, folder, dry_run=True, **options))
    assert job.status == "planned"
    return job


def file(job, name):
    return job.placements.get(file_name=name)


@pytest.fixture
def job(project, places, tmp_path):
    """Two subjects with two series each of three images, one of which is in conflict, papers on a session, and junk."""
    put_series(tmp_path / "before", 1, series=2)
    imported(project, tmp_path / "before")
    for patient, study in (("P01", 1), ("P02", 2)):
        for series in (1, 2):
            said = {"patient": patient, "study": study, "series": series}
            put_series(tmp_path / "in" / patient / str(series), 3, **said, SeriesDescription="t")
    put_series(tmp_path / "in" / "P01" / "2", 3, series=2)
    put(tmp_path / "in" / "P02" / "report.pdf")
    put(tmp_path / "in" / ".DS_Store")
    return planned(project, tmp_path / "in")


def sums(job):
    job.refresh_from_db()
    return {"skipped": job.skipped, "conflict": job.conflict, "failed": job.failed}


def test_the_plan_that_the_tests_begin_with(job):
    assert sums(job) == {"skipped": 1, "conflict": 3, "failed": 0}
    assert job.discovered == 14


def test_an_uploader_approves_and_a_viewer_may_not(job, people):
    with pytest.raises(NotAllowed):
        approve(job, actor=people.viewer)
    with pytest.raises(NotAllowed):
        approve(job, actor=people.stranger)
    approve(job, actor=people.uploader)
    job.refresh_from_db()
    assert (job.status, job.dry_run, job.approvals, job.approved_by) == ("planning", False, 1, "user anna@example.org")


def test_a_viewer_leaves_nothing_out(job, people):
    with pytest.raises(NotAllowed):
        leave_out(job, Branch(Level.SUBJECT, "P01"), actor=people.viewer)
    assert not Placement.objects.filter(deselected=True).exists()


@pytest.mark.parametrize("end", ["running", "completed", "cancelled"])
def test_what_is_no_plan_is_neither_approved_nor_trimmed(job, end):
    if end == "cancelled":
        cancel_import(job.pk, now=timezone.now(), **ANNA)
    else:
        approve(job)
    if end != "running":
        run(job)
    with pytest.raises(Refused, match="no plan"):
        approve(job)
    with pytest.raises(Refused, match="no plan"):
        leave_out(job, Branch(Level.PROJECT))


def test_who_saw_an_earlier_plan_is_told_to_look_again(job):
    with pytest.raises(Refused, match="look at it once more"):
        approve(job, expect=1)
    approve(job, expect=0)


def test_of_two_approvals_at_once_one_wins(job):
    gate, told = threading.Barrier(2), []

    def person():
        gate.wait()
        try:
            approve(job, expect=0)
            told.append("approved")
        except Refused:
            told.append("refused")
        finally:
            connections.close_all()

    both = [threading.Thread(target=person) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert sorted(told) == ["approved", "refused"]
    job.refresh_from_db()
    assert job.approvals == 1
    assert Event.objects.filter(job_id=job.pk, what="planning", who="user anna@example.org").count() == 1


@pytest.mark.parametrize(
    ("part", "changed", "skipped", "conflict"),
    [
        (Branch(Level.SUBJECT, "P01"), 2, 7, 0),
        (Branch(Level.SUBJECT, "P02"), 3, 8, 3),
        (Branch(Level.SESSION, "P02", "study 2"), 3, 8, 3),
        (Branch(Level.ACQUISITION, "P02", "study 2", "1 - t"), 1, 4, 3),
        (Branch(Level.SUBJECT, "P03"), 0, 1, 3),
        (Branch(Level.PROJECT), 0, 1, 3),
    ],
)
def test_a_branch_is_left_out_and_taken_in_again_and_the_counters_follow(job, part, changed, skipped, conflict):
    before = sums(job)
    assert leave_out(job, part) == changed
    assert leave_out(job, part) == 0
    assert sums(job) == {"skipped": skipped, "conflict": conflict, "failed": 0}
    assert Placement.objects.filter(deselected=True).count() == changed
    assert leave_out(job, part, off=False) == changed
    assert sums(job) == before


def test_single_files_are_left_out(job):
    chosen = [file(job, "report.pdf").pk]
    assert leave_out(job, chosen) == 1
    assert file(job, "report.pdf").deselected
    assert sums(job)["skipped"] == 2


def test_what_would_not_be_moved_anyway_cannot_be_left_out(project, places, tmp_path):
    put(tmp_path / "in" / "S" / "V" / "A" / "notes.txt")
    imported(project, tmp_path / "in")
    job = planned(project, tmp_path / "in")
    assert reasons(job) == {"S/V/A/notes.txt": "skipped: File already exists"}
    assert leave_out(job, Branch(Level.SUBJECT, "S")) == 0


def test_deselected_files_are_skipped_with_their_reason_and_the_sums_hold(job, project):
    leave_out(job, Branch(Level.SUBJECT, "P01"))
    leave_out(job, [file(job, "report.pdf").pk])
    approve(job)
    run(job)
    assert job.status == "completed"
    assert sums(job) == {"skipped": 8, "conflict": 0, "failed": 0}
    said = reasons(job)
    assert {said[path] for path in said if path.startswith("P01")} == {LEFT_OUT}
    assert said["P02/report.pdf"] == LEFT_OUT
    assert job.imported == 6
    assert [path for path in tree(project) if path.startswith("P02")] == [
        "P02/study 2/1 - t/1 - t.dicom.zip",
        "P02/study 2/2 - t/2 - t.dicom.zip",
    ]
    assert_conserved(job)


def test_a_plan_of_which_all_is_left_out_ends_with_nothing_done(job, project):
    before = tree(project)
    for subject in ("P01", "P02"):
        leave_out(job, Branch(Level.SUBJECT, subject))
    approve(job)
    assert run(job).status == "completed"
    assert tree(project) == before
    assert set(became(job).values()) == {"skipped"}


def test_a_plan_with_parts_left_out_is_cancelled_and_the_sums_hold(job):
    leave_out(job, Branch(Level.SUBJECT, "P01"))
    cancel_import(job.pk, now=timezone.now(), **ANNA)
    assert run(job).status == "cancelled"
    assert (job.cancelled, job.skipped) == (13, 1)


def test_an_approved_plan_runs_again_as_an_import_and_a_cancelled_one_as_a_plan(job):
    approve(job)
    again = rerun_import(run(job).pk, now=timezone.now(), only_failed=False, enqueue=False, **ANNA)
    assert not again.dry_run
    assert run(again).status == "completed"


def test_a_plan_that_was_not_approved_runs_again_as_a_plan(job):
    cancel_import(job.pk, now=timezone.now(), **ANNA)
    again = rerun_import(run(job).pk, now=timezone.now(), only_failed=False, enqueue=False, **ANNA)
    assert again.dry_run
    assert run(again).status == "planned"
    assert ImportJob.objects.get(pk=job.pk).approvals == 0


def test_what_was_left_out_is_told_once_an_act(job):
    leave_out(job, Branch(Level.SUBJECT, "P02"))
    leave_out(job, Branch(Level.SUBJECT, "P02"), off=False)
    told = Event.objects.filter(job_id=job.pk, what__in=["left_out", "taken_in"]).order_by("id")
    assert list(told.values_list("what", "detail", "who")) == [
        ("left_out", "3 destination files", "user anna@example.org"),
        ("taken_in", "3 destination files", "user anna@example.org"),
    ]
