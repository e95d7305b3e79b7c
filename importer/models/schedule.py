"""An import that comes again: from where, into what, how, and at which times."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import CheckConstraint, F, Q, UniqueConstraint
from django.db.models.functions import Lower

from hierarchy.models import Project
from importer.core.cron import MOST_CHARACTERS
from importer.core.states import MissingMeta, Strategy, UidScope
from importer.core.transfer_rules import DeleteSource, Transfer
from importer.models.job import choices

NAME_LENGTH = 64


class ImportSchedule(models.Model):
    """`cron` counts in UTC. `next_run_at` is None exactly where no run is to come: switched off, or past its end.

    Options that are empty are settled anew with each run: as the rules, the project or the site then say. `actor` is
    who answers for it: each run asks anew whether they still may. `system`: it was made from the shell, by nobody.
    """

    name = models.CharField(max_length=NAME_LENGTH)
    description = models.TextField(blank=True)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="schedules")
    storage = models.ForeignKey("storages.ExternalStorage", on_delete=models.PROTECT, related_name="schedules")
    prefixes = models.JSONField(default=list, blank=True)

    rules = models.CharField(max_length=64, blank=True)
    # Rules of this schedule alone; empty: the rule set of that name, as it is when a run starts.
    rules_text = models.TextField(blank=True)
    strategy = models.CharField(max_length=8, blank=True, choices=choices(Strategy))
    uid_scope = models.CharField(max_length=8, blank=True, choices=choices(UidScope))
    missing_meta = models.CharField(max_length=8, blank=True, choices=choices(MissingMeta))
    transfer = models.CharField(max_length=9, choices=choices(Transfer), default=Transfer.AUTO)
    delete_source = models.CharField(max_length=10, choices=choices(DeleteSource), default=DeleteSource.NEVER)
    checksum = models.BooleanField(default=False)
    limit = models.PositiveBigIntegerField(null=True, blank=True)
    # Each run stops as a plan and waits to be approved.
    dry_run = models.BooleanField(default=False)

    cron = models.CharField(max_length=MOST_CHARACTERS)
    start_at = models.DateTimeField(null=True, blank=True)
    end_at = models.DateTimeField(null=True, blank=True)
    active = models.BooleanField(default=True)
    next_run_at = models.DateTimeField(null=True, blank=True)
    last_run_at = models.DateTimeField(null=True, blank=True)
    # Why the last run that was due did not take place; empty when it did.
    trouble = models.TextField(blank=True)

    who = models.CharField(max_length=320)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True)
    system = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            UniqueConstraint(Lower("name"), name="schedule_name_once"),
            CheckConstraint(condition=~Q(name=""), name="schedule_has_name"),
            CheckConstraint(condition=~Q(cron=""), name="schedule_has_cron"),
            CheckConstraint(
                condition=Q(start_at__isnull=True) | Q(end_at__isnull=True) | Q(end_at__gt=F("start_at")),
                name="schedule_ends_after_its_start",
            ),
            CheckConstraint(
                condition=Q(active=True) | Q(next_run_at__isnull=True), name="schedule_off_has_no_next_run"
            ),
            CheckConstraint(condition=Q(system=False) | Q(actor__isnull=True), name="schedule_answered_for_by_one"),
            CheckConstraint(condition=Q(strategy__in=["", *Strategy]), name="schedule_strategy_known"),
            CheckConstraint(condition=Q(uid_scope__in=["", *UidScope]), name="schedule_uid_scope_known"),
            CheckConstraint(condition=Q(missing_meta__in=["", *MissingMeta]), name="schedule_missing_meta_known"),
            CheckConstraint(condition=Q(transfer__in=list(Transfer)), name="schedule_transfer_known"),
            CheckConstraint(condition=Q(delete_source__in=list(DeleteSource)), name="schedule_delete_source_known"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["next_run_at"], condition=Q(next_run_at__isnull=False), name="schedule_due"),
        ]

    def __str__(self) -> str:
        return self.name
