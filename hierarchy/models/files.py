"""Files, their versions, and what is inside an archive."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import CheckConstraint, F, Q, UniqueConstraint

from hierarchy.models.containers import Acquisition, Described, Project, Session, Subject

PARENTS = ("project", "subject", "session", "acquisition")


def one_parent() -> Q:
    """True when exactly one of the four levels is set."""
    found = Q()
    for parent in PARENTS:
        found |= Q(**{f"{other}__isnull": other != parent for other in PARENTS})
    return found


class File(Described):
    """A name in a container. Its bytes are those of its current version."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, null=True, blank=True, related_name="files")
    subject = models.ForeignKey(Subject, on_delete=models.PROTECT, null=True, blank=True, related_name="files")
    session = models.ForeignKey(Session, on_delete=models.PROTECT, null=True, blank=True, related_name="files")
    acquisition = models.ForeignKey(Acquisition, on_delete=models.PROTECT, null=True, blank=True, related_name="files")
    name = models.CharField(max_length=1024)
    type = models.CharField(max_length=32, blank=True)
    modality = models.CharField(max_length=16, blank=True)
    classification = models.JSONField(default=dict, blank=True)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            CheckConstraint(condition=one_parent(), name="file_has_one_parent"),
            CheckConstraint(condition=~Q(name=""), name="file_has_name"),
            CheckConstraint(condition=Q(version__gte=1), name="file_version_counts_from_one"),
            *(
                UniqueConstraint(
                    fields=[parent, "name"],
                    condition=Q(**{f"{parent}__isnull": False}),
                    name=f"file_name_once_per_{parent}",
                )
                for parent in PARENTS
            ),
        ]

    def __str__(self) -> str:
        return self.name


class DigestOf(models.TextChoices):
    """What the digest was taken over: the bytes as they lie, or the lines of the archive's manifest."""

    CONTENT = "content"
    MANIFEST = "manifest"
    UNREAD = "unread", "not yet read"


class FileVersion(models.Model):
    """Immutable. `id` is in the place's path, so a worker that lost its lease can never write over these bytes."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    file = models.ForeignKey(File, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    size = models.PositiveBigIntegerField()
    digest = models.CharField(max_length=64, blank=True)
    digest_of = models.CharField(max_length=8, choices=DigestOf.choices)
    members = models.PositiveIntegerField(default=1)
    path = models.CharField(max_length=2048)
    reference = models.BooleanField(default=False)
    # The import that brought it; no foreign key, because the hierarchy stands below the importer.
    import_id = models.PositiveBigIntegerField(null=True, blank=True, db_index=True)
    source_path = models.TextField(blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-number"]
        constraints: ClassVar = [
            UniqueConstraint(fields=["file", "number"], name="version_number_once_per_file"),
            UniqueConstraint(fields=["path"], condition=Q(reference=False), name="own_bytes_have_one_row"),
            CheckConstraint(condition=Q(number__gte=1), name="version_counts_from_one"),
            CheckConstraint(condition=Q(members__gte=1), name="version_has_members"),
            CheckConstraint(condition=Q(digest_of__in=DigestOf.values), name="version_digest_kind_known"),
            CheckConstraint(
                condition=Q(digest_of=DigestOf.UNREAD, digest="") | (~Q(digest_of=DigestOf.UNREAD) & ~Q(digest="")),
                name="version_digest_present_when_read",
            ),
        ]

    def __str__(self) -> str:
        return f"v{self.number}"


class Manifest(models.Model):
    """What is inside an archive: zlib-compressed JSON lines `[member, size, sha256, source path]`, sorted by member."""

    version = models.OneToOneField(FileVersion, on_delete=models.CASCADE, primary_key=True, related_name="manifest")
    lines = models.BinaryField()

    def __str__(self) -> str:
        return f"manifest of {self.version_id}"


def current_version() -> Q:
    """Filter for FileVersion rows that are their file's newest."""
    return Q(number=F("file__version"))
