"""What the API takes and gives about schedules."""

from typing import Any

from rest_framework import serializers

from importer.api.import_serializers import MOST_PREFIXES, PREFIX, SettingsIn
from importer.models import ImportSchedule
from importer.models.schedule import NAME_LENGTH
from importer.schedule_queries import STATES
from importer.schedule_words import state_of
from importer.schedules import upcoming

MOST_RULES = 1_000_000


class ScheduleOut(serializers.ModelSerializer[ImportSchedule]):
    """One schedule. `state` is `on`, `trouble`, `over` or `off`; `upcoming` are its next three times."""

    project = serializers.CharField(source="project.__str__")
    storage = serializers.CharField(source="storage.label")
    start = serializers.DateTimeField(source="start_at")
    end = serializers.DateTimeField(source="end_at")
    conflict_strategy = serializers.CharField(source="strategy")
    own_rules = serializers.BooleanField()
    state = serializers.SerializerMethodField()
    upcoming = serializers.SerializerMethodField()

    class Meta:
        model = ImportSchedule
        fields = [
            "id", "name", "description", "project", "storage", "storage_id", "prefixes", "cron", "start", "end",
            "active", "state", "next_run_at", "upcoming", "last_run_at", "trouble", "rules", "own_rules",
            "conflict_strategy", "uid_scope", "missing_meta", "limit", "transfer", "delete_source",
            "checksum", "dry_run", "who",
            "created_at",
        ]  # fmt: skip
        read_only_fields = fields

    def get_state(self, schedule: ImportSchedule) -> str:
        return state_of(schedule)

    def get_upcoming(self, schedule: ImportSchedule) -> list[str]:
        return [at.isoformat() for at in upcoming(schedule)]


class TimesIn(serializers.Serializer[Any]):
    """`cron`: five fields, in UTC. `start` and `end` with their offset; null: none."""

    cron = serializers.CharField(max_length=100)
    start = serializers.DateTimeField(required=False, allow_null=True)
    end = serializers.DateTimeField(required=False, allow_null=True)


class ScheduleOptionsIn(SettingsIn):
    """The options of an import; `rules` names a rule set, `rules_text` brings its own."""

    rules_text = serializers.CharField(max_length=MOST_RULES, required=False)
    name = serializers.CharField(max_length=NAME_LENGTH, required=False)
    prefixes = serializers.ListField(
        child=serializers.CharField(max_length=PREFIX, trim_whitespace=False), required=False, max_length=MOST_PREFIXES
    )


class ScheduleIn(TimesIn, ScheduleOptionsIn):
    """`storage` by label or number. `acknowledged`: that the warning about references was read (once per storage)."""

    project = serializers.CharField(max_length=200)
    storage = serializers.CharField(max_length=200)
    acknowledged = serializers.BooleanField(required=False, default=False)


class ScheduleEditIn(ScheduleOptionsIn):
    """What is not said stays; null: as the rules, the project or the site say. Storage and project stay for ever."""

    cron = serializers.CharField(max_length=100, required=False)
    start = serializers.DateTimeField(required=False, allow_null=True)
    end = serializers.DateTimeField(required=False, allow_null=True)
    active = serializers.BooleanField(required=False)


class ScheduleListIn(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=sorted(STATES), required=False)
    project = serializers.CharField(max_length=200, required=False)
    storage = serializers.CharField(max_length=200, required=False)
    q = serializers.CharField(max_length=200, required=False)
