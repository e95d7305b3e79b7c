"""The one writer of `status`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Protocol

from django.db import models, transaction
from django.db.models import CheckConstraint, Q

from importer.core.states import sources
from importer.models.event import Event


class StaleTransition(Exception):
    """Of two workers racing for one step, one gets it and the other gets this."""


class Stateful(Protocol):
    """A row with a `status`, its table of moves, and the field of Event that names it."""

    pk: Any
    status: Any
    NEXT: ClassVar[Mapping[str, frozenset[str]]]
    EVENT_FIELD: ClassVar[str]


def move_to(
    row: Stateful, target: str, *, who: str, now: datetime, detail: str = "", quiet: bool = False, **changes: Any
) -> None:
    """Compare-and-set on the old status, with the other changes and an Event in the same transaction.

    `quiet` leaves the Event out: a chunk that ends as it should is not news. Raises StaleTransition when the row is
    no longer in a state from which `target` may follow.
    """
    rows: models.Manager[Any] = type(row)._default_manager  # type: ignore[attr-defined]
    allowed = sources(row.NEXT, target)
    with transaction.atomic():
        won = rows.filter(pk=row.pk, status__in=allowed).update(status=target, **changes)
        if not won:
            raise StaleTransition(f"{type(row).__name__} {row.pk} cannot become {target}")
        if not quiet:
            Event.objects.create(at=now, who=who, what=target, detail=detail, **{row.EVENT_FIELD: row.pk})
    row.status = target
    for name, value in changes.items():
        setattr(row, name, value)


def move_all(
    rows: Sequence[Stateful],
    target: str,
    *,
    who: str,
    now: datetime,
    detail: str = "",
    quiet: bool = False,
    **changes: Any,
) -> None:
    """`move_to` for many rows of one model, in two statements. Raises StaleTransition if one of them has moved on."""
    if not rows:
        return
    manager: models.Manager[Any] = type(rows[0])._default_manager  # type: ignore[attr-defined]
    allowed = sources(rows[0].NEXT, target)
    with transaction.atomic():
        won = manager.filter(pk__in=[row.pk for row in rows], status__in=allowed).update(status=target, **changes)
        if won != len(rows):
            raise StaleTransition(f"{len(rows) - won} {type(rows[0]).__name__} cannot become {target}")
        if not quiet:
            said = [Event(at=now, who=who, what=target, detail=detail, **{row.EVENT_FIELD: row.pk}) for row in rows]
            Event.objects.bulk_create(said, batch_size=1000)
    for row in rows:
        row.status = target


def status_known(table: Mapping[str, frozenset[str]], name: str) -> CheckConstraint:
    """The database's own copy of the closed set."""
    return CheckConstraint(condition=Q(status__in=list(table)), name=name)
