"""Type x action: each cell of the contract's table works, or is refused with a reason."""

import pytest

from hierarchy.errors import Refused
from hierarchy.models import File, FileVersion, Session
from importer.core.methods import FITS, NEEDS_TARGET, Action
from importer.core.states import ConflictType as T
from importer.models import Alias, Conflict, Decision, ImportJob
from importer.tests.pipeline.drive import assert_conserved, imported, put_series, tree, wrongs
from importer.tests.review.cases import MAKE, decided, plain_file_name, shape, undone, waiting

pytestmark = pytest.mark.django_db(transaction=True)
LABELS = {"subject": "assigned", "session": "visit", "acquisition": "scan"}


FITTING = [(kind, action) for kind in sorted(MAKE) for action in FITS[kind]]
UNFIT = [(kind, action) for kind in sorted(MAKE) for action in Action if action not in FITS[kind]]
LASTING = [pair for pair in FITTING if pair[1] != Action.RETRY]


@pytest.fixture
def made(project, places, tmp_path):
    def make(kind):
        MAKE[kind](project, tmp_path)
        assert {one.type for one in waiting()} == {kind}
        return T(kind)

    return make


def asked(kind, action):
    fields = {"labels": LABELS} if action == Action.ASSIGN else {}
    if kind in NEEDS_TARGET and action == Action.REPLACE:
        fields["target"] = waiting().first().candidates[0]["id"]
    return fields


@pytest.mark.parametrize("kind", sorted(MAKE))
def test_what_does_not_fit_is_refused_with_a_reason(kind, made):
    made(kind)
    before = waiting().count()
    for _, action in [pair for pair in UNFIT if pair[0] == kind]:
        with pytest.raises(Refused, match="does not fit"):
            decided(waiting(), action.value, **asked(kind, action))
    assert waiting().count() == before


@pytest.mark.parametrize(("kind", "action"), FITTING)
def test_what_fits_works(kind, action, made, project):
    made(kind)
    open_before = waiting().count()
    resolution = decided(waiting(), action.value, **asked(kind, action))
    assert resolution.status == "done"
    still = waiting().count()
    assert still == (open_before if action == Action.RETRY else 0), [c.action_error for c in waiting()]
    if action == Action.RETRY:
        assert {c.action for c in waiting()} == {"retry"}
        assert all(c.action_error.startswith("It still conflicts") or kind in c.type for c in waiting())
    for job in ImportJob.objects.all():
        assert_conserved(job)
        assert job.status == ("needs_review" if job.conflicts.filter(status="open").exists() else "completed")
    assert wrongs() == []


@pytest.mark.parametrize(("kind", "action"), LASTING)
def test_every_decision_can_be_taken_back_and_leaves_no_trace(kind, action, made, project):
    made(kind)
    before = shape(project), tree(project), sorted(Conflict.objects.values_list("id", "type", "upload_path", "status"))
    decided(waiting(), action.value, **asked(kind, action))
    for decision in Decision.objects.filter(status="applied", leader=None).order_by("-id"):
        undone(decision)
    after = shape(project), tree(project), sorted(Conflict.objects.values_list("id", "type", "upload_path", "status"))
    assert after == before
    assert Alias.objects.count() == 0
    for job in ImportJob.objects.all():
        assert_conserved(job)
    assert wrongs() == []


def test_update_makes_a_second_version_and_keeps_the_first(project, places, tmp_path):
    plain_file_name(project, tmp_path)
    decided(waiting(), "update")
    file = File.objects.get()
    assert file.version == 2
    first, second = FileVersion.objects.order_by("number")
    assert (places.archive / first.path).read_bytes() == b"one"
    assert (places.archive / second.path).read_bytes() == b"two"


def test_keep_all_gives_the_incoming_file_a_suffix_before_its_extension(project, places, tmp_path):
    MAKE[T.FILE_NAME](project, tmp_path)
    decided(waiting(), "keep-all")
    assert sorted(File.objects.values_list("name", flat=True)) == ["1 - t1.dicom.zip", "1 - t1_1.dicom.zip"]


def test_merge_gains_what_the_archive_lacks(project, places, tmp_path):
    MAKE[T.FILE_NAME](project, tmp_path)
    decided(waiting(), "merge_incoming")
    newest = FileVersion.objects.get(number=2)
    assert newest.members == 3
    imported(project, tmp_path / "a")
    assert waiting().count() == 1  # the smaller delivery differs from the merged archive and is asked about


def test_a_decided_study_does_not_ask_again(project, places, tmp_path):
    MAKE[T.LABEL_UID](project, tmp_path)
    decided(waiting(), "keep-all")
    assert sorted(Session.objects.values_list("label", flat=True)) == ["ROUTINE", "ROUTINE_1"]
    put_series(tmp_path / "c", 2, study=2, series=4, StudyDescription="ROUTINE", SeriesDescription="t4")
    job = imported(project, tmp_path / "c")
    assert (job.imported, job.conflict) == (2, 0)
    assert Session.objects.get(label="ROUTINE_1").acquisitions.count() == 3


def test_a_decision_about_a_session_lets_its_other_files_pass(project, places, tmp_path):
    MAKE[T.UID_PARENT](project, tmp_path)
    assert waiting().count() == 2
    decided(waiting().filter(pk=waiting().first().pk), "update")
    assert waiting().count() == 0
    assert shape(project)[0] == [("P01", 0)]


def test_an_assigned_label_serves_the_next_delivery_of_the_study(project, places, tmp_path):
    MAKE[T.LABEL_MISSING](project, tmp_path)
    decided(waiting().filter(pk=waiting().first().pk), "assign_label", labels={"subject": "P77"})
    assert waiting().count() == 0
    put_series(tmp_path / "b", 1, patient=None, series=4, SeriesDescription="t4")
    job = imported(project, tmp_path / "b")
    assert (job.imported, job.conflict) == (1, 0)
    assert shape(project)[0] == [("P77", 0)]
