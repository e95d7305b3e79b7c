"""What a strategy or a standing rule decides at once, and what is only a warning."""

import pytest
from django.utils import timezone

from hierarchy.errors import Refused
from hierarchy.models import File, FileVersion, Subject
from importer.core.states import ConflictType as T
from importer.core.states import Strategy
from importer.models import Conflict, Event
from importer.review import set_standing_rule
from importer.tests.pipeline.drive import imported, instance, put, put_series, wrongs
from importer.tests.review.cases import MAKE, waiting

pytestmark = pytest.mark.django_db(transaction=True)


def test_update_makes_the_union_and_the_incoming_instance_wins(project, places, tmp_path):
    put_series(tmp_path / "a", 2)
    imported(project, tmp_path / "a")
    put(tmp_path / "b" / "2.dcm", instance(2, PatientComments="corrected"))
    put(tmp_path / "b" / "3.dcm", instance(3))
    job = imported(project, tmp_path / "b", strategy=Strategy.UPDATE)
    assert (job.status, job.imported, job.conflict) == ("completed", 2, 0)
    newest = FileVersion.objects.get(number=2)
    assert newest.members == 3
    [row] = Conflict.objects.all()
    assert (row.action, row.resolved_by) == ("replace_existing", "system")
    assert wrongs() == []


def test_skip_leaves_what_stands_and_keeps_a_row(project, places, tmp_path):
    put(tmp_path / "a" / "S" / "V" / "A" / "n.txt", b"one")
    imported(project, tmp_path / "a")
    put(tmp_path / "b" / "S" / "V" / "A" / "n.txt", b"two")
    job = imported(project, tmp_path / "b", strategy=Strategy.SKIP)
    assert (job.status, job.skipped, job.conflict) == ("completed", 1, 0)
    assert File.objects.get().version == 1
    assert Conflict.objects.get().action == "reject_incoming"


def test_update_waits_where_a_choice_or_a_label_is_needed(project, places, tmp_path):
    put_series(tmp_path / "a", 1, patient=None)
    job = imported(project, tmp_path / "a", strategy=Strategy.UPDATE)
    assert job.status == "needs_review"
    assert waiting(T.LABEL_MISSING).count() == 1


def test_a_standing_rule_decides_the_next_one(project, places, tmp_path):
    fields = {"actor": None, "who": "user ada@example.org", "now": timezone.now()}
    set_standing_rule(project, conflict_type=T.LABEL_UID, action="keep-all", enabled=True, **fields)
    MAKE[T.LABEL_UID](project, tmp_path)
    assert waiting().count() == 0
    assert {row.resolved_by for row in Conflict.objects.all()} == {f"rule {T.LABEL_UID.value}"}
    set_standing_rule(project, conflict_type=T.LABEL_UID, action="keep-all", enabled=False, **fields)
    put_series(tmp_path / "c", 1, study=3, StudyDescription="ROUTINE", SeriesDescription="t9")
    imported(project, tmp_path / "c")
    assert waiting().count() == 1


def test_what_needs_a_choice_each_time_is_no_rule(project):
    fields = {"actor": None, "who": "user ada@example.org", "now": timezone.now(), "enabled": True}
    with pytest.raises(Refused, match="choice each time"):
        set_standing_rule(project, conflict_type=T.LABEL_MISSING, action="assign_label", **fields)


def test_another_sex_or_birth_date_is_a_warning_and_holds_nothing(project, places, tmp_path):
    put_series(tmp_path / "a", 1, PatientSex="F", PatientBirthDate="19800101")
    imported(project, tmp_path / "a")
    put_series(tmp_path / "b", 1, study=2, PatientSex="M", PatientBirthDate="19800102", StudyDescription="second")
    job = imported(project, tmp_path / "b")
    assert (job.status, job.imported) == ("completed", 1)
    subject = Subject.objects.get()
    said = list(Event.objects.filter(job_id=job.pk, what="warning").values_list("detail", flat=True))
    assert sorted(said) == [
        f"Subject {subject.pk}: another birth date came in than it has",
        f"Subject {subject.pk}: another sex came in than it has",
    ]
    assert not any(value in line for line in said for value in ("1980", "male"))
