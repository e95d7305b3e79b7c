"""A folder of real DICOM becomes rows and bytes, and a second time becomes nothing."""

import shutil
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from conftest import shipped_dicom
from hierarchy.models import Acquisition, File, FileVersion, Session, Subject
from importer.core import manifest
from importer.models import Conflict, Event
from importer.tests.pipeline.drive import (
    assert_conserved,
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


def test_a_real_study_stands_in_the_hierarchy(project, places, dicom_study):
    job = imported(project, dicom_study)

    assert job.status == "completed"
    assert (job.discovered, job.imported) == (17, 17)
    assert containers() == (1, 3, 7)
    assert {file.type for file in File.objects.all()} == {"dicom"}
    assert {file.modality for file in File.objects.all()} == {"MR"}
    assert Subject.objects.get().label == "98890234"
    assert Counter(FileVersion.objects.values_list("members", flat=True)).total() == 7
    assert sum(FileVersion.objects.values_list("members", flat=True)) == 17
    assert leftovers(places) == []


def test_the_archive_reads_as_group_project_subject_session_acquisition(project, places, tmp_path):
    put_series(tmp_path / "in" / "a", 2)

    imported(project, tmp_path / "in")

    version = FileVersion.objects.get()
    assert version.path == f"lab/Brain/P01/study 1/1 - t1/v1-{version.id.hex[:8]}/1 - t1.dicom.zip"
    assert [path.name for path in places.archive.rglob("*.zip")] == ["1 - t1.dicom.zip"]


def test_a_stored_series_holds_the_source_bytes_under_the_names_of_its_instances(project, places, tmp_path):
    files = put_series(tmp_path / "in" / "deep" / "er", 3)

    job = imported(project, tmp_path / "in")

    version = FileVersion.objects.get()
    packed = members(places.archive / version.path)
    assert packed == {f"1.2.3.4.1.1.{n}.MR.dcm": file.read_bytes() for n, file in enumerate(files, 1)}
    lines = list(manifest.from_lines(version.manifest.lines))
    assert [line.source for line in lines] == [f"deep/er/{n:04}.dcm" for n in (1, 2, 3)]
    assert [line.sha256 for line in lines] == [digest(file.read_bytes()) for file in files]
    assert (version.members, version.digest_of, version.import_id) == (3, "manifest", job.pk)
    assert version.digest == manifest.digest(lines)
    assert version.source_path == "deep/er"
    assert version.size == (places.archive / version.path).stat().st_size


def test_the_same_series_is_the_same_archive_however_its_files_lie(project, places, tmp_path):
    slices = {f"{number}": instance(number) for number in range(1, 8)}
    flat = {f"{name}.dcm": data for name, data in slices.items()}
    upside_down = {f"{'z' * (9 - int(name))}/{int(name) % 3}/x.dcm": data for name, data in slices.items()}
    zips = []
    for number, layout in enumerate((flat, upside_down)):
        other = type(project).objects.create(group=project.group, label=f"other {number}")
        for name, data in layout.items():
            put(tmp_path / f"in{number}" / name, data)
        imported(other, tmp_path / f"in{number}")
        zips.append(next((places.archive / "lab" / other.label).rglob("*.zip")).read_bytes())

    assert zips[0] == zips[1]
    infos = members_info(zips[0])
    assert [info.filename for info in infos] == sorted(info.filename for info in infos)
    assert {(info.date_time, info.compress_type) for info in infos} == {((1980, 1, 1, 0, 0, 0), 0)}


def members_info(data):
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        assert packed.testzip() is None
        return packed.infolist()


def test_containers_know_what_the_headers_said(project, places, tmp_path):
    said = {
        "PatientName": "DOE^JANE",
        "PatientSex": "F",
        "PatientAge": "060Y",
        "PatientWeight": "70.5",
        "AccessionNumber": "ACC7",
        "OperatorsName": "ROE^JOHN",
        "TimezoneOffsetFromUTC": "-0500",
    }
    put(tmp_path / "in" / "a.dcm", instance(**said))

    imported(project, tmp_path / "in")

    subject, session, acquisition = Subject.objects.get(), Session.objects.get(), Acquisition.objects.get()
    assert (subject.firstname, subject.lastname, subject.sex) == ("Jane", "Doe", "female")
    assert (session.age_seconds, session.weight_kg, session.accession_number) == (1893456000, 70.5, "ACC7")
    assert (session.operator, session.uid, acquisition.uid) == ("ROE^JOHN", "1.2.3.4.1", "1.2.3.4.1.1")
    assert session.timestamp == datetime(2020, 1, 2, 8, 4, 5, tzinfo=UTC)
    assert (session.timestamp_offset, session.timestamp_zone) == (-300, "UTC-05:00")
    assert session.moment.isoformat() == "2020-01-02T03:04:05-05:00"


def test_a_time_without_an_offset_has_the_zone_of_the_installation_at_the_start(project, places, tmp_path, settings):
    settings.TIME_ZONE = "Europe/Zurich"
    put(tmp_path / "in" / "a.dcm", instance())

    imported(project, tmp_path / "in")

    session = Session.objects.get()
    assert session.timestamp == datetime(2020, 1, 2, 2, 4, 5, tzinfo=UTC)
    assert (session.timestamp_offset, session.timestamp_zone) == (60, "Europe/Zurich")


def test_what_a_container_lacks_is_filled_in_and_what_it_has_stays(project, places, tmp_path):
    kept = Subject.objects.create(project=project, label="P01", firstname="Kept")
    put(tmp_path / "in" / "a.dcm", instance(PatientName="DOE^JANE", PatientSex="F"))

    imported(project, tmp_path / "in")

    kept.refresh_from_db()
    assert (kept.firstname, kept.lastname, kept.sex) == ("Kept", "Doe", "female")


def test_upserts_say_what_was_made_filled_in_and_found(project, places, tmp_path):
    put_series(tmp_path / "one", 2)
    put_series(tmp_path / "two", 2, series=2)

    first = imported(project, tmp_path / "one").placements.get()
    second = imported(project, tmp_path / "two").placements.get()

    assert first.upserts == dict.fromkeys(["subject", "session", "acquisition", "file"], "create")
    assert second.upserts == {"subject": "skip", "session": "skip", "acquisition": "create", "file": "create"}


def test_all_files_that_ship_with_pydicom_have_a_row_and_the_sums_hold_twice_over(project, places, tmp_path):
    source = Path(shutil.copytree(shipped_dicom(), tmp_path / "in"))
    count = sum(1 for path in source.rglob("*") if path.is_file())

    first = imported(project, source)
    before, held = tree(project), Conflict.objects.count()
    second = imported(project, source)

    assert first.discovered == second.discovered == count
    assert first.imported > 100
    assert first.status == "needs_review"
    assert second.imported == second.conflict == 0
    assert second.status == "completed"
    assert Conflict.objects.count() == held == len({c.held_key for c in Conflict.objects.all()})
    assert tree(project) == before
    assert leftovers(places) == []
    what_failed = {path for path, (outcome, _) in outcomes(first).items() if outcome == "failed"}
    assert {path for path, (outcome, _) in outcomes(second).items() if outcome == "failed"} == what_failed


def test_a_second_import_of_the_same_source_is_all_skipped_as_there_already(project, places, dicom_study):
    put(dicom_study / "SUB" / "SES" / "ACQ" / "notes.txt")
    first = imported(project, dicom_study)
    before = sorted(path for path in places.archive.rglob("*") if path.is_file())

    second = imported(project, dicom_study)

    assert first.imported == second.skipped == 18
    assert set(reasons(second).values()) == {"skipped: File already exists"}
    assert sorted(path for path in places.archive.rglob("*") if path.is_file()) == before
    assert {p.version_id for p in second.placements.all()} == {v.id for v in FileVersion.objects.all()}
    assert set(second.placements.values_list("version", flat=True)) == {1}


def test_a_job_without_files_completes_with_nothing(project, places, tmp_path):
    (tmp_path / "in" / "empty").mkdir(parents=True)

    job = imported(project, tmp_path / "in")

    assert (job.status, job.discovered) == ("completed", 0)
    assert_conserved(job)


def test_events_tell_who_did_what_and_are_few(project, places, tmp_path):
    put_series(tmp_path / "in", 40)

    job = imported(project, tmp_path / "in", who="user anna@example.org")

    told = list(Event.objects.filter(job_id=job.pk).order_by("id").values_list("who", "what"))
    assert told[0] == ("user anna@example.org", "started")
    assert [what for who, what in told[1:] if who == "system"] == [
        "scanning", "extracting", "planning", "transferring", "finishing", "completed",
    ]  # fmt: skip
