"""What the pages of deliveries read."""

from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import OuterRef, Q, QuerySet, Subquery

from hierarchy.selectors import Actor, memberships, sees_all, visible_projects
from importer.page_queries import PAGE, Rows, cut
from importer.rule_choice import RuleSetRow
from watcher.health import Health, RootReport, WatchState, folder_health, state_of
from watcher.models import Batch, DropFolder, Watch
from watcher.states import BatchStatus


@dataclass(frozen=True, slots=True)
class FolderRow:
    """A drop folder beside what the watcher says about it. `last` is its newest delivery."""

    folder: DropFolder
    health: Health
    report: RootReport | None
    last: Batch | None

    @property
    def unnamed(self) -> int:
        """Deliveries that settle beyond those named in the report."""
        return self.report.settling_count - len(self.report.settling) if self.report else 0


# What a reader may choose in the list of batches: the word in the address, and the states behind it.
BATCH_FILTERS: dict[str, frozenset[str]] = {
    "held": frozenset({BatchStatus.HELD}),
    "importing": frozenset({BatchStatus.IMPORTING}),
    "planned": frozenset({BatchStatus.PLANNED}),
    "review": frozenset({BatchStatus.NEEDS_REVIEW}),
    "imported": frozenset({BatchStatus.IMPORTED}),
    "failed": frozenset({BatchStatus.FAILED, BatchStatus.PARTIAL}),
    "other": frozenset({BatchStatus.EMPTY, BatchStatus.CANCELLED}),
}


def watch_state(*, now: datetime) -> WatchState:
    return state_of(Watch.objects.filter(pk=1).first(), now=now)


def visible_folders(actor: Actor) -> QuerySet[DropFolder]:
    """Drop folders of projects that the actor sees; one without a project is seen by whoever sees the whole site."""
    folders = DropFolder.objects.select_related("project__group").order_by("name")
    if sees_all(actor) or memberships(actor).filter(project=None, group=None).exists():
        return folders
    return folders.filter(project__in=visible_projects(actor))


def folders_with(actor: Actor, row: RuleSetRow) -> QuerySet[DropFolder]:
    """Drop folders that name a rule set, in projects where that name can mean it."""
    folders = visible_folders(actor).filter(rule_set=row.name)
    if row.project_id is not None:
        return folders.filter(project=row.project_id)
    return folders.filter(project__group=row.group_id) if row.group_id is not None else folders


def folder_rows(actor: Actor, *, watch: WatchState) -> list[FolderRow]:
    """All drop folders, each with its last delivery: a fixed number of queries."""
    newest = Batch.objects.filter(drop_folder=OuterRef("pk")).order_by("-id").values("pk")[:1]
    folders = list(visible_folders(actor).annotate(last_id=Subquery(newest)))
    last = Batch.objects.in_bulk([folder.last_id for folder in folders if folder.last_id is not None])
    return [folder_row(folder, watch=watch, last=last.get(folder.last_id)) for folder in folders]


def as_seen(watch: WatchState, *, folders: list[FolderRow]) -> WatchState:
    """Trouble with a folder that the reader does not see is no news for them."""
    troubled = any(row.health is Health.DEGRADED for row in folders)
    return replace(watch, health=Health.HEALTHY) if watch.health is Health.DEGRADED and not troubled else watch


def folder_row(folder: DropFolder, *, watch: WatchState, last: Batch | None) -> FolderRow:
    return FolderRow(
        folder=folder,
        health=folder_health(folder.pk, enabled=folder.enabled, watch=watch),
        report=watch.roots.get(folder.pk),
        last=last,
    )


def visible_batches(actor: Actor) -> QuerySet[Batch]:
    """Newest first. A delivery is seen with the project that it went to, else with its drop folder."""
    batches = Batch.objects.select_related("drop_folder__project__group", "job__project__group").order_by("-id")
    if sees_all(actor) or memberships(actor).filter(project=None, group=None).exists():
        return batches
    projects = visible_projects(actor).values("pk")
    return batches.filter(Q(job__project__in=projects) | Q(job=None, drop_folder__project__in=projects))


def batch_page(
    actor: Actor, *, chosen: str = "", folder: int | None = None, before: int | None = None, step: int = PAGE
) -> Rows[Batch]:
    """`chosen` is a key of BATCH_FILTERS, or empty for all."""
    batches = visible_batches(actor)
    if chosen:
        batches = batches.filter(status__in=BATCH_FILTERS[chosen])
    if folder is not None:
        batches = batches.filter(drop_folder=folder)
    if before is not None:
        batches = batches.filter(id__lt=before)
    return cut(batches, step=step, key=lambda batch: batch.pk)
