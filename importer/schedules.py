"""What people may ask of schedules, and what makes a run of one. Permission is asked here, and anew with every run."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from hierarchy.errors import Refused
from hierarchy.models import Project, Role
from hierarchy.services import require
from importer import schedule_queries
from importer.core.cron import BadCron, checked_cron, next_times
from importer.core.states import FINAL, JobStatus, MissingMeta, SourceKind, Strategy, UidScope
from importer.core.transfer_rules import DeleteSource, Transfer
from importer.models import Event, ImportJob, ImportSchedule
from importer.models.schedule import NAME_LENGTH
from importer.services import ImportRequest, check_import, start_import
from storages.models import ExternalStorage

# Of those that are due, in one go; the next go comes within half a minute.
MOST_AT_ONCE = 100
# Two runs may not begin at one moment, and a start is part of the time that it begins.
MOMENT = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """`cron` is five fields in UTC. No run before `start`, none after `end`."""

    cron: str
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """As those of one import. None or empty: as the rules, the project or the site say when a run starts."""

    rules: str | None = None
    rules_text: str = ""
    strategy: Strategy | None = None
    uid_scope: UidScope | None = None
    missing_meta: MissingMeta | None = None
    transfer: Transfer = Transfer.AUTO
    delete_source: DeleteSource = DeleteSource.NEVER
    checksum: bool = False
    limit: int | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSchedule:
    """Without a name it is called after its storage and its project."""

    project: Project
    storage: ExternalStorage
    times: Times
    name: str = ""
    description: str = ""
    prefixes: Sequence[str] = ()
    options: Options = field(default_factory=Options)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleEdit:
    """None: stays as it is. Storage and project stay for ever: what is known of files is known of both."""

    name: str | None = None
    description: str | None = None
    prefixes: Sequence[str] | None = None
    times: Times | None = None
    options: Options | None = None
    active: bool | None = None


def create(new: NewSchedule, *, actor: User | None, who: str, now: datetime) -> ImportSchedule:
    """Raises NotAllowed, NotAcknowledged with the warning about references, or Refused with what is wrong."""
    require(actor, Role.UPLOADER, project=new.project)
    made = ImportSchedule(project=new.project, storage=new.storage, created_at=now, who=who)
    _answered_for(made, actor)
    _fill(made, new.options)
    made.prefixes, made.description = list(new.prefixes), new.description.strip()
    made.name = _name(new.name or f"{new.storage.label} into {new.project}"[:NAME_LENGTH])
    _time(made, new.times, now=now)
    return _saved(made, "schedule made", actor=actor, who=who, now=now)


def update(schedule_id: int, edit: ScheduleEdit, *, actor: User | None, who: str, now: datetime) -> ImportSchedule:
    """Who changes it answers for it from then on. A run that is under way goes on as it began.

    Raises as `create` does.
    """
    kept = _kept(schedule_id, actor)
    if edit.name is not None:
        kept.name = _name(edit.name)
    if edit.description is not None:
        kept.description = edit.description.strip()
    if edit.prefixes is not None:
        kept.prefixes = list(edit.prefixes)
    if edit.options is not None:
        _fill(kept, edit.options)
    if edit.active is not None:
        kept.active = edit.active
    _time(kept, edit.times or times_of(kept), now=now)
    _answered_for(kept, actor)
    kept.who, kept.trouble = who, ""
    return _saved(kept, "schedule changed", actor=actor, who=who, now=now)


def switch(schedule_id: int, *, on: bool, actor: User | None, who: str, now: datetime) -> ImportSchedule:
    """Off needs no source that works, on does. Raises as `create` does."""
    if on:
        return update(schedule_id, ScheduleEdit(active=True), actor=actor, who=who, now=now)
    kept = _kept(schedule_id, actor)
    with transaction.atomic():
        if ImportSchedule.objects.filter(pk=kept.pk, active=True).update(active=False, next_run_at=None):
            _note(kept, "switched off", who=who, now=now)
    kept.refresh_from_db()
    return kept


def remove(schedule_id: int, *, actor: User | None, who: str, now: datetime) -> None:
    """Its imports stay, and a run that is under way goes on. Raises NotAllowed or Refused."""
    kept = _kept(schedule_id, actor)
    with transaction.atomic():
        _note(kept, "schedule removed", who=who, now=now, detail=kept.name)
        kept.delete()


def run_now(schedule_id: int, *, actor: User | None, who: str, now: datetime, enqueue: bool = True) -> ImportJob:
    """A run between two that are due; it does not move those. Raises NotAllowed, or Refused while one is under way."""
    kept = _kept(schedule_id, actor)
    with transaction.atomic():
        return _start(kept, actor=actor, who=who, now=now, enqueue=enqueue)


def run_due(*, now: datetime) -> list[int]:
    """Starts what is due. Of several times that were missed, one is made up for. The numbers of the imports."""
    due = ImportSchedule.objects.filter(next_run_at__lte=now).order_by("next_run_at", "pk")
    rows = due.select_related("project__group", "storage", "actor")[:MOST_AT_ONCE]
    started = [_run(kept, now=now) for kept in rows]
    return [job.pk for job in started if job is not None]


@transaction.atomic
def _run(kept: ImportSchedule, *, now: datetime) -> ImportJob | None:
    """None where somebody else was faster, or where it cannot be: then it says why, once."""
    mine = ImportSchedule.objects.filter(pk=kept.pk)
    following = _next(times_of(kept), now=now)
    if not mine.filter(next_run_at=kept.next_run_at).update(next_run_at=following):
        return None
    try:
        return _start(kept, actor=_answering(kept), who=f"schedule {kept.name}", now=now, enqueue=True)
    except Refused as why:
        if mine.exclude(trouble=str(why)).update(trouble=str(why)):
            _note(kept, "run left out", who=f"schedule {kept.name}", now=now, detail=str(why))
        return None


def _answering(kept: ImportSchedule) -> User | None:
    if kept.actor is None and not kept.system:
        raise Refused("Whoever answered for this schedule is no longer here: open it and save it to take it over.")
    return kept.actor


def _start(kept: ImportSchedule, *, actor: User | None, who: str, now: datetime, enqueue: bool) -> ImportJob:
    """Raises Refused where a run is under way; the database's own constraint has the last word."""
    under_way = kept.runs.exclude(status__in=sorted(FINAL)).first()
    if under_way is not None:
        raise Refused(_still(under_way))
    try:
        with transaction.atomic():
            job = start_import(_request(kept, who=who), actor=actor, now=now, enqueue=enqueue)
            ImportJob.objects.filter(pk=job.pk).update(schedule=kept)
            ImportSchedule.objects.filter(pk=kept.pk).update(last_run_at=now, trouble="")
    except IntegrityError as error:
        if "schedule" not in str(error):
            raise
        raise Refused("Another run of this schedule has just begun: two never run at once.") from error
    job.schedule = kept
    return job


def _still(job: ImportJob) -> str:
    if job.status == JobStatus.PLANNED:
        return f"The plan of import {job.pk} waits to be approved or cancelled: two runs are never under way at once."
    return f"Import {job.pk} has not ended yet: two runs of a schedule are never under way at once."


def times_of(kept: ImportSchedule) -> Times:
    return Times(cron=kept.cron, start=kept.start_at, end=kept.end_at)


def options_of(kept: ImportSchedule) -> Options:
    return Options(
        rules=kept.rules or None,
        rules_text=kept.rules_text,
        strategy=Strategy(kept.strategy) if kept.strategy else None,
        uid_scope=UidScope(kept.uid_scope) if kept.uid_scope else None,
        missing_meta=MissingMeta(kept.missing_meta) if kept.missing_meta else None,
        transfer=Transfer(kept.transfer),
        delete_source=DeleteSource(kept.delete_source),
        checksum=kept.checksum,
        limit=kept.limit,
        dry_run=kept.dry_run,
    )


def _request(kept: ImportSchedule, *, who: str) -> ImportRequest:
    return ImportRequest(
        project=kept.project,
        source_kind=SourceKind.STORAGE,
        storage=kept.storage,
        prefixes=tuple(kept.prefixes),
        label=kept.name,
        description=kept.description,
        who=who,
        **{one.name: getattr(options_of(kept), one.name) for one in fields(Options)},
    )


def _kept(schedule_id: int, actor: User | None) -> ImportSchedule:
    kept = schedule_queries.visible(actor).filter(pk=schedule_id).first()
    if kept is None:
        raise Refused(f"There is no schedule {schedule_id}: look at the list of schedules.")
    require(actor, Role.UPLOADER, project=kept.project)
    return kept


def _answered_for(row: ImportSchedule, actor: User | None) -> None:
    row.actor, row.system = actor, actor is None


def _fill(row: ImportSchedule, options: Options) -> None:
    row.rules, row.rules_text = options.rules or "", options.rules_text
    row.strategy, row.uid_scope = options.strategy or "", options.uid_scope or ""
    row.missing_meta = options.missing_meta or ""
    row.transfer, row.delete_source = options.transfer, options.delete_source
    row.checksum, row.limit, row.dry_run = options.checksum, options.limit, options.dry_run


def _name(said: str) -> str:
    name = said.strip()
    if not name or len(name) > NAME_LENGTH or not name.isprintable():
        raise Refused(f"A schedule's name has 1 to {NAME_LENGTH} characters, all of them printable.")
    if name.isdecimal():
        raise Refused("A name of digits alone would be taken for a schedule's number: choose another.")
    return name


def _time(row: ImportSchedule, times: Times, *, now: datetime) -> None:
    """Raises Refused for times that never come."""
    try:
        cron = checked_cron(times.cron)
    except BadCron as error:
        raise Refused(str(error)) from error
    if times.start and times.end and times.end <= times.start:
        raise Refused("The end lies before the start: choose a later one.")
    row.cron, row.start_at, row.end_at = cron, times.start, times.end
    row.next_run_at = _next(Times(cron=cron, start=times.start, end=times.end), now=now) if row.active else None
    if row.active and row.next_run_at is None:
        raise Refused("No run would ever come: the end lies before the first one. Choose a later end, or none.")


def _next(times: Times, *, now: datetime) -> datetime | None:
    begin = max(now, times.start - MOMENT) if times.start else now
    return next(iter(next_times(times.cron, begin, end=times.end)), None)


def _saved(row: ImportSchedule, what: str, *, actor: User | None, who: str, now: datetime) -> ImportSchedule:
    """Checked as an import that would begin now, so that a run in the night does not find out what is wrong."""
    row.prefixes = check_import(_request(row, who=who), actor=actor).prefixes
    try:
        with transaction.atomic():
            row.save()
            _note(row, what, who=who, now=now, detail=row.name)
    except IntegrityError as error:
        if "schedule_name_once" not in str(error):
            raise
        raise Refused(f"There is a schedule called {row.name} already: choose another name.") from error
    return row


def _note(row: ImportSchedule, what: str, *, who: str, now: datetime, detail: str = "") -> None:
    Event.objects.create(at=now, who=who, what=what, detail=detail, schedule_id=row.pk)


def upcoming(row: ImportSchedule, *, most: int = 3) -> list[datetime]:
    """The next times at which a run is due."""
    if row.next_run_at is None:
        return []
    return [row.next_run_at, *next_times(row.cron, row.next_run_at, most=most - 1, end=row.end_at)][:most]
