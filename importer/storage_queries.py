"""Which storages there are for an actor. Nothing in here changes anything."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, Q, QuerySet

from hierarchy.errors import Refused
from hierarchy.models import Membership, Role
from hierarchy.selectors import Actor, memberships, sees_all
from hierarchy.services import may
from importer.models import Event
from storages.models import Direction, ExternalStorage, Health, StorageCheck, StorageProvider

# A number that a database holds.
NUMBER = re.compile(r"[0-9]{1,18}")
EVENTS = 50
CHECKS = 20
WORKS_WITH = [role.value for role in Role if role.rank >= Role.UPLOADER.rank]


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageChoice:
    """Which storages a list shows; `health` may be `off`, too."""

    health: str = ""
    kind: str = ""
    direction: str = ""
    words: str = ""


# What a reader may choose in the list: the word in the address, and the rows behind it.
HEALTHS = {
    "ok": Q(enabled=True, health=Health.OK),
    "failed": Q(enabled=True, health=Health.FAILED),
    "unchecked": Q(enabled=True, health=Health.UNCHECKED),
    "off": Q(enabled=False),
}
DIRECTIONS = {
    "import": Q(direction__in=[Direction.IMPORT, Direction.BOTH]),
    "export": Q(direction__in=[Direction.EXPORT, Direction.BOTH]),
}


def visible(actor: Actor) -> "QuerySet[ExternalStorage]":
    """Those of a project for whoever may import into it, those of a group for the users of any project in it, those of
    the site for whoever has a role anywhere."""
    rows = _rows()
    if sees_all(actor):
        return rows
    mine = memberships(actor)
    return rows.filter(_of_projects(_working(mine)) | _of_groups(mine) | Q(Exists(mine), group=None, project=None))


def usable(actor: Actor) -> "QuerySet[ExternalStorage]":
    """Those that the actor may look into and import from: as `visible`, for whoever may import somewhere there."""
    rows = _rows()
    if sees_all(actor):
        return rows
    mine = _working(memberships(actor))
    return rows.filter(_of_projects(mine) | _of_groups(mine) | Q(Exists(mine), group=None, project=None))


def may_manage(actor: Actor) -> bool:
    """Whether the actor may make, change and delete storages and providers: an admin of the site."""
    return may(actor, Role.ADMIN)


def _rows() -> "QuerySet[ExternalStorage]":
    return ExternalStorage.objects.select_related("group", "project__group", "provider").defer("credentials")


def _working(mine: "QuerySet[Membership]") -> "QuerySet[Membership]":
    return mine.filter(role__in=WORKS_WITH)


def _of_projects(mine: "QuerySet[Membership]") -> Q:
    everywhere = Q(Exists(mine.filter(project=None, group=None)), project__isnull=False)
    own = Q(project__in=mine.filter(project__isnull=False).values("project"))
    return own | everywhere | Q(project__group__in=mine.filter(group__isnull=False).values("group"))


def _of_groups(mine: "QuerySet[Membership]") -> Q:
    everywhere = Q(Exists(mine.filter(project=None, group=None)), group__isnull=False)
    by_project = Q(group__in=mine.filter(project__isnull=False).values("project__group"))
    return everywhere | by_project | Q(group__in=mine.filter(group__isnull=False).values("group"))


def listed(actor: Actor, choice: StorageChoice | None = None) -> "QuerySet[ExternalStorage]":
    """By label."""
    choice = choice or StorageChoice()
    rows = visible(actor).order_by("label", "id")
    if choice.health:
        rows = rows.filter(HEALTHS[choice.health])
    if choice.kind:
        rows = rows.filter(kind=choice.kind)
    if choice.direction:
        rows = rows.filter(DIRECTIONS[choice.direction])
    if choice.words:
        found = Q(label__icontains=choice.words) | Q(bucket__icontains=choice.words)
        rows = rows.filter(found | Q(prefix__icontains=choice.words) | Q(description__icontains=choice.words))
    return rows


def find(actor: Actor, said: str) -> ExternalStorage:
    """By label, whatever its case, or by number. Raises Refused for what is not there, or not to be seen."""
    rows = visible(actor)
    found = rows.filter(label__iexact=said).first()
    if found is None and NUMBER.fullmatch(said):
        found = rows.filter(pk=int(said)).first()
    if found is None:
        raise Refused(f"There is no storage {said}: look at the list of storages.")
    return found


def providers(actor: Actor) -> "QuerySet[StorageProvider]":
    """With how many storages stand on each. An admin of the site sees all, others those of the storages they see."""
    rows = StorageProvider.objects.annotate(used_by=Count("storages")).order_by("label", "id")
    return rows if may_manage(actor) else rows.filter(pk__in=visible(actor).order_by().values("provider"))


def find_provider(actor: Actor, said: str) -> StorageProvider:
    """By label, whatever its case, or by number. Raises Refused."""
    rows = providers(actor)
    found = rows.filter(label__iexact=said).first()
    if found is None and NUMBER.fullmatch(said):
        found = rows.filter(pk=int(said)).first()
    if found is None:
        raise Refused(f"There is no storage provider {said}: look at the list of providers.")
    return found


def checks_of(storage: ExternalStorage) -> Sequence[StorageCheck]:
    """The newest first."""
    return list(StorageCheck.objects.filter(storage=storage).order_by("-id")[:CHECKS])


def events_of(**which: Any) -> Sequence[Event]:
    """`storage_id=` or `provider_id=`; the newest first."""
    return list(Event.objects.filter(**which).order_by("-id")[:EVENTS])
