"""What the pages of schedules, and of imports from storages, show in the same way."""

from typing import Any

from django import template

from importer import schedule_words
from importer.core.transfer_rules import Transfer
from importer.models import ImportJob, ImportSchedule
from importer.schedule_words import transfer_said

register = template.Library()


@register.inclusion_tag("_badge.html")
def schedule_badge(schedule: ImportSchedule) -> dict[str, Any]:
    return {"wording": schedule_words.STATE[schedule_words.state_of(schedule)]}


@register.filter
def folder_name(key: str) -> str:
    """`c/` of `a/b/c/`."""
    return f"{key.removesuffix('/').rpartition('/')[2]}/"


@register.filter
def transfer_words(asked: ImportSchedule | ImportJob) -> str:
    """What becomes of the bytes of a storage's files; what is not said depends on the storage."""
    return transfer_said(Transfer(asked.transfer), asked.storage) if asked.storage else ""
