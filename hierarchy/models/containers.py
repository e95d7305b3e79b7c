"""Group / Project / Subject / Session / Acquisition."""

from datetime import datetime, timedelta, timezone
from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import CheckConstraint, Q, UniqueConstraint

# Ends with \Z: `$` lets a final line break pass, in Python and so on SQLite.
GROUP_ID = r"^[0-9a-z][0-9a-z.@_-]{0,62}[0-9a-z]\Z"
LABEL_LENGTH = 64
ACQUISITION_LABEL_LENGTH = 128
UID_LENGTH = 64
# Less than a day either way, in minutes: all that a clock can be from UTC (datetime.timezone).
OFFSETS = (-1439, 1439)


class Sex(models.TextChoices):
    """DICOM PS3.3 C.7.1.1, PatientSex."""

    MALE = "male"
    FEMALE = "female"
    OTHER = "other"
    UNKNOWN = "", "unknown"


class SubjectType(models.TextChoices):
    HUMAN = "human"
    ANIMAL = "animal"
    PHANTOM = "phantom"
    UNKNOWN = "", "unknown"


class Container(models.Model):
    """What every level has. Never made by hand in code: `hierarchy.services` asks who may."""

    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True


class Described(Container):
    """What rules and people say about a container beyond its own fields: `info` by key, and tags."""

    info = models.JSONField(default=dict, blank=True)
    tags = models.JSONField(default=list, blank=True)

    class Meta:
        abstract = True


class Group(Container):
    """The top of the tree; its `name` is the address, its label is for people."""

    name = models.CharField(max_length=64, unique=True, validators=[RegexValidator(GROUP_ID)])
    label = models.CharField(max_length=LABEL_LENGTH, blank=True)

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [CheckConstraint(condition=Q(name__regex=GROUP_ID), name="group_name_well_formed")]

    def __str__(self) -> str:
        return self.name


class UidScope(models.TextChoices):
    """Where a study's or series' UID may belong to one container only; empty: as the site says."""

    SITE = "site"
    GROUP = "group"
    PROJECT = "project"
    NONE = "none"
    AS_THE_SITE = "", "as the site"


class Project(Described):
    """Addressed as `GROUP/LABEL`."""

    group = models.ForeignKey(Group, on_delete=models.PROTECT, related_name="projects")
    label = models.CharField(max_length=LABEL_LENGTH)
    description = models.TextField(blank=True)
    uid_scope = models.CharField(max_length=8, choices=UidScope.choices, blank=True, default=UidScope.AS_THE_SITE)

    class Meta:
        ordering: ClassVar = ["group__name", "label"]
        constraints: ClassVar = [
            CheckConstraint(condition=Q(uid_scope__in=UidScope.values), name="project_uid_scope_known"),
            UniqueConstraint(fields=["group", "label"], name="project_label_once_per_group"),
            CheckConstraint(condition=~Q(label=""), name="project_has_label"),
        ]

    def __str__(self) -> str:
        return f"{self.group.name}/{self.label}"


class Subject(Described):
    """A person or animal. `copy` above 0 is a deliberate twin: an accidental one is impossible."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="subjects")
    label = models.CharField(max_length=LABEL_LENGTH)
    copy = models.PositiveSmallIntegerField(default=0)
    firstname = models.CharField(max_length=255, blank=True)
    lastname = models.CharField(max_length=255, blank=True)
    birth_date = models.DateField(null=True, blank=True)
    sex = models.CharField(max_length=8, choices=Sex.choices, blank=True, default=Sex.UNKNOWN)
    type = models.CharField(max_length=16, choices=SubjectType.choices, blank=True, default=SubjectType.UNKNOWN)
    species = models.CharField(max_length=64, blank=True)
    strain = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering: ClassVar = ["label", "copy"]
        constraints: ClassVar = [
            UniqueConstraint(fields=["project", "label", "copy"], name="subject_label_once_per_project"),
            CheckConstraint(condition=~Q(label=""), name="subject_has_label"),
            CheckConstraint(condition=Q(sex__in=Sex.values), name="subject_sex_known"),
            CheckConstraint(condition=Q(type__in=SubjectType.values), name="subject_type_known"),
        ]

    def __str__(self) -> str:
        return self.label


class Dated(Described):
    """A moment keeps the offset (minutes east of UTC) and the zone's name that it was recorded in."""

    uid = models.CharField(max_length=UID_LENGTH, blank=True)
    copy = models.PositiveSmallIntegerField(default=0)
    timestamp = models.DateTimeField(null=True, blank=True)
    timestamp_offset = models.SmallIntegerField(null=True, blank=True)
    timestamp_zone = models.CharField(max_length=64, blank=True)

    class Meta:
        abstract = True

    @property
    def moment(self) -> datetime | None:
        """The timestamp as the clock on the wall showed it, with the offset that it was recorded with."""
        if self.timestamp is None or self.timestamp_offset is None:
            return None
        return self.timestamp.astimezone(timezone(timedelta(minutes=self.timestamp_offset)))


def timestamp_whole(level: str) -> CheckConstraint:
    """A moment without its offset, or an offset without a moment, says nothing."""
    both = Q(timestamp__isnull=False, timestamp_offset__isnull=False)
    neither = Q(timestamp__isnull=True, timestamp_offset__isnull=True)
    return CheckConstraint(condition=both | neither, name=f"{level}_timestamp_whole")


def offset_possible(level: str) -> CheckConstraint:
    """A stored offset can always be shown."""
    return CheckConstraint(
        condition=Q(timestamp_offset__isnull=True) | Q(timestamp_offset__range=OFFSETS),
        name=f"{level}_offset_possible",
    )


class Session(Dated):
    """One visit; with a `uid` it is a DICOM study (StudyInstanceUID)."""

    subject = models.ForeignKey(Subject, on_delete=models.PROTECT, related_name="sessions")
    label = models.CharField(max_length=LABEL_LENGTH)
    age_seconds = models.BigIntegerField(null=True, blank=True)
    weight_kg = models.FloatField(null=True, blank=True)
    operator = models.CharField(max_length=1024, blank=True)
    accession_number = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering: ClassVar = ["label", "copy"]
        constraints: ClassVar = [
            UniqueConstraint(fields=["subject", "label", "copy"], name="session_label_once_per_subject"),
            CheckConstraint(condition=~Q(label=""), name="session_has_label"),
            timestamp_whole("session"),
            offset_possible("session"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["uid"], condition=~Q(uid=""), name="session_by_uid"),
            models.Index(fields=["accession_number"], condition=~Q(accession_number=""), name="session_by_accession"),
        ]

    def __str__(self) -> str:
        return self.label


class Acquisition(Dated):
    """One scan; with a `uid` it is a DICOM series (SeriesInstanceUID)."""

    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="acquisitions")
    label = models.CharField(max_length=ACQUISITION_LABEL_LENGTH)

    class Meta:
        ordering: ClassVar = ["label", "copy"]
        constraints: ClassVar = [
            UniqueConstraint(fields=["session", "label", "copy"], name="acquisition_label_once_per_session"),
            CheckConstraint(condition=~Q(label=""), name="acquisition_has_label"),
            timestamp_whole("acquisition"),
            offset_possible("acquisition"),
        ]
        indexes: ClassVar = [models.Index(fields=["uid"], condition=~Q(uid=""), name="acquisition_by_uid")]

    def __str__(self) -> str:
        return self.label
