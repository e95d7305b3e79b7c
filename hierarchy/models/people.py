"""Who may do what, and where."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import CheckConstraint, Q, UniqueConstraint

from hierarchy.models.containers import Container, Group, Project


class Role(models.TextChoices):
    """Each role may do all that the one before may."""

    VIEWER = "viewer"
    UPLOADER = "uploader"
    DATA_MANAGER = "data_manager", "data manager"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """The place in the order: what a role may do, every higher one may do too."""
        return list(Role).index(self)


class Membership(Container):
    """User x (one project, one group, or with neither the whole site) x role."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    group = models.ForeignKey(Group, on_delete=models.CASCADE, null=True, blank=True, related_name="memberships")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, null=True, blank=True, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices)

    class Meta:
        constraints: ClassVar = [
            CheckConstraint(condition=Q(role__in=Role.values), name="membership_role_known"),
            CheckConstraint(condition=Q(group__isnull=True) | Q(project__isnull=True), name="membership_one_scope"),
            UniqueConstraint(
                fields=["user", "project"], condition=Q(project__isnull=False), name="one_role_per_project"
            ),
            UniqueConstraint(fields=["user", "group"], condition=Q(group__isnull=False), name="one_role_per_group"),
            UniqueConstraint(
                fields=["user"], condition=Q(project__isnull=True, group__isnull=True), name="one_role_per_site"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} is {self.get_role_display()} of {self.project or self.group or 'the site'}"
