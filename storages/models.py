"""Storages and providers: where data comes from and goes to, and which of these places may be its only home."""

from typing import ClassVar

from django.db import models
from django.db.models import CheckConstraint, Q, UniqueConstraint
from django.db.models.functions import Lower

from storages.stores.contract import Kind

LABEL_LENGTH = 64
PATH_LENGTH = 1024
# A folder inside a bucket, as a store takes it: `a/b`, never `/a/b` or `a/b/`.
FOLDER_OR_NOTHING = ~Q(prefix__startswith="/") & ~Q(prefix__endswith="/")


class Direction(models.TextChoices):
    """What a storage is for."""

    IMPORT = "import", "Import only"
    EXPORT = "export", "Export only"
    BOTH = "both", "Import and export"


class Health(models.TextChoices):
    """What the last check said."""

    UNCHECKED = "unchecked", "Not checked yet"
    OK = "ok", "Works"
    FAILED = "failed", "Does not work"


class Access(models.TextChoices):
    """What may be done with the bytes of a provider."""

    READ_ONLY = "read-only", "Read only"
    READ_WRITE = "read-write", "Read and write"


class Place(models.Model):
    """Where bytes lie. `bucket` is the bucket, the container or a folder's path; `prefix` a folder in it."""

    label = models.CharField(max_length=LABEL_LENGTH)
    description = models.TextField(blank=True)
    kind = models.CharField(max_length=2, choices=[(kind.value, kind.value) for kind in Kind])
    bucket = models.CharField(max_length=PATH_LENGTH)
    prefix = models.CharField(max_length=PATH_LENGTH, blank=True)
    endpoint = models.CharField(max_length=PATH_LENGTH, blank=True)
    account = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        abstract = True
        ordering: ClassVar = ["label", "id"]

    def __str__(self) -> str:
        return self.label

    @property
    def address(self) -> str:
        """As an URL, without the service's own address: `s3://bucket/prefix`, of a folder its path."""
        parts = [part for part in (self.account, self.bucket.rstrip("/"), self.prefix) if part]
        return "/".join(parts) if self.kind == Kind.LOCAL else f"{self.kind}://{'/'.join(parts)}"


class StorageProvider(Place):
    """A place that may be the only home of bytes. Who made it has said that these are immutable and durable."""

    access = models.CharField(max_length=16, choices=Access.choices, default=Access.READ_ONLY)
    acknowledged_by = models.CharField(max_length=320)
    acknowledged_at = models.DateTimeField()

    class Meta(Place.Meta):
        constraints: ClassVar = [
            UniqueConstraint(Lower("label"), name="provider_label_once"),
            CheckConstraint(condition=~Q(label=""), name="provider_has_label"),
            CheckConstraint(condition=Q(kind__in=[kind.value for kind in Kind]), name="provider_kind_known"),
            CheckConstraint(condition=~Q(bucket=""), name="provider_has_bucket"),
            CheckConstraint(condition=FOLDER_OR_NOTHING, name="provider_prefix_is_a_folder"),
            CheckConstraint(
                condition=~Q(kind=Kind.LOCAL) | Q(endpoint="", account=""), name="provider_local_has_no_service"
            ),
            CheckConstraint(condition=Q(access__in=Access.values), name="provider_access_known"),
            CheckConstraint(condition=~Q(acknowledged_by=""), name="provider_is_acknowledged"),
        ]


class ExternalStorage(Place):
    """Where data comes from or goes to. Without group and project it is the site's.

    Kind, bucket and prefix stay as they were made: a trigger of the database refuses another kind or prefix, and
    another bucket unless `moved` counts on with it (a mount or a bucket that was moved as a whole).
    `credentials` is what `storages.secrets` sealed.
    """

    region = models.CharField(max_length=64, blank=True)
    direction = models.CharField(max_length=8, choices=Direction.choices, default=Direction.IMPORT)
    group = models.ForeignKey(
        "hierarchy.Group", on_delete=models.PROTECT, null=True, blank=True, related_name="storages"
    )
    project = models.ForeignKey(
        "hierarchy.Project", on_delete=models.PROTECT, null=True, blank=True, related_name="storages"
    )
    from_machine = models.BooleanField(default=False)
    credentials = models.BinaryField(null=True, blank=True)
    credentials_at = models.DateTimeField(null=True, blank=True)
    enabled = models.BooleanField(default=True)
    moved = models.PositiveIntegerField(default=0)
    # What the first good check found there (`Store.identity`): something else under this name is another disk.
    identity = models.CharField(max_length=512, blank=True)

    provider = models.ForeignKey(
        StorageProvider, on_delete=models.PROTECT, null=True, blank=True, related_name="storages"
    )
    # Who said, before the first import by reference, that the bytes here are immutable and durable.
    acknowledged_by = models.CharField(max_length=320, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)

    health = models.CharField(max_length=16, choices=Health.choices, default=Health.UNCHECKED)
    health_words = models.TextField(blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    next_check_at = models.DateTimeField()

    class Meta(Place.Meta):
        constraints: ClassVar = [
            UniqueConstraint(Lower("label"), name="storage_label_once"),
            CheckConstraint(condition=~Q(label=""), name="storage_has_label"),
            CheckConstraint(condition=Q(kind__in=[kind.value for kind in Kind]), name="storage_kind_known"),
            CheckConstraint(condition=~Q(bucket=""), name="storage_has_bucket"),
            CheckConstraint(condition=FOLDER_OR_NOTHING, name="storage_prefix_is_a_folder"),
            CheckConstraint(condition=Q(direction__in=Direction.values), name="storage_direction_known"),
            CheckConstraint(condition=Q(group__isnull=True) | Q(project__isnull=True), name="storage_has_one_scope"),
            CheckConstraint(
                condition=~Q(kind=Kind.LOCAL)
                | Q(endpoint="", region="", account="", from_machine=False, credentials__isnull=True),
                name="storage_local_has_no_service",
            ),
            CheckConstraint(
                condition=Q(from_machine=False) | Q(credentials__isnull=True), name="storage_one_way_to_sign_in"
            ),
            CheckConstraint(
                condition=Q(credentials__isnull=True, credentials_at__isnull=True)
                | Q(credentials__isnull=False, credentials_at__isnull=False),
                name="storage_credentials_have_a_time",
            ),
            CheckConstraint(
                condition=Q(acknowledged_by="", acknowledged_at__isnull=True)
                | (~Q(acknowledged_by="") & Q(acknowledged_at__isnull=False, provider__isnull=False)),
                name="storage_acknowledged_on_a_provider",
            ),
            CheckConstraint(condition=Q(health__in=Health.values), name="storage_health_known"),
            CheckConstraint(
                condition=Q(health=Health.UNCHECKED, checked_at__isnull=True)
                | (~Q(health=Health.UNCHECKED) & Q(checked_at__isnull=False)),
                name="storage_checked_exactly_when_it_says_so",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["next_check_at"], condition=Q(enabled=True), name="storage_due"),
        ]


class StorageCheck(models.Model):
    """One check of a storage. `steps` are `{"name", "outcome", "words"}` in the order in which they were tried."""

    storage = models.ForeignKey(ExternalStorage, on_delete=models.CASCADE, related_name="checks")
    at = models.DateTimeField()
    who = models.CharField(max_length=320)
    health = models.CharField(max_length=16, choices=Health.choices)
    words = models.TextField(blank=True)
    steps = models.JSONField(default=list)
    seconds = models.FloatField()

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            CheckConstraint(condition=Q(health__in=[Health.OK, Health.FAILED]), name="storage_check_says_how_it_is"),
            CheckConstraint(condition=Q(seconds__gte=0), name="storage_check_takes_time"),
        ]
        indexes: ClassVar = [models.Index(fields=["storage", "-id"], name="storage_check_newest")]

    def __str__(self) -> str:
        return f"{self.health} at {self.at}"


class Ours(models.TextChoices):
    """Places of our own bytes that have to be the same from one day to the next."""

    ARCHIVE = "archive", "Archive"
    QUARANTINE = "quarantine", "Quarantine"


class KnownPlace(models.Model):
    """What the mark of a place of ours said when it was first used: an empty mount point says something else."""

    name = models.CharField(max_length=16, choices=Ours.choices, unique=True)
    mark = models.CharField(max_length=64)
    known_since = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            CheckConstraint(condition=Q(name__in=Ours.values), name="known_place_is_one_of_ours"),
            CheckConstraint(condition=~Q(mark=""), name="known_place_has_mark"),
        ]

    def __str__(self) -> str:
        return self.name
