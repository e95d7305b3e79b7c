"""Containers are found by UID and by label; whoever matches by one and not by the other waits."""

import pytest

from hierarchy.models import Acquisition, Group, Project, Session, Subject
from importer.core.states import UidScope
from importer.models import Conflict, Item
from importer.tests.pipeline.drive import (
    became,
    conflicts,
    containers,
    imported,
    instance,
    members,
    put,
    put_series,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_series_whose_instances_disagree_wait(project, places, tmp_path):
    put(tmp_path / "in" / "a.dcm", instance(1))
    put(tmp_path / "in" / "b.dcm", instance(2, SeriesDescription="t2"))
    put(tmp_path / "in" / "c.dcm", instance(1, series=2, StudyTime="030405"))
    put(tmp_path / "in" / "d.dcm", instance(2, series=2, StudyTime="100405"))
    put(tmp_path / "in" / "e.dcm", instance(1, series=3, StudyTime="030405"))
    put(tmp_path / "in" / "f.dcm", instance(2, series=3, StudyTime="060405"))

    job = imported(project, tmp_path / "in")

    assert became(job) == dict(zip(
        ("a.dcm", "b.dcm", "c.dcm", "d.dcm", "e.dcm", "f.dcm"),
        ("conflict", "conflict", "conflict", "conflict", "imported", "imported"), strict=True,
    ))  # fmt: skip
    assert {(c.level, c.type) for c in Conflict.objects.all()} == {("acquisition", "series_labels_disagree")}
    assert {len(members(places.quarantine / c.path)) for c in Conflict.objects.all()} == {2}


def by_hand(project, *, subject="P01", session="study 1", uid="", copy=0):
    found, _ = Subject.objects.get_or_create(project=project, label=subject)
    return Session.objects.create(subject=found, label=session, uid=uid, copy=copy)


CASES = {
    "the study is another patient's": (
        {"patient": "P02"}, "session", "uid_match_belongs_to_a_different_parent",
    ),
    "the study was called otherwise": (
        {"StudyDescription": "renamed"}, "session", "uid_match_has_a_different_label",
    ),
    "a second visit with the same description": (
        {"study": 2, "StudyDescription": "study 1"}, "session", "label_match_already_has_a_different_uid",
    ),
    "the series was called otherwise": (
        {"SeriesDescription": "t2"}, "acquisition", "uid_match_has_a_different_label",
    ),
    "another series of the same name": (
        {"SeriesInstanceUID": "1.2.3.4.1.77"}, "acquisition", "label_match_already_has_a_different_uid",
    ),
    "the series belongs to another study": (
        {"study": 2, "SeriesInstanceUID": "1.2.3.4.1.1"}, "acquisition", "uid_match_belongs_to_a_different_parent",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_containers_that_match_by_uid_or_by_label_but_not_by_both(project, places, one, case):
    said, level, type_ = case
    put_series(one / "bad", 2, ContentDate="20200103", **said)
    put_series(one / "clear", 1, study=5)
    put(one / "bad" / "notes.txt")

    job = imported(project, one)

    assert (job.status, job.imported) == ("needs_review", 1)
    assert {(c.level, c.type) for c in Conflict.objects.all()} == {(level, type_)}
    assert job.conflict == 3
    series = Conflict.objects.get(placement__kind="series")
    assert len(members(places.quarantine / series.path)) == 2
    assert [c["path"].rpartition("lab/Brain")[2] for c in series.candidates]
    assert containers() == (1, 2, 2)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_inside_one_job_the_first_by_path_has_it_and_the_others_wait(project, places, tmp_path, case):
    said, level, type_ = case
    put_series(tmp_path / "in" / "1", 2)
    put_series(tmp_path / "in" / "2", 2, first=11, **said)
    one_series = "Description" in "".join(said) and "study" not in said

    job = imported(project, tmp_path / "in")

    if one_series:
        # Its instances say two names: it disagrees with itself.
        assert conflicts() == [("series_labels_disagree", conflicts()[0][1])]
        assert set(became(job).values()) == {"conflict"}
    else:
        assert {(c.level, c.type) for c in Conflict.objects.all()} == {(level, type_)}
        assert [became(job)[path] for path in sorted(became(job))] == ["imported"] * 2 + ["conflict"] * 2


def test_a_container_without_uid_is_adopted(project, places, tmp_path):
    session = by_hand(project)
    acquisition = Acquisition.objects.create(session=session, label="1 - t1")
    put_series(tmp_path / "in", 1)

    job = imported(project, tmp_path / "in")

    session.refresh_from_db()
    acquisition.refresh_from_db()
    assert (session.uid, acquisition.uid) == ("1.2.3.4.1", "1.2.3.4.1.1")
    assert containers() == (1, 1, 1)
    assert job.placements.get().upserts == {
        "subject": "skip", "session": "update", "acquisition": "update", "file": "create",
    }  # fmt: skip


def test_several_matches_of_one_uid_or_one_label_leave_the_choice_to_a_person(project, places, tmp_path):
    by_hand(project, uid="1.2.3.4.1")
    by_hand(project, session="kept twice", uid="1.2.3.4.1")
    by_hand(project, session="study 2")
    by_hand(project, session="study 2", copy=1)
    Subject.objects.create(project=project, label="P03")
    Subject.objects.create(project=project, label="P03", copy=1)
    put_series(tmp_path / "in" / "uids", 1)
    put_series(tmp_path / "in" / "labels", 1, study=2)
    put_series(tmp_path / "in" / "subjects", 1, study=3, patient="P03")

    imported(project, tmp_path / "in")

    found = {(c.level, c.type): len(c.candidates) for c in Conflict.objects.all()}
    assert found == {
        ("session", "multiple_uid_matches_found"): 2,
        ("session", "multiple_label_matches_found"): 2,
        ("subject", "multiple_label_matches_found"): 2,
    }


def test_one_bad_session_stops_no_other_and_each_of_its_files_is_a_row_of_its_own(project, places, one):
    for series in range(1, 4):
        put_series(one / "bad" / f"{series}", 2, patient="P02", series=series)
    put_series(one / "clear", 2, study=9, patient="P02")

    job = imported(project, one)

    assert (job.imported, job.conflict) == (2, 6)
    assert Conflict.objects.filter(level="session").count() == Conflict.objects.count() == 3


# How far UIDs are looked for


@pytest.fixture
def elsewhere(project, places, tmp_path):
    """The same study stands in another project of the group, and in another group."""
    near = Project.objects.create(group=project.group, label="Near")
    far = Project.objects.create(group=Group.objects.create(name="away"), label="Far")
    put_series(tmp_path / "one", 1)
    return {"near": near, "far": far, "folder": tmp_path / "one"}


@pytest.mark.parametrize(
    ("stands_in", "scope", "clashes"),
    [
        ("near", UidScope.PROJECT, False),
        ("near", UidScope.GROUP, True),
        ("near", UidScope.SITE, True),
        ("far", UidScope.GROUP, False),
        ("far", UidScope.SITE, True),
        ("far", UidScope.NONE, False),
    ],
)
def test_uids_are_looked_for_within_their_scope(project, elsewhere, stands_in, scope, clashes):
    imported(elsewhere[stands_in], elsewhere["folder"])

    job = imported(project, elsewhere["folder"], uid_scope=scope)

    assert set(became(job).values()) == {"conflict" if clashes else "imported"}
    if clashes:
        waiting = Conflict.objects.get()
        assert waiting.type == "uid_match_belongs_to_a_different_parent"
        assert waiting.candidates[0]["path"] == f"{elsewhere[stands_in]}/P01/study 1"


def test_without_a_scope_uids_do_not_count_at_all(project, places, tmp_path):
    put_series(tmp_path / "one", 1)
    put_series(tmp_path / "two" / "a", 1, patient="P02")
    put_series(tmp_path / "two" / "b", 1, patient="P03")
    put_series(tmp_path / "two" / "c", 1, study=2)
    imported(project, tmp_path / "one", uid_scope=UidScope.NONE)

    job = imported(project, tmp_path / "two", uid_scope=UidScope.NONE)

    assert set(became(job).values()) == {"imported"}
    assert containers() == (3, 4, 4)


# Labels


def test_labels_that_collide_only_once_cleaned_never_merge_two_uids(project, places, tmp_path):
    put_series(tmp_path / "in" / "1", 1, StudyDescription="a/b")
    put_series(tmp_path / "in" / "2", 1, study=2, StudyDescription="a:b")
    put_series(tmp_path / "in" / "3", 1, study=3, StudyDescription="x" * 70)
    put_series(tmp_path / "in" / "4", 1, study=4, StudyDescription="x" * 64 + "y")

    job = imported(project, tmp_path / "in")

    assert [became(job)[f"{n}/0001.dcm"] for n in (1, 2, 3, 4)] == ["imported", "conflict", "imported", "conflict"]
    assert {c.type for c in Conflict.objects.all()} == {"label_match_already_has_a_different_uid"}


def test_labels_that_differ_in_case_or_in_unicode_form_are_different(project, places, tmp_path):
    for number, patient in enumerate(["anna", "Anna", "Zo\u00eb", "Zoe\u0308"], 1):
        put_series(tmp_path / "in" / f"{number}", 1, study=number, patient=patient)

    job = imported(project, tmp_path / "in")

    assert job.imported == 4
    assert Subject.objects.count() == 4


def test_a_conflict_leaves_no_container_behind(project, places, one):
    put_series(one, 1, study=1, series=2, patient="somebody new")

    imported(project, one)

    assert containers() == (1, 1, 1)
    assert Item.objects.filter(placement__conflict_type="uid_match_belongs_to_a_different_parent").count() == 1
