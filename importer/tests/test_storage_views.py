"""Pages of storages and providers: what each shows to whom, and what the forms do."""

from html import unescape
from urllib.parse import quote

import pytest
from django.urls import reverse

from importer import storage_providers
from importer.storage_services import Scope, SignIn
from importer.tests.factories import START, make_job
from importer.tests.storages import KEYS, WHO, make, new_bucket, new_local
from importer.tests.test_storage_providers import new_provider
from storages.models import ExternalStorage, StorageCheck, StorageProvider

pytestmark = pytest.mark.django_db
BY = {"who": WHO, "now": START}
HOSTILE = "<img src=x onerror=alert(1)>\u202e.dcm"


@pytest.fixture
def folder(tmp_path, places):
    made = tmp_path / "pacs"
    (made / "2024" / "scan").mkdir(parents=True)
    (made / "notes.txt").write_text("hello")
    (made / "2024" / "a.dcm").write_bytes(b"x" * 2048)
    return made


@pytest.fixture
def admin(client, people):
    client.force_login(people.site_admin)
    return client


def page(client, name, *args, **query) -> str:
    answer = client.get(reverse(name, args=args), query)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def sent(client, name, *args, **said):
    return client.post(reverse(name, args=args), said, follow=True)


def said(answer) -> str:
    return unescape(answer.content.decode())


FORM = {"label": "scans", "direction": "import"}


class TestTheList:
    def test_it_shows_what_the_reader_may_see(self, client, people, project):
        make(new_bucket(label="of the lab", scope=Scope(group=project.group)))
        make(new_bucket(label="of brain", scope=Scope(project=project)))
        client.force_login(people.viewer)
        shown = page(client, "storages")
        assert "of the lab" in shown
        assert "of brain" not in shown
        assert "New storage" not in shown

    def test_an_empty_one_says_what_to_do_next(self, client, people, admin):
        assert reverse("storage-new") in page(admin, "storages")
        client.force_login(people.stranger)
        assert "An admin of the site registers storages" in page(client, "storages")

    def test_it_is_narrowed_by_health_and_words(self, admin):
        make(new_bucket(label="first"))
        make(new_bucket(label="second"))
        ExternalStorage.objects.filter(label="first").update(health="failed", health_words="Gone.", checked_at=START)
        shown = page(admin, "storages", health="failed")
        assert "first" in shown
        assert "Gone." in shown
        assert "second" not in shown
        assert "second" in page(admin, "storages", q="SECO")
        assert "No such storage" in page(admin, "storages", q="third")

    @pytest.mark.parametrize("rows", [1, 40])
    def test_its_queries_do_not_grow_with_the_rows(self, admin, project, rows, django_assert_max_num_queries):
        for number in range(rows):
            make(new_bucket(label=f"bucket {number}", scope=Scope(project=project)))
        with django_assert_max_num_queries(8):
            page(admin, "storages")


class TestOneStorage:
    def test_who_may_not_see_it_does_not_learn_that_it_is_there(self, client, people, project):
        found = make(new_bucket(scope=Scope(project=project)))
        for user in (people.viewer, people.stranger):
            client.force_login(user)
            for name in ("storage", "storage-browse"):
                assert client.get(reverse(name, args=[found.pk])).status_code == 404
            for name in ("storage-check",):
                assert client.post(reverse(name, args=[found.pk])).status_code == 404

    def test_no_page_and_no_form_holds_a_credential(self, admin):
        found = make(new_bucket())
        for name in ("storage", "storage-edit"):
            shown = page(admin, name, found.pk)
            assert not [value for value in KEYS.values() if value in shown]
        assert not [value for value in KEYS.values() if value in page(admin, "storages")]

    def test_it_shows_its_checks_and_what_happened(self, admin, folder):
        found = make(new_local(folder))
        answer = sent(admin, "storage-check", found.pk)
        shown = said(answer)
        assert "it works" in shown
        for words in ("Look at one", "2 names", "Storage made", "every 4 hours"):
            assert words in shown

    def test_who_only_looks_sees_its_health_and_no_buttons(self, client, people, folder):
        found = make(new_local(folder))
        client.force_login(people.viewer)
        shown = page(client, "storage", found.pk)
        assert "Test now" not in shown
        assert "Browse" not in shown
        assert client.get(reverse("storage-browse", args=[found.pk])).status_code == 403
        assert client.post(reverse("storage-check", args=[found.pk])).status_code == 403

    def test_only_an_admin_of_the_site_gets_to_the_forms(self, client, people, folder):
        found = make(new_local(folder))
        client.force_login(people.admin)
        for address in (
            reverse("storage-new"), reverse("storage-new-kind", args=["fs"]),
            reverse("storage-edit", args=[found.pk]), reverse("storage-provider-new"),
        ):  # fmt: skip
            assert client.get(address).status_code == 403
        for name, data in (("storage-delete", {}), ("storage-switch", {"enabled": "0"}), ("storage-move", {})):
            assert client.post(reverse(name, args=[found.pk]), data).status_code == 403
        assert ExternalStorage.objects.get().enabled


class TestMaking:
    def test_every_kind_has_a_form_and_no_other(self, admin):
        for kind in ("fs", "s3", "az", "gs"):
            assert reverse("storage-new-kind", args=[kind]) in page(admin, "storage-new")
            assert "Save and test" in page(admin, "storage-new-kind", kind)
        assert admin.get(reverse("storage-new-kind", args=["ftp"])).status_code == 404

    def test_saved_it_is_tested_at_once(self, admin, folder):
        shown = said(sent(admin, "storage-new-kind", "fs", **FORM, bucket=str(folder), description="Old scanner"))
        assert "Saved and tested: it works." in shown
        assert "Old scanner" in shown
        assert StorageCheck.objects.get().health == "ok"

    def test_what_is_wrong_stands_above_the_form_which_keeps_all_but_the_credentials(self, admin):
        answer = sent(admin, "storage-new-kind", "s3", **{**FORM, "label": "a/b"}, bucket="images", prefix="p", **KEYS)
        shown = said(answer)
        assert "cannot be a label" in shown
        assert 'value="images"' in shown
        assert 'value="p"' in shown
        assert not [value for value in KEYS.values() if value in shown]
        assert not ExternalStorage.objects.exists()

    def test_a_test_that_failed_is_said_in_words_and_the_storage_is_there(self, admin, folder, monkeypatch):
        from storages import checks

        monkeypatch.setattr(checks, "_opened", lambda _found: (checks.StepOutcome.FAILED, "No such bucket: images."))
        shown = said(sent(admin, "storage-new-kind", "fs", **FORM, bucket=str(folder)))
        assert "the test failed: No such bucket" in shown
        assert "begin again" in shown

    def test_credentials_that_are_chosen_have_to_be_entered(self, admin):
        shown = said(sent(admin, "storage-new-kind", "s3", **FORM, bucket="images", sign_in="credentials"))
        assert "Enter the credentials" in shown

    def test_credentials_that_are_not_chosen_are_not_kept(self, admin, monkeypatch):
        monkeypatch.setattr("importer.storage_views._test", lambda *_: None)
        sent(admin, "storage-new-kind", "s3", **FORM, bucket="images", sign_in="machine", **KEYS)
        made = ExternalStorage.objects.get()
        assert (made.from_machine, made.credentials) == (True, None)

    def test_its_scope_is_a_group_or_a_project(self, admin, project, folder):
        sent(admin, "storage-new-kind", "fs", **FORM, bucket=str(folder), scope="lab/Brain")
        assert ExternalStorage.objects.get().project == project
        shown = said(sent(admin, "storage-new-kind", "fs", label="x", bucket=str(folder), scope="lab/Brian"))
        assert "Did you mean lab/Brain" in shown


class TestChanging:
    def test_the_place_stays_and_the_rest_changes(self, admin, folder):
        found = make(new_local(folder))
        shown = said(
            sent(admin, "storage-edit", found.pk, label="renamed", direction="both", bucket="/elsewhere", prefix="x")
        )
        found.refresh_from_db()
        assert (found.label, found.direction, found.bucket, found.prefix) == ("renamed", "both", str(folder), "")
        assert "Saved and tested: it works." in shown

    def test_without_a_word_about_them_the_credentials_stay(self, admin, monkeypatch):
        monkeypatch.setattr("importer.storage_views._test", lambda *_: None)
        found = make(new_bucket())
        sent(
            admin, "storage-edit", found.pk, label="renamed", direction="import", sign_in="keep", endpoint="", region=""
        )
        kept = ExternalStorage.objects.get()
        assert (kept.label, bytes(kept.credentials)) == ("renamed", bytes(found.credentials))

    def test_it_is_switched_off_and_on(self, admin, folder):
        found = make(new_local(folder))
        assert "It is switched off" in said(sent(admin, "storage-switch", found.pk, enabled="0"))
        shown = said(sent(admin, "storage-switch", found.pk, enabled="1"))
        for words in ("Switched on.", "Storage switched off", "Storage switched on"):
            assert words in shown

    def test_it_is_deleted_unless_something_came_from_it(self, admin, project, folder):
        found = make(new_local(folder))
        job = make_job(project, source_kind="storage", storage=found)
        answer = admin.post(reverse("storage-delete", args=[found.pk]))
        assert answer.status_code == 409
        assert "switch it off instead" in said(answer)
        job.delete()
        assert "is deleted" in said(sent(admin, "storage-delete", found.pk))
        assert folder.is_dir()

    def test_to_begin_again_the_form_opens_with_what_it_was(self, admin, folder):
        found = make(new_local(folder, description="Old scanner"))
        shown = said(sent(admin, "storage-delete", found.pk, again="1"))
        assert f'value="{folder}"' in shown
        assert "Old scanner" in shown
        assert not ExternalStorage.objects.exists()

    def test_moved_as_a_whole_it_is_tested_there(self, admin, folder, tmp_path):
        found = make(new_local(folder))
        sent(admin, "storage-check", found.pk)
        folder.rename(tmp_path / "new")
        shown = said(sent(admin, "storage-move", found.pk, bucket=str(tmp_path / "new")))
        assert "Moved and tested: it works." in shown


class TestBrowsing:
    def test_a_folder_is_a_page(self, admin, folder):
        found = make(new_local(folder))
        shown = page(admin, "storage-browse", found.pk)
        assert "notes.txt" in shown
        assert "2024/" in shown
        assert "a.dcm" not in shown
        inner = page(admin, "storage-browse", found.pk, path="2024/")
        assert "a.dcm" in inner
        assert "2.0 kB" in inner
        assert "scan/" in inner

    def test_a_branch_of_the_tree_is_the_level_alone(self, admin, folder):
        found = make(new_local(folder))
        answer = admin.get(
            reverse("storage-browse", args=[found.pk]), {"path": "2024/"}, headers={"HX-Request": "true"}
        )
        shown = said(answer)
        assert "a.dcm" in shown
        assert "<html" not in shown

    def test_it_is_paged(self, admin, folder, monkeypatch):
        monkeypatch.setattr("importer.storage_services.LEVEL", 2)
        for number in range(3):
            (folder / "2024" / f"b{number}").touch()
        found = make(new_local(folder))
        first = page(admin, "storage-browse", found.pk, path="2024/")
        assert "Show more" in first
        assert "b2" not in first
        second = page(admin, "storage-browse", found.pk, path="2024/", after="b0")
        assert "b2" in second
        assert "a.dcm" not in second

    def test_a_hostile_name_is_escaped(self, admin, folder):
        (folder / HOSTILE.replace("/", "")).touch()
        raw = admin.get(reverse("storage-browse", args=[make(new_local(folder)).pk])).content.decode()
        assert "<img" not in raw
        assert "\u202e" not in raw
        assert "&lt;img src=x onerror=alert(1)&gt;" in raw

    @pytest.mark.parametrize("path", ["../", "2024/../../", "/etc/"])
    def test_no_way_leads_out(self, admin, folder, path):
        shown = page(admin, "storage-browse", make(new_local(folder)).pk, path=path)
        assert "passwd" not in shown
        assert "cannot be looked at" in shown

    @pytest.mark.parametrize("path", ["gone/", "2024/a.dcm/"])
    def test_where_there_is_no_folder_nothing_lies(self, admin, folder, path):
        assert "Nothing lies here" in page(admin, "storage-browse", make(new_local(folder)).pk, path=path)

    def test_a_store_that_is_away_says_so(self, admin, folder):
        found = make(new_local(folder))
        folder.rename(folder.with_name("gone"))
        assert "cannot be looked at" in page(admin, "storage-browse", found.pk)


class TestProviders:
    def test_the_warning_is_agreed_to_before_one_is_made(self, admin):
        form = {"label": "pacs", "kind": "s3", "bucket": "images", "access": "read-only"}
        assert "tick that these files stay" in said(sent(admin, "storage-provider-new", **form))
        assert not StorageProvider.objects.exists()
        shown = said(sent(admin, "storage-provider-new", **form, acknowledged="1"))
        assert "is a storage provider now" in shown
        assert "only home of the data" in shown
        made = StorageProvider.objects.get()
        assert made.acknowledged_by == WHO
        assert f"provider={quote('pacs')}" in shown

    def test_a_storage_is_made_on_it_and_its_first_import_is_agreed_to_once(self, client, people, admin, project):
        made = storage_providers.create(new_provider(), actor=None, **BY)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("importer.storage_views._test", lambda *_: None)
            form = {"label": "year", "bucket": "images", "prefix": "pacs/2024", "provider": "pacs", **KEYS}
            sent(admin, "storage-new-kind", "s3", **form, scope="lab/Brain")
        found = ExternalStorage.objects.get()
        assert found.provider == made
        client.force_login(people.uploader)
        assert "Before the first import by reference" in page(client, "storage", found.pk)
        sent(client, "storage-acknowledge", found.pk)
        assert not ExternalStorage.objects.get().acknowledged_by
        shown = said(sent(client, "storage-acknowledge", found.pk, acknowledged="1"))
        assert "Before the first import by reference" not in shown
        assert ExternalStorage.objects.get().acknowledged_by == "user uploader@example.org"

    def test_one_that_a_storage_stands_on_is_not_deleted(self, admin):
        made = storage_providers.create(new_provider(), actor=None, **BY)
        make(new_bucket(place={"prefix": "pacs"}, provider=made))
        answer = admin.post(reverse("storage-provider-delete", args=[made.pk]))
        assert (answer.status_code, "Storages stand on pacs" in said(answer)) == (409, True)
        ExternalStorage.objects.all().delete()
        assert "is no storage provider any more" in said(sent(admin, "storage-provider-delete", made.pk))

    def test_its_words_change_and_its_place_does_not(self, admin):
        made = storage_providers.create(new_provider(), actor=None, **BY)
        sent(admin, "storage-provider-edit", made.pk, label="renamed", access="read-write", bucket="elsewhere")
        made.refresh_from_db()
        assert (made.label, made.access, made.bucket) == ("renamed", "read-write", "images")

    def test_who_sees_no_storage_on_it_gets_a_404(self, client, people):
        made = storage_providers.create(new_provider(), actor=None, **BY)
        client.force_login(people.viewer)
        assert client.get(reverse("storage-provider", args=[made.pk])).status_code == 404
        assert "No provider" in page(client, "storage-providers")


def test_a_storage_of_the_machines_own_identity_says_so(admin):
    found = make(new_bucket(sign_in=SignIn(from_machine=True)))
    assert "the role of this machine" in page(admin, "storage", found.pk)
