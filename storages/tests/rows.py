"""Rows for tests of storages: whole enough for every constraint."""

from datetime import UTC, datetime

from storages.models import ExternalStorage, StorageProvider

START = datetime(2025, 11, 24, 9, 30, tzinfo=UTC)


def provider_fields(**fields):
    return {
        "label": "pacs", "kind": "s3", "bucket": "images", "created_at": START,
        "acknowledged_by": "user admin@example.org", "acknowledged_at": START, **fields,
    }  # fmt: skip


def storage_fields(**fields):
    return {
        "label": "scans", "kind": "s3", "bucket": "images", "created_at": START, "next_check_at": START, **fields
    }  # fmt: skip


def make_provider(**fields) -> StorageProvider:
    return StorageProvider.objects.create(**provider_fields(**fields))


def make_storage(**fields) -> ExternalStorage:
    return ExternalStorage.objects.create(**storage_fields(**fields))
