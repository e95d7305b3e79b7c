"""A slice of a job's work, and what a slice found out about each series."""

from typing import ClassVar

from django.db import models
from django.db.models import CheckConstraint, Q, UniqueConstraint

from importer.core.states import CHUNK_NEXT, ChunkStatus, Work
from importer.models.job import ImportJob, Leased
from importer.models.status import status_known


class Chunk(Leased):
    """`entries` is zlib-compressed JSON, cleared when the chunk ends; `answers` holds what COMPARE found."""

    NEXT: ClassVar = CHUNK_NEXT
    EVENT_FIELD: ClassVar = "job_id"

    job = models.ForeignKey(ImportJob, on_delete=models.CASCADE, related_name="chunks")
    work = models.CharField(max_length=8)
    status = models.CharField(max_length=9, default=ChunkStatus.OPEN)
    first_seq = models.PositiveBigIntegerField()
    count = models.PositiveIntegerField()
    bytes = models.PositiveBigIntegerField(default=0)
    entries = models.BinaryField(default=b"")
    answers = models.BinaryField(default=b"")

    class Meta:
        constraints: ClassVar = [
            status_known(CHUNK_NEXT, "chunk_status_known"),
            CheckConstraint(condition=Q(work__in=[w.value for w in Work]), name="chunk_work_known"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["job", "id"], condition=Q(status=ChunkStatus.OPEN), name="chunk_open"),
        ]

    def __str__(self) -> str:
        return f"{self.work} {self.first_seq}+{self.count} of job {self.job_id}"


class Contribution(models.Model):
    """What one chunk's instances say about one Placement; PLAN merges them in source order."""

    chunk = models.ForeignKey(Chunk, on_delete=models.CASCADE)
    placement = models.ForeignKey("importer.Placement", on_delete=models.CASCADE, related_name="contributions")
    first_seq = models.PositiveBigIntegerField()
    said = models.BinaryField()

    class Meta:
        constraints: ClassVar = [
            UniqueConstraint(fields=["chunk", "placement", "first_seq"], name="contribution_once_per_chunk"),
        ]

    def __str__(self) -> str:
        return f"contribution to {self.placement_id}"
