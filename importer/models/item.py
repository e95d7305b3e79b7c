"""What was found in the source, and what becomes of it."""

from typing import ClassVar

from django.db import models
from django.db.models import CheckConstraint, Q, UniqueConstraint

from importer.core.states import Outcome, PlacementKind
from importer.models.job import ImportJob

OUTCOMES = [outcome.value for outcome in Outcome]


class Placement(models.Model):
    """One destination file to be.

    `key` is the SHA-256 of (PatientID, StudyInstanceUID, SeriesInstanceUID) for a series, of the path for anything
    else: known before any destination is. `said` (JSON) holds what the header gave beyond labels: see core.records.
    """

    job = models.ForeignKey(ImportJob, on_delete=models.CASCADE, related_name="placements")
    key = models.CharField(max_length=64)
    kind = models.CharField(max_length=8)
    first_seq = models.PositiveBigIntegerField()
    count = models.PositiveIntegerField(default=0)
    bytes = models.PositiveBigIntegerField(default=0)
    level = models.CharField(max_length=11, blank=True)
    subject_label = models.CharField(max_length=64, blank=True)
    session_label = models.CharField(max_length=64, blank=True)
    session_uid = models.CharField(max_length=64, blank=True)
    acquisition_label = models.CharField(max_length=128, blank=True)
    acquisition_uid = models.CharField(max_length=64, blank=True)
    file_name = models.CharField(max_length=1024, blank=True)
    said = models.JSONField(default=dict)
    # The number of the rule that took it, and whether it is the part of a series that was split off by geometry.
    rule = models.PositiveSmallIntegerField(default=1)
    localizer = models.BooleanField(default=False)
    # In a plan: left out by a person; and what it said when it was approved.
    deselected = models.BooleanField(default=False)
    approved = models.JSONField(null=True)

    # How its bytes travelled (`zip`, `copy`, `reference`, …), and why not by reference where that was wanted.
    transfer = models.CharField(max_length=9, blank=True, default="")
    transfer_reason = models.CharField(max_length=255, blank=True, default="")

    outcome = models.CharField(max_length=9, null=True)
    reason = models.TextField(blank=True)
    # What COMPARE is asked: `whole` (is it what stands there?), `twins` (is one UID one content?), or nothing.
    asks = models.CharField(max_length=5, blank=True)
    conflict_level = models.CharField(max_length=11, blank=True)
    conflict_type = models.CharField(max_length=48, blank=True)
    candidates = models.JSONField(default=list)
    subject_id = models.PositiveBigIntegerField(null=True)
    session_id = models.PositiveBigIntegerField(null=True)
    acquisition_id = models.PositiveBigIntegerField(null=True)
    file_id = models.PositiveBigIntegerField(null=True)
    version = models.PositiveIntegerField(null=True)
    version_id = models.UUIDField(null=True)
    # {"subject": "create" | "update" | "skip", …} once it has landed.
    upserts = models.JSONField(default=dict)

    class Meta:
        constraints: ClassVar = [
            UniqueConstraint(fields=["job", "key"], name="placement_key_once_per_job"),
            CheckConstraint(
                condition=Q(outcome__isnull=True) | Q(outcome__in=OUTCOMES), name="placement_outcome_known"
            ),
            CheckConstraint(condition=Q(kind__in=[k.value for k in PlacementKind]), name="placement_kind_known"),
            CheckConstraint(condition=Q(asks__in=["", "whole", "twins"]), name="placement_asks_known"),
        ]
        indexes: ClassVar = [models.Index(fields=["job", "first_seq"], name="placement_in_order")]

    def __str__(self) -> str:
        return f"placement {self.pk}"


class Item(models.Model):
    """One source file. `seq` is its place in the source's walk, which never gives one path twice.

    Its outcome is its own where it has one, else that of its Placement.
    """

    job = models.ForeignKey(ImportJob, on_delete=models.CASCADE, related_name="items")
    seq = models.PositiveBigIntegerField()
    path = models.TextField()
    size = models.PositiveBigIntegerField()
    mtime_ns = models.BigIntegerField()
    # Device and inode of a file; of an object its etag, and its version where a listing tells it.
    inode = models.CharField(max_length=255, blank=True)
    sop_uid = models.CharField(max_length=64, blank=True)
    # Its name in the archive that it is packed into, where a rule gives one; empty for the default.
    member = models.CharField(max_length=1024, blank=True, db_default="")
    placement = models.ForeignKey(Placement, on_delete=models.CASCADE, null=True, related_name="items")
    outcome = models.CharField(max_length=9, null=True)
    reason = models.TextField(blank=True)

    class Meta:
        constraints: ClassVar = [
            UniqueConstraint(fields=["job", "seq"], name="item_once_per_job"),
            CheckConstraint(condition=Q(outcome__isnull=True) | Q(outcome__in=OUTCOMES), name="item_outcome_known"),
            CheckConstraint(
                condition=Q(outcome__isnull=False) | Q(placement__isnull=False), name="item_has_outcome_or_placement"
            ),
        ]

    def __str__(self) -> str:
        return self.path
