"""Settings and wiring. Importing it makes the Celery app known, so that tasks bind to it in every process."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
