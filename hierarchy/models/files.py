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
    # Of our own bytes their path inside the archive. Of a reference the key in its storage; of a series by reference,
    # whose Manifest says where each member lies, the folder that all of them lie in.
    path = models.TextField()
    reference = models.BooleanField(default=False)
    storage = models.ForeignKey(
        "storages.ExternalStorage", on_delete=models.PROTECT, null=True, blank=True, related_name="references"
    )
    # Of a reference to one file: as its listing had it when it was imported.
    mtime_ns = models.BigIntegerField(null=True, blank=True)
    etag = models.CharField(max_length=255, blank=True, default="")
    # Of a reference: SHA-256 over names, sizes, keys, times and etags. Equal stamps in one storage are equal content.
    stamp = models.CharField(max_length=64, blank=True, default="")
    # Of a reference that has a symbolic link among our own files: the link's path inside the archive.
    link = models.CharField(max_length=2048, blank=True, default="")
    # The import that brought it; no foreign key, because the hierarchy stands below the importer.
    import_id = models.PositiveBigIntegerField(null=True, blank=True, db_index=True)
    source_path = models.TextField(blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-number"]
        constraints: ClassVar = [
            UniqueConstraint(fields=["file", "number"], name="version_number_once_per_file"),
            UniqueConstraint(fields=["path"], condition=Q(reference=False), name="own_bytes_have_one_row"),
            CheckConstraint(
                condition=Q(reference=True, storage__isnull=False) | Q(reference=False, storage__isnull=True),
                name="version_reference_has_storage",
            ),
            CheckConstraint(
                condition=Q(reference=True) | (~Q(digest_of=DigestOf.UNREAD) & Q(stamp="", link="")),
                name="version_own_bytes_were_read",
            ),
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
    """What is inside an archive: zlib-compressed JSON lines `[member, size, sha256, source path]`, sorted by member.

    Of a reference, `[member, size, sha256, key, mtime_ns, etag]`: the members lie in its storage, as they were listed,
    and the SHA-256 is empty until somebody has read them.
    """

    version = models.OneToOneField(FileVersion, on_delete=models.CASCADE, primary_key=True, related_name="manifest")
    lines = models.BinaryField()

    def __str__(self) -> str:
        return f"manifest of {self.version_id}"


def current_version() -> Q:
    """Filter for FileVersion rows that are their file's newest."""
    return Q(number=F("file__version"))
