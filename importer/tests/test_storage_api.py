"""Storages and providers over REST."""

import json

import pytest

from hierarchy.models import Membership
from importer.storage_services import Scope
from importer.tests.factories import make_job
from importer.tests.storages import KEYS, make, new_bucket, new_local
from storages.models import ExternalStorage, StorageProvider

pytestmark = pytest.mark.django_db
AT = "/api/v1/storages/"
PROVIDERS = "/api/v1/storage-providers/"
BUCKET = {"label": "bucket", "kind": "s3", "bucket": "images", "credentials": KEYS, "test": False}


@pytest.fixture
def folder(tmp_path, places):
    made = tmp_path / "pacs"
    (made / "2024").mkdir(parents=True)
    (made / "2024" / "a.dcm").write_bytes(b"x" * 10)
    (made / "notes.txt").write_text("hello")
    return made


@pytest.fixture
def api(client, people):
    client.force_login(people.site_admin)
    return client


def ask(client, method, address, **said):
    body = {} if method == "get" else {"data": json.dumps(said), "content_type": "application/json"}
    answer = getattr(client, method)(address, **(body or {"data": said}))
    assert not [value for value in KEYS.values() if value in answer.content.decode()]
    return answer.status_code, answer.json() if answer.content else None


class TestStorages:
    def test_one_is_made_and_tested_at_once(self, api, folder, project):
        status, made = ask(
            api, "post", AT, label="scans", kind="fs", bucket=str(folder), project="lab/Brain", direction="both"
        )
        assert status == 201
        assert made["check"]["health"] == made["health"] == "ok"
        assert [step["name"] for step in made["check"]["steps"]] == ["open", "list", "stat", "read", "put", "delete"]
        assert (made["project"], made["sign_in"], made["address"]) == ("lab/Brain", "none", str(folder))
        assert ask(api, "get", f"{AT}{made['id']}/")[1]["label"] == "scans"

    def test_credentials_go_in_and_never_come_out(self, api):
        status, made = ask(api, "post", AT, **BUCKET)
        assert (status, made["sign_in"], made["check"]) == (201, "credentials", None)
        assert "credentials" not in made
        for address in (AT, f"{AT}{made['id']}/", f"{AT}{made['id']}/checks/"):
            assert ask(api, "get", address)[0] == 200
        assert ExternalStorage.objects.get().credentials_at

    @pytest.mark.parametrize(
        ("wrong", "status"),
        [
            ({"label": ""}, 400), ({"kind": "ftp"}, 400), ({"direction": "up"}, 400), ({"bucket": ""}, 400),
            ({"group": "lab", "project": "lab/Brain"}, 400), ({"credentials": {"access_key": ["x"]}}, 400),
            ({"credentials": {"secret_key": KEYS["secret_key"]}}, 409), ({"prefix": "a/../b"}, 409),
            ({"endpoint": "http://127.0.0.1"}, 409), ({"project": "no/where"}, 409), ({"provider": "none"}, 409),
        ],
    )  # fmt: skip
    def test_what_makes_no_sense_is_refused(self, api, project, wrong, status):
        found, answer = ask(api, "post", AT, **{**BUCKET, **wrong})
        assert found == status
        assert answer["error"]["code"] in {"invalid", "refused"}
        assert not ExternalStorage.objects.exists()

    def test_only_an_admin_of_the_site_makes_changes_or_deletes(self, client, people, folder):
        made = make(new_local(folder))
        client.force_login(people.admin)
        assert ask(client, "post", AT, **BUCKET)[0] == 403
        assert ask(client, "patch", f"{AT}{made.pk}/", label="x")[0] == 403
        assert ask(client, "delete", f"{AT}{made.pk}/")[0] == 403
        assert ask(client, "post", f"{AT}{made.pk}/move/", bucket="x")[0] == 403
        assert client.get(AT).status_code == 200
        client.logout()
        assert client.get(AT).status_code in {401, 403}

    def test_a_list_shows_what_the_reader_may_see(self, client, people, project):
        make(new_bucket(label="site"))
        make(new_bucket(label="brain", scope=Scope(project=project)))
        client.force_login(people.viewer)
        listed = ask(client, "get", AT)[1]["results"]
        assert [row["label"] for row in listed] == ["site"]
        brain = ExternalStorage.objects.get(label="brain").pk
        for address in ("", "check/", "browse/", "acknowledge/"):
            method = "post" if address in {"check/", "acknowledge/"} else "get"
            assert ask(client, method, f"{AT}{brain}/{address}", acknowledged=True)[0] == 404

    def test_a_list_is_narrowed_sorted_and_paged(self, api):
        for label in ("b", "a", "c"):
            make(new_bucket(label=label))
        ExternalStorage.objects.filter(label="b").update(enabled=False)
        assert [row["label"] for row in ask(api, "get", AT, health="off")[1]["results"]] == ["b"]
        assert [row["label"] for row in ask(api, "get", AT, sort="-label")[1]["results"]] == ["c", "b", "a"]
        first = ask(api, "get", AT, limit=2)[1]
        assert [row["label"] for row in first["results"]] == ["a", "b"]
        assert [row["label"] for row in api.get(first["next"]).json()["results"]] == ["c"]
        assert ask(api, "get", AT, health="fine")[0] == 400

    @pytest.mark.parametrize("field", ["kind", "bucket", "prefix", "account", "provider"])
    def test_its_place_stays(self, api, field):
        made = make(new_bucket())
        status, answer = ask(api, "patch", f"{AT}{made.pk}/", **{field: "gs"})
        assert status == 400
        assert "stays as it was made" in json.dumps(answer)

    def test_only_what_is_said_changes(self, api, project):
        made = make(new_bucket(scope=Scope(project=project)))
        before = bytes(ExternalStorage.objects.get().credentials)
        status, shown = ask(api, "patch", f"{AT}{made.pk}/", label="renamed", enabled=False, from_machine=False)
        assert (status, shown["label"], shown["enabled"], shown["project"]) == (200, "renamed", False, "lab/Brain")
        assert bytes(ExternalStorage.objects.get().credentials) == before
        assert ask(api, "patch", f"{AT}{made.pk}/", project=None)[1]["project"] is None
        assert ask(api, "patch", f"{AT}{made.pk}/", from_machine=True)[1]["sign_in"] == "machine"
        assert ask(api, "patch", f"{AT}{made.pk}/", credentials={})[1]["sign_in"] == "none"

    def test_a_check_and_a_level(self, client, people, folder):
        made = make(new_local(folder))
        client.force_login(people.uploader)
        assert ask(client, "post", f"{AT}{made.pk}/check/")[1]["health"] == "ok"
        assert ask(client, "get", f"{AT}{made.pk}/checks/")[1]["results"][0]["who"] == "user uploader@example.org"
        level = ask(client, "get", f"{AT}{made.pk}/browse/")[1]
        assert level["folders"] == ["2024/"]
        assert [(one["key"], one["size"]) for one in level["objects"]] == [("notes.txt", 5)]
        assert level["following"] is None
        inner = ask(client, "post", f"{AT}{made.pk}/browse", path="2024/", limit=1)[1]
        assert [one["key"] for one in inner["objects"]] == ["2024/a.dcm"]
        assert ask(client, "get", f"{AT}{made.pk}/browse/", path="../")[0] == 409

    def test_who_only_looks_does_not_look_inside(self, client, people, folder):
        made = make(new_local(folder))
        client.force_login(people.viewer)
        assert ask(client, "get", f"{AT}{made.pk}/")[0] == 200
        assert ask(client, "get", f"{AT}{made.pk}/browse/")[0] == 403
        assert ask(client, "post", f"{AT}{made.pk}/check/")[0] == 403

    def test_one_is_deleted_unless_something_came_from_it(self, api, folder, project):
        made = make(new_local(folder))
        job = make_job(project, source_kind="storage", storage=made)
        status, answer = ask(api, "delete", f"{AT}{made.pk}/")
        assert (status, answer["error"]["code"]) == (409, "refused")
        job.delete()
        assert ask(api, "delete", f"{AT}{made.pk}/") == (204, None)
        assert not ExternalStorage.objects.exists()

    def test_one_is_moved_as_a_whole(self, api):
        made = make(new_bucket())
        assert ask(api, "post", f"{AT}{made.pk}/move/", bucket="elsewhere")[1]["address"] == "s3://elsewhere"

    @pytest.mark.parametrize("address", ["0/", "99999999999999999999/", "x/"])
    def test_what_is_not_there_is_a_404(self, api, address):
        assert api.get(AT + address).status_code == 404


class TestProviders:
    NEW = {"label": "pacs", "kind": "s3", "bucket": "images", "prefix": "pacs"}

    def test_without_a_word_about_the_warning_the_answer_is_the_warning(self, api):
        status, answer = ask(api, "post", PROVIDERS, **self.NEW)
        assert status == 409
        assert "only home of the data" in answer["error"]["message"]
        assert not StorageProvider.objects.exists()

    def test_a_storage_on_one_is_agreed_to_once(self, api, client, people):
        status, made = ask(api, "post", PROVIDERS, **self.NEW, acknowledged=True)
        assert (status, made["access"], made["acknowledged_by"]) == (201, "read-only", "user site-admin@example.org")
        assert ask(api, "post", AT, **BUCKET, provider="pacs")[0] == 409
        found = ask(api, "post", AT, **BUCKET, prefix="pacs/2024", provider=str(made["id"]))[1]
        assert "copies nothing" in found["warning"]
        client.force_login(people.uploader)
        assert ask(client, "post", f"{AT}{found['id']}/acknowledge/", acknowledged=False)[0] == 400
        agreed = ask(client, "post", f"{AT}{found['id']}/acknowledge/", acknowledged=True)[1]
        assert (agreed["warning"], agreed["acknowledged_by"]) == (None, "user uploader@example.org")
        assert ask(client, "get", PROVIDERS)[1]["results"][0]["used_by"] == 1

    def test_its_words_change_and_one_in_use_stays(self, api):
        made = ask(api, "post", PROVIDERS, **self.NEW, acknowledged=True)[1]
        at = f"{PROVIDERS}{made['id']}/"
        assert ask(api, "patch", at, access="read-write")[1]["access"] == "read-write"
        ask(api, "post", AT, **BUCKET, prefix="pacs", provider="pacs")
        assert ask(api, "delete", at)[0] == 409
        ExternalStorage.objects.all().delete()
        assert ask(api, "delete", at)[0] == 204

    def test_who_is_no_admin_of_the_site_makes_none_and_sees_those_in_use(self, api, client, people):
        made = ask(api, "post", PROVIDERS, **self.NEW, acknowledged=True)[1]
        client.force_login(people.viewer)
        assert ask(client, "post", PROVIDERS, **{**self.NEW, "label": "x"}, acknowledged=True)[0] == 403
        assert ask(client, "get", f"{PROVIDERS}{made['id']}/")[0] == 404
        assert ask(client, "get", PROVIDERS)[1]["results"] == []
        Membership.objects.create(user=people.stranger, role="admin")
        client.force_login(people.stranger)
        assert ask(client, "get", f"{PROVIDERS}{made['id']}/")[0] == 200
