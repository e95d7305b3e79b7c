"""Who may do what in the tree, and the verbs that change it."""

import re
import unicodedata

from django.db import transaction

from hierarchy.errors import NotAllowed, Refused
from hierarchy.models import Group, Project, Role
from hierarchy.models.containers import GROUP_ID, LABEL_LENGTH
from hierarchy.selectors import Actor, find_project, highest_role, split_address

__all__ = ["ensure_project", "find_project", "may", "require"]


def may(actor: Actor, role: Role, *, project: Project | None = None, group: Group | None = None) -> bool:
    """Whether the actor has the role, or a higher one, there; with neither project nor group: for the whole site.

    None is the system itself, which may everything.
    """
    if actor is None:
        return True
    found = highest_role(actor, project=project, group=group)
    return found is not None and found.rank >= role.rank


def require(actor: Actor, role: Role, *, project: Project | None = None, group: Group | None = None) -> None:
    """Raises NotAllowed with a sentence that names the missing role, never the place."""
    if not may(actor, role, project=project, group=group):
        raise NotAllowed(f"You need the role {role.label.lower()} for this: ask an admin of the project.")


def ensure_project(address: str, *, actor: Actor) -> Project:
    """The project at an address, made with its group where it is missing.

    What is there needs to be visible only; a project is made by an admin of its group, a group by an admin of the
    site. Raises Refused for an address that cannot be one, NotAllowed.
    """
    name, label = split_address(address)
    found = Project.objects.select_related("group").filter(group__name=name, label=label).first()
    if found is not None and may(actor, Role.VIEWER, project=found):
        return found
    require(actor, Role.ADMIN, group=Group.objects.filter(name=name).first())
    _check_names(name, label)
    with transaction.atomic():
        group, _ = Group.objects.get_or_create(name=name, defaults={"label": name})
        return Project.objects.select_related("group").get_or_create(group=group, label=label)[0]


def _check_names(group: str, label: str) -> None:
    if not re.fullmatch(GROUP_ID, group):
        raise Refused(
            f"{group!r} cannot be a group's name: 2 to 64 lower-case letters, digits and . @ _ -, "
            "beginning and ending with a letter or digit."
        )
    if len(label) > LABEL_LENGTH:
        raise Refused(f"A project's label has at most {LABEL_LENGTH} characters; this one has {len(label)}.")
    if "/" in label or any(unicodedata.category(character).startswith("C") for character in label):
        raise Refused("A project's label holds neither slashes nor control characters.")
