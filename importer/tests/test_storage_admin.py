"""Administration of storages: looked at here, made and changed on their own pages."""

import pytest
from django.urls import reverse

from importer import storage_services
from importer.management.commands import rotate_secrets
from importer.models import Event
from importer.tests.factories import START
from importer.tests.storages import KEYS, make, new_bucket
from storages.health import check_storage, config_of
from storages.models import ExternalStorage, StorageCheck, StorageProvider
from storages.tests.rows import make_provider

pytestmark = pytest.mark.django_db
OTHER = "b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXItMTI="


def address(model, view="changelist", *args) -> str:
    return reverse(f"admin:storages_{model._meta.model_name}_{view}", args=args)


@pytest.fixture
def admin(client, people):
    client.force_login(people.site_admin)
    return client


@pytest.fixture
def rows(monkeypatch):
    monkeypatch.setattr("storages.checks.store_for", lambda _config: (_ for _ in ()).throw(OSError))
    made = [make(new_bucket(label=f"bucket {number}")) for number in range(3)]
    make_provider()
    check_storage(made[0].pk, who="system")
    return made


@pytest.mark.parametrize("model", [ExternalStorage, StorageProvider, StorageCheck])
def test_every_list_and_row_is_shown_without_a_credential(admin, rows, model, django_assert_max_num_queries):
    with django_assert_max_num_queries(10):
        listed = admin.get(address(model))
    shown = admin.get(address(model, "change", model.objects.latest("pk").pk))
    for answer in (listed, shown):
        assert answer.status_code == 200
        assert not [value for value in KEYS.values() if value in answer.content.decode()]
    assert b'name="credentials"' not in shown.content
    assert b"gAAAA" not in shown.content


@pytest.mark.parametrize("model", [ExternalStorage, StorageProvider])
def test_making_one_leads_to_its_form(admin, rows, model):
    names = {ExternalStorage: "storage-new", StorageProvider: "storage-provider-new"}
    answer = admin.get(address(model, "add"))
    assert (answer.status_code, answer["Location"]) == (302, reverse(names[model]))


@pytest.mark.parametrize("model", [ExternalStorage, StorageProvider, StorageCheck])
def test_nothing_is_changed_or_deleted_here(admin, rows, model):
    row = model.objects.latest("pk")
    before = list(model.objects.order_by("pk").values())
    admin.post(address(model, "change", row.pk), {"label": "x", "prefix": "x"})
    admin.post(address(model, "delete", row.pk), {"post": "yes"})
    assert list(model.objects.order_by("pk").values()) == before


class TestRotation:
    @pytest.fixture
    def command(self, capsys):
        from django.core.management import CommandError, call_command

        def run(*args):
            try:
                call_command("rotate_secrets", *args)
            except CommandError as error:
                return error.returncode, str(error)
            return 0, capsys.readouterr().out.strip()

        return run

    def test_all_is_read_with_the_new_key_alone_afterwards(self, command, settings):
        made = [make(new_bucket(label=f"bucket {number}")) for number in range(3)]
        old = settings.PRATIQUE_SECRET_KEYS
        settings.PRATIQUE_SECRET_KEYS = [OTHER, *old]
        assert command() == (0, "3 storages encrypted with the first key.")
        settings.PRATIQUE_SECRET_KEYS = [OTHER]
        for row in ExternalStorage.objects.filter(pk__in=[one.pk for one in made]):
            assert config_of(row).credentials.get("secret_key") == KEYS["secret_key"]
            assert row.credentials_at == START
        assert Event.objects.latest("pk").what == "secrets rotated"

    def test_what_no_key_opens_is_named_and_left(self, command, settings):
        lost = make(new_bucket(label="lost"))
        settings.PRATIQUE_SECRET_KEYS = [OTHER]
        make(new_bucket(label="fine"))
        status, said = command()
        assert (status, "No key fits the credentials of: lost." in said) == (1, True)
        assert bytes(ExternalStorage.objects.get(pk=lost.pk).credentials) == bytes(lost.credentials)

    def test_without_any_key_it_says_what_to_do(self, command, settings):
        settings.PRATIQUE_SECRET_KEYS = []
        status, said = command()
        assert (status, "--new-key" in said) == (2, True)

    def test_what_somebody_saves_meanwhile_is_not_written_over(self, settings, monkeypatch):
        row = make(new_bucket())
        fresh = {"access_key": "AKIAFRESH", "secret_key": "fresh-fresh-fresh"}
        real = storage_services.resealed

        def meanwhile(sealed):
            edit = storage_services.StorageEdit(sign_in=storage_services.SignIn(credentials=fresh))
            storage_services.update(row.pk, edit, actor=None, who="user a", now=START)
            return real(sealed)

        monkeypatch.setattr(storage_services, "resealed", meanwhile)
        assert storage_services.rotate(now=START) == (0, [])
        assert config_of(ExternalStorage.objects.get()).credentials.get("access_key") == "AKIAFRESH"

    def test_a_new_key_is_printed_and_nothing_else_is_done(self, command):
        from config.env import encryption_keys

        status, said = command("--new-key")
        assert status == 0
        assert encryption_keys(said) == [said]
        assert rotate_secrets.Command.help.endswith("any key.")
