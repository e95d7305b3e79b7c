"""What people may do about what verify found. Permission is asked here."""

from datetime import datetime

from hierarchy.errors import Refused
from hierarchy.models import Role
from hierarchy.selectors import Actor
from hierarchy.services import require
from importer.core.checks import CheckState
from importer.models import Check
from importer.pipeline import checked, repair
from importer.pipeline.repair import CannotRepair
from importer.pipeline.roots import WITNESSES, came_back, sight_of, went_away
from importer.pipeline.sights import RootAway
from importer.verify_queries import visible_checks

# What is larger is read by the schedule or by the command, while nobody waits.
READ_AT_ONCE = 512 * 1024 * 1024


def look_again(check_id: int, *, actor: Actor, now: datetime) -> str:
    """How it is now: a CheckState. Raises NotAllowed or Refused."""
    row = _row(check_id, actor, role=Role.UPLOADER)
    (stored,) = checked.stored(Check.objects.filter(pk=row.pk))
    try:
        sight = sight_of(row.root, checked.witnesses(row.root, most=WITNESSES), now=now)
        read = stored.size <= READ_AT_ONCE
        checked.tell([(stored, sight.read(stored) if read else sight.look(stored))], begun=now, now=now, read=read)
    except RootAway as away:
        went_away(row.root, str(away), now=now)
        return CheckState.AWAY
    came_back(row.root, now=now)
    return Check.objects.values_list("state", flat=True).get(pk=row.pk)


def put_right(check_id: int, *, actor: Actor, who: str, now: datetime) -> str:
    """Where the good bytes came from. Raises NotAllowed, or Refused where none are left."""
    row = _row(check_id, actor, role=Role.DATA_MANAGER)
    try:
        return repair.repair(row.pk, who=who, now=now)
    except CannotRepair as error:
        raise Refused(str(error)) from error


def _row(check_id: int, actor: Actor, *, role: Role) -> Check:
    """Of what the actor does not see, it is not said that it is there."""
    rows = visible_checks(actor).select_related("root__storage", "project__group")
    row = rows.filter(pk=check_id).first()
    if row is None:
        raise Refused("It is not stored any more.")
    require(actor, role, project=row.project)
    return row
