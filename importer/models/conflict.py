"""Why something waits outside the project."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import CheckConstraint, Q, UniqueConstraint

from hierarchy.models import Project
from importer.core.states import CONFLICT_NEXT, ConflictStatus, ConflictType
from importer.models.item import Placement
from importer.models.job import ImportJob
from importer.models.status import status_known


class Conflict(models.Model):
    """One destination file that did not land, with its bytes in quarantine and every candidate that it clashed with."""

    NEXT: ClassVar = CONFLICT_NEXT
    EVENT_FIELD: ClassVar = "conflict_id"

    id = models.BigAutoField(primary_key=True)
    token = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="conflicts")
    job = models.ForeignKey(ImportJob, on_delete=models.PROTECT, related_name="conflicts")
    placement = models.OneToOneField(Placement, on_delete=models.PROTECT, related_name="conflict_row")
    status = models.CharField(max_length=8, default=ConflictStatus.OPEN)
    level = models.CharField(max_length=11)
    type = models.CharField(max_length=48)
    upload_path = models.TextField()
    # SHA-256 over type, place and digest: what waits is not held twice.
    held_key = models.CharField(max_length=64)
    # One row of the review page: the same cause at the same container, whatever the number of files.
    cause = models.CharField(max_length=64)
    # The incoming container that clashes, as a path: what the row is called.
    container = models.TextField(blank=True)
    # Labels and name as they came in: what a decision changes, its undo puts back.
    incoming = models.JSONField(default=dict)
    purged_at = models.DateTimeField(null=True, blank=True)
    candidates = models.JSONField(default=list)
    created_at = models.DateTimeField()

    # The bytes that wait: path inside the quarantine place, their digest and, for a series, their manifest's lines.
    path = models.CharField(max_length=2048, blank=True)
    size = models.PositiveBigIntegerField()
    digest = models.CharField(max_length=64, blank=True)
    manifest = models.BinaryField(default=b"")
    # A reference is noted, not copied: its bytes wait in this storage, as the manifest has them, and have no path here.
    storage = models.ForeignKey(
        "storages.ExternalStorage", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.CharField(max_length=320, blank=True)
    action = models.CharField(max_length=32, blank=True)
    action_error = models.TextField(blank=True)
    action_result = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            status_known(CONFLICT_NEXT, "conflict_status_known"),
            CheckConstraint(condition=Q(type__in=[t.value for t in ConflictType]), name="conflict_type_known"),
            CheckConstraint(
                condition=Q(status=ConflictStatus.OPEN, resolved_at__isnull=True)
                | Q(status=ConflictStatus.RESOLVED, resolved_at__isnull=False),
                name="conflict_resolved_exactly_when_dated",
            ),
            CheckConstraint(condition=Q(storage__isnull=True) | Q(path=""), name="conflict_held_or_noted"),
            UniqueConstraint(
                fields=["project", "held_key"], condition=Q(status=ConflictStatus.OPEN), name="conflict_held_once"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["project", "-id"], condition=Q(status=ConflictStatus.OPEN), name="conflict_waiting"),
            models.Index(
                fields=["project", "cause"], condition=Q(status=ConflictStatus.OPEN), name="conflict_by_cause"
            ),
            models.Index(fields=["job", "-id"], name="conflict_by_job"),
            models.Index(
                fields=["project", "type", "job"], condition=Q(status=ConflictStatus.OPEN), name="conflict_counted"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.upload_path}"
