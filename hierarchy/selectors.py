"""What an actor may see. Nothing in here changes anything."""

import difflib
import re

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Exists, Q, QuerySet

from hierarchy.errors import Refused
from hierarchy.models import Group, Membership, Project, Role

SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://")
NAMES_COMPARED = 5_000

# None is the system itself: a watcher, a schedule, a command without `--as`.
Actor = User | AnonymousUser | None


def sees_all(actor: Actor) -> bool:
    """The system, and a site admin by Django's own flag."""
    return actor is None or (actor.is_active and actor.is_superuser)


def memberships(actor: Actor) -> QuerySet[Membership]:
    """Those that count: none for the anonymous and for an account that was switched off."""
    if actor is None or actor.pk is None or not actor.is_active:
        return Membership.objects.none()
    return Membership.objects.filter(user_id=actor.pk)


def visible_projects(actor: Actor) -> QuerySet[Project]:
    """Projects that the actor may at least look at: by a membership of the project, of its group or of the site."""
    projects = Project.objects.select_related("group")
    if sees_all(actor):
        return projects
    mine = memberships(actor)
    return projects.filter(
        Q(pk__in=mine.filter(project__isnull=False).values("project"))
        | Q(group__in=mine.filter(group__isnull=False).values("group"))
        | Q(Exists(mine.filter(project=None, group=None)))
    )


def role_in(actor: Actor, project: Project) -> Role | None:
    """The highest role that applies to the project, or None for a stranger."""
    return highest_role(actor, project=project)


def highest_role(actor: Actor, *, project: Project | None = None, group: Group | None = None) -> Role | None:
    """The highest role at a project, else at a group, else at the site; wider memberships count below."""
    if sees_all(actor):
        return Role.ADMIN
    scope = Q(project=None, group=None)
    if project is not None:
        scope |= Q(project=project) | Q(group=project.group_id)
    if group is not None:
        scope |= Q(group=group)
    found = [Role(role) for role in memberships(actor).filter(scope).values_list("role", flat=True)]
    return max(found, key=lambda role: role.rank, default=None)


def split_address(address: str) -> tuple[str, str]:
    """Group name and project label of `GROUP/PROJECT LABEL`; a scheme in front is ignored. Raises Refused."""
    group, slash, label = SCHEME.sub("", address.strip()).strip("/").partition("/")
    if not slash or not group.strip() or not label.strip():
        raise Refused(f"{address!r} is no project address: write GROUP/PROJECT LABEL.")
    return group.strip(), label.strip()


def find_project(address: str, *, actor: Actor = None) -> Project:
    """The project at an address, among those that the actor sees. Raises Refused with the nearest name there is."""
    group, label = split_address(address)
    visible = visible_projects(actor)
    found = visible.filter(group__name=group, label=label).first()
    if found is None:
        raise Refused(f"There is no project {group}/{label}.{_nearest(f'{group}/{label}', visible)}")
    return found


def _nearest(wanted: str, visible: QuerySet[Project]) -> str:
    names = {str(project).casefold(): str(project) for project in visible[:NAMES_COMPARED]}
    close = difflib.get_close_matches(wanted.casefold(), names, n=1)
    if close:
        return f" Did you mean {names[close[0]]}?"
    return "" if names else " There is no project yet: create one first."
