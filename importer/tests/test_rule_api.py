"""Rule sets over REST."""

import pytest

from hierarchy.tests.factories import make_group, make_project
from importer import rule_sets
from importer.core.rules.builtin import BUILT_IN
from importer.models import RuleSet
from importer.tests.rule_sets import BAD, OTHER, TEXT, by, make_rule_set

pytestmark = pytest.mark.django_db
RULE_SETS = "/api/v1/rule-sets/"
HEADER = {
    "PatientID": "P01", "StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.4", "SOPInstanceUID": "1.2.3.4.5",
    "StudyDescription": "Brain", "SeriesDescription": "t1", "SeriesNumber": 3, "Modality": "MR",
}  # fmt: skip


@pytest.fixture
def manager(client, people):
    client.force_login(people.data_manager)
    return client


def post(client, path, body=None):
    return client.post(RULE_SETS + path, body or {}, "application/json")


def patch(client, key, body):
    return client.patch(f"{RULE_SETS}{key}", body, "application/json")


def listed(client, **asked):
    return [row["name"] for row in client.get(RULE_SETS, asked).json()["results"]]


@pytest.mark.parametrize("path", ["", "standard", "standard/export", "standard/versions"])
def test_who_is_not_signed_in_sees_nothing(client, db, path):
    assert client.get(RULE_SETS + path).status_code in {302, 401, 403}


def test_a_stranger_sees_the_built_in_ones_and_nothing_else(client, people, project):
    made = make_rule_set(project=project)
    client.force_login(people.stranger)
    assert listed(client) == list(BUILT_IN)
    answer = client.get(f"{RULE_SETS}{made.pk}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_a_list_pages_by_cursor_with_the_built_in_ones_above_the_first_page(manager, project):
    names = [f"set {number}" for number in range(5)]
    for name in names:
        make_rule_set(name, project=project)
    first = manager.get(RULE_SETS, {"limit": 2}).json()
    assert set(first) == {"next", "previous", "results"}
    assert [row["name"] for row in first["results"]] == [*BUILT_IN, *names[:2]]
    second = manager.get(first["next"]).json()
    assert [row["name"] for row in second["results"]] == names[2:4]
    assert [row["name"] for row in manager.get(second["next"]).json()["results"]] == names[4:]
    assert [row["name"] for row in manager.get(second["previous"]).json()["results"]] == names[:2]
    assert listed(manager, sort="-name", scope="project")[0] == "set 4"


def test_a_list_is_filtered(manager, project):
    make_rule_set("site")
    make_rule_set("group", group=project.group)
    make_rule_set("gone", project=project, archived=True)
    assert listed(manager, scope="site") == ["site"]
    assert listed(manager, scope="built-in") == list(BUILT_IN)
    assert listed(manager, archived="true") == ["gone"]
    assert listed(manager, archived="any", q="go") == ["gone"]
    assert listed(manager, project="lab/Brain", scope="group") == ["group"]
    refused = manager.get(RULE_SETS, {"scope": "moon"})
    assert (refused.status_code, list(refused.json()["error"]["detail"])) == (400, ["scope"])
    assert manager.get(RULE_SETS, {"project": "lab/Nowhere"}).status_code == 409


def test_one_is_made_changed_described_and_read(manager, project):
    made = post(manager, "", {"name": "weekly", "text": TEXT, "project": "lab/Brain", "is_default": True})
    assert made.status_code == 201
    row = made.json()
    assert (row["scope"], row["where"], row["version"], row["is_default"], row["text"], row["may_change"]) == (
        "project", "lab/Brain", 1, True, TEXT, True,
    )  # fmt: skip
    changed = patch(manager, row["key"], {"text": OTHER, "base_version": 1, "description": "D"})
    assert (changed.status_code, changed.json()["version"], changed.json()["description"]) == (200, 2, "D")
    assert changed.json()["changed_by"].startswith("user data_manager")
    described = patch(manager, row["key"], {"description": ""}).json()
    assert (described["description"], described["version"]) == ("", 2)
    versions = manager.get(f"{RULE_SETS}{row['key']}/versions/").json()["results"]
    assert [one["number"] for one in versions] == [2, 1]
    assert manager.get(f"{RULE_SETS}{row['key']}/versions/1/").json()["text"] == TEXT
    assert manager.get(f"{RULE_SETS}{row['key']}/versions/3").status_code == 404


def test_an_edit_of_what_somebody_has_saved_meanwhile_is_refused(manager, project):
    made = make_rule_set(project=project)
    rule_sets.edit(made.pk, OTHER, base=1, **by())
    answer = patch(manager, made.pk, {"text": "- level: subject\n", "base_version": 1})
    assert answer.status_code == 409
    assert "saved version 2 meanwhile" in answer.json()["error"]["message"]


@pytest.mark.parametrize("role", ["viewer", "uploader"])
def test_readers_read_and_change_nothing(client, people, project, role):
    made = make_rule_set(project=project)
    client.force_login(getattr(people, role))
    shown = client.get(f"{RULE_SETS}{made.pk}").json()
    assert (shown["text"], shown["may_change"]) == (TEXT, False)
    body = {"name": "x", "text": TEXT, "project": "lab/Brain"}
    answers = [post(client, "", body), patch(client, made.pk, {"text": OTHER, "base_version": 1})]
    answers += [post(client, f"{made.pk}/{verb}") for verb in ("archive", "restore", "default")]
    assert [(one.status_code, one.json()["error"]["code"]) for one in answers] == [(403, "permission_denied")] * 5
    assert list(RuleSet.objects.values_list("name", "version", "is_default", "archived_at")) == [
        ("weekly", 1, False, None)
    ]


def test_sets_of_a_group_and_of_the_site_need_their_admins(manager, client, people, project):
    for where in ({"group": "lab"}, {}):
        assert post(manager, "", {"name": "x", "text": TEXT} | where).status_code == 403
    make_group("hidden")
    assert post(manager, "", {"name": "x", "text": TEXT, "group": "hidden"}).status_code == 409
    client.force_login(people.site_admin)
    assert post(client, "", {"name": "x", "text": TEXT, "group": "lab"}).json()["where"] == "lab"
    assert post(client, "", {"name": "x", "text": TEXT}).json()["scope"] == "site"


def test_archive_restore_and_default(manager, project):
    key = make_rule_set(project=project).pk
    assert post(manager, f"{key}/default").json()["is_default"] is True
    assert post(manager, f"{key}/archive").status_code == 409
    assert post(manager, f"{key}/default", {"is_default": False}).json()["is_default"] is False
    assert post(manager, f"{key}/archive/").json()["archived"] is True
    assert post(manager, f"{key}/restore/").json()["archived"] is False


def test_a_built_in_one_is_read_and_never_changed(manager):
    shown = manager.get(f"{RULE_SETS}dicom-only/").json()
    assert (shown["id"], shown["key"], shown["text"]) == (None, "dicom-only", BUILT_IN["dicom-only"].text)
    assert shown["may_change"] is False
    assert manager.get(f"{RULE_SETS}bids/versions").json()["results"] == []
    for answer in (
        patch(manager, "bids", {"text": TEXT, "base_version": 1}),
        post(manager, "bids/archive"),
        post(manager, "bids/default"),
    ):
        assert (answer.status_code, "copy it" in answer.json()["error"]["message"]) == (409, True)


def test_an_export_is_a_file_named_as_the_set(manager, project):
    made = make_rule_set("Für MR (2)", project=project)
    answer = manager.get(f"{RULE_SETS}{made.pk}/export")
    assert answer.content.decode() == TEXT
    assert answer.headers["Content-Disposition"] == "attachment; filename*=utf-8''F%C3%BCr%20MR%20%282%29.rules.yaml"
    assert manager.get(f"{RULE_SETS}bids/export/").headers["Content-Disposition"].endswith('="bids.rules.yaml"')


def test_what_is_wrong_with_rules_is_told_with_its_places_in_the_one_envelope(manager, project):
    made = make_rule_set(project=project)
    samples = [{"path": "a"}]
    for answer in (
        post(manager, "", {"name": "x", "text": BAD, "project": "lab/Brain"}),
        patch(manager, made.pk, {"text": BAD, "base_version": 1}),
        post(manager, "test", {"text": BAD, "samples": samples}),
    ):
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (400, "bad_rules")
        assert next((one["line"], one["column"]) for one in error["detail"]["problems"]) == (1, 10)
        assert {"line", "column", "said"} == set(error["detail"]["problems"][0])


def test_samples_are_tried_with_the_reasons_of_every_rule(manager):
    text = "- {name: images, type: dicom}\n- {name: notes, include: 'ext=txt'}\n"
    samples = [
        {"path": "in/1.dcm", "size": 10, "header": HEADER},
        {"path": "P02/V1/T2/note.txt", "size": 3, "mtime": "2026-01-02T03:04:05Z"},
        {"path": "x.pdf"},
    ]
    image, note, other = post(manager, "test", {"text": text, "samples": samples}).json()["results"]
    assert (image["taken"], image["rule"], image["place"], image["member"]) == (
        True, {"number": 1, "name": "images"}, ["P01", "Brain", "3 - t1", "3 - t1.dicom.zip"], "1.2.3.4.5.MR.dcm",
    )  # fmt: skip
    assert image["fields"]["subject.label"] == "P01"
    assert (note["rule"]["number"], note["place"]) == (2, ["P02", "V1", "T2", "note.txt"])
    assert note["why"][0] == {"number": 1, "name": "images", "taken": False, "said": "it is no DICOM"}
    assert (other["taken"], other["result"], other["rule"], other["place"]) == (False, "skipped", None, [])
    assert other["reason"].startswith("Not DICOM")


def test_a_set_is_tried_by_its_name_as_an_import_would_find_it(manager, project):
    make_rule_set("weekly", "- level: subject\n", project=project)
    make_rule_set("weekly", "- level: session\n", project=make_project())
    asked = {"rule_set": "weekly", "project": "lab/Brain", "samples": [{"path": "P01/a.txt"}]}
    assert post(manager, "test/", asked).json()["results"][0]["place"] == ["P01", "a.txt"]
    assert post(manager, "test/", asked | {"rule_set": "weekli"}).status_code == 409
    del asked["project"]
    assert post(manager, "test/", asked).json()["results"][0]["place"] == ["P01", "a.txt"]


WRONG = {
    "no rules": {"samples": [{"path": "a"}]},
    "two of them": {"text": TEXT, "rule_set": "bids", "samples": [{"path": "a"}]},
    "no samples": {"text": TEXT, "samples": []},
    "too many": {"text": TEXT, "samples": [{"path": "a"}] * 201},
    "no path": {"text": TEXT, "samples": [{"size": 1}]},
    "an absolute path": {"text": TEXT, "samples": [{"path": "/etc/passwd"}]},
    "a way up": {"text": TEXT, "samples": [{"path": "a/../b"}]},
    "a size below nothing": {"text": TEXT, "samples": [{"path": "a", "size": -1}]},
    "no time": {"text": TEXT, "samples": [{"path": "a", "mtime": "soon"}]},
    "a tag that is none": {"text": TEXT, "samples": [{"path": "a", "header": {"PatientID": {"a": 1}}}]},
}


@pytest.mark.parametrize("asked", WRONG.values(), ids=WRONG)
def test_a_trial_that_is_not_well_formed_says_what_is_wrong(manager, asked):
    answer = post(manager, "test", asked)
    assert (answer.status_code, bool(answer.json()["error"]["detail"])) == (400, True)


@pytest.mark.parametrize(
    "body",
    [
        {}, {"name": "x"}, {"text": TEXT}, {"name": "x", "text": "x" * 70_000},
        {"name": "x", "text": TEXT, "group": "lab", "project": "lab/Brain"},
    ],
)  # fmt: skip
def test_a_set_that_is_not_well_formed_is_not_made(manager, body):
    assert post(manager, "", body).status_code == 400
    assert not RuleSet.objects.exists()


@pytest.mark.parametrize("body", [{}, {"text": OTHER}, {"text": OTHER, "base_version": 0}])
def test_a_change_that_is_not_well_formed_is_not_made(manager, project, body):
    assert patch(manager, make_rule_set(project=project).pk, body).status_code == 400
    assert RuleSet.objects.get().version == 1


def test_the_schema_is_open_to_editors_and_takes_no_session(client, db):
    answer = client.get(f"{RULE_SETS}schema")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/schema+json"
    assert answer.json()["title"] == "Pratique rules"


def test_a_session_without_the_token_changes_nothing(people, project):
    from django.test import Client

    strict = Client(enforce_csrf_checks=True)
    strict.force_login(people.data_manager)
    assert post(strict, "", {"name": "x", "text": TEXT, "project": "lab/Brain"}).status_code == 403
    assert not RuleSet.objects.exists()


def test_nothing_of_a_header_reaches_a_log(manager, caplog):
    post(manager, "test", {"text": TEXT, "samples": [{"path": "1.dcm", "header": HEADER | {"PatientName": "Sekret"}}]})
    assert "Sekret" not in caplog.text
