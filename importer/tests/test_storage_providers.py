"""Places that may be the only home of bytes: who reads the warning, what stands on them, who may import by reference."""

import pytest

from hierarchy.errors import NotAllowed, Refused
from importer import storage_providers, storage_queries, storage_services
from importer.models import Event
from importer.storage_address import Address
from importer.storage_providers import NewProvider, NotAcknowledged, ProviderEdit
from importer.storage_services import Scope
from importer.tests.factories import START
from importer.tests.storages import WHO, make, new_bucket
from storages.models import Access, ExternalStorage, StorageProvider
from storages.stores import Kind

pytestmark = pytest.mark.django_db
BY = {"who": WHO, "now": START}


def new_provider(**fields) -> NewProvider:
    address = Address(kind=Kind.S3, bucket="images", prefix=fields.pop("prefix", "pacs"))
    return NewProvider(**{"label": "pacs", "address": address, "acknowledged": True, **fields})


@pytest.fixture
def provider():
    return storage_providers.create(new_provider(), actor=None, **BY)


def on(provider, **fields):
    return make(new_bucket(provider=provider, place={"prefix": fields.pop("prefix", "pacs/2024")}, **fields))


class TestMaking:
    def test_who_has_not_agreed_to_the_warning_reads_it_first(self):
        with pytest.raises(NotAcknowledged) as warned:
            storage_providers.create(new_provider(acknowledged=False), actor=None, **BY)
        for word in ("only home", "immutable", "durable", "backup"):
            assert word in str(warned.value)
        assert not StorageProvider.objects.exists()

    def test_who_agreed_and_when_is_kept(self, provider):
        assert (provider.acknowledged_by, provider.acknowledged_at) == (WHO, START)
        assert provider.access == Access.READ_ONLY
        assert Event.objects.get(provider_id=provider.pk).what == "provider made"

    def test_only_an_admin_of_the_site_makes_one(self, people):
        with pytest.raises(NotAllowed):
            storage_providers.create(new_provider(), actor=people.admin, **BY)

    def test_a_label_is_given_once(self, provider):
        with pytest.raises(Refused, match="choose another"):
            storage_providers.create(new_provider(label="PACS"), actor=None, **BY)


class TestChanging:
    def test_its_words_and_access_change_and_nothing_else_can(self, provider):
        edit = ProviderEdit(label="renamed", access=Access.READ_WRITE)
        kept = storage_providers.update(provider.pk, edit, actor=None, **BY)
        kept.refresh_from_db()
        assert (kept.label, kept.access, kept.bucket) == ("renamed", Access.READ_WRITE, "images")
        assert Event.objects.filter(provider_id=provider.pk).first().detail == "access, label"

    def test_one_that_a_storage_stands_on_is_not_deleted(self, provider):
        on(provider, label="year")
        with pytest.raises(Refused, match=r"Storages stand on pacs: year\."):
            storage_providers.delete(provider.pk, actor=None, **BY)
        ExternalStorage.objects.all().delete()
        storage_providers.delete(provider.pk, actor=None, **BY)
        assert not StorageProvider.objects.exists()

    def test_who_sees_no_storage_on_it_does_not_see_it(self, provider, people, project):
        on(provider, scope=Scope(project=project))
        assert list(storage_queries.providers(people.viewer)) == []
        assert [row.used_by for row in storage_queries.providers(people.uploader)] == [1]
        assert storage_queries.find_provider(people.uploader, "PACS") == provider
        with pytest.raises(NotAllowed):
            storage_providers.delete(provider.pk, actor=people.uploader, **BY)
        with pytest.raises(Refused, match="There is no storage provider"):
            storage_providers.delete(provider.pk, actor=people.viewer, **BY)


class TestStandingOnOne:
    @pytest.mark.parametrize("prefix", ["", "pac", "pacs2", "other/pacs"])
    def test_a_storage_lies_inside(self, provider, prefix):
        with pytest.raises(Refused, match="does not lie inside the provider pacs"):
            on(provider, prefix=prefix)

    def test_it_does_not_move_out(self, provider):
        made = on(provider)
        with pytest.raises(Refused, match="inside the provider"):
            storage_services.move(made.pk, "elsewhere", actor=None, **BY)

    def test_the_first_import_from_it_is_agreed_to_once(self, provider, people, project):
        made = on(provider, scope=Scope(project=project))
        with pytest.raises(NotAcknowledged, match="copies nothing"):
            storage_providers.require_acknowledged(made)
        kept = storage_providers.acknowledge(made.pk, actor=people.uploader, who="user up", now=START)
        assert (kept.acknowledged_by, kept.acknowledged_at) == ("user up", START)
        storage_providers.require_acknowledged(kept)
        storage_providers.acknowledge(made.pk, actor=people.admin, who="user other", now=START)
        kept.refresh_from_db()
        assert kept.acknowledged_by == "user up"
        assert Event.objects.filter(what="references acknowledged").count() == 1

    def test_who_may_not_import_from_it_does_not_agree_for_others(self, provider, people):
        made = on(provider)
        with pytest.raises(NotAllowed):
            storage_providers.acknowledge(made.pk, actor=people.viewer, **BY)

    def test_where_everything_is_copied_there_is_nothing_to_agree_to(self):
        made = make(new_bucket())
        storage_providers.require_acknowledged(made)
        with pytest.raises(Refused, match="stands on no provider"):
            storage_providers.acknowledge(made.pk, actor=None, **BY)
