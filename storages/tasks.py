"""What beat asks for. A task that is lost is asked for again when its storage is due the next time."""

import logging

from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from config import celery_app
from storages import health

log = logging.getLogger(__name__)


@celery_app.task(name="storages.tasks.check_due")
def check_due() -> None:
    """One task for each storage, so that one that hangs keeps no other waiting."""
    for storage_id in health.take_due(now=timezone.now()):
        try:
            check_storage.delay(storage_id)
        except (BrokerError, OSError) as error:
            log.warning("storage=%s its check could not be handed over: %s", storage_id, type(error).__name__)


@celery_app.task(name="storages.tasks.check_storage")
def check_storage(storage_id: int) -> None:
    health.check_storage(storage_id, who=health.SYSTEM)
