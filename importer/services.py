"""What people, devices and schedules may ask of the importer. Permission is asked here, so every door has the guard."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

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
from importer.core.transfer_rules import STAYS, DeleteSource, Settled, Transfer
from importer.local_sources import checked_source
from importer.models import Event, ImportJob, RuleSetVersion, StaleTransition
from importer.pipeline.advance import ask_to_cancel
from importer.pipeline.remember import forget_deleted
from importer.pipeline.worker import Worker
from importer.rule_choice import Chosen, parsed, resolve
from importer.storage_address import Address
from importer.storage_providers import require_acknowledged
from importer.storage_services import address_of
from importer.storage_sources import checked_prefixes, checked_storage
from importer.transfers import folder_at, settled
from storages.models import ExternalStorage
from storages.stores import Kind

# What rules are called that came with an import and do not name themselves.
OWN_RULES = "own rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """What to import and how. `who` is a Who of the contract.

    `source_root` is a folder's path in bytes; where a storage is the source it is left out, and `prefixes` are what
    keys begin with, in their printable form: none for all of it.
    """

    project: Project
    source_kind: SourceKind
    source_root: bytes = b""
    storage: ExternalStorage | None = None
    prefixes: Sequence[str] = ()
    label: str
    who: str
    description: str = ""
    # None, in all three: as the rules say; else review, the project's own or the site's (PRATIQUE_UID_SCOPE), and hold.
    strategy: Strategy | None = None
    uid_scope: UidScope | None = None
    missing_meta: MissingMeta | None = None
    limit: int | None = None
    dry_run: bool = False
    transfer: Transfer = Transfer.AUTO
    delete_source: DeleteSource = DeleteSource.NEVER
    # Reads every byte of a storage, also where nothing has changed. Of everything else each byte is read anyway.
    checksum: bool = False
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
    rule set that is not there, NotAcknowledged with the warning about references, BadRules for rules that are wrong.
    """
    checked = check_import(request, actor=actor)
    with transaction.atomic():
        job = _new_job(request, checked, actor=actor, now=now)
        Event.objects.create(at=now, who=request.who, what="started", job_id=job.pk)
        if enqueue:
            transaction.on_commit(partial(tasks.wake, job.pk, 1))
    return job


@dataclass(frozen=True, slots=True)
class Checked:
    """What a request comes to: its rules, its source's root in printable form, and of a storage the prefixes."""

    chosen: Chosen
    rules: RuleSet
    root: str
    storage: ExternalStorage | None
    prefixes: list[str]
    way: Settled


def check_import(request: ImportRequest, *, actor: User | None) -> Checked:
    """Makes nothing. Raises as `start_import` does."""
    require(actor, Role.UPLOADER, project=request.project)
    chosen = _chosen(request, actor)
    rules = parsed(chosen.text)
    if request.storage is None:
        if request.source_kind == SourceKind.STORAGE:
            raise Refused("The storage of this import is not there any more: choose another.")
        root = checked_source(request.source_root)
        return Checked(chosen, rules, printable(root), None, [], _way(request, rules, folder_at(root)))
    kept = checked_storage(request.storage, request.project, actor=actor)
    if kept.kind == Kind.LOCAL:
        checked_source(os.path.join(raw(kept.bucket), raw(kept.prefix)))
    way = _way(request, rules, address_of(kept), kept)
    if way.transfer in STAYS:
        require_acknowledged(kept)
    return Checked(chosen, rules, kept.address, kept, checked_prefixes(request.prefixes), way)


def _way(request: ImportRequest, rules: RuleSet, address: Address, storage: ExternalStorage | None = None) -> Settled:
    return settled(
        request.transfer, request.delete_source, rules=rules, kind=request.source_kind, address=address, storage=storage
    )


def _chosen(request: ImportRequest, actor: User | None) -> Chosen:
    if not request.rules_text:
        return resolve(request.project, request.rules, actor=actor)
    name = (request.rules or parsed(request.rules_text).name or OWN_RULES)[:64]
    if name in BUILT_IN and BUILT_IN[name].text != request.rules_text:
        # What a built-in's name says is what is built in.
        name = f"{name} (changed)"
    return Chosen(name=name, text=request.rules_text, version=request.rules_version)


def _new_job(request: ImportRequest, checked: Checked, *, actor: User | None, now: datetime) -> ImportJob:
    chosen, rules = checked.chosen, checked.rules
    own_scope = request.project.uid_scope or settings.PRATIQUE_UID_SCOPE
    return ImportJob.objects.create(
        project=request.project,
        label=request.label[:255],
        description=request.description,
        source_kind=request.source_kind,
        source_root=checked.root,
        storage=checked.storage,
        prefixes=checked.prefixes,
        transfer=checked.way.transfer,
        delete_source=checked.way.delete_source,
        # What is to be taken away is read, whatever its size and time say.
        checksum=request.checksum or checked.way.delete_source == DeleteSource.ON_SUCCESS,
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


def bring_back_deleted(job: ImportJob, *, who: str, now: datetime) -> int:
    """What was deleted here after an earlier import from this storage is taken again by this one. How many files.

    For whoever has just started it.
    """
    forgotten = forget_deleted(job)
    Event.objects.create(at=now, who=who, what="deleted files wanted back", detail=f"{forgotten:,}", job_id=job.pk)
    return forgotten


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
    before = ImportJob.objects.select_related("project__group", "storage").get(pk=job_id)
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


def _wished(transfer: Transfer) -> Transfer:
    """What is kept of an import is what was settled: that a rule packs some of its files is no contradiction."""
    return Transfer.AUTO if transfer == Transfer.REFERENCE else transfer


def _again(before: ImportJob, *, who: str) -> ImportRequest:
    return ImportRequest(
        project=before.project,
        source_kind=SourceKind(before.source_kind),
        source_root=b"" if before.storage_id else raw(before.source_root),
        storage=before.storage,
        prefixes=before.prefixes,
        transfer=_wished(Transfer(before.transfer)),
        delete_source=DeleteSource(before.delete_source),
        checksum=before.checksum,
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
