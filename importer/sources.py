"""Which folder somebody may import by hand: a typed path is a site admin's; anybody else has a signed link to one."""

import os
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.core import signing

from hierarchy.errors import NotAllowed, Refused
from hierarchy.models import Project, Role
from hierarchy.services import may
from importer.core.names import printable, raw
from importer.core.states import SourceKind

SALT = "importer.source"
# A link is made anew with every look at the page that shows it.
LINK_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A folder, as bytes, and what an import of it is called. `project_id`: the only project that it may go to."""

    root: bytes
    label: str
    kind: SourceKind = SourceKind.FOLDER
    project_id: int | None = None


def may_type_paths(actor: User | None) -> bool:
    return may(actor, Role.ADMIN)


def signed_source(source: Source, *, actor: User) -> str:
    """For the address of a link: it holds for this user and for a day. Whoever makes it has asked who may."""
    said = [printable(source.root), source.label, source.kind.value, source.project_id, actor.pk]
    return signing.dumps(said, salt=SALT, compress=True)


def opened_source(token: str, *, actor: User) -> Source:
    """Raises Refused for a link that is not ours, not theirs, or too old."""
    try:
        root, label, kind, project_id, user = signing.loads(token, salt=SALT, max_age=LINK_SECONDS)
    except signing.SignatureExpired as error:
        raise Refused("The link to this source is more than a day old: open it again from the batch's page.") from error
    except signing.BadSignature as error:
        raise Refused("This link to a source is broken: open it again from the batch's page.") from error
    if user != actor.pk:
        raise Refused("This link to a source is somebody else's: open your own from the batch's page.")
    return Source(root=raw(root), label=label, kind=SourceKind(kind), project_id=project_id)


def typed_source(path: str, *, actor: User) -> Source:
    """Raises NotAllowed for whoever is no site admin, Refused for what is no whole path."""
    if not may_type_paths(actor):
        raise NotAllowed("Only an admin of the site may import a folder by its path: others begin at a batch's page.")
    if not path.startswith("/") or "\0" in path:
        raise Refused("Write the whole path of the folder, beginning with a slash.")
    root = os.fsencode(path.rstrip("/") or "/")
    return Source(root=root, label=os.path.basename(root).decode(errors="replace") or "/")


def check_goes_to(source: Source, project: Project, *, actor: User) -> None:
    """Raises NotAllowed where a delivery to one project is to be imported into another."""
    if source.project_id not in {None, project.pk} and not may_type_paths(actor):
        raise NotAllowed("This delivery belongs to another project: only an admin of the site may import it elsewhere.")
