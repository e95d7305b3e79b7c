"""What beat asks for. Beside `importer.tasks`, since schedules start imports, and to start one is to use a task."""

from django.utils import timezone

from config import celery_app
from importer import schedules


@celery_app.task(name="importer.schedule_tasks.run_schedules")
def run_schedules() -> None:
    """What is lost is still due the next time."""
    schedules.run_due(now=timezone.now())
