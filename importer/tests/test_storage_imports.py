"""Imports from a storage by page and REST: which storages are offered, folders to choose, the warning once."""

import json
from html import unescape

import pytest
from django.urls import reverse

from importer import storage_providers, storage_services
from importer.models import ImportJob
from importer.storage_address import Address
from importer.storage_providers import NewProvider
from importer.storage_services import Scope, StorageEdit
from importer.tests.factories import START, make_project
from importer.tests.pipeline.drive import put_series, run
from importer.tests.storages import WHO, make, new_bucket, new_local
from storages.models import Direction, ExternalStorage
from storages.stores import Kind

pytestmark = pytest.mark.django_db(transaction=True)
BY = {"actor": None, "who": WHO, "now": START}
PAGE = "/imports/new"
API = "/api/v1/imports"
HOSTILE = "<b>x\u202e"


@pytest.fixture
def folder(tmp_path, places):
    for patient, study in (("P01", 1), ("P02", 2)):
        put_series(tmp_path / "pacs" / "2026" / patient, 2, patient=patient, study=study)
    (tmp_path / "pacs" / "notes.txt").write_text("hello")
    return tmp_path / "pacs"


@pytest.fixture
def storage(folder):
    return make(new_local(folder))


@pytest.fixture
def on_provider(folder):
    place = Address(kind=Kind.LOCAL, bucket=str(folder))
    provider = storage_providers.create(NewProvider(label="pacs", address=place, acknowledged=True), **BY)
    return make(new_local(folder, label="referenced", provider=provider))


@pytest.fixture
def uploader(client, people):
    client.force_login(people.uploader)
    return client


def text(answer) -> str:
    return unescape(answer.content.decode())


def ask(client, storage, **said):
    return client.post(f"{PAGE}?storage={storage.pk}", {"what": "import", **said})


def post(client, **said):
    return client.post(API, json.dumps(said), content_type="application/json")


class TestThePage:
    def test_an_uploader_imports_from_a_storage_without_naming_a_path(self, uploader, project, storage):
        shown = text(uploader.get(PAGE))
        assert "Choose a storage" in shown
        assert 'name="path"' not in shown
        shown = text(uploader.get(f"{PAGE}?storage={storage.pk}&prefix=2026/P01/"))
        assert "2026/P01/</textarea>" in shown
        answer = ask(
            uploader, storage, project=project.pk, prefixes="2026/P01/\r\n\r\n", label="again", strategy="skip"
        )
        job = ImportJob.objects.get()
        assert answer["Location"] == reverse("import", args=[job.pk])
        assert (job.storage, job.prefixes, job.label, job.strategy) == (storage, ["2026/P01/"], "again", "skip")
        assert (job.who, job.source_kind, job.dry_run) == ("user uploader@example.org", "storage", False)
        done = run(job)
        assert (done.status, done.discovered, done.imported) == ("completed", 2, 2)

    def test_a_preview_stops_as_a_plan(self, uploader, project, storage):
        ask(uploader, storage, project=project.pk, what="preview")
        job = ImportJob.objects.get()
        assert (job.label, job.dry_run, job.prefixes) == ("scans", True, [])
        assert run(job).status == "planned"

    def test_only_what_may_be_imported_from_is_offered(self, uploader, people, storage):
        make(new_bucket(label="elsewhere", scope=Scope(project=make_project("other/Heart"))))
        make(new_bucket(label="outward", direction=Direction.EXPORT))
        off = make(new_bucket(label="asleep"))
        storage_services.update(off.pk, StorageEdit(enabled=False), **BY)
        shown = text(uploader.get(PAGE))
        assert "scans" in shown
        for label in ("elsewhere", "outward", "asleep"):
            assert label not in shown
        assert "Choose a storage" in text(uploader.get(f"{PAGE}?storage={off.pk}"))
        uploader.force_login(people.viewer)
        assert "You may look, not import" in text(uploader.get(f"{PAGE}?storage={storage.pk}"))

    def test_a_site_admin_chooses_between_a_folder_and_storages(self, client, people, storage):
        client.force_login(people.site_admin)
        shown = text(client.get(PAGE))
        assert "A folder of the server" in shown
        assert 'name="path"' in shown
        assert f'value="{storage.pk}"' in shown

    def test_a_storage_of_a_project_goes_to_no_other(self, client, people, project, folder):
        other = make_project("lab/Heart")
        storage = make(new_local(folder, scope=Scope(project=project)))
        client.force_login(people.site_admin)
        shown = text(client.get(f"{PAGE}?storage={storage.pk}"))
        assert "lab/Brain" in shown
        assert "lab/Heart" not in shown
        assert ask(client, storage, project=other.pk).status_code == 400
        assert not ImportJob.objects.exists()

    def test_what_the_service_refuses_is_said_in_the_form(self, uploader, project, storage):
        answer = ask(uploader, storage, project=project.pk, prefixes="x" * 1025)
        assert answer.status_code == 400
        assert "1,024 bytes" in text(answer)

    def test_the_source_may_be_asked_to_go_unless_it_is_a_home(self, uploader, project, storage, on_provider):
        assert 'name="delete_source"' not in text(uploader.get(f"{PAGE}?storage={on_provider.pk}"))
        storage_services.delete(on_provider.pk, **BY)
        place = ExternalStorage.objects.get(pk=storage.pk)
        assert 'name="delete_source"' in text(uploader.get(f"{PAGE}?storage={place.pk}"))

    def test_the_warning_is_read_once_for_a_storage(self, uploader, project, on_provider):
        assert storage_providers.REFERENCE_WARNING in text(uploader.get(f"{PAGE}?storage={on_provider.pk}"))
        refused = ask(uploader, on_provider, project=project.pk)
        assert refused.status_code == 400
        assert not ImportJob.objects.exists()
        ask(uploader, on_provider, project=project.pk, acknowledged="on")
        job = ImportJob.objects.get()
        assert ExternalStorage.objects.get().acknowledged_by == "user uploader@example.org"
        assert storage_providers.REFERENCE_WARNING not in text(uploader.get(f"{PAGE}?storage={on_provider.pk}"))
        run(job)
        assert ask(uploader, on_provider, project=project.pk).status_code == 302


class TestFolders:
    def folders(self, client, storage, **query):
        return client.get(reverse("import-folders", args=[storage.pk]), query)

    def test_one_level_at_a_time_each_to_be_added(self, uploader, storage):
        top = text(self.folders(uploader, storage))
        assert 'data-pick="2026/"' in top
        assert "1 file in it" in top
        below = text(self.folders(uploader, storage, path="2026/"))
        assert 'data-pick="2026/P01/"' in below
        assert 'data-pick="2026/P02/"' in below

    def test_hostile_names_come_out_escaped(self, uploader, storage, folder):
        (folder / HOSTILE).mkdir()
        answer = self.folders(uploader, storage).content.decode()
        assert "<b>x" not in answer
        assert "&lt;b&gt;x" in answer

    def test_an_empty_folder_says_so_and_a_storage_that_is_away_too(self, uploader, storage, folder):
        (folder / "empty").mkdir()
        assert "Nothing lies here" in text(self.folders(uploader, storage, path="empty/"))
        folder.rename(folder.with_name("elsewhere"))
        assert 'bad-text">' in text(self.folders(uploader, storage))

    def test_who_may_not_import_finds_nothing(self, client, people, storage):
        client.force_login(people.viewer)
        assert self.folders(client, storage).status_code == 404


class TestRest:
    def test_a_storage_by_label_with_prefixes(self, uploader, storage):
        answer = post(
            uploader, project="lab/Brain", storage="SCANS", prefixes=["2026/P02/"], checksum=True, dry_run=True
        )
        assert answer.status_code == 201
        said = answer.json()
        assert (said["storage"], said["prefixes"], said["checksum"]) == (storage.pk, ["2026/P02/"], True)
        assert (said["source_kind"], said["label"], said["dry_run"]) == ("storage", "scans", True)
        assert run(ImportJob.objects.get()).discovered == 2

    @pytest.mark.parametrize(
        ("said", "status", "words"),
        [
            ({}, 400, "Say where from"),
            ({"storage": "scans", "source": "/x"}, 400, "Say where from"),
            ({"source": "/x", "prefixes": ["a/"]}, 400, "go with a storage"),
            ({"storage": "nowhere"}, 409, "no storage nowhere"),
            ({"storage": "scans", "transfer": "teleport"}, 400, "teleport"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, uploader, storage, said, status, words):
        answer = post(uploader, project="lab/Brain", **said)
        assert answer.status_code == status
        assert words in answer.content.decode()
        assert not ImportJob.objects.exists()

    def test_the_warning_comes_back_as_a_refusal_until_it_is_agreed_to(self, uploader, on_provider):
        refused = post(uploader, project="lab/Brain", storage="referenced")
        assert refused.status_code == 409
        assert refused.json()["error"]["message"] == storage_providers.REFERENCE_WARNING
        assert post(uploader, project="lab/Brain", storage="referenced", acknowledged=True).status_code == 201
        assert ExternalStorage.objects.get().acknowledged_by == "user uploader@example.org"
