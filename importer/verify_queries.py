"""How well it is known that what is stored is still what was stored. Nothing in here changes anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, F, Q, QuerySet

from hierarchy.models import Acquisition, File, FileVersion, Session
from hierarchy.selectors import Actor, sees_all, visible_projects
from importer.core.checks import WRONG, CheckState, Lies
from importer.models import Check, CheckedRoot
from importer.storage_queries import visible

READ = (CheckState.OK, CheckState.CHANGED)
# Of what is wrong in one container.
SOME = 20
WORDS = {Lies.ARCHIVE: "Archive", Lies.QUARANTINE: "Quarantine"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Stored files and held ones; `recent` of them were read whole within `days`, `fresh` of these found right. While
    its place is away, a file is `away`, whatever is known of it."""

    total: int = 0
    recent: int = 0
    fresh: int = 0
    days: int
    ok: int = 0
    changed: int = 0
    missing: int = 0
    unreadable: int = 0
    unchecked: int = 0
    away: int = 0

    @property
    def wrong(self) -> int:
        return self.changed + self.missing + self.unreadable

    @property
    def percent(self) -> int:
        """Rounded down: 100 means all."""
        return self.recent * 100 // self.total if self.total else 100

    @property
    def words(self) -> str:
        if not self.total:
            return "Nothing is stored yet."
        return f"{self.percent}% re-read in {self.days} days ({self.recent:,} of {self.total:,} files)."


def visible_checks(actor: Actor) -> "QuerySet[Check]":
    """Of what is stored in projects that the actor sees."""
    rows = Check.objects.all()
    return rows if sees_all(actor) else rows.filter(project__in=visible_projects(actor))


def coverage_of(*, actor: Actor, now: datetime, **which: object) -> Coverage:
    """Of all that the actor sees; `which` narrows it down, as filter() does."""
    found = visible_checks(actor).filter(**which).order_by().aggregate(**_counts(now))
    return Coverage(days=settings.PRATIQUE_VERIFY_DAYS, **found)


def _counts(now: datetime) -> dict[str, Count]:
    here = Q(root__away_since=None)
    recent = Q(read_at__gte=now - timedelta(days=settings.PRATIQUE_VERIFY_DAYS), state__in=READ) & here
    states = [state for state in CheckState if state != CheckState.AWAY]
    return {
        "total": Count("pk"),
        "recent": Count("pk", filter=recent),
        "fresh": Count("pk", filter=recent & Q(state=CheckState.OK)),
        "away": Count("pk", filter=~here),
        **{state.value: Count("pk", filter=here & Q(state=state)) for state in states},
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class RootRow:
    """One place as the page shows it."""

    root: CheckedRoot
    name: str
    address: str
    coverage: Coverage
    is_off: bool = False


def root_rows(actor: Actor, *, now: datetime) -> Sequence[RootRow]:
    """Our own places, then the storages that the actor sees, as far as something of theirs lies there."""
    grouped = visible_checks(actor).order_by().values("root").annotate(**_counts(now))
    days = settings.PRATIQUE_VERIFY_DAYS
    known = {row["root"]: Coverage(days=days, **{name: row[name] for name in _counts(now)}) for row in grouped}  # type: ignore[literal-required]
    roots = CheckedRoot.objects.filter(Q(storage=None) | Q(storage__in=visible(actor).order_by().values("pk")))
    rows = sorted(roots.select_related("storage"), key=lambda root: (root.storage_id is not None, root.pk))
    return [_row(root, known.get(root.pk, Coverage(days=days))) for root in rows if root.pk in known or sees_all(actor)]


def _row(root: CheckedRoot, coverage: Coverage) -> RootRow:
    if root.storage is None:
        return RootRow(root=root, name=WORDS[Lies(root.place)], address="", coverage=coverage)
    return RootRow(
        root=root, name=root.storage.label, address=root.storage.address, coverage=coverage,
        is_off=not root.storage.enabled,
    )  # fmt: skip


CHOICES = {
    "changed": Q(state=CheckState.CHANGED, root__away_since=None),
    "missing": Q(state=CheckState.MISSING, root__away_since=None),
    "unreadable": Q(state=CheckState.UNREADABLE, root__away_since=None),
    "away": Q(root__away_since__isnull=False),
    "unread": Q(read_at=None, root__away_since=None),
}
WRONG_HERE = Q(state__in=sorted(WRONG), root__away_since=None)


def listed(actor: Actor, *, chosen: str = "", root: int | None = None, project: int | None = None) -> "QuerySet[Check]":
    """What is wrong, the newest first; `chosen` is a key of CHOICES."""
    rows = visible_checks(actor).filter(CHOICES.get(chosen, WRONG_HERE))
    if root is not None:
        rows = rows.filter(root=root)
    if project is not None:
        rows = rows.filter(project=project)
    found = rows.select_related("root__storage", "project__group", "version__file", "conflict")
    return found.order_by("-pk")


def state_of(version: FileVersion) -> Check | None:
    """None before its first check."""
    return Check.objects.filter(version=version).select_related("root__storage").first()


def wrong_in(container: Session | Acquisition) -> Sequence[Check]:
    """Of the newest versions of files in it: what is wrong, and what lies at a place that is away. Some of it."""
    at = Q(acquisition=container.pk)
    if isinstance(container, Session):
        at = Q(session=container.pk) | Q(acquisition__session=container.pk)
    files = File.objects.filter(at).order_by().values("pk")
    rows = Check.objects.filter(
        WRONG_HERE | Q(root__away_since__isnull=False),
        version__file__in=files,
        version__number=F("version__file__version"),
    )
    return list(rows.select_related("root__storage", "version__file").order_by("pk")[:SOME])
