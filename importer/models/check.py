"""How what is stored was found when it was last looked at. It is told, never acted upon: nothing goes by itself."""

from typing import ClassVar

from django.db import models
from django.db.models import CheckConstraint, Q, UniqueConstraint

from hierarchy.models import FileVersion, Project
from importer.core.checks import KEPT, WRONG, CheckState, Ended, Lies
from importer.models.conflict import Conflict
from importer.models.job import Leased


class CheckedRoot(Leased):
    """A place that stored bytes lie in, seen as a whole. While it is away, what is known of its files stays as it was.

    A place of our own is known by its mark (`storages.marks`), a storage by `token`, the print of its disk or bucket.
    The last run is told in numbers: files looked at, files read, bytes of those.
    """

    place = models.CharField(max_length=10)
    storage = models.OneToOneField(
        "storages.ExternalStorage", on_delete=models.CASCADE, null=True, blank=True, related_name="checked_root"
    )
    token = models.CharField(max_length=32, blank=True)
    away_since = models.DateTimeField(null=True, blank=True)
    words = models.TextField(blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended = models.CharField(max_length=5, blank=True)
    looked = models.PositiveBigIntegerField(default=0)
    read = models.PositiveBigIntegerField(default=0)
    bytes_read = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            CheckConstraint(condition=Q(place__in=[one.value for one in Lies]), name="root_place_known"),
            CheckConstraint(
                condition=Q(place=Lies.STORAGE, storage__isnull=False) | (~Q(place=Lies.STORAGE) & Q(storage=None)),
                name="root_of_a_storage_names_it",
            ),
            UniqueConstraint(fields=["place"], condition=Q(storage=None), name="root_once_per_own_place"),
            CheckConstraint(condition=Q(ended__in=["", *(one.value for one in Ended)]), name="root_ended_known"),
        ]

    def __str__(self) -> str:
        return self.place if self.storage is None else f"storage {self.storage}"


class Check(models.Model):
    """One stored version, or the bytes that a conflict holds.

    `since` is when it was first found in this state. `read_at` is the last time that its bytes were read, or could not
    be. `sha256` is over a packed archive's bytes as they lay when its members were right.
    """

    id = models.BigAutoField(primary_key=True)
    root = models.ForeignKey(CheckedRoot, on_delete=models.CASCADE, related_name="checks")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    version = models.OneToOneField(FileVersion, on_delete=models.CASCADE, null=True, related_name="check_row")
    conflict = models.OneToOneField(Conflict, on_delete=models.CASCADE, null=True, related_name="check_row")
    state = models.CharField(max_length=10, default=CheckState.UNCHECKED)
    words = models.TextField(blank=True)
    since = models.DateTimeField()
    looked_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField(null=True)
    sha256 = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            CheckConstraint(condition=Q(state__in=sorted(KEPT)), name="check_state_known"),
            CheckConstraint(
                condition=Q(version__isnull=False, conflict=None) | Q(version=None, conflict__isnull=False),
                name="check_is_about_one_thing",
            ),
            CheckConstraint(
                condition=Q(state=CheckState.UNCHECKED, looked_at=None)
                | (~Q(state=CheckState.UNCHECKED) & Q(looked_at__isnull=False)),
                name="check_says_when_it_looked",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["root", "looked_at", "id"], name="check_look_due"),
            models.Index(fields=["root", "read_at", "id"], name="check_read_due"),
            models.Index(fields=["project", "-id"], condition=Q(state__in=sorted(WRONG)), name="check_wrong"),
        ]

    def __str__(self) -> str:
        return f"{self.state} {self.pk}"
