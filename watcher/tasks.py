"""What beat asks for. It may run twice, and it may be lost: the watcher and the next beat do the same."""

from django.utils import timezone

from config import celery_app
from watcher import services


@celery_app.task(name="watcher.tasks.settle")
def settle() -> None:
    services.settle_batches(now=timezone.now())
