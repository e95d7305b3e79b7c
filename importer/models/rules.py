"""Rule sets that people write: named, scoped, versioned on each edit, archived rather than deleted."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import CheckConstraint, Q, UniqueConstraint

from hierarchy.models import Group, Project

ONE_SCOPE = Q(group__isnull=True) | Q(project__isnull=True)


class RuleSet(models.Model):
    """Without group and project it is the site's. Its text is that of its newest version."""

    name = models.CharField(max_length=64)
    description = models.TextField(blank=True)
    group = models.ForeignKey(Group, on_delete=models.CASCADE, null=True, blank=True, related_name="rule_sets")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, null=True, blank=True, related_name="rule_sets")
    is_default = models.BooleanField(default=False)
    version = models.PositiveIntegerField(default=1)
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["name", "id"]
        constraints: ClassVar = [
            CheckConstraint(condition=ONE_SCOPE, name="rule_set_has_one_scope"),
            CheckConstraint(condition=~Q(name=""), name="rule_set_has_name"),
            CheckConstraint(condition=Q(version__gte=1), name="rule_set_version_counts_from_one"),
            CheckConstraint(
                condition=Q(is_default=False) | Q(archived_at__isnull=True), name="rule_set_default_in_use"
            ),
            UniqueConstraint(
                fields=["name"], condition=Q(group__isnull=True, project__isnull=True), name="rule_set_once_per_site"
            ),
            UniqueConstraint(
                fields=["group", "name"], condition=Q(group__isnull=False), name="rule_set_once_per_group"
            ),
            UniqueConstraint(
                fields=["project", "name"], condition=Q(project__isnull=False), name="rule_set_once_per_project"
            ),
            UniqueConstraint(
                fields=["is_default"],
                condition=Q(is_default=True, group__isnull=True, project__isnull=True),
                name="one_default_rule_set_per_site",
            ),
            UniqueConstraint(
                fields=["group"],
                condition=Q(is_default=True, group__isnull=False),
                name="one_default_rule_set_per_group",
            ),
            UniqueConstraint(
                fields=["project"],
                condition=Q(is_default=True, project__isnull=False),
                name="one_default_rule_set_per_project",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class RuleSetVersion(models.Model):
    """Immutable. `text` is YAML as it was written."""

    rule_set = models.ForeignKey(RuleSet, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    text = models.TextField()
    who = models.CharField(max_length=320)
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-number"]
        constraints: ClassVar = [
            UniqueConstraint(fields=["rule_set", "number"], name="rule_set_version_number_once"),
            CheckConstraint(condition=Q(number__gte=1), name="rule_set_version_number_from_one"),
        ]

    def __str__(self) -> str:
        return f"{self.rule_set.name} v{self.number}"


class RuleSample(models.Model):
    """Files to try rules on: names, sizes, times and headers, no pixels. One person's, for a day.

    `facts` is zlib-compressed JSON (importer.core.rules.samples).
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="rule_samples")
    title = models.CharField(max_length=255)
    files = models.PositiveIntegerField()
    facts = models.BinaryField()
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return self.title
