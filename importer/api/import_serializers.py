"""What the API takes and gives about imports and their plans."""

from typing import Any

from rest_framework import serializers

from importer.api.known import Known
from importer.core.progress import Progress
from importer.core.states import Level, MissingMeta, Strategy, UidScope
from importer.core.transfer_rules import DeleteSource, Transfer
from importer.models import ImportJob
from importer.plan_queries import SHOWN
from importer.plan_tree import Entry, FileEntry, Head
from importer.plan_words import what

PREFIX = 1024
MOST_PREFIXES = 1000
COUNTERS = ["discovered", "imported", "skipped", "conflict", "failed", "cancelled"]


class ImportOut(serializers.ModelSerializer[ImportJob]):
    """One import. `planned` is what an approval would import, counted in source files; 0 unless it is a plan."""

    project = serializers.CharField(source="project.__str__")
    planned = serializers.SerializerMethodField()

    class Meta:
        model = ImportJob
        fields = [
            "id", "label", "description", "project", "status", "dry_run", "source_kind", "source_root",
            "storage", "prefixes", "transfer", "delete_source", "checksum", "schedule", "vanished", "who", "rules",
            "strategy", "uid_scope", "missing_meta", "limit", "rerun_of", "only_failed", "approvals", "approved_by",
            "plan_changed", *COUNTERS, "planned", "bytes_found", "bytes_planned", "bytes_moved", "error",
            "pause_reason", "created_at", "started_at", "finished_at",
        ]  # fmt: skip
        read_only_fields = fields

    def get_planned(self, job: ImportJob) -> int:
        return planned_files(job)


def planned_files(job: ImportJob) -> int:
    rest = job.discovered - sum(getattr(job, name) for name in COUNTERS[1:])
    return rest if job.status == "planned" else 0


class SettingsIn(Known):
    """How an import is done. `rules` names a rule set; null, as what is not said: as the rules or the project say."""

    rules = serializers.CharField(max_length=64, required=False, allow_null=True)
    description = serializers.CharField(max_length=10_000, required=False, allow_blank=True)
    conflict_strategy = serializers.ChoiceField(
        choices=[one.value for one in Strategy], required=False, allow_null=True
    )
    uid_scope = serializers.ChoiceField(choices=[one.value for one in UidScope], required=False, allow_null=True)
    missing_meta = serializers.ChoiceField(choices=[one.value for one in MissingMeta], required=False, allow_null=True)
    limit = serializers.IntegerField(min_value=1, max_value=2**62, required=False, allow_null=True)
    transfer = serializers.ChoiceField(choices=[one.value for one in Transfer], required=False)
    delete_source = serializers.ChoiceField(choices=[one.value for one in DeleteSource], required=False)
    checksum = serializers.BooleanField(required=False)
    dry_run = serializers.BooleanField(required=False)


class ImportIn(SettingsIn):
    """`source` is a folder's path, for site admins, or a signed link to a delivery; or a `storage`, by label or number,
    and the `prefixes` that its keys begin with. `acknowledged`: that the warning about references was read."""

    project = serializers.CharField(max_length=200)
    source = serializers.CharField(max_length=8192, required=False)  # type: ignore[assignment]
    storage = serializers.CharField(max_length=200, required=False)
    prefixes = serializers.ListField(
        child=serializers.CharField(max_length=PREFIX, trim_whitespace=False), required=False, max_length=MOST_PREFIXES
    )
    acknowledged = serializers.BooleanField(required=False, default=False)
    label = serializers.CharField(max_length=255, required=False)  # type: ignore[assignment]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("source" in attrs) == ("storage" in attrs):
            raise serializers.ValidationError("Say where from: a source, or a storage.")
        if "source" in attrs and (attrs.get("prefixes") or attrs.get("checksum")):
            raise serializers.ValidationError("prefixes and checksum go with a storage.")
        return attrs


class ApproveIn(Known):
    """`expect`: the import's `approvals` as they were when its plan was looked at."""

    expect = serializers.IntegerField(min_value=0, required=False)


class RerunIn(Known):
    only_failed = serializers.BooleanField(required=False, default=False)


class BranchIn(Known):
    """`level` project is the files on the project itself; else labels from the subject down to the level."""

    level = serializers.ChoiceField(choices=[one.value for one in Level if one != Level.FILE])
    subject = serializers.CharField(max_length=64, required=False, default="", allow_blank=True)
    session = serializers.CharField(max_length=64, required=False, default="", allow_blank=True)
    acquisition = serializers.CharField(max_length=128, required=False, default="", allow_blank=True)


class DeselectIn(Known):
    """`placements` (numbers of files of the plan) or a `branch`; `selected` true takes them in again."""

    placements = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**63 - 1), required=False, max_length=10_000
    )
    branch = BranchIn(required=False)
    selected = serializers.BooleanField(required=False, default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("placements" in attrs) == ("branch" in attrs):
            raise serializers.ValidationError("Say which: placements, or a branch.")
        return attrs


class PlanIn(serializers.Serializer[Any]):
    """`at` is a container's `at`, empty for the top; `after` and `from` come with `next`."""

    at = serializers.CharField(max_length=40, required=False, default="", allow_blank=True)
    after = serializers.IntegerField(min_value=0, required=False)
    show = serializers.ChoiceField(choices=["", *SHOWN], required=False, default="", allow_blank=True)
    q = serializers.CharField(max_length=1024, required=False, default="", allow_blank=True)


def container_out(entry: Entry) -> dict[str, Any]:
    group = entry.group
    counts = {name: getattr(group, name) for name in ("comes", "conflicts", "skipped", "failed", "changed", "left_out")}
    return {
        "at": group.key,
        "level": group.level.value,
        "label": group.label,
        "state": group.state or None,
        "stands_as": group.stands_as or None,
        "files": group.files,
        "source_files": group.sources,
        "bytes": group.size,
        **counts,
        "selected": {"on": True, "off": False}.get(group.choice),
    }


def file_out(entry: FileEntry, job: ImportJob) -> dict[str, Any]:
    row, sources = entry.row, entry.sources
    return {
        "placement": row.pk,
        "file": row.file_name,
        "what": what(row, job).value,
        "reason": row.reason,
        "bytes": row.bytes,
        "source_files": sources.good if sources else 0,
        "failed": sources.failed if sources else 0,
        "source": sources.path if sources else "",
        "selected": {"on": True, "off": False}.get(entry.selection),
        "differences": list(entry.differences),
    }


def head_out(head: Head, job: ImportJob) -> dict[str, Any]:
    found = head.summary
    return {
        "approvals": job.approvals,
        "changed": job.plan_changed,
        "new": found.new,
        "files": found.files,
        "bytes": found.size,
        "source_files": head.sources,
        "conflicts": found.conflicts,
        "left_out": found.left_out,
    }


def progress_out(job: ImportJob, progress: Progress) -> dict[str, Any]:
    """Seconds and bytes per second; null is not known."""
    counts = {name: getattr(job, name) for name in COUNTERS}
    return {
        "status": job.status,
        "ended": progress.ended,
        "percent": progress.percent,
        "elapsed": progress.elapsed.total_seconds() if progress.elapsed else None,
        "left": progress.left.total_seconds() if progress.left else None,
        "bytes_per_second": progress.rate,
        "stages": [{"label": one.label, "state": one.state, "note": one.note} for one in progress.stages],
        **counts,
    }
