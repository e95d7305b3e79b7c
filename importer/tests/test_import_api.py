"""Imports and their plans over REST."""

import csv
import io

import pytest

from importer.models import ImportJob, Placement
from importer.sources import Source, signed_source
from importer.tests.factories import make_job
from importer.tests.pipeline.drive import put, put_series, run, start

pytestmark = pytest.mark.django_db(transaction=True)
IMPORTS = "/api/v1/imports/"
JSON = "application/json"


@pytest.fixture
def source(project, places, tmp_path):
    for patient, study in (("P01", 1), ("P02", 2)):
        put_series(tmp_path / "in" / patient, 2, patient=patient, study=study)
    put(tmp_path / "in" / ".DS_Store")
    return tmp_path / "in"


@pytest.fixture
def job(project, source):
    return run(start(project, source, dry_run=True))


def url(job, what=""):
    return f"{IMPORTS}{job.pk}/{what}"


# Who may


def test_who_is_not_signed_in_sees_nothing(client, job):
    assert client.get(IMPORTS).status_code in {302, 401, 403}


@pytest.mark.parametrize("what", ["", "plan/", "progress/", "report/", "conflict-report/"])
def test_a_stranger_finds_nothing_and_a_viewer_looks(client, people, job, what):
    client.force_login(people.stranger)
    answer = client.get(url(job, what))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert client.get(IMPORTS).json()["results"] == []
    client.force_login(people.viewer)
    assert client.get(url(job, what)).status_code == 200


@pytest.mark.parametrize("what", ["approve/", "cancel/", "rerun/", "deselect/"])
def test_a_viewer_changes_nothing_and_the_envelope_says_why(client, people, job, what):
    client.force_login(people.viewer)
    body = {"branch": {"level": "subject", "subject": "P01"}} if what == "deselect/" else {}
    answer = client.post(url(job, what), body, JSON)
    assert answer.status_code == 403
    assert set(answer.json()["error"]) == {"code", "message", "detail"}
    assert "uploader" in answer.json()["error"]["message"]
    assert not Placement.objects.filter(deselected=True).exists()
    assert list(ImportJob.objects.values_list("status", flat=True)) == ["planned"]


@pytest.mark.parametrize("what", ["approve/", "cancel/", "rerun/", "deselect/"])
def test_to_a_stranger_it_is_not_there_to_be_changed(client, people, job, what):
    client.force_login(people.stranger)
    assert client.post(url(job, what), {}, JSON).status_code == 404


# Lists


def test_imports_are_listed_newest_first_by_cursor_and_filtered(client, people, project):
    jobs = [make_job(project) for _ in range(3)] + [make_job(project, status="planned")]
    client.force_login(people.viewer)
    first = client.get(IMPORTS, {"limit": 2}).json()
    assert [row["id"] for row in first["results"]] == [jobs[3].pk, jobs[2].pk]
    second = client.get(first["next"]).json()
    assert [row["id"] for row in second["results"]] == [jobs[1].pk, jobs[0].pk]
    assert [row["id"] for row in client.get(IMPORTS, {"status": "planned"}).json()["results"]] == [jobs[3].pk]
    assert len(client.get(IMPORTS, {"project": "lab/Brain"}).json()["results"]) == 4
    refused = client.get(IMPORTS, {"status": "odd"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "refused")


def test_one_import_says_its_counters(client, people, job):
    client.force_login(people.viewer)
    said = client.get(url(job)).json()
    assert (said["project"], said["status"], said["dry_run"]) == ("lab/Brain", "planned", True)
    assert (said["discovered"], said["skipped"], said["planned"]) == (5, 1, 4)
    assert client.get(f"{IMPORTS}{job.pk}").status_code == 200


# Making one


def ask(client, **said):
    return client.post(IMPORTS, {"project": "lab/Brain", **said}, JSON)


def test_a_site_admin_imports_a_folder_by_its_path(client, people, source):
    client.force_login(people.site_admin)
    made = ask(client, source=str(source), dry_run=True, label="by hand", limit=3, conflict_strategy="skip")
    assert made.status_code == 201
    job = ImportJob.objects.get(pk=made.json()["id"])
    assert (job.label, job.dry_run, job.limit, job.strategy) == ("by hand", True, 3, "skip")
    assert (job.who, job.actor) == ("user site-admin@example.org", people.site_admin)


def test_an_uploader_types_no_path_but_has_links(client, people, project, source):
    client.force_login(people.uploader)
    refused = ask(client, source=str(source))
    assert refused.status_code == 403
    assert "admin of the site" in refused.json()["error"]["message"]
    token = signed_source(Source(root=str(source).encode(), label="ST-1", project_id=project.pk), actor=people.uploader)
    made = ask(client, source=token)
    assert (made.status_code, made.json()["label"], made.json()["dry_run"]) == (201, "ST-1", False)


def test_a_viewer_makes_none(client, people, project, source):
    client.force_login(people.viewer)
    token = signed_source(Source(root=str(source).encode(), label="ST-1", project_id=project.pk), actor=people.viewer)
    assert ask(client, source=token).status_code == 403
    assert not ImportJob.objects.exists()


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({}, 400),
        ({"source": "/nowhere"}, 409),
        ({"source": "no token"}, 409),
        ({"source": "/", "conflict_strategy": "burn"}, 400),
        ({"source": "/", "limit": 0}, 400),
        ({"source": "/", "project": "lab/Nobody"}, 409),
        ({"source": "SOURCE", "rules": "no such rules"}, 409),
    ],
)
def test_what_cannot_be_imported_says_why(client, people, source, said, status):
    client.force_login(people.site_admin)
    said = {key: str(source) if value == "SOURCE" else value for key, value in said.items()}
    answer = ask(client, **said)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]
    assert not ImportJob.objects.exists()


# Plans


def test_a_plan_is_read_level_by_level(client, people, job):
    client.force_login(people.viewer)
    top = client.get(url(job, "plan/")).json()
    assert top["plan"]["new"] == {"subject": 2, "session": 2, "acquisition": 2}
    assert (top["plan"]["files"], top["plan"]["source_files"], top["plan"]["approvals"]) == (2, 4, 0)
    assert [(row["label"], row["state"], row["selected"]) for row in top["containers"]] == [
        ("P01", "new", True),
        ("P02", "new", True),
    ]
    at, level = top["containers"][0]["at"], None
    for _ in range(2):
        level = client.get(url(job, "plan/"), {"at": at}).json()
        at = level["containers"][0]["at"]
    [file] = client.get(url(job, "plan/"), {"at": at}).json()["files"]
    assert (file["file"], file["what"], file["source_files"], file["source"]) == (
        "1 - t1.dicom.zip",
        "new",
        2,
        "P01/0001.dcm",
    )
    assert client.get(url(job, "plan/"), {"at": "subject:999999"}).status_code == 404
    assert client.get(url(job, "plan/"), {"show": "odd"}).status_code == 400
    found = client.get(url(job, "plan/"), {"q": "P02"}).json()["containers"]
    assert [row["label"] for row in found] == ["P02"]


def test_a_level_goes_on_behind_its_first_fifty(client, people, job, project):
    like = Placement.objects.filter(job=job)[0]
    for number in range(60):
        like.pk, like.key, like.subject_label, like.first_seq = None, f"{number}", f"S{number:03}", 100 + number
        like.save(force_insert=True)
    client.force_login(people.viewer)
    first = client.get(url(job, "plan/")).json()
    second = client.get(first["next"]).json()
    assert (len(first["containers"]), len(second["containers"]), second["next"]) == (50, 12, None)


def test_deselect_approve_and_run(client, people, job):
    client.force_login(people.uploader)
    asked = {"branch": {"level": "subject", "subject": "P01"}}
    told = client.post(url(job, "deselect/"), asked, JSON).json()
    assert (told["changed"], told["plan"]["files"], told["plan"]["left_out"]) == (1, 1, 1)
    back = client.post(url(job, "deselect/"), {**asked, "selected": True}, JSON).json()
    assert back["plan"]["files"] == 2
    [one] = Placement.objects.filter(job=job, subject_label="P01")
    client.post(url(job, "deselect/"), {"placements": [one.pk]}, JSON)
    refused = client.post(url(job, "approve/"), {"expect": 4}, JSON)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "refused")
    assert client.get(url(job)).json()["status"] == "planned"
    approved = client.post(url(job, "approve/"), {"expect": 0}, JSON)
    assert (approved.status_code, approved.json()["status"]) == (202, "planning")
    assert client.get(url(job, "plan/")).status_code == 409
    run(job)
    assert client.get(url(job)).json()["imported"] == 2


@pytest.mark.parametrize(
    "asked", [{}, {"placements": ["x"]}, {"branch": {}}, {"placements": [1], "branch": {"level": "project"}}]
)
def test_a_choice_that_is_not_well_formed_says_what_is_wrong(client, people, job, asked):
    client.force_login(people.uploader)
    answer = client.post(url(job, "deselect/"), asked, JSON)
    assert answer.status_code == 400
    assert answer.json()["error"]["detail"]


def test_cancel_and_rerun(client, people, job):
    client.force_login(people.uploader)
    assert client.post(url(job, "cancel/"), {}, JSON).json()["status"] == "cancelling"
    run(job)
    again = client.post(url(job, "rerun/"), {}, JSON)
    assert (again.status_code, again.json()["rerun_of"], again.json()["dry_run"]) == (201, job.pk, True)
    refused = client.post(url(job, "rerun/"), {"only_failed": True}, JSON)
    assert refused.status_code == 409


# Reports


def body(answer):
    return b"".join(answer.streaming_content).decode()


def test_reports_come_in_the_format_that_is_asked_for(client, people, job):
    client.force_login(people.viewer)
    rows = list(csv.DictReader(io.StringIO(body(client.get(url(job, "report/"), {"format": "csv"})))))
    assert [row["status"] for row in rows].count("planned") == 4
    assert len(body(client.get(url(job, "report/"), {"format": "jsonl"})).splitlines()) == 5
    assert body(client.get(url(job, "conflict-report/"), {"format": "csv"})).startswith("id,created")
    assert body(client.get(url(job, "plan/"), {"format": "csv"})).startswith("subject,session,acquisition,file,what")
    odd = client.get(url(job, "report/"), {"format": "xml"})
    assert (odd.status_code, odd.json()["error"]["code"]) == (404, "not_found")


def test_progress_is_what_the_page_shows(client, people, job):
    client.force_login(people.viewer)
    said = client.get(url(job, "progress/")).json()
    assert (said["status"], said["ended"], said["discovered"]) == ("planned", False, 5)
    assert [stage["label"] for stage in said["stages"]] == ["Scan", "Read", "Plan", "Move", "Finish"]


# What is not known


@pytest.fixture
def api(client, people):
    client.force_login(people.uploader)
    return client


@pytest.mark.parametrize(("what", "body", "said"), [
    (None, {"project": "lab/Brain", "source": "/in", "dryrun": True}, "Did you mean dry_run?"),
    ("approve/", {"expected": 0}, "Did you mean expect?"),
    ("rerun/", {"failed": True}, "There is no failed."),
    ("deselect/", {"branch": {"level": "subject", "subjct": "P01"}}, "Did you mean subject?"),
])  # fmt: skip
def test_an_option_that_is_not_there_is_refused_and_nothing_runs(api, job, what, body, said):
    answer = api.post(url(job, what) if what else IMPORTS, body, JSON)
    assert answer.status_code == 400
    assert said in answer.content.decode()
    assert list(ImportJob.objects.values_list("status", flat=True)) == ["planned"]
    assert not Placement.objects.filter(deselected=True).exists()


def test_numbers_that_no_database_holds_are_refused(client, people, job):
    client.force_login(people.uploader)
    assert client.post(url(job, "deselect/"), {"placements": [10**30]}, JSON).status_code == 400


def test_what_is_not_there_is_said_in_words(client, people, job):
    client.force_login(people.stranger)
    error = client.get(url(job)).json()["error"]
    assert error == {
        "code": "not_found", "message": "There is no such thing here, or it is not yours to see.", "detail": None
    }  # fmt: skip
