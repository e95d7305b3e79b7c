"""One run of an import."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import CheckConstraint, Q, UniqueConstraint

from hierarchy.models import Project
from importer.core.states import FINAL, JOB_NEXT, JobStatus, MissingMeta, SourceKind, Strategy, UidScope
from importer.core.transfer_rules import DeleteSource, Removal, Transfer
from importer.models.status import status_known

Choices = SourceKind | Strategy | UidScope | MissingMeta | JobStatus | Transfer | DeleteSource


def choices(values: type[Choices]) -> list[tuple[str, str]]:
    return [(value.value, value.value.replace("_", " ")) for value in values]


class Leased(models.Model):
    """Work that one worker does at a time. `epoch` fences: who lost the lease fails its compare-and-set."""

    owner = models.CharField(max_length=255, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    epoch = models.PositiveIntegerField(default=0)
    kills = models.PositiveSmallIntegerField(default=0)

    class Meta:
        abstract = True


class ImportJob(Leased):
    NEXT: ClassVar = JOB_NEXT
    EVENT_FIELD: ClassVar = "job_id"

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="imports")
    label = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    source_kind = models.CharField(max_length=16, choices=choices(SourceKind))
    # Printable form of the root's bytes: importer.core.names turns it back.
    source_root = models.TextField()
    storage = models.ForeignKey(
        "storages.ExternalStorage", on_delete=models.PROTECT, null=True, blank=True, related_name="imports"
    )
    # Of a storage: what its keys begin with, in byte order, none of them the beginning of another. Empty: all of it.
    prefixes = models.JSONField(default=list, blank=True)
    # Every byte is read, also of files of a storage that are as they were.
    checksum = models.BooleanField(default=False)
    transfer = models.CharField(max_length=9, choices=choices(Transfer), default=Transfer.AUTO)
    delete_source = models.CharField(max_length=10, choices=choices(DeleteSource), default=DeleteSource.NEVER)
    # Of a source that is to be removed: what became of it, and in words why. Empty until then.
    removal = models.CharField(max_length=8, blank=True, default="")
    removal_words = models.TextField(blank=True, default="")
    # The run of a schedule: of each there is one at a time (`schedule_runs_once_at_a_time`).
    schedule = models.ForeignKey(
        "importer.ImportSchedule", on_delete=models.SET_NULL, null=True, blank=True, related_name="runs"
    )
    who = models.CharField(max_length=320)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True)
    rerun_of = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="reruns")
    only_failed = models.BooleanField(default=False)
    rules = models.CharField(max_length=64, default="standard")
    # What ran, whole: a later edit of the rule set changes nothing about this import. Empty: the built-in one.
    rules_text = models.TextField(blank=True)
    rules_version = models.ForeignKey(
        "importer.RuleSetVersion", on_delete=models.PROTECT, null=True, blank=True, related_name="imports"
    )
    strategy = models.CharField(max_length=8, choices=choices(Strategy), default=Strategy.REVIEW)
    uid_scope = models.CharField(max_length=8, choices=choices(UidScope), default=UidScope.PROJECT)
    missing_meta = models.CharField(max_length=8, choices=choices(MissingMeta), default=MissingMeta.HOLD)
    zone = models.CharField(max_length=64, default="UTC")
    limit = models.PositiveBigIntegerField(null=True, blank=True)
    dry_run = models.BooleanField(default=False)
    # How often a plan of it was approved: each approval plans again.
    approvals = models.PositiveSmallIntegerField(default=0)
    approved_by = models.CharField(max_length=320, blank=True)
    # Placements that came out otherwise when the approved plan was made again: nothing was run, it is asked anew.
    plan_changed = models.PositiveBigIntegerField(default=0)

    status = models.CharField(max_length=16, choices=choices(JobStatus), default=JobStatus.PENDING)
    paused_from = models.CharField(max_length=16, blank=True)
    pause_reason = models.TextField(blank=True)
    pauses = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)

    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    scan_cursor = models.TextField(blank=True)
    scan_done = models.BooleanField(default=False)
    compare_done = models.BooleanField(default=False)
    open_chunks = models.PositiveIntegerField(default=0)
    discovered = models.PositiveBigIntegerField(default=0)
    bytes_found = models.PositiveBigIntegerField(default=0)
    extracted = models.PositiveBigIntegerField(default=0)
    bytes_planned = models.PositiveBigIntegerField(default=0)
    bytes_moved = models.PositiveBigIntegerField(default=0)
    imported = models.PositiveBigIntegerField(default=0)
    skipped = models.PositiveBigIntegerField(default=0)
    conflict = models.PositiveBigIntegerField(default=0)
    failed = models.PositiveBigIntegerField(default=0)
    cancelled = models.PositiveBigIntegerField(default=0)
    # Files that an earlier import from this storage met and that are not there any more: beside the sum.
    vanished = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            status_known(JOB_NEXT, "job_status_known"),
            CheckConstraint(
                condition=Q(status__in=sorted(FINAL), finished_at__isnull=False)
                | (~Q(status__in=sorted(FINAL)) & Q(finished_at__isnull=True)),
                name="job_finished_exactly_when_final",
            ),
            CheckConstraint(
                condition=Q(status=JobStatus.PAUSED, next_attempt_at__isnull=False) | ~Q(status=JobStatus.PAUSED),
                name="job_paused_knows_when_to_go_on",
            ),
            CheckConstraint(
                condition=~Q(status__in=[JobStatus.COMPLETED, JobStatus.NEEDS_REVIEW])
                | Q(
                    discovered=models.F("imported")
                    + models.F("skipped")
                    + models.F("conflict")
                    + models.F("failed")
                    + models.F("cancelled")
                ),
                name="job_accounts_for_every_file",
            ),
            CheckConstraint(condition=Q(source_kind__in=[k.value for k in SourceKind]), name="job_source_kind_known"),
            CheckConstraint(
                condition=Q(storage__isnull=True) | Q(source_kind=SourceKind.STORAGE), name="job_reads_one_storage"
            ),
            # A plan that waits counts: approved after the next run it would be of yesterday.
            UniqueConstraint(
                fields=["schedule"],
                condition=Q(schedule__isnull=False) & ~Q(status__in=sorted(FINAL)),
                name="schedule_runs_once_at_a_time",
            ),
            CheckConstraint(condition=Q(transfer__in=[t.value for t in Transfer]), name="job_transfer_known"),
            CheckConstraint(
                condition=Q(delete_source__in=[d.value for d in DeleteSource]), name="job_delete_source_known"
            ),
            CheckConstraint(
                condition=Q(removal="")
                | Q(removal__in=[r.value for r in Removal], delete_source=DeleteSource.ON_SUCCESS),
                name="job_removal_was_asked_for",
            ),
            CheckConstraint(condition=Q(strategy__in=[s.value for s in Strategy]), name="job_strategy_known"),
            CheckConstraint(condition=Q(uid_scope__in=[s.value for s in UidScope]), name="job_uid_scope_known"),
            CheckConstraint(
                condition=Q(missing_meta__in=[m.value for m in MissingMeta]), name="job_missing_meta_known"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["status"], condition=~Q(status__in=sorted(FINAL)), name="job_live"),
            models.Index(fields=["project", "-id"], name="job_by_project"),
            models.Index(
                fields=["id"], condition=Q(delete_source=DeleteSource.ON_SUCCESS, removal=""), name="job_keeps_source"
            ),
            models.Index(fields=["schedule", "-id"], condition=Q(schedule__isnull=False), name="job_by_schedule"),
        ]

    def __str__(self) -> str:
        return f"{self.pk} {self.label}"
