"""How storages are: checked now, and again every few hours. Asks nobody for permission; who may is for the services."""

import logging
import os
import random
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from storages.checks import CheckReport, Step, StepName, StepOutcome, check
from storages.models import Direction, ExternalStorage, Health, StorageCheck
from storages.secrets import KeyMissing, opened
from storages.stores import Kind, StoreConfig
from storages.stores.keys import raw

log = logging.getLogger(__name__)

AGAIN = timedelta(hours=4)
# What failed may work again soon.
SOONER = timedelta(minutes=30)
# A share of the time until the next check, either way: a hundred storages are not asked in the same second.
JITTER = 0.1
# After so long, a check that somebody took and never ended is anybody's again.
TAKEN = timedelta(minutes=10)
# Of each storage: a week of checks and more.
KEPT = 60

SYSTEM = "system"
# What a check is about.
CHECKED = ("bucket", "endpoint", "region", "direction", "from_machine", "credentials_at")


def config_of(storage: ExternalStorage) -> StoreConfig:
    """How to open it. Raises KeyMissing for credentials that cannot be decrypted."""
    local = storage.kind == Kind.LOCAL
    return StoreConfig(
        kind=Kind(storage.kind),
        # A folder's path may be any bytes; kept is its printable form.
        bucket=os.fsdecode(raw(storage.bucket)) if local else storage.bucket,
        prefix=storage.prefix,
        endpoint=storage.endpoint,
        region=storage.region,
        account=storage.account,
        credentials=opened(storage.credentials),
        from_machine=storage.from_machine,
    )


def writes(storage: ExternalStorage) -> bool:
    """Whether we put anything there."""
    return storage.direction != Direction.IMPORT


def check_storage(
    storage_id: int, *, who: str, clock: Callable[[], datetime] = timezone.now, jitter: float | None = None
) -> StorageCheck | None:
    """Checks it and writes down what was found; None when it was deleted before that was known.

    `jitter` is between -1 and 1.
    """
    storage = ExternalStorage.objects.filter(pk=storage_id).first()
    if storage is None:
        return None
    report = _report(storage)
    swing = random.uniform(-1, 1) if jitter is None else jitter  # noqa: S311  spreads work, keeps no secret
    now = clock()
    return _written(storage, report, who=who, now=now, next_at=next_check(report.health, now=now, jitter=swing))


def next_check(health: str, *, now: datetime, jitter: float) -> datetime:
    return now + (AGAIN if health == Health.OK else SOONER) * (1 + JITTER * jitter)


def _report(storage: ExternalStorage) -> CheckReport:
    try:
        config = config_of(storage)
    except KeyMissing as error:
        return CheckReport((Step(StepName.OPEN, StepOutcome.FAILED, str(error)),), "", 0.0)
    return check(config, write=writes(storage), known_as=storage.identity)


@transaction.atomic
def _written(
    storage: ExternalStorage, report: CheckReport, *, who: str, now: datetime, next_at: datetime
) -> StorageCheck | None:
    # An edit while the check ran has asked for another check of its own: what was found is about what was before.
    same = ExternalStorage.objects.filter(pk=storage.pk, **{name: getattr(storage, name) for name in CHECKED})
    if not same.update(health=report.health, health_words=report.words, checked_at=now, next_check_at=next_at):
        return None
    if report.health == Health.OK and not storage.identity:
        same.filter(identity="").update(identity=report.identity)
    made = StorageCheck.objects.create(
        storage_id=storage.pk, at=now, who=who, health=report.health, words=report.words,
        steps=[{"name": step.name, "outcome": step.outcome, "words": step.words} for step in report.steps],
        seconds=report.seconds,
    )  # fmt: skip
    _forget_old(storage.pk)
    return made


def _forget_old(storage_id: int) -> None:
    checks = StorageCheck.objects.filter(storage=storage_id).order_by("-id")
    last = checks.values_list("pk", flat=True)[KEPT - 1 : KEPT].first()
    if last is not None:
        checks.filter(pk__lt=last).delete()


def take_due(*, now: datetime, most: int = 20) -> list[int]:
    """Storages whose check is due, the longest waiting first; each is given to one asker only."""
    due = ExternalStorage.objects.filter(enabled=True, next_check_at__lte=now).order_by("next_check_at", "pk")
    return [
        pk
        for pk, at in due.values_list("pk", "next_check_at")[:most]
        if ExternalStorage.objects.filter(pk=pk, next_check_at=at).update(next_check_at=now + TAKEN)
    ]
