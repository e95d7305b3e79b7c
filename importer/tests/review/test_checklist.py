"""The checklist of conflicts and their life, by its numbers."""

import pytest

from hierarchy.models import Acquisition, File, FileVersion, Project, Session, Subject
from importer.core.states import ConflictType as T
from importer.core.states import Strategy, UidScope
from importer.models import Conflict, Decision
from importer.tests.pipeline.drive import became, imported, outcomes, put, put_series, reasons, wrongs
from importer.tests.review.cases import MAKE, decided, shape, undone, waiting

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("strategy", [Strategy.REVIEW, Strategy.SKIP])
def test_01_the_same_source_twice_creates_nothing_and_holds_nothing(project, places, tmp_path, strategy):
    put_series(tmp_path / "a", 3)
    put(tmp_path / "a" / "notes.txt", b"notes")
    imported(project, tmp_path / "a")
    again = imported(project, tmp_path / "a", strategy=strategy)
    assert set(outcomes(again).values()) == {("skipped", "File already exists")}
    assert Conflict.objects.count() == 0


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (Strategy.SKIP, ("skipped", 1, 0)),
        (Strategy.UPDATE, ("imported", 2, 0)),
        (Strategy.REVIEW, ("conflict", 1, 1)),
    ],
)
def test_02_the_same_name_with_other_content(project, places, tmp_path, strategy, expected):
    put(tmp_path / "a" / "S" / "V" / "A" / "n.txt", b"one")
    imported(project, tmp_path / "a")
    put(tmp_path / "b" / "S" / "V" / "A" / "n.txt", b"two")
    job = imported(project, tmp_path / "b", strategy=strategy)
    [outcome] = set(became(job).values())
    assert (outcome, File.objects.get().version, waiting().count()) == expected


def test_03_replacing_keeps_the_file_and_the_old_version_stays_retrievable(project, places, tmp_path):
    put(tmp_path / "a" / "S" / "V" / "A" / "n.txt", b"one")
    imported(project, tmp_path / "a")
    before = File.objects.get()
    put(tmp_path / "b" / "S" / "V" / "A" / "n.txt", b"two")
    imported(project, tmp_path / "b")
    decided(waiting(), "replace_existing")
    assert (File.objects.get().pk, File.objects.get().version) == (before.pk, 2)
    stored = [(places.archive / one.path).read_bytes() for one in FileVersion.objects.order_by("number")]
    assert stored == [b"one", b"two"]


def test_04_two_files_of_one_import_for_one_place_land_once(project, places, tmp_path):
    put_series(tmp_path / "a", 2)
    put(tmp_path / "a" / "x" / "n.txt", b"one")
    put(tmp_path / "a" / "y" / "n.txt", b"two")
    job = imported(project, tmp_path / "a")
    assert became(job)["x/n.txt"] == "imported"
    assert became(job)["y/n.txt"] == "conflict"


def test_05_one_conflicting_session_does_not_stop_the_others(project, places, tmp_path):
    put_series(tmp_path / "a", 1)
    imported(project, tmp_path / "a")
    put_series(tmp_path / "b" / "clash", 2, series=2, patient="other", SeriesDescription="t2")
    put_series(tmp_path / "b" / "fine", 2, study=2, patient="P02")
    job = imported(project, tmp_path / "b")
    assert (job.imported, job.conflict) == (2, 2)
    assert {row.level for row in waiting()} == {"session"}


def test_06_after_one_decision_about_a_session_its_others_pass_without_a_question(project, places, tmp_path):
    MAKE[T.LABEL_UID](project, tmp_path)
    assert waiting().count() == 2
    decided(waiting().filter(pk=waiting().first().pk), "keep-all")
    assert waiting().count() == 0
    assert Decision.objects.filter(leader__isnull=False, status="applied").count() == 1


@pytest.mark.parametrize(
    ("scope", "held"), [(UidScope.PROJECT, 0), (UidScope.GROUP, 1), (UidScope.SITE, 1), (UidScope.NONE, 0)]
)
def test_07_the_same_uid_in_another_project_is_asked_about_by_scope(project, places, tmp_path, scope, held):
    other = Project.objects.create(group=project.group, label="Other")
    put_series(tmp_path / "a", 1)
    imported(other, tmp_path / "a")
    job = imported(project, tmp_path / "a", uid_scope=scope)
    assert job.conflict == held


def test_07_a_project_says_its_own_scope(project, places, tmp_path):
    other = Project.objects.create(group=project.group, label="Other")
    put_series(tmp_path / "a", 1)
    imported(other, tmp_path / "a")
    project.uid_scope = "group"
    project.save()
    assert imported(project, tmp_path / "a").conflict == 1


def test_08_a_typing_mistake_and_a_second_visit_with_the_same_description(project, places, tmp_path):
    put_series(tmp_path / "a", 1, StudyDescription="ROUTINE")
    imported(project, tmp_path / "a")
    put_series(tmp_path / "typo", 1, series=2, patient="P0l", StudyDescription="ROUTINE")
    put_series(tmp_path / "visit", 1, study=2, StudyDescription="ROUTINE")
    imported(project, tmp_path / "typo")
    imported(project, tmp_path / "visit")
    assert [(row.type, row.level) for row in waiting()] == [(T.UID_PARENT, "session"), (T.LABEL_UID, "session")]
    decided(waiting(T.LABEL_UID), "keep-all")
    assert Session.objects.filter(label="ROUTINE_1").exists()


def test_09_a_label_that_a_curator_changed_is_asked_about_once_and_not_made_again(project, places, tmp_path):
    MAKE[T.UID_LABEL](project, tmp_path)
    decided(waiting(), "update")
    assert list(Session.objects.values_list("label", flat=True)) == ["curated"]
    put_series(tmp_path / "c", 1, series=3, SeriesDescription="t3")
    assert imported(project, tmp_path / "c").conflict == 0
    assert list(Session.objects.values_list("label", flat=True)) == ["curated"]


def test_10_a_container_without_uid_is_adopted(project, places, tmp_path):
    subject = Subject.objects.create(project=project, label="P01")
    session = Session.objects.create(subject=subject, label="study 1")
    put_series(tmp_path / "a", 1)
    assert imported(project, tmp_path / "a").imported == 1
    session.refresh_from_db()
    assert session.uid == "1.2.3.4.1"


def test_11_a_rejection_keeps_the_row_and_its_bytes_until_it_cannot_be_taken_back(project, places, tmp_path):
    put(tmp_path / "a" / "S" / "V" / "A" / "n.txt", b"one")
    imported(project, tmp_path / "a")
    put(tmp_path / "b" / "S" / "V" / "A" / "n.txt", b"two")
    job = imported(project, tmp_path / "b")
    decided(waiting(), "reject_incoming")
    row = Conflict.objects.get()
    assert (row.status, row.action_result) == ("resolved", "")
    assert (places.quarantine / row.path).exists()
    assert set(reasons(job).values()) == {"skipped: Rejected in review"}
    undone(Decision.objects.get())
    assert waiting().count() == 1


def test_12_what_was_decided_is_not_decided_again(project, places, tmp_path):
    put(tmp_path / "a" / "S" / "V" / "A" / "n.txt", b"one")
    imported(project, tmp_path / "a")
    put(tmp_path / "b" / "S" / "V" / "A" / "n.txt", b"two")
    imported(project, tmp_path / "b")
    row = Conflict.objects.filter(pk=waiting().get().pk)
    decided(row, "update")
    with pytest.raises(Exception, match="Nothing that is open matches"):
        decided(row, "skip")
    assert File.objects.get().version == 2


@pytest.mark.parametrize(("one", "other"), [("a/b", "a:b"), ("x" * 64 + "1", "x" * 64 + "2")])
def test_19_labels_that_collide_only_after_cleaning_are_a_conflict_never_a_merge(project, places, tmp_path, one, other):
    put_series(tmp_path / "a" / "1", 1, StudyDescription=one)
    put_series(tmp_path / "a" / "2", 1, study=2, StudyDescription=other)
    job = imported(project, tmp_path / "a")
    assert (job.imported, job.conflict) == (1, 1)
    assert {row.type for row in waiting()} == {T.LABEL_UID}
    assert Acquisition.objects.count() == 1
    assert wrongs() == []


def test_a_merged_study_is_one_session_again_after_undo(project, places, tmp_path):
    before_decision = None
    MAKE[T.UID_PARENT](project, tmp_path)
    before_decision = shape(project)
    decided(waiting(), "update")
    for decision in Decision.objects.filter(status="applied", leader=None).order_by("-id"):
        undone(decision)
    assert shape(project) == before_decision
