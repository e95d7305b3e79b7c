"""What became of a file of a storage: this makes its next import cheap, however many there were before."""

import hashlib
import uuid
from enum import StrEnum
from typing import ClassVar

from django.db import models
from django.db.models import CheckConstraint, Q, UniqueConstraint

from hierarchy.models import Project
from importer.core.names import raw


class Became(StrEnum):
    """BESIDE: no DICOM, and not attached to any so far. DELETED is a tombstone: it was deleted here, and stays so."""

    VERSION = "version"
    CONFLICT = "conflict"
    SKIPPED = "skipped"
    BESIDE = "beside"
    DELETED = "deleted"


class Known(models.Model):
    """One source file, as it was when it was last taken, and what it became in one project.

    `options` is a digest of all that the result depends on beside the file. `seen` is the last import that met it in
    the storage, whatever it was like; `gone` the first complete one that did not. What a conflict became since is in
    the conflict, not here.
    """

    id = models.BigAutoField(primary_key=True)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    storage = models.ForeignKey("storages.ExternalStorage", on_delete=models.CASCADE, related_name="+")
    path_key = models.UUIDField()
    path = models.TextField()
    size = models.PositiveBigIntegerField()
    mtime_ns = models.BigIntegerField()
    etag = models.CharField(max_length=255, blank=True)
    options = models.UUIDField()
    became = models.CharField(max_length=8)
    reason = models.TextField(blank=True)
    file_id = models.PositiveBigIntegerField(null=True, blank=True)
    version_id = models.UUIDField(null=True, blank=True)
    conflict_id = models.PositiveBigIntegerField(null=True, blank=True)
    seen = models.PositiveBigIntegerField()
    gone = models.PositiveBigIntegerField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            UniqueConstraint(fields=["project", "storage", "path_key"], name="known_once_per_source"),
            CheckConstraint(condition=Q(became__in=[b.value for b in Became]), name="known_became_known"),
            CheckConstraint(
                condition=~Q(became=Became.VERSION) | Q(file_id__isnull=False, version_id__isnull=False),
                name="known_version_is_named",
            ),
            CheckConstraint(
                condition=~Q(became=Became.CONFLICT) | Q(conflict_id__isnull=False), name="known_conflict_is_named"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["gone", "id"], condition=Q(gone__isnull=False), name="known_gone"),
            models.Index(fields=["version_id"], condition=Q(version_id__isnull=False), name="known_by_version"),
        ]

    def __str__(self) -> str:
        return f"known {self.pk}"


def path_key(path: str) -> uuid.UUID:
    """Of a path in its printable form: of any length, in 16 bytes."""
    return uuid.UUID(bytes=hashlib.blake2b(raw(path), digest_size=16).digest())
