"""Who did what to which job, batch, conflict or storage, and when. Append-only; never one per source file."""

from typing import ClassVar

from django.db import models
from django.db.models import Q


class Event(models.Model):
    """`who` is a Who of the contract: `user MAIL`, `device DROPFOLDER`, `schedule NAME`, `rule NAME`, `system`."""

    at = models.DateTimeField()
    who = models.CharField(max_length=320)
    what = models.CharField(max_length=64)
    detail = models.TextField(blank=True)
    job_id = models.PositiveBigIntegerField(null=True, blank=True)
    batch_id = models.PositiveBigIntegerField(null=True, blank=True)
    conflict_id = models.PositiveBigIntegerField(null=True, blank=True)
    resolution_id = models.PositiveBigIntegerField(null=True, blank=True)
    decision_id = models.PositiveBigIntegerField(null=True, blank=True)
    rule_set_id = models.PositiveBigIntegerField(null=True, blank=True)
    storage_id = models.PositiveBigIntegerField(null=True, blank=True)
    provider_id = models.PositiveBigIntegerField(null=True, blank=True)
    schedule_id = models.PositiveBigIntegerField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["job_id", "id"], name="event_by_job"),
            models.Index(fields=["batch_id", "id"], name="event_by_batch"),
            models.Index(
                fields=["conflict_id", "id"], condition=Q(conflict_id__isnull=False), name="event_by_conflict"
            ),
            models.Index(
                fields=["rule_set_id", "id"], condition=Q(rule_set_id__isnull=False), name="event_by_rule_set"
            ),
            models.Index(fields=["storage_id", "id"], condition=Q(storage_id__isnull=False), name="event_by_storage"),
            models.Index(
                fields=["provider_id", "id"], condition=Q(provider_id__isnull=False), name="event_by_provider"
            ),
            models.Index(
                fields=["schedule_id", "id"], condition=Q(schedule_id__isnull=False), name="event_by_schedule"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.what} by {self.who}"
