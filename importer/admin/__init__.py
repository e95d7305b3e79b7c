"""Read-only pages for administrators; Django finds them here."""

from importer.admin import jobs, review, rules, schedules, storages

__all__ = ["jobs", "review", "rules", "schedules", "storages"]
