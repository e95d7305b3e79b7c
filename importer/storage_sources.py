"""What may be imported from a storage, into which project, by whom."""

from collections.abc import Iterable

from django.contrib.auth.models import User

from hierarchy.errors import Refused
from hierarchy.models import Project
from importer.core.names import raw
from importer.storage_queries import NUMBER, usable
from importer.storage_services import usable_by
from storages.models import Direction, ExternalStorage

MOST_PREFIXES = 1000
LONGEST_PREFIX = 1024


def named_storage(said: str, *, actor: User | None) -> ExternalStorage:
    """By its label, in any case, or its number. Raises Refused."""
    rows = usable(actor)
    found = rows.filter(label__iexact=said).first()
    if found is None and NUMBER.fullmatch(said):
        found = rows.filter(pk=int(said)).first()
    if found is None:
        raise Refused(f"There is no storage {said} to import from: look at the list of storages.")
    return found


def checked_storage(storage: ExternalStorage, project: Project, *, actor: User | None) -> ExternalStorage:
    """The row as it is now. Raises NotAllowed, or Refused with what is in the way."""
    kept = usable_by(storage.pk, actor)
    if not kept.enabled:
        raise Refused(f"{kept.label} is switched off: an admin of the site can switch it on again.")
    if kept.direction == Direction.EXPORT:
        raise Refused(f"{kept.label} is for exports only: choose another storage, or have its direction changed.")
    if kept.project_id not in {None, project.pk}:
        raise Refused(f"{kept.label} belongs to the project {kept.project}: what lies there goes to no other.")
    if kept.group_id not in {None, project.group_id}:
        raise Refused(f"{kept.label} belongs to the group {kept.group}: what lies there goes to no other.")
    return kept


def checked_prefixes(said: Iterable[str]) -> list[str]:
    """In the order of a listing, none twice and none below another; empty for all of it. Raises Refused."""
    found = sorted({prefix for prefix in said if prefix}, key=raw) if all(said) else []
    if len(found) > MOST_PREFIXES:
        raise Refused(f"{len(found):,} prefixes are too many: give up to {MOST_PREFIXES:,}, or one that holds them.")
    kept: list[str] = []
    for prefix in found:
        if len(raw(prefix)) > LONGEST_PREFIX:
            raise Refused(f"A prefix has at most {LONGEST_PREFIX:,} bytes, as a key has.")
        if not kept or not raw(prefix).startswith(raw(kept[-1])):
            kept.append(prefix)
    return kept
