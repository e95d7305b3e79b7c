"""What the API takes and gives about storages and providers. Credentials are taken and never given."""

from typing import Any

from rest_framework import serializers

from importer.storage_queries import DIRECTIONS, HEALTHS
from importer.storage_words import KINDS
from storages.models import Access, Direction, ExternalStorage, StorageCheck, StorageProvider
from storages.stores import Level, Listed

KIND_NAMES = list(KINDS)
LONGEST_CREDENTIAL = 16 * 1024


class ListIn(serializers.Serializer[Any]):
    health = serializers.ChoiceField(choices=list(HEALTHS), required=False)
    kind = serializers.ChoiceField(choices=KIND_NAMES, required=False)
    direction = serializers.ChoiceField(choices=list(DIRECTIONS), required=False)
    q = serializers.CharField(required=False, max_length=200)


class Credentials(serializers.DictField):
    """By name: S3 `access_key secret_key session_token`, Azure one of `account_key sas_token connection_string`,
    Google `service_account` (the text of the JSON key)."""

    def __init__(self, **options: Any) -> None:
        child = serializers.CharField(max_length=LONGEST_CREDENTIAL, allow_blank=True)
        super().__init__(child=child, write_only=True, allow_empty=True, **options)


class Scoped(serializers.Serializer[Any]):
    """`group` is a group's name, `project` is GROUP/PROJECT; with neither it is the site's."""

    group = serializers.CharField(required=False, allow_null=True, max_length=64)
    project = serializers.CharField(required=False, allow_null=True, max_length=160)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("group") and attrs.get("project"):
            raise serializers.ValidationError("Say one: a group or a project.")
        return attrs


class PlaceIn(serializers.Serializer[Any]):
    label = serializers.CharField(max_length=64)  # type: ignore[assignment]  # a field of ours
    description = serializers.CharField(required=False, allow_blank=True, max_length=2000, default="")
    kind = serializers.ChoiceField(choices=KIND_NAMES)
    bucket = serializers.CharField(max_length=1024)
    prefix = serializers.CharField(required=False, allow_blank=True, max_length=1024, default="")
    endpoint = serializers.CharField(required=False, allow_blank=True, max_length=1024, default="")
    account = serializers.CharField(required=False, allow_blank=True, max_length=64, default="")


class StorageIn(PlaceIn, Scoped):
    """`provider` is a label or a number; `test: false` leaves the first check to the schedule."""

    region = serializers.CharField(required=False, allow_blank=True, max_length=64, default="")
    direction = serializers.ChoiceField(choices=Direction.values, default=Direction.IMPORT.value)
    from_machine = serializers.BooleanField(default=False)
    credentials = Credentials(required=False, default=dict)
    provider = serializers.CharField(required=False, allow_null=True, max_length=64)
    test = serializers.BooleanField(default=True)


class StorageEditIn(Scoped):
    """What is not said stays. `group` and `project` null: the site's. Kind, bucket, prefix and provider stay.

    `credentials` replace those that are saved; empty ones take them away.
    """

    FIXED = ("kind", "bucket", "prefix", "account", "provider")

    label = serializers.CharField(required=False, max_length=64)  # type: ignore[assignment]  # a field of ours
    description = serializers.CharField(required=False, allow_blank=True, max_length=2000)
    endpoint = serializers.CharField(required=False, allow_blank=True, max_length=1024)
    region = serializers.CharField(required=False, allow_blank=True, max_length=64)
    direction = serializers.ChoiceField(choices=Direction.values, required=False)
    enabled = serializers.BooleanField(required=False)
    from_machine = serializers.BooleanField(required=False)
    credentials = Credentials(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        asked = [name for name in self.FIXED if name in self.initial_data]
        if asked:
            said = f"{', '.join(asked)}: stays as it was made. Make another storage for another place."
            raise serializers.ValidationError(said)
        return super().validate(attrs)


class MoveIn(serializers.Serializer[Any]):
    """Without a bucket: another disk under the same name."""

    bucket = serializers.CharField(required=False, allow_blank=True, max_length=1024, default="")


class BrowseIn(serializers.Serializer[Any]):
    path = serializers.CharField(required=False, allow_blank=True, max_length=4096, default="", trim_whitespace=False)
    after = serializers.CharField(required=False, allow_blank=True, max_length=8192, default="", trim_whitespace=False)
    limit = serializers.IntegerField(required=False, min_value=1, max_value=200, default=200)


class AcknowledgeIn(serializers.Serializer[Any]):
    acknowledged = serializers.BooleanField()

    def validate_acknowledged(self, said: bool) -> bool:  # noqa: FBT001  the framework's own shape
        if not said:
            raise serializers.ValidationError("Read the warning, and say true.")
        return said


class ProviderIn(PlaceIn):
    access = serializers.ChoiceField(choices=Access.values, default=Access.READ_ONLY.value)
    acknowledged = serializers.BooleanField(default=False)


class ProviderEditIn(serializers.Serializer[Any]):
    label = serializers.CharField(required=False, max_length=64)  # type: ignore[assignment]  # a field of ours
    description = serializers.CharField(required=False, allow_blank=True, max_length=2000)
    access = serializers.ChoiceField(choices=Access.values, required=False)


def storage_out(row: ExternalStorage) -> dict[str, Any]:
    """`sign_in` says how, never with what."""
    return {
        "id": row.pk,
        "label": row.label,
        "description": row.description,
        "kind": row.kind,
        "bucket": row.bucket,
        "prefix": row.prefix,
        "endpoint": row.endpoint,
        "region": row.region,
        "account": row.account,
        "address": row.address,
        "direction": row.direction,
        "group": row.group.name if row.group else None,
        "project": str(row.project) if row.project else None,
        "sign_in": "machine" if row.from_machine else "credentials" if row.credentials_at else "none",
        "credentials_at": row.credentials_at,
        "enabled": row.enabled,
        "provider": row.provider_id,
        "acknowledged_by": row.acknowledged_by or None,
        "acknowledged_at": row.acknowledged_at,
        "health": row.health,
        "health_words": row.health_words,
        "checked_at": row.checked_at,
        "next_check_at": row.next_check_at if row.enabled else None,
        "created_at": row.created_at,
    }


def check_out(row: StorageCheck) -> dict[str, Any]:
    return {
        "at": row.at,
        "who": row.who,
        "health": row.health,
        "words": row.words,
        "seconds": round(row.seconds, 3),
        "steps": row.steps,
    }


def level_out(level: Level) -> dict[str, Any]:
    """`following` is what to give as `after` for the next page; null on the last."""
    return {
        "folders": list(level.folders),
        "objects": [_object_out(one) for one in level.objects],
        "following": level.following or None,
    }


def _object_out(one: Listed) -> dict[str, Any]:
    """`modified` in seconds since 1970, as in reports."""
    modified = None if one.mtime_ns is None else one.mtime_ns / 1e9
    return {"key": one.key, "kind": one.kind.value, "size": one.size, "modified": modified, "etag": one.etag}


def provider_out(row: StorageProvider) -> dict[str, Any]:
    return {
        "id": row.pk,
        "label": row.label,
        "description": row.description,
        "kind": row.kind,
        "bucket": row.bucket,
        "prefix": row.prefix,
        "endpoint": row.endpoint,
        "account": row.account,
        "address": row.address,
        "access": row.access,
        "acknowledged_by": row.acknowledged_by,
        "acknowledged_at": row.acknowledged_at,
        "created_at": row.created_at,
    }
