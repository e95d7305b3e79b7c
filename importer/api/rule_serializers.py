"""What the API takes and gives about rule sets."""

from datetime import datetime
from typing import Any

from rest_framework import serializers

from importer.api.known import Known
from importer.core.records import Header
from importer.core.rules.model import SourceFile
from importer.core.rules.samples import Fact
from importer.models import RuleSetVersion
from importer.rule_sets import RuleScope, RuleSetRow

LONGEST = 64 * 1024
MOST_SAMPLES = 200
MOST_TAGS = 500
LONGEST_VALUE = 1024


class ListIn(serializers.Serializer[Any]):
    scope = serializers.ChoiceField(choices=[one.value for one in RuleScope], required=False)
    project = serializers.CharField(required=False, max_length=160)
    archived = serializers.ChoiceField(choices=["true", "false", "any"], default="false")
    q = serializers.CharField(required=False, max_length=200)

    def validate_scope(self, said: str) -> RuleScope:
        return RuleScope(said)


class Text(serializers.CharField):
    """As it was written: its blanks and its end are part of it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(trim_whitespace=False, max_length=LONGEST, allow_blank=True, **options)


class CreateIn(Known):
    """`group` is a group's name, `project` is GROUP/PROJECT; with neither it is the site's."""

    name = serializers.CharField(max_length=200)
    text = Text()
    description = serializers.CharField(required=False, allow_blank=True, max_length=2000)
    group = serializers.CharField(required=False, allow_null=True, max_length=64)
    project = serializers.CharField(required=False, allow_null=True, max_length=160)
    is_default = serializers.BooleanField(default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("group") and attrs.get("project"):
            raise serializers.ValidationError("Say one: a group or a project.")
        return attrs


class UpdateIn(Known):
    text = Text(required=False)
    base_version = serializers.IntegerField(required=False, min_value=1, max_value=2**31 - 1)
    description = serializers.CharField(required=False, allow_blank=True, max_length=2000)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "text" not in attrs and "description" not in attrs:
            raise serializers.ValidationError("Say what is new: a text, a description, or both.")
        if "text" in attrs and "base_version" not in attrs:
            raise serializers.ValidationError({"base_version": "Say on which version the text was written."})
        return attrs


class DefaultIn(Known):
    is_default = serializers.BooleanField(default=True)


class SampleIn(Known):
    """Bytes, ISO 8601, and values of tags by DICOM keyword; several values of one tag as a list."""

    path = serializers.CharField(max_length=4096, trim_whitespace=False)
    size = serializers.IntegerField(default=0, min_value=0, max_value=2**63 - 1)
    mtime = serializers.DateTimeField(required=False, allow_null=True)
    header = serializers.DictField(required=False, allow_null=True, allow_empty=True)

    def validate_path(self, said: str) -> str:
        if said.startswith("/") or "\0" in said or {"", ".", ".."} & set(said.split("/")):
            raise serializers.ValidationError("A path is relative to the source, with / between its parts.")
        return said

    def validate_header(self, said: dict[str, Any] | None) -> dict[str, str] | None:
        if said is None:
            return None
        if len(said) > MOST_TAGS:
            raise serializers.ValidationError(f"At most {MOST_TAGS} tags.")
        tags = {keyword: _tag(value) for keyword, value in said.items()}
        return {keyword: value for keyword, value in tags.items() if value}


def _tag(value: Any) -> str:
    parts = value if isinstance(value, list) else [value]
    if any(not isinstance(part, str | int | float) or isinstance(part, bool) for part in parts):
        raise serializers.ValidationError("A value of a tag is a text, a number, or a list of them.")
    return "\\".join(map(str, parts)).strip()[:LONGEST_VALUE]


class TestIn(Known):
    """`text`, or the name of a `rule_set` as an import into `project` would find it."""

    text = Text(required=False)
    rule_set = serializers.CharField(required=False, max_length=64)
    project = serializers.CharField(required=False, max_length=160)
    samples = serializers.ListField(child=SampleIn(), min_length=1, max_length=MOST_SAMPLES)

    def validate_samples(self, said: list[dict[str, Any]]) -> list[Fact]:
        return [_fact(one) for one in said]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("text" in attrs) == ("rule_set" in attrs):
            raise serializers.ValidationError("Say which rules: a text, or the name of a rule set.")
        return attrs


def _fact(said: dict[str, Any]) -> Fact:
    at: datetime | None = said.get("mtime")
    file = SourceFile(path=said["path"], size=said["size"], mtime_ns=round(at.timestamp() * 1e9) if at else None)
    tags: dict[str, str] | None = said.get("header")
    if tags is None:
        return Fact(file=file)
    operators = tuple(name.strip() for name in tags.get("OperatorsName", "").split("\\") if name.strip())
    header = Header(tags=tags, transfer_syntax=tags.get("TransferSyntaxUID", ""), pixels=None, operators=operators)
    return Fact(file=file, is_dicom=True, header=header)


def row_out(row: RuleSetRow) -> dict[str, Any]:
    """`key` is what addresses call it; `version` is 0 for a built-in."""
    return {
        "id": row.id,
        "key": row.key,
        "name": row.name,
        "title": row.title,
        "description": row.description,
        "scope": row.scope.value,
        "where": row.where,
        "version": row.version,
        "is_default": row.is_default,
        "archived": row.archived,
        "created_at": row.created_at,
        "changed_at": row.changed_at,
        "changed_by": row.changed_by,
    }


def version_out(version: RuleSetVersion) -> dict[str, Any]:
    return {"number": version.number, "who": version.who, "created_at": version.created_at}
