"""Whether archive and quarantine are the places that were used before, and not the empty folder under a mount point.

A place carries a mark, a small file; the database knows what it says. A place that was never used before is marked at
its first use.
"""

import uuid
from datetime import datetime

from storages.errors import PlaceAway
from storages.models import KnownPlace, Ours
from storages.place_contract import MARK, Place
from storages.places import archive, quarantine


def check_ours(*, now: datetime) -> None:
    """Before anything is written, or concluded from what is missing. Raises PlaceAway."""
    for name, place in ((Ours.ARCHIVE, archive()), (Ours.QUARANTINE, quarantine())):
        check_mark(name, place, now=now)


def check_mark(name: Ours, place: Place, *, now: datetime) -> None:
    known = KnownPlace.objects.filter(name=name).values_list("mark", flat=True).first()
    there = place.mark()
    if known is None:
        there = there or place.set_mark(uuid.uuid4().hex)
        known = KnownPlace.objects.get_or_create(name=name, defaults={"mark": there, "known_since": now})[0].mark
    if there != known:
        raise PlaceAway(
            f"The {name} is not there, or not the one that was used before: is its disk mounted, is its address "
            f"right? (Its file {MARK} should hold {known}.)"
        )
