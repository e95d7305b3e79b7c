"""A file that is no DICOM goes where the DICOM around it goes, and never to another patient."""

import pytest
from django.utils import timezone

from importer.models import Conflict
from importer.services import rerun_import
from importer.tests.pipeline.denied import permissions_count
from importer.tests.pipeline.drive import became, imported, instance, put, put_series, reasons, run, start, tree, until

pytestmark = pytest.mark.django_db(transaction=True)


def attached(project, name="x.txt"):
    """Where the files of that name went: their paths without it."""
    return sorted(path.removesuffix(f"/{name}") for path in tree(project) if path.endswith(name))


def test_it_follows_the_nearest_folder_with_dicom(project, places, tmp_path):
    source = tmp_path / "in"
    put_series(source / "p1" / "s1" / "a", 2)
    put_series(source / "p1" / "s1" / "b", 2, series=2)
    put_series(source / "p1" / "s2", 2, study=2)
    put_series(source / "p2", 2, study=3, patient="P02")
    put(source / "p1" / "s1" / "a" / "notes" / "deep" / "x.txt", b"acquisition")
    put(source / "p1" / "s1" / "x.txt", b"session")
    put(source / "p1" / "x.txt", b"subject")
    put(source / "x.txt", b"project")

    job = imported(project, source)

    assert job.imported == job.discovered == 12
    assert attached(project) == ["P01", "P01/study 1", "P01/study 1/1 - t1", "x.txt"]


def test_a_file_that_comes_before_its_dicom_in_the_walk_makes_the_same_containers(project, places, tmp_path):
    put(tmp_path / "in" / "s" / "0.txt")
    put_series(tmp_path / "in" / "s", 1)

    imported(project, tmp_path / "in")

    assert sorted(tree(project)) == ["P01/study 1/1 - t1/0.txt", "P01/study 1/1 - t1/1 - t1.dicom.zip"]


def test_it_waits_with_a_study_that_is_another_patients(project, places, tmp_path):
    put_series(tmp_path / "one", 1)
    imported(project, tmp_path / "one")
    put_series(tmp_path / "two" / "s", 1, patient="P02", first=2)
    put(tmp_path / "two" / "s" / "report.pdf")

    job = imported(project, tmp_path / "two")

    assert set(became(job).values()) == {"conflict"}
    assert {c.type for c in Conflict.objects.all()} == {"uid_match_belongs_to_a_different_parent"}


BAD = {
    "truncated": lambda: instance(1, patient="P02", study=2)[:-9],
    "without uid": lambda: instance(1, patient="P02", study=2, StudyInstanceUID=None),
    "not parsing": lambda: b"\0" * 128 + b"DICM" + b"\xff" * 500,
    "no dicom though its name says so": lambda: b"something else",
    "empty": lambda: b"",
    "nameless": lambda: instance(1, patient=None, study=2),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_beside_dicom_that_did_not_come_in_it_never_goes_to_the_next_patient(project, places, tmp_path, bad):
    """Not `.dcm` alone: the bad ones lie in the second patient's folder, the good ones in the first's."""
    put_series(tmp_path / "in" / "first", 2)
    put(tmp_path / "in" / "second" / "1.dcm", bad())
    put(tmp_path / "in" / "second" / "report.pdf")

    job = imported(project, tmp_path / "in")

    assert reasons(job)["second/report.pdf"] == "skipped: No rule matched"
    assert sorted(tree(project)) == ["P01/study 1/1 - t1/1 - t1.dicom.zip"]


def test_beside_what_nobody_could_look_at_it_never_goes_to_the_next_patient(project, places, tmp_path):
    put_series(tmp_path / "in" / "first", 2)
    put(tmp_path / "in" / "second" / "locked" / "IM1", instance(1, patient="P02", study=2))
    put(tmp_path / "in" / "second" / "report.pdf")
    put(tmp_path / "in" / "third" / "IM1", instance(1, patient="P03", study=3)).chmod(0)
    put(tmp_path / "in" / "third" / "report.pdf")
    (tmp_path / "in" / "second" / "locked").chmod(0)

    with permissions_count():
        job = imported(project, tmp_path / "in")

    (tmp_path / "in" / "second" / "locked").chmod(0o700)
    assert {reasons(job)[f"{folder}/report.pdf"] for folder in ("second", "third")} == {"skipped: No rule matched"}


def test_what_nobody_could_look_at_takes_no_place_from_files_without_dicom_around(project, places, tmp_path):
    put(tmp_path / "in" / "SUB" / "SES" / "ACQ" / "x.txt")
    put(tmp_path / "in" / "SUB" / "SES" / "ACQ" / "README").chmod(0)

    with permissions_count():
        job = imported(project, tmp_path / "in")

    assert became(job) == {"SUB/SES/ACQ/README": "failed", "SUB/SES/ACQ/x.txt": "imported"}


def test_above_one_patient_and_dicom_of_nobody_knows_whom_it_goes_to_neither(project, places, tmp_path):
    put_series(tmp_path / "in" / "first", 2)
    put_series(tmp_path / "in" / "nameless", 2, study=2, patient=None)
    put(tmp_path / "in" / "notes.txt")

    imported(project, tmp_path / "in")

    assert [path for path in tree(project) if path.endswith("notes.txt")] == ["notes.txt"]


def test_bad_slices_of_a_folder_do_not_send_its_papers_away(project, places, tmp_path):
    put_series(tmp_path / "in" / "s", 2)
    put(tmp_path / "in" / "s" / "9.dcm", instance(9)[:-9])
    put(tmp_path / "in" / "s" / "report.pdf")
    put(tmp_path / "in" / "above.pdf")

    imported(project, tmp_path / "in")

    assert {"P01/study 1/1 - t1/report.pdf", "P01/study 1/1 - t1/above.pdf"} < set(tree(project))


def test_without_any_dicom_the_last_three_folders_are_its_labels(project, places, tmp_path):
    source = tmp_path / "in"
    put(source / "study" / "sub:1" / "ses*1" / "acq." / "x.txt")
    put(source / "a" / "b" / "x.txt")
    put(source / "x.txt")
    put(source / "..." / "ses" / "acq" / "x.txt")

    job = imported(project, source)

    assert attached(project) == ["sub_1/sesstar1/acq"]
    assert {path: said for path, said in reasons(job).items() if not path.startswith("study")} == dict.fromkeys(
        ["a/b/x.txt", "x.txt", ".../ses/acq/x.txt"], "skipped: No rule matched"
    )


def test_a_dropped_archive_is_stored_as_it_is_beside_what_its_first_member_says(project, places, tmp_path):
    put_series(tmp_path / "one", 2)
    imported(project, tmp_path / "one")
    stored = next(places.archive.rglob("*.dicom.zip")).read_bytes()
    other = type(project).objects.create(group=project.group, label="Other")
    put(tmp_path / "two" / "mine.DICOM.zip", stored)
    put(tmp_path / "two" / "report.pdf")

    job = imported(other, tmp_path / "two")

    assert set(became(job).values()) == {"imported"}
    assert next((places.archive / "lab" / "Other").rglob("*.DICOM.zip")).read_bytes() == stored
    found = sorted(path for path in tree(other) if "mine" in path or "report" in path)
    assert found == ["P01/study 1/1 - t1/mine.DICOM.zip", "P01/study 1/1 - t1/report.pdf"]


def test_an_archive_of_the_same_members_is_the_same_however_it_was_packed(project, places, tmp_path):
    put_series(tmp_path / "one", 2)
    imported(project, tmp_path / "one")
    stored = next(places.archive.rglob("*.dicom.zip"))
    put(tmp_path / "two" / stored.name, stored.read_bytes())

    job = imported(project, tmp_path / "two")

    assert reasons(job) == {stored.name: "skipped: File already exists"}


def test_what_failed_beside_dicom_goes_there_when_it_alone_is_run_again(project, places, tmp_path):
    source = tmp_path / "in"
    put_series(source / "SUB" / "SES" / "ACQ", 2)
    put(source / "SUB" / "SES" / "ACQ" / "report.pdf")
    job = start(project, source)
    until(job, "transferring")
    put(source / "SUB" / "SES" / "ACQ" / "report.pdf", b"changed since it was listed")
    run(job)
    assert became(job)["SUB/SES/ACQ/report.pdf"] == "failed"

    again = run(rerun_import(job.pk, actor=None, who="system", now=timezone.now(), only_failed=True, enqueue=False))

    assert became(again) == {"SUB/SES/ACQ/report.pdf": "imported"}
    assert "P01/study 1/1 - t1/report.pdf" in tree(project)
