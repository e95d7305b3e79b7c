"""What people, strategies and rules decided about conflicts, and what it taught."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import CheckConstraint, Q, UniqueConstraint

from hierarchy.models import Project
from importer.core.methods import Action
from importer.core.states import DECISION_NEXT, RESOLUTION_NEXT, ConflictType, DecisionStatus, Level, ResolutionStatus
from importer.models.conflict import Conflict
from importer.models.job import ImportJob, Leased
from importer.models.status import status_known

ACTIONS = [action.value for action in Action]


class Resolution(Leased):
    """One act of deciding, about one conflict or ten thousand: carried out in slices, with progress, cancellable."""

    NEXT: ClassVar = RESOLUTION_NEXT
    EVENT_FIELD: ClassVar = "resolution_id"

    project = models.ForeignKey(Project, on_delete=models.PROTECT, null=True, blank=True, related_name="resolutions")
    who = models.CharField(max_length=320)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True)
    action = models.CharField(max_length=32)
    target = models.PositiveBigIntegerField(null=True, blank=True)
    labels = models.JSONField(default=dict)
    # "Update" as a strategy means the union for an archive: nothing stored is dropped, the incoming instance wins.
    union = models.BooleanField(default=False)
    # Set where a strategy or a standing rule decides for one import, before that import ends.
    job = models.ForeignKey(ImportJob, on_delete=models.CASCADE, null=True, blank=True, related_name="resolutions")
    status = models.CharField(max_length=10, default=ResolutionStatus.RUNNING)
    reason = models.TextField(blank=True)
    # Who asked to take all of it back; empty when nobody does, or when it has been done.
    undo_by = models.CharField(max_length=320, blank=True)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    total = models.PositiveIntegerField(default=0)
    applied = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            status_known(RESOLUTION_NEXT, "resolution_status_known"),
            CheckConstraint(condition=Q(action__in=ACTIONS), name="resolution_action_known"),
            UniqueConstraint(
                fields=["job", "action", "who"], condition=Q(job__isnull=False), name="one_resolution_per_automatism"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} by {self.who}"


class Decision(models.Model):
    """What a Resolution means for one conflict. `token` names the version that it makes, also after a kill."""

    NEXT: ClassVar = DECISION_NEXT
    EVENT_FIELD: ClassVar = "decision_id"

    resolution = models.ForeignKey(Resolution, on_delete=models.PROTECT, related_name="decisions")
    conflict = models.ForeignKey(Conflict, on_delete=models.PROTECT, related_name="decisions")
    token = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    # The decision that this one follows from: a session's other files pass without more questions.
    leader = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="followers")
    action = models.CharField(max_length=32)
    status = models.CharField(max_length=9, default=DecisionStatus.PENDING)
    error = models.TextField(blank=True)
    result = models.TextField(blank=True)
    # Where its bytes are put: known before they are, so that a killed worker's are found.
    path = models.CharField(max_length=2048, blank=True)
    file_id = models.PositiveBigIntegerField(null=True, blank=True)
    made_version = models.PositiveIntegerField(null=True, blank=True)
    made = models.JSONField(default=list)
    created_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True, blank=True)
    undo_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            status_known(DECISION_NEXT, "decision_status_known"),
            CheckConstraint(condition=Q(action__in=ACTIONS), name="decision_action_known"),
            UniqueConstraint(
                fields=["conflict"],
                condition=Q(status=DecisionStatus.PENDING),
                name="one_pending_decision_per_conflict",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["resolution", "id"], condition=Q(status=DecisionStatus.PENDING), name="decision_pending"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} of conflict {self.conflict_id}"


class Alias(models.Model):
    """What a decision taught: this UID under this incoming label means that container. Matching asks here first."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="aliases")
    level = models.CharField(max_length=11)
    uid = models.CharField(max_length=64)
    label = models.CharField(max_length=128, blank=True)
    container_id = models.PositiveBigIntegerField()
    decision = models.ForeignKey(Decision, on_delete=models.SET_NULL, null=True, blank=True, related_name="aliases")
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            UniqueConstraint(fields=["project", "level", "uid", "label"], name="alias_means_one_container"),
            CheckConstraint(condition=~Q(uid=""), name="alias_has_uid"),
            CheckConstraint(condition=Q(level__in=[level.value for level in Level]), name="alias_level_known"),
        ]

    def __str__(self) -> str:
        return f"{self.level} {self.uid} → {self.container_id}"


class StandingRule(models.Model):
    """Always do this for this project and type: made from a decision, listed, switchable."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="standing_rules")
    type = models.CharField(max_length=48)
    action = models.CharField(max_length=32)
    enabled = models.BooleanField(default=True)
    who = models.CharField(max_length=320)
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["project", "type"]
        constraints: ClassVar = [
            UniqueConstraint(fields=["project", "type"], name="one_standing_rule_per_type"),
            CheckConstraint(condition=Q(type__in=[t.value for t in ConflictType]), name="standing_rule_type_known"),
            CheckConstraint(condition=Q(action__in=ACTIONS), name="standing_rule_action_known"),
        ]

    def __str__(self) -> str:
        return f"{self.type}: {self.action}"
