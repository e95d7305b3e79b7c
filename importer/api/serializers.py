"""What the API takes and gives about conflicts."""

from typing import Any

from rest_framework import serializers

from importer.core.methods import Action, Word
from importer.models import Conflict

NAMES = [*(word.value for word in Word), *(action.value for action in Action if action != Action.RETRY)]


class ConflictOut(serializers.ModelSerializer[Conflict]):
    """One row: the report's columns, what it met and what came in."""

    project = serializers.CharField(source="project.pk")
    job = serializers.IntegerField(source="job_id")
    session_uid = serializers.CharField(source="placement.session_uid")
    acquisition_uid = serializers.CharField(source="placement.acquisition_uid")

    class Meta:
        model = Conflict
        fields = [
            "id", "status", "level", "type", "upload_path", "container", "cause", "project", "job", "candidates",
            "incoming", "size", "digest", "session_uid", "acquisition_uid", "created_at", "resolved_at", "resolved_by",
            "action", "action_error", "action_result",
        ]  # fmt: skip
        read_only_fields = fields


class ResolveIn(serializers.Serializer[Any]):
    """`ids`, or `filter` as the command takes it; both: the rows that meet both."""

    ids = serializers.ListField(child=serializers.IntegerField(min_value=1), required=False, max_length=10_000)
    filter = serializers.ListField(child=serializers.CharField(max_length=1024), required=False, max_length=20)
    action = serializers.ChoiceField(choices=NAMES)
    target = serializers.IntegerField(required=False, min_value=1)
    labels = serializers.DictField(child=serializers.CharField(max_length=128), required=False)
    dry_run = serializers.BooleanField(required=False, default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "ids" not in attrs and "filter" not in attrs:
            raise serializers.ValidationError("Say which: ids, or a filter.")
        return attrs


class UndoIn(serializers.Serializer[Any]):
    decision = serializers.IntegerField(required=False, min_value=1)
    resolution = serializers.IntegerField(required=False, min_value=1)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise serializers.ValidationError("Say what to take back: one decision, or one resolution.")
        return attrs
