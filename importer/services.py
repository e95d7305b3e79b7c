"""What people, devices and schedules may ask of the importer. Permission is asked here, so every door has the guard."""

import os
import stat
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, User
from django.db import transaction

from hierarchy.errors import Refused
from hierarchy.models import Project, Role
from hierarchy.services import require
from importer import tasks
from importer.core.names import printable, raw
from importer.core.states import FINAL, JobStatus, MissingMeta, SourceKind, Strategy, UidScope
from importer.models import Event, ImportJob, StaleTransition
from importer.pipeline.advance import ask_to_cancel
from importer.pipeline.worker import Worker
from storages.places import archive, quarantine


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """What to import and how. `source_root` is a folder's path in bytes; `who` is a Who of the contract."""

    project: Project
    source_kind: SourceKind
    source_root: bytes
    label: str
    who: str
    description: str = ""
    strategy: Strategy = Strategy.REVIEW
    # None: the project's own, or else the site's (PRATIQUE_UID_SCOPE).
    uid_scope: UidScope | None = None
    missing_meta: MissingMeta = MissingMeta.HOLD
    limit: int | None = None
    dry_run: bool = False
    rules: str = "standard"
    zone: str = field(default_factory=lambda: settings.TIME_ZONE)


def who_is(user: AbstractBaseUser) -> str:
    return f"user {getattr(user, 'email', '') or user.get_username()}"


def start_import(request: ImportRequest, *, actor: User | None, now: datetime, enqueue: bool = True) -> ImportJob:
    """Makes the job and, on commit, wakes a worker; safe inside a caller's transaction.

    Raises NotAllowed for whoever may not upload to the project, Refused for a source that may not be read.
    """
    require(actor, Role.UPLOADER, project=request.project)
    root = checked_source(request.source_root)
    if request.rules != "standard":
        raise Refused(f"There is no rule set {request.rules}: the only one is standard.")
    with transaction.atomic():
        job = _new_job(request, root=root, actor=actor, now=now)
        Event.objects.create(at=now, who=request.who, what="started", job_id=job.pk)
        if enqueue:
            transaction.on_commit(partial(tasks.wake, job.pk, 1))
    return job


def _new_job(request: ImportRequest, *, root: bytes, actor: User | None, now: datetime) -> ImportJob:
    return ImportJob.objects.create(
        project=request.project,
        label=request.label[:255],
        description=request.description,
        source_kind=request.source_kind,
        source_root=printable(root),
        who=request.who,
        actor=actor,
        rules=request.rules,
        strategy=request.strategy,
        uid_scope=request.uid_scope or request.project.uid_scope or settings.PRATIQUE_UID_SCOPE,
        missing_meta=request.missing_meta,
        limit=request.limit,
        dry_run=request.dry_run,
        zone=request.zone,
        created_at=now,
    )


def checked_source(root: bytes) -> bytes:
    """The folder's real path: a link is followed here, once, and never again.

    Raises Refused unless it is a folder inside PRATIQUE_LOCAL_ROOTS and outside our own places.
    """
    try:
        found = os.stat(root)
    except OSError as error:
        raise Refused(f"The source cannot be opened: {error.strerror}. Check the path and its permissions.") from error
    if not stat.S_ISDIR(found.st_mode):
        raise Refused("The source is not a folder: give the folder that holds the files.")
    resolved = Path(os.fsdecode(os.path.realpath(root)))
    if not any(resolved.is_relative_to(allowed) for allowed in settings.PRATIQUE_LOCAL_ROOTS):
        raise Refused("The source lies outside PRATIQUE_LOCAL_ROOTS: ask the operator to allow its folder there.")
    for place in (archive(), quarantine()):
        if resolved.is_relative_to(place.root.resolve()) or place.root.resolve().is_relative_to(resolved):
            raise Refused("The source and a place of our own bytes lie inside each other: choose another folder.")
    return os.fsencode(resolved)


def cancel_import(job_id: int, *, actor: User | None, who: str, now: datetime) -> ImportJob:
    """Running slices end whole, the rest is cancelled. Cancelling twice is one. Raises Refused after the end."""
    job = ImportJob.objects.select_related("project__group").get(pk=job_id)
    require(actor, Role.UPLOADER, project=job.project)
    if job.status == JobStatus.CANCELLING:
        return job
    if job.status in FINAL:
        raise Refused(f"Import {job.pk} has already ended: there is nothing to cancel.")
    try:
        ask_to_cancel(job, who=who, worker=Worker(owner="", wake=tasks.wake, now=lambda: now))
    except StaleTransition as error:
        raise Refused(f"Import {job.pk} has just ended: there is nothing to cancel.") from error
    return job


def rerun_import(
    job_id: int, *, actor: User | None, who: str, now: datetime, only_failed: bool, enqueue: bool = True
) -> ImportJob:
    """A new import of the same source with the same options: all of it, or only what failed. Raises Refused."""
    before = ImportJob.objects.select_related("project__group").get(pk=job_id)
    require(actor, Role.UPLOADER, project=before.project)
    if before.status not in FINAL | {JobStatus.PLANNED}:
        raise Refused(f"Import {before.pk} has not ended yet: wait for it, or cancel it first.")
    if only_failed and not before.failed:
        raise Refused(f"Nothing failed in import {before.pk}: run all of it again, or leave it.")
    with transaction.atomic():
        job = start_import(_again(before, who=who), actor=actor, now=now, enqueue=enqueue)
        ImportJob.objects.filter(pk=job.pk).update(rerun_of=before, only_failed=only_failed)
        job.refresh_from_db()
    return job


def _again(before: ImportJob, *, who: str) -> ImportRequest:
    return ImportRequest(
        project=before.project,
        source_kind=SourceKind(before.source_kind),
        source_root=raw(before.source_root),
        label=before.label,
        who=who,
        description=before.description,
        strategy=Strategy(before.strategy),
        uid_scope=UidScope(before.uid_scope),
        missing_meta=MissingMeta(before.missing_meta),
        limit=before.limit,
        dry_run=before.dry_run,
        rules=before.rules,
        zone=before.zone,
    )
