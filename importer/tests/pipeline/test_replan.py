"""An approved plan is made again before it runs: exactly it is run, or what is different is asked anew."""

import os
import shutil
import signal

import pytest
from django.db import connections
from django.utils import timezone

from hierarchy.models import Session, Subject
from importer.core.states import Level
from importer.models import Event, ImportJob, Placement
from importer.pipeline import plan, replan
from importer.pipeline.leases import recover
from importer.plans import Branch, approve_import, deselect
from importer.services import cancel_import
from importer.tests.pipeline.drive import (
    assert_conserved,
    became,
    bytes_under,
    conflicts,
    containers,
    imported,
    instance,
    leftovers,
    outcomes,
    put,
    put_series,
    reasons,
    run,
    start,
    tree,
    until,
)

pytestmark = pytest.mark.django_db(transaction=True)
ANNA = {"actor": None, "who": "user anna@example.org"}


def approved(job):
    approve_import(job.pk, now=timezone.now(), enqueue=False, **ANNA)
    return run(job)


def leave_out(job, part, *, off=True):
    return deselect(job.pk, part, off=off, now=timezone.now(), **ANNA)


@pytest.fixture
def source(project, places, tmp_path):
    """What lands, what waits for each reason that there is, what is skipped and what fails, over a standing archive."""
    before = tmp_path / "before"
    put_series(before / "3", 1, series=3)
    put(before / "3" / "notes.txt", b"standing")
    put(before / "3" / "same.txt", b"same")
    imported(project, before)
    folder = tmp_path / "in"
    put_series(folder / "1", 3)
    put(folder / "1" / "again.dcm", instance(2))
    put(folder / "1" / "twin.dcm", instance(1, PatientComments="another content"))
    put(folder / "1" / "report.pdf")
    put_series(folder / "3", 2, series=3)
    put(folder / "3" / "notes.txt", b"incoming")
    put(folder / "3" / "same.txt", b"same")
    put_series(folder / "9", 2, patient="P09", study=9)
    put(folder / "9" / "new.txt", b"new")
    put_series(folder / "nameless", 2, patient=None, study=5)
    put(folder / "odd" / "1.dcm", instance(1, study=6, series=1, SeriesDescription="t1"))
    put(folder / "odd" / "2.dcm", instance(2, study=6, series=1, SeriesDescription="t2"))
    put(folder / "broken.dcm", b"nothing")
    put(folder / "zero.dat", b"")
    return folder


@pytest.fixture
def job(project, source):
    job = run(start(project, source, dry_run=True))
    assert job.status == "planned"
    return job


@pytest.fixture
def papers(project, places, tmp_path):
    """A plan over plain files: one that clashes, one that is there, two new ones."""
    put(tmp_path / "before" / "S" / "V" / "A" / "notes.txt", b"standing")
    put(tmp_path / "before" / "S" / "V" / "A" / "same.txt", b"same")
    imported(project, tmp_path / "before")
    put(tmp_path / "in" / "S" / "V" / "A" / "notes.txt", b"incoming")
    put(tmp_path / "in" / "S" / "V" / "A" / "same.txt", b"same")
    put(tmp_path / "in" / "S" / "V" / "B" / "new.txt", b"new")
    put(tmp_path / "in" / "S" / "W" / "C" / "more.txt", b"more")
    job = run(start(project, tmp_path / "in", dry_run=True))
    assert list(became(job).values()) == ["conflict", "skipped", "planned", "planned"]
    return job


def ends(job):
    """What became of every file, as if a plan had never been."""
    return {path: (outcome.replace("planned", "imported"), reason) for path, (outcome, reason) in outcomes(job).items()}


def test_nothing_is_written_to_the_archive_before_an_approval(project, places, source):
    before = bytes_under(places.archive), tree(project), containers(), conflicts()
    job = run(start(project, source, dry_run=True))
    leave_out(job, Branch(Level.SUBJECT, "P09"))
    assert (bytes_under(places.archive), tree(project), containers(), conflicts()) == before
    assert not bytes_under(places.quarantine)
    assert set(became(job).values()) == {"planned", "conflict", "skipped", "failed"}


def test_an_approval_runs_exactly_the_plan(project, places, job):
    said = ends(job)
    approved(job)
    assert job.status == "needs_review"
    assert ends(job) == said
    assert (job.approvals, job.plan_changed, job.dry_run) == (1, 0, False)
    assert leftovers(places) == []


def test_an_approved_plan_holds_what_an_import_without_a_plan_would(project, places, job):
    approved(job)
    assert reasons(job)["1/again.dcm"] == "skipped: Duplicate instance"
    assert [kind for kind, _ in conflicts(job)] == [
        "file_name_already_exists",
        "file_name_already_exists",
        "instance_uid_has_different_content",
        "label_is_missing",
        "series_labels_disagree",
    ]


def test_what_stands_in_the_way_by_now_is_asked_anew_and_nothing_runs(project, places, papers, tmp_path):
    job = papers
    put(tmp_path / "other" / "S" / "V" / "B" / "new.txt", b"another import's")
    # The acquisition that holds it comes with it; the session stands already.
    imported(project, tmp_path / "other")
    before = bytes_under(places.archive), tree(project), conflicts()

    approved(job)

    assert (job.status, job.dry_run, job.approvals, job.plan_changed) == ("planned", True, 1, 1)
    assert (bytes_under(places.archive), tree(project), conflicts()) == before
    changed = Placement.objects.get(job=job, approved__changed=True)
    assert (changed.file_name, changed.outcome, changed.conflict_type) == (
        "new.txt",
        "conflict",
        "file_name_already_exists",
    )
    assert (changed.approved["outcome"], changed.approved["acquisition_id"], changed.approved["file_id"]) == (
        "planned",
        None,
        None,
    )
    told = Event.objects.filter(job_id=job.pk, what="planned").latest("id")
    assert told.detail == "1 came out otherwise than approved: nothing was run"
    assert job.conflict == 2

    approved(job)

    assert (job.status, job.approvals, job.plan_changed) == ("needs_review", 2, 0)
    assert reasons(job)["S/V/B/new.txt"] == "conflict: File already exists with other content"


def test_the_same_file_that_landed_meanwhile_is_a_difference_too(project, places, papers, tmp_path):
    job = papers
    put(tmp_path / "other" / "S" / "V" / "B" / "new.txt", b"new")
    imported(project, tmp_path / "other")
    approved(job)
    assert (job.status, job.plan_changed) == ("planned", 1)
    approved(job)
    assert reasons(job)["S/V/B/new.txt"] == "skipped: File already exists"


def test_a_container_that_was_made_meanwhile_is_a_difference(project, places, papers):
    session = Session.objects.create(subject=Subject.objects.get(label="S"), label="W")
    approved(papers)
    assert (papers.status, papers.plan_changed) == ("planned", 1)
    changed = Placement.objects.get(job=papers, approved__changed=True)
    assert (changed.file_name, changed.outcome, changed.session_id) == ("more.txt", "planned", session.pk)
    assert changed.approved["session_id"] is None


def test_a_twin_of_a_container_that_was_made_meanwhile_is_a_difference(project, places, papers):
    Subject.objects.create(project=project, label="S", copy=1)
    approved(papers)
    assert (papers.status, papers.plan_changed) == ("planned", 4)
    assert set(Placement.objects.filter(job=papers).values_list("conflict_type", flat=True)) == {
        "multiple_label_matches_found"
    }


def test_a_new_version_of_what_stands_is_a_difference(project, places, papers, tmp_path):
    job = papers
    put(tmp_path / "other" / "S" / "V" / "A" / "notes.txt", b"newer")
    imported(project, tmp_path / "other", strategy="update")
    approved(job)
    changed = Placement.objects.get(job=job, approved__changed=True)
    assert (changed.file_name, changed.approved["version"], changed.version) == ("notes.txt", 1, 2)


@pytest.mark.parametrize("how", ["changed", "replaced", "gone", "folder", "link"])
def test_a_source_that_is_not_as_it_was_listed_is_a_difference_and_fails(project, places, job, source, how):
    path = source / "1" / "0003.dcm"
    if how == "changed":
        path.write_bytes(instance(3, PatientComments="longer"))
    elif how == "replaced":
        shutil.copy2(path, path.with_suffix(".new"))
        os.replace(path.with_suffix(".new"), path)
    else:
        path.unlink()
    if how == "folder":
        put(path / "1.dcm")
    if how == "link":
        path.symlink_to(source / "1" / "0001.dcm")

    approved(job)

    assert (job.status, job.plan_changed, job.failed) == ("planned", 1, 2)
    said = "Vanished" if how == "gone" else "Changed since listing"
    assert reasons(job)["1/0003.dcm"] == f"failed: {said}"
    changed = Placement.objects.get(job=job, approved__changed=True)
    assert (changed.approved["files"], changed.outcome) == (3, "planned")

    approved(job)

    assert job.status == "needs_review"
    assert reasons(job)["1/0003.dcm"] == f"failed: {said}"
    assert became(job)["1/0001.dcm"] == "imported"


def test_a_source_that_is_there_again_as_it_was_listed_is_taken_again(project, places, job, source):
    away = source.with_name("away.dcm")
    os.rename(source / "1" / "0003.dcm", away)
    approved(job)
    assert became(job)["1/0003.dcm"] == "failed"
    os.rename(away, source / "1" / "0003.dcm")
    approved(job)
    assert (job.status, job.plan_changed) == ("planned", 1)
    approved(job)
    assert became(job)["1/0003.dcm"] == "imported"


def test_an_image_that_comes_twice_is_imported_when_the_other_one_is_gone(project, places, job, source):
    (source / "1" / "0002.dcm").unlink()
    approved(job)
    said = reasons(job)
    assert (job.status, said["1/0002.dcm"], said["1/again.dcm"]) == ("planned", "failed: Vanished", "planned")
    approved(job)
    assert (job.status, became(job)["1/again.dcm"]) == ("needs_review", "imported")


def test_the_source_being_away_pauses_it_and_it_goes_on(project, places, job, source):
    shutil.move(source, source.with_name("away"))
    approved(job)
    assert job.status == "paused"
    shutil.move(source.with_name("away"), source)
    ImportJob.objects.filter(pk=job.pk).update(next_attempt_at=timezone.now())
    assert run(job).status == "needs_review"


def test_what_is_left_out_says_again_what_it_would_be_when_the_plan_is_asked_anew(project, places, job, source):
    leave_out(job, Branch(Level.SUBJECT, "P01"))
    (source / "9" / "new.txt").unlink()

    approved(job)

    assert (job.status, job.plan_changed) == ("planned", 1)
    left_out = Placement.objects.filter(job=job, deselected=True)
    assert set(left_out.values_list("outcome", flat=True)) == {"planned", "conflict"}
    assert (job.skipped, job.conflict, job.failed) == (13, 2, 2)
    assert leave_out(job, Branch(Level.SUBJECT, "P01"), off=False) == 6
    job.refresh_from_db()
    assert (job.skipped, job.conflict, job.failed) == (3, 8, 2)

    approved(job)

    assert (job.status, job.plan_changed) == ("needs_review", 0)
    assert became(job)["1/0001.dcm"] == "imported"


def test_leaving_out_who_comes_first_gives_its_place_to_the_next_and_says_so(project, places, tmp_path):
    put(tmp_path / "in" / "a" / "S" / "V" / "A" / "x.txt", b"one")
    put(tmp_path / "in" / "b" / "S" / "V" / "A" / "x.txt", b"two")
    job = run(start(project, tmp_path / "in", dry_run=True))
    assert list(became(job).values()) == ["planned", "conflict"]
    first = Placement.objects.filter(job=job).order_by("first_seq")[0]
    leave_out(job, [first.pk])
    approved(job)
    assert (job.status, job.plan_changed) == ("planned", 1)
    approved(job)
    assert list(became(job).values()) == ["skipped", "imported"]


@pytest.mark.parametrize("status", ["planned", "planning", "transferring"])
def test_it_is_cancelled_in_each_state_after_an_approval_and_the_sums_hold(project, places, job, status):
    leave_out(job, Branch(Level.SUBJECT, "P09"))
    if status != "planned":
        approve_import(job.pk, now=timezone.now(), enqueue=False, **ANNA)
        until(job, status)
    cancel_import(job.pk, now=timezone.now(), **ANNA)
    run(job)
    assert job.status == "cancelled"
    assert_conserved(job)
    assert leftovers(places) == []


# Killed


def die(*_args, **_fields):
    os.kill(os.getpid(), signal.SIGKILL)


def after(function, *, calls=1):
    left = [calls]

    def both(*args, **fields):
        result = function(*args, **fields)
        left[0] -= 1
        return die() if not left[0] else result

    return both


def killed_while(work, target, name, replacement):
    """Runs `work` in a child in which `target.name` is replaced; the child must die of SIGKILL."""
    connections.close_all()
    child = os.fork()
    if child == 0:
        setattr(target, name, replacement)
        try:
            work()
        finally:
            os._exit(3)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"the child was not killed: {status}"
    recover(timezone.now())


STEPS = {
    "nothing frozen": (replan, "_freeze", die),
    "half frozen": (replan, "_freeze", after(replan._freeze, calls=2)),
    "all frozen": (replan, "_look_again", die),
    "sources looked at": (replan, "_look_again", after(replan._look_again)),
    "ready to place": (plan, "begin_again", after(plan.begin_again)),
    "placed": (plan, "place_all", after(plan.place_all)),
    "asked": (plan, "_ask", after(plan._ask)),
    "decided": (plan, "decide_all", after(plan.decide_all)),
    "compared with what was approved": (replan, "_compare", after(replan._compare)),
}
ONLY_CHANGED = {
    "given back": (replan, "_give_back", after(replan._give_back)),
    "asked anew": (plan, "asked_anew", after(plan.asked_anew)),
}


@pytest.fixture
def small_pages(monkeypatch):
    from importer.pipeline import pages

    monkeypatch.setattr(pages.in_pages, "__kwdefaults__", {"size": 3})
    monkeypatch.setattr(replan, "LOOKED_AT_ONCE", 2)


@pytest.mark.parametrize("step", sorted(STEPS))
def test_killed_between_two_steps_it_ends_the_same(project, places, job, small_pages, step):
    leave_out(job, Branch(Level.SUBJECT, "P09"))
    said = {
        path: ("skipped", "Deselected: left out of the plan") if path.startswith("9/") else end
        for path, end in ends(job).items()
    }
    approve_import(job.pk, now=timezone.now(), enqueue=False, **ANNA)
    target, name, replacement = STEPS[step]
    killed_while(lambda: run(job), target, name, replacement)

    run(job)

    assert (job.status, job.plan_changed) == ("needs_review", 0)
    assert ends(job) == said
    assert leftovers(places) == []


@pytest.mark.parametrize("step", sorted(STEPS | ONLY_CHANGED))
def test_killed_where_something_changed_it_asks_all_the_same(project, job, source, small_pages, step):
    leave_out(job, Branch(Level.SESSION, "P01", "study 1"))
    (source / "9" / "new.txt").unlink()
    before = tree(project)
    approve_import(job.pk, now=timezone.now(), enqueue=False, **ANNA)
    target, name, replacement = (STEPS | ONLY_CHANGED)[step]
    killed_while(lambda: run(job), target, name, replacement)

    run(job)

    assert (job.status, job.plan_changed, job.dry_run) == ("planned", 1, True)
    assert tree(project) == before
    left_out = Placement.objects.filter(job=job, deselected=True)
    assert set(left_out.values_list("outcome", flat=True)) == {"planned", "conflict"}
    assert Placement.objects.get(job=job, approved__changed=True).file_name == "new.txt"


def test_a_fault_in_planning_again_ends_the_job_and_every_file_has_its_row(project, places, job, monkeypatch):
    def broken(*_args, **_fields):
        raise ValueError

    monkeypatch.setattr(replan, "_compare", broken)
    approved(job)
    assert (job.status, job.error) == ("failed", "Internal error: ValueError")
    assert_conserved(job)
