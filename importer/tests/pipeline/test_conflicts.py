"""What clashes waits in quarantine, whole; what stands is untouched; what is clear lands all the same."""

import pytest

from hierarchy.models import Acquisition, File, FileVersion, Group, Project, Session, Subject
from importer.core import manifest
from importer.core.states import MissingMeta, UidScope
from importer.models import Conflict, Item
from importer.tests.pipeline.drive import (
    became,
    bytes_under,
    conflicts,
    containers,
    digest,
    imported,
    instance,
    leftovers,
    members,
    outcomes,
    put,
    put_series,
    reasons,
    tree,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def one(project, places, tmp_path):
    """The project holds one series of three instances; what stands is compared at the end."""
    put_series(tmp_path / "one", 3)
    imported(project, tmp_path / "one")
    before = tree(project), bytes_under(places.archive)
    yield tmp_path / "two"
    after = tree(project), bytes_under(places.archive)
    assert {path: after[0].get(path) for path in before[0]} == before[0]
    assert {path: after[1].get(path) for path in before[1]} == before[1]
    assert leftovers(places) == []


def held(places):
    """The one conflict's bytes in quarantine."""
    waiting = Conflict.objects.get()
    return waiting, places.quarantine / waiting.path


# A name that is taken


def test_a_series_with_other_content_waits_with_its_bytes_and_nothing_else_does(project, places, one):
    files = put_series(one, 3, ContentDate="20200103")
    put_series(one / "clear", 1, series=2)

    job = imported(project, one)

    waiting, path = held(places)
    assert (job.status, job.conflict, job.imported) == ("needs_review", 3, 1)
    assert (waiting.level, waiting.type) == ("file", "file_name_already_exists")
    assert waiting.upload_path == "P01/study 1/1 - t1/1 - t1.dicom.zip"
    assert members(path) == {f"1.2.3.4.1.1.{n}.MR.dcm": file.read_bytes() for n, file in enumerate(files, 1)}
    assert waiting.size == path.stat().st_size
    assert waiting.digest == manifest.digest(manifest.from_lines(waiting.manifest))
    assert [c["id"] for c in waiting.candidates] == [File.objects.get(name="1 - t1.dicom.zip").pk]
    assert {r for p, r in reasons(job).items() if "/" not in p} == {"conflict: File already exists with other content"}


def test_a_series_that_grew_waits_as_a_whole(project, places, one):
    put_series(one, 5)

    job = imported(project, one)

    assert conflicts() == [("file_name_already_exists", "P01/study 1/1 - t1/1 - t1.dicom.zip")]
    assert (job.conflict, job.placements.get().version) == (5, 1)


def test_another_file_of_a_taken_name_waits(project, places, tmp_path):
    put(tmp_path / "one" / "S" / "E" / "A" / "notes.txt", b"first")
    put(tmp_path / "two" / "S" / "E" / "A" / "notes.txt", b"second")
    imported(project, tmp_path / "one")

    job = imported(project, tmp_path / "two")

    _, path = held(places)
    assert path.read_bytes() == b"second"
    assert tree(project) == {"S/E/A/notes.txt": digest(b"first")}
    assert became(job) == {"S/E/A/notes.txt": "conflict"}


def test_what_waits_is_not_held_twice(project, places, one):
    put_series(one, 3, ContentDate="20200103")
    imported(project, one)
    before = bytes_under(places.quarantine)

    again = imported(project, one)

    assert (again.status, again.skipped, again.conflict) == ("completed", 3, 0)
    assert set(reasons(again).values()) == {"skipped: Already held in review"}
    assert bytes_under(places.quarantine) == before
    assert Conflict.objects.count() == 1


# Two of one job want one place


def test_of_two_files_for_one_place_the_first_by_path_lands_equal_ones_are_skipped_others_wait(
    project, places, tmp_path
):
    for folder, data in [("a", b"one"), ("b", b"one"), ("c", b"two"), ("d", b"two"), ("e", b"one"), ("f", b"three")]:
        put(tmp_path / "in" / folder / "S" / "E" / "A" / "x.txt", data)

    job = imported(project, tmp_path / "in")

    assert reasons(job) == {
        "a/S/E/A/x.txt": "imported",
        "b/S/E/A/x.txt": "skipped: File already exists",
        "c/S/E/A/x.txt": "conflict: File already exists with other content",
        "d/S/E/A/x.txt": "skipped: Already held in review",
        "e/S/E/A/x.txt": "skipped: File already exists",
        "f/S/E/A/x.txt": "conflict: File already exists with other content",
    }
    assert tree(project) == {"S/E/A/x.txt": digest(b"one")}
    assert sorted(bytes_under(places.quarantine).values()) == sorted([digest(b"two"), digest(b"three")])


def test_instances_that_come_twice(project, places, tmp_path):
    put(tmp_path / "in" / "a.dcm", instance(1))
    put(tmp_path / "in" / "b.dcm", instance(2))
    put(tmp_path / "in" / "c" / "same.dcm", instance(1))
    put(tmp_path / "in" / "d" / "other.dcm", instance(1, ContentDate="20200103"))

    job = imported(project, tmp_path / "in")

    assert reasons(job) == {
        "a.dcm": "imported",
        "b.dcm": "imported",
        "c/same.dcm": "skipped: Duplicate instance",
        "d/other.dcm": "conflict: Instance UID has different content",
    }
    waiting, path = held(places)
    assert (waiting.level, waiting.type) == ("file", "instance_uid_has_different_content")
    assert members(path) == {"1.2.3.4.1.1.1.MR.dcm": (tmp_path / "in/d/other.dcm").read_bytes()}
    assert FileVersion.objects.get().members == 2
    again = imported(project, tmp_path / "in")
    assert (again.skipped, again.discovered, Conflict.objects.count()) == (4, 4, 1)
    assert leftovers(places) == []


def test_a_series_that_waits_has_no_member_twice_either(project, places, one):
    put_series(one, 2, ContentDate="20200103")
    put(one / "twin.dcm", instance(1, ContentDate="20200104"))
    put(one / "same.dcm", instance(2, ContentDate="20200103"))

    job = imported(project, one)

    assert sorted(kind for kind, _ in conflicts(job)) == [
        "file_name_already_exists", "instance_uid_has_different_content",
    ]  # fmt: skip
    for waiting in Conflict.objects.all():
        names = [member.name for member in manifest.from_lines(waiting.manifest)]
        assert len(names) == len(set(names))
    assert reasons(job)["same.dcm"] == "skipped: Duplicate instance"


# Missing labels


@pytest.mark.parametrize(
    "case",
    [
        (MissingMeta.HOLD, "needs_review", "conflict: Missing label"),
        (MissingMeta.FAIL, "completed", "failed: Missing label"),
        (MissingMeta.SKIP, "completed", "skipped: Missing label"),
    ],
)
def test_dicom_without_a_patient_id(project, places, tmp_path, case):
    how, status, said = case
    for name in ("anon 1/b.dcm", "anon 1/c.dcm"):
        put(tmp_path / "in" / "given" / name, instance(ord(name[-5]), patient=None))
    put_series(tmp_path / "in" / "known", 1, study=2)

    job = imported(project, tmp_path / "in", missing_meta=how)

    assert job.status == status
    assert [r for p, r in reasons(job).items() if p.startswith("given")] == [said, said]
    assert {reason for path, (_, reason) in outcomes(job).items() if path.startswith("given")} == {
        "Missing label: subject"
    }
    assert job.imported == 1
    if how == MissingMeta.HOLD:
        waiting, path = held(places)
        assert (waiting.level, waiting.type) == ("subject", "label_is_missing")
        assert [c["suggestion"] for c in waiting.candidates] == ["anon 1", "given"]
        assert len(members(path)) == 2
    else:
        assert not Conflict.objects.exists()


def test_what_one_instance_lacks_another_gives(project, places, tmp_path):
    put(tmp_path / "in" / "a.dcm", instance(1, patient=None))
    put(tmp_path / "in" / "b.dcm", instance(2))
    put(tmp_path / "in" / "c.dcm", instance(3, patient=None, StudyDescription=None))

    job = imported(project, tmp_path / "in")

    assert set(became(job).values()) == {"imported"}
    assert list(tree(project)) == ["P01/study 1/1 - t1/1 - t1.dicom.zip"]
    assert FileVersion.objects.get().members == 3


def test_a_nameless_part_of_a_series_that_two_patients_claim_belongs_to_neither(project, places, tmp_path):
    put(tmp_path / "in" / "a.dcm", instance(1, patient=None))
    put(tmp_path / "in" / "b.dcm", instance(2, patient="P01"))
    put(tmp_path / "in" / "c.dcm", instance(3, patient="P02"))

    job = imported(project, tmp_path / "in")

    assert reasons(job) == {
        "a.dcm": "conflict: Missing label",
        "b.dcm": "imported",
        "c.dcm": "conflict: UID match belongs to a different parent",
    }


# Containers


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
