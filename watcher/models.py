"""Watched folders, what was delivered to them, and who watches."""

from typing import ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import CheckConstraint, Q, UniqueConstraint

from hierarchy.models import Project
from importer.models import ImportJob
from importer.models.status import status_known
from watcher.states import BATCH_NEXT, OPEN, BatchStatus, Completion, FoundBy, WatchMode


class DropFolder(models.Model):
    """A watched root and how its folders are treated. Without a project its deliveries are held."""

    name = models.CharField(max_length=64, unique=True)
    path = models.CharField(max_length=1024, unique=True)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, null=True, blank=True, related_name="drop_folders")
    enabled = models.BooleanField(default=True)
    completion = models.CharField(
        max_length=8, choices=[(c.value, c.value) for c in Completion], default=Completion.AUTO
    )
    marker = models.CharField(max_length=255, blank=True)
    # Name of the rule set for its deliveries; empty: the default of the project, its group or the site.
    rule_set = models.CharField(max_length=64, blank=True)
    # A delivery stops as a plan until somebody approves it.
    preview = models.BooleanField(default=False)
    quiet_seconds = models.FloatField(default=30, validators=[MinValueValidator(0), MaxValueValidator(86_400)])
    scan_seconds = models.FloatField(default=60, validators=[MinValueValidator(0.1), MaxValueValidator(86_400)])
    watch_mode = models.CharField(max_length=8, choices=[(m.value, m.value) for m in WatchMode], default=WatchMode.AUTO)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            CheckConstraint(condition=Q(completion__in=[c.value for c in Completion]), name="drop_completion_known"),
            CheckConstraint(condition=Q(watch_mode__in=[m.value for m in WatchMode]), name="drop_watch_mode_known"),
            CheckConstraint(condition=Q(quiet_seconds__gte=0), name="drop_quiet_not_negative"),
            CheckConstraint(condition=Q(scan_seconds__gt=0), name="drop_scan_positive"),
            CheckConstraint(
                condition=~Q(completion=Completion.MARKER) | ~Q(marker=""), name="drop_marker_named_when_asked_for"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Batch(models.Model):
    """One delivery. Its label is for people (`ST-000001`, again: `ST-000001 (2)`); what it is, is (root, name, inode,
    generation). `name` is the printable form of the folder's bytes (importer.core.names)."""

    NEXT: ClassVar = BATCH_NEXT
    EVENT_FIELD: ClassVar = "batch_id"

    drop_folder = models.ForeignKey(DropFolder, on_delete=models.PROTECT, related_name="batches")
    name = models.CharField(max_length=1024)
    label = models.CharField(max_length=1100)
    device = models.CharField(max_length=24)
    inode = models.CharField(max_length=24)
    generation = models.PositiveIntegerField(default=1)
    # SHA-256 of the manifest (paths, sizes, mtimes) at the claim: the same folder seen again is not a new delivery.
    fingerprint = models.CharField(max_length=64)
    files = models.PositiveBigIntegerField(default=0)
    bytes = models.PositiveBigIntegerField(default=0)
    found_by = models.CharField(max_length=8)
    status = models.CharField(max_length=16, default=BatchStatus.HELD)
    reason = models.TextField(blank=True)
    job = models.OneToOneField(ImportJob, on_delete=models.SET_NULL, null=True, blank=True, related_name="batch")
    seen_at = models.DateTimeField()
    claimed_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    # When it was no longer in its drop folder as it was delivered: gone, or changed into a later delivery.
    left_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            status_known(BATCH_NEXT, "batch_status_known"),
            CheckConstraint(condition=Q(found_by__in=[f.value for f in FoundBy]), name="batch_found_by_known"),
            CheckConstraint(
                condition=Q(status__in=sorted(OPEN), finished_at__isnull=True)
                | (~Q(status__in=sorted(OPEN)) & Q(finished_at__isnull=False)),
                name="batch_finished_exactly_when_closed",
            ),
            CheckConstraint(
                condition=~Q(status__in=[BatchStatus.IMPORTING, BatchStatus.PLANNED]) | Q(job__isnull=False),
                name="batch_has_job",
            ),
            UniqueConstraint(
                fields=["drop_folder", "name"], condition=Q(status__in=sorted(OPEN)), name="batch_one_open_per_name"
            ),
            UniqueConstraint(fields=["drop_folder", "name", "inode", "generation"], name="batch_identity"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["drop_folder", "id"], condition=Q(left_at__isnull=True), name="batch_lying_there"),
            models.Index(
                fields=["status", "id"],
                condition=Q(status__in=sorted(OPEN | {BatchStatus.NEEDS_REVIEW})),
                name="batch_unsettled",
            ),
        ]

    def __str__(self) -> str:
        return self.label


class Watch(models.Model):
    """The watcher's lease on the whole installation, and its heartbeat: what the pages read instead of a pid file."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    host = models.CharField(max_length=255, blank=True)
    pid = models.PositiveIntegerField(null=True, blank=True)
    owner = models.CharField(max_length=255, blank=True)
    since = models.DateTimeField(null=True, blank=True)
    beat_at = models.DateTimeField(null=True, blank=True)
    # Made by watcher.reporting, read by watcher.health.
    report = models.JSONField(default=dict)

    class Meta:
        constraints: ClassVar = [CheckConstraint(condition=Q(id=1), name="one_watch")]

    def __str__(self) -> str:
        return f"watch by {self.host or 'nobody'}"
