"""What people may do with a plan: leave parts of it out, and approve it. Permission is asked here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Q, QuerySet

from hierarchy.errors import Refused
from hierarchy.models import Role
from hierarchy.services import require
from importer import tasks
from importer.core.states import JobStatus, Level, Outcome, Work
from importer.models import Chunk, Event, ImportJob, Placement, StaleTransition, move_to
from importer.pipeline.forecast import FORETOLD, files_by_outcome, movable


@dataclass(frozen=True, slots=True)
class Branch:
    """A container of the plan with all below it, by the labels from the subject down to its level.

    PROJECT is the files that lie on the project itself; an empty label is that of what has none.
    """

    level: Level
    subject: str = ""
    session: str = ""
    acquisition: str = ""

    def rows(self) -> Q:
        if self.level == Level.PROJECT:
            return Q(level=Level.PROJECT)
        at = ~Q(level=Level.PROJECT) & Q(subject_label=self.subject)
        if self.level in {Level.SESSION, Level.ACQUISITION}:
            at &= ~Q(level=Level.SUBJECT) & Q(session_label=self.session)
        if self.level == Level.ACQUISITION:
            at &= ~Q(level=Level.SESSION) & Q(acquisition_label=self.acquisition)
        return at


# Ids of Placements, a branch, or whatever a filter finds.
Part = Sequence[int] | Branch | Q


def approve_import(
    job_id: int, *, actor: User | None, who: str, now: datetime, expect: int | None = None, enqueue: bool = True
) -> ImportJob:
    """The plan is made again and, where nothing differs, run. `expect`: the number of approvals that the reader of the
    plan saw. Raises NotAllowed, Refused for what is no plan or not that plan any more."""
    with transaction.atomic():
        job = _planned(job_id, actor)
        if expect is not None and job.approvals != expect:
            raise Refused(f"The plan of import {job.pk} has been made again since you looked: look at it once more.")
        _begin_again(job, who=who, now=now)
        if enqueue:
            transaction.on_commit(partial(tasks.wake, job.pk, 1))
    return job


def _begin_again(job: ImportJob, *, who: str, now: datetime) -> None:
    # What was compared for the last plan says nothing about the archive as it is now.
    Chunk.objects.filter(job=job, work=Work.COMPARE).delete()
    uncounted: dict[str, Any] = {outcome.value: 0 for outcome in FORETOLD}
    try:
        move_to(
            job,
            JobStatus.PLANNING,
            who=who,
            now=now,
            detail="approved: planned again, and run if nothing has changed",
            dry_run=False,
            approvals=job.approvals + 1,
            approved_by=who,
            plan_changed=0,
            compare_done=False,
            **uncounted,
        )
    except StaleTransition as error:
        raise Refused(f"Import {job.pk} is not waiting for an approval any more.") from error


def deselect(job_id: int, part: Part, *, off: bool = True, actor: User | None, who: str, now: datetime) -> int:
    """Leaves destination files out of the plan, or takes them in again; how many changed. Only what would be moved can
    be left out. Raises NotAllowed; Refused once the plan is approved."""
    with transaction.atomic():
        job = _planned(job_id, actor)
        rows = movable(job).filter(_meant(part), deselected=not off)
        _recount(job, rows, off=off)
        changed = rows.update(deselected=off)
        if changed:
            said = f"{changed:,} destination file{'s' if changed > 1 else ''}"
            Event.objects.create(at=now, who=who, what="left_out" if off else "taken_in", detail=said, job_id=job.pk)
    return changed


def _meant(part: Part) -> Q:
    if isinstance(part, Q):
        return part
    return part.rows() if isinstance(part, Branch) else Q(pk__in=part)


def _recount(job: ImportJob, rows: "QuerySet[Placement]", *, off: bool) -> None:
    """The counters say what would become of the files."""
    files = files_by_outcome(rows)
    sign = 1 if off else -1
    ImportJob.objects.filter(pk=job.pk).update(
        skipped=F("skipped") + sign * sum(files.values()),
        conflict=F("conflict") - sign * files.get(Outcome.CONFLICT, 0),
    )


def _planned(job_id: int, actor: User | None) -> ImportJob:
    """Inside the transaction, its row locked: of two who approve at once, one does."""
    job = ImportJob.objects.select_for_update(of=("self",)).select_related("project__group").get(pk=job_id)
    require(actor, Role.UPLOADER, project=job.project)
    if job.status != JobStatus.PLANNED:
        raise Refused(f"Import {job.pk} is no plan that waits for an approval: it is {job.status.replace('_', ' ')}.")
    return job
