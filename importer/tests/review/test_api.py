"""Conflicts over REST."""

import pytest

from importer.models import Conflict, Decision, Resolution
from importer.pipeline.resolving import resolve
from importer.tests.pipeline.drive import worker
from importer.tests.review.cases import plain_file_name, waiting

pytestmark = pytest.mark.django_db(transaction=True)
CONFLICTS = "/api/v1/conflicts/"


@pytest.fixture
def held(project, places, tmp_path):
    plain_file_name(project, tmp_path)
    return waiting().get()


def test_who_is_not_signed_in_sees_nothing(client, held):
    answer = client.get(CONFLICTS)
    assert answer.status_code in {302, 401, 403}


def test_a_stranger_sees_an_empty_list_and_no_row(client, people, held):
    client.force_login(people.stranger)
    assert client.get(CONFLICTS).json()["results"] == []
    assert client.get(f"{CONFLICTS}{held.pk}/").status_code == 404


def test_a_member_lists_filters_and_pages_by_cursor(client, people, held):
    client.force_login(people.viewer)
    listed = client.get(CONFLICTS, {"type": held.type, "limit": 1}).json()
    assert [row["id"] for row in listed["results"]] == [held.pk]
    assert {"next", "previous", "results"} == set(listed)
    assert client.get(CONFLICTS, {"level": "session"}).json()["results"] == []
    refused = client.get(CONFLICTS, {"type": "odd"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "refused")


def test_methods_are_the_contracts_table(client, people, db):
    client.force_login(people.viewer)
    table = client.get(f"{CONFLICTS}methods/").json()
    assert [one["action"] for one in table["label_is_missing"]] == ["assign_label", "reject_incoming", "retry"]
    assert {one["word"] for one in table["file_name_already_exists"]} == {"update", "keep-all", "skip", "retry"}


def test_deciding_needs_the_role_and_the_envelope_says_so(client, people, held):
    client.force_login(people.uploader)
    answer = client.post(f"{CONFLICTS}resolve/", {"ids": [held.pk], "action": "update"}, "application/json")
    assert answer.status_code == 403
    assert set(answer.json()["error"]) == {"code", "message", "detail"}
    assert Decision.objects.count() == 0


def test_a_data_manager_foretells_decides_and_takes_back(client, people, held):
    client.force_login(people.data_manager)
    asked = {"filter": [f"type={held.type}"], "action": "update"}
    told = client.post(f"{CONFLICTS}resolve/", asked | {"dry_run": True}, "application/json").json()
    assert told == {"total": 1, "by_action": {"replace_existing": 1}, "left_out": {}}
    made = client.post(f"{CONFLICTS}resolve/", asked, "application/json")
    assert made.status_code == 202
    resolve(made.json()["resolution"], worker=worker())
    assert Conflict.objects.get().status == "resolved"
    undone = client.post(f"{CONFLICTS}undo/", {"resolution": Resolution.objects.get().pk}, "application/json")
    assert undone.json() == {"undone": 1, "could_not": {}}
    assert waiting().count() == 1


@pytest.mark.parametrize(
    "asked", [{}, {"action": "update"}, {"ids": ["x"], "action": "update"}, {"ids": [1], "action": "burn"}]
)
def test_a_request_that_is_not_well_formed_says_what_is_wrong(asked, client, people, held):
    client.force_login(people.data_manager)
    answer = client.post(f"{CONFLICTS}resolve/", asked, "application/json")
    assert answer.status_code == 400
    assert answer.json()["error"]["detail"]
