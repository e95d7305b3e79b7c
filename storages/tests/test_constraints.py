"""What the database itself refuses, whoever asks: rows go in by bulk_create and update, which check nothing."""

import pytest
from django.db import IntegrityError, connection, transaction

from storages.models import ExternalStorage, StorageCheck, StorageProvider
from storages.tests.rows import START, make_provider, make_storage, provider_fields, storage_fields

pytestmark = pytest.mark.django_db


def refused(model, constraint, **fields):
    """The raw insert fails by this very constraint; SQLite names of a unique index only what it is over."""
    with pytest.raises(IntegrityError) as error, transaction.atomic():
        model.objects.bulk_create([model(**fields)])
    assert constraint in str(error.value)


BAD_STORAGES = [
    ("storage_has_label", {"label": ""}),
    ("storage_kind_known", {"kind": "ft"}),
    ("storage_has_bucket", {"bucket": ""}),
    ("storage_prefix_is_a_folder", {"prefix": "/a"}),
    ("storage_prefix_is_a_folder", {"prefix": "a/"}),
    ("storage_direction_known", {"direction": "sideways"}),
    ("storage_local_has_no_service", {"kind": "fs", "endpoint": "https://s3.example.org"}),
    ("storage_local_has_no_service", {"kind": "fs", "region": "eu-west-1"}),
    ("storage_local_has_no_service", {"kind": "fs", "account": "us"}),
    ("storage_local_has_no_service", {"kind": "fs", "from_machine": True}),
    ("storage_local_has_no_service", {"kind": "fs", "credentials": b"x", "credentials_at": START}),
    ("storage_one_way_to_sign_in", {"from_machine": True, "credentials": b"x", "credentials_at": START}),
    ("storage_credentials_have_a_time", {"credentials": b"x"}),
    ("storage_credentials_have_a_time", {"credentials_at": START}),
    ("storage_acknowledged_on_a_provider", {"acknowledged_by": "user a", "acknowledged_at": START}),
    ("storage_acknowledged_on_a_provider", {"acknowledged_by": "user a"}),
    ("storage_acknowledged_on_a_provider", {"acknowledged_at": START}),
    ("storage_health_known", {"health": "so so", "checked_at": START}),
    ("storage_checked_exactly_when_it_says_so", {"health": "ok"}),
    ("storage_checked_exactly_when_it_says_so", {"checked_at": START}),
]


@pytest.mark.parametrize(("constraint", "fields"), BAD_STORAGES)
def test_a_storage_that_makes_no_sense_is_refused(constraint, fields):
    refused(ExternalStorage, constraint, **storage_fields(**fields))


def test_a_storage_of_a_group_and_of_a_project_at_once_is_refused(project):
    fields = storage_fields(group_id=project.group_id, project_id=project.pk)
    refused(ExternalStorage, "storage_has_one_scope", **fields)


BAD_PROVIDERS = [
    ("provider_has_label", {"label": ""}),
    ("provider_kind_known", {"kind": "ft"}),
    ("provider_has_bucket", {"bucket": ""}),
    ("provider_prefix_is_a_folder", {"prefix": "/a"}),
    ("provider_local_has_no_service", {"kind": "fs", "endpoint": "https://s3.example.org"}),
    ("provider_local_has_no_service", {"kind": "fs", "account": "us"}),
    ("provider_access_known", {"access": "perhaps"}),
    ("provider_is_acknowledged", {"acknowledged_by": ""}),
    ("acknowledged_at", {"acknowledged_at": None}),
]


@pytest.mark.parametrize(("constraint", "fields"), BAD_PROVIDERS)
def test_a_provider_that_makes_no_sense_is_refused(constraint, fields):
    refused(StorageProvider, constraint, **provider_fields(**fields))


def test_a_label_is_there_once_whatever_its_case():
    make_storage(label="Scans")
    make_provider(label="PACS")
    refused(ExternalStorage, "storage_label_once", **storage_fields(label="sCANS"))
    refused(StorageProvider, "provider_label_once", **provider_fields(label="pacs"))


BAD_CHECKS = [
    ("storage_check_says_how_it_is", {"health": "unchecked"}),
    ("storage_check_takes_time", {"seconds": -1}),
]


@pytest.mark.parametrize(("constraint", "fields"), BAD_CHECKS)
def test_a_check_that_makes_no_sense_is_refused(constraint, fields):
    known = {"storage": make_storage(), "at": START, "who": "system", "health": "ok", "seconds": 0.1}
    refused(StorageCheck, constraint, **{**known, **fields})


class TestThePlaceOfAStorageStays:
    @pytest.fixture
    def storage(self, db):
        return make_storage(bucket="images", prefix="a/b")

    @pytest.mark.parametrize("change", [{"kind": "gs"}, {"prefix": "a"}, {"prefix": ""}, {"bucket": "other"}])
    def test_the_database_refuses_another(self, storage, change):
        with pytest.raises(IntegrityError, match="stays as it was made"), transaction.atomic():
            ExternalStorage.objects.filter(pk=storage.pk).update(**change)
        storage.refresh_from_db()
        assert (storage.kind, storage.bucket, storage.prefix) == ("s3", "images", "a/b")

    def test_by_raw_sql_too(self, storage):
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("UPDATE storages_externalstorage SET prefix = 'x' WHERE id = %s", [storage.pk])

    def test_a_saved_form_changes_the_rest(self, storage):
        storage.label, storage.endpoint = "renamed", "https://s3.example.org"
        storage.save()
        storage.refresh_from_db()
        assert storage.label == "renamed"

    def test_what_was_moved_as_a_whole_says_so_by_its_counter_and_keeps_its_prefix(self, storage):
        ExternalStorage.objects.filter(pk=storage.pk).update(bucket="other", moved=1)
        with pytest.raises(IntegrityError), transaction.atomic():
            ExternalStorage.objects.filter(pk=storage.pk).update(bucket="third", moved=1)
        with pytest.raises(IntegrityError), transaction.atomic():
            ExternalStorage.objects.filter(pk=storage.pk).update(prefix="x", moved=2)


@pytest.mark.parametrize(
    ("fields", "address"),
    [
        ({"bucket": "images"}, "s3://images"),
        ({"bucket": "images", "prefix": "a/b"}, "s3://images/a/b"),
        ({"kind": "az", "account": "us", "bucket": "images", "prefix": "a"}, "az://us/images/a"),
        ({"kind": "fs", "bucket": "/mnt/pacs"}, "/mnt/pacs"),
        ({"kind": "fs", "bucket": "/mnt/pacs/", "prefix": "2024"}, "/mnt/pacs/2024"),
    ],
)
def test_its_address_reads_like_an_url(fields, address):
    assert ExternalStorage(**storage_fields(**fields)).address == address
