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
from importer.core.rules.builtin import BUILT_IN
from importer.core.rules.model import RuleSet
from importer.core.states import FINAL, JobStatus, MissingMeta, SourceKind, Strategy, UidScope
from importer.models import Event, ImportJob, RuleSetVersion, StaleTransition
from importer.pipeline.advance import ask_to_cancel
from importer.pipeline.worker import Worker
from importer.rule_choice import Chosen, parsed, resolve
from storages.places import own_folders

# What rules are called that came with an import and do not name themselves.
OWN_RULES = "own rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """What to import and how. `source_root` is a folder's path in bytes; `who` is a Who of the contract."""

    project: Project
    source_kind: SourceKind
    source_root: bytes
    label: str
    who: str
    description: str = ""
    # None, in all three: as the rules say; else review, the project's own or the site's (PRATIQUE_UID_SCOPE), and hold.
    strategy: Strategy | None = None
    uid_scope: UidScope | None = None
    missing_meta: MissingMeta | None = None
    limit: int | None = None
    dry_run: bool = False
    # The name of a rule set; None: the default of the project, its group or the site.
    rules: str | None = None
    # Rules of this import alone, or those of an earlier one: then `rules` is what they are called.
    rules_text: str = ""
    rules_version: RuleSetVersion | None = None
    zone: str = field(default_factory=lambda: settings.TIME_ZONE)


def who_is(user: AbstractBaseUser) -> str:
    return f"user {getattr(user, 'email', '') or user.get_username()}"


def start_import(request: ImportRequest, *, actor: User | None, now: datetime, enqueue: bool = True) -> ImportJob:
    """Makes the job and, on commit, wakes a worker; safe inside a caller's transaction.

    Raises NotAllowed for whoever may not upload to the project, Refused for a source that may not be read and for a
    rule set that is not there, BadRules for rules that are wrong.
    """
    require(actor, Role.UPLOADER, project=request.project)
    root = checked_source(request.source_root)
    chosen = _chosen(request, actor)
    rules = parsed(chosen.text)
    with transaction.atomic():
        job = _new_job(request, chosen, rules, root=root, actor=actor, now=now)
        Event.objects.create(at=now, who=request.who, what="started", job_id=job.pk)
        if enqueue:
            transaction.on_commit(partial(tasks.wake, job.pk, 1))
    return job


def _chosen(request: ImportRequest, actor: User | None) -> Chosen:
    if not request.rules_text:
        return resolve(request.project, request.rules, actor=actor)
    name = (request.rules or parsed(request.rules_text).name or OWN_RULES)[:64]
    if name in BUILT_IN and BUILT_IN[name].text != request.rules_text:
        # What a built-in's name says is what is built in.
        name = f"{name} (changed)"
    return Chosen(name=name, text=request.rules_text, version=request.rules_version)


def _new_job(
    request: ImportRequest, chosen: Chosen, rules: RuleSet, *, root: bytes, actor: User | None, now: datetime
) -> ImportJob:
    own_scope = request.project.uid_scope or settings.PRATIQUE_UID_SCOPE
    return ImportJob.objects.create(
        project=request.project,
        label=request.label[:255],
        description=request.description,
        source_kind=request.source_kind,
        source_root=printable(root),
        who=request.who,
        actor=actor,
        rules=chosen.name,
        rules_text=chosen.text,
        rules_version=chosen.version,
        strategy=request.strategy or rules.strategy or Strategy.REVIEW,
        uid_scope=request.uid_scope or rules.uid_scope or own_scope,
        missing_meta=request.missing_meta or rules.missing_meta or MissingMeta.HOLD,
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
    for ours in own_folders():
        if resolved.is_relative_to(ours) or ours.is_relative_to(resolved):
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
        # Empty: the built-in ones, which that import ran before its text was kept.
        rules_text=before.rules_text,
        rules_version=before.rules_version,
        zone=before.zone,
    )
