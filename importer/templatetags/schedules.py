"""What the pages of schedules show in the same way."""

from typing import Any

from django import template

from importer import schedule_words
from importer.core.transfer_rules import Transfer
from importer.models import ImportSchedule
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
def transfer_words(schedule: ImportSchedule) -> str:
    """What becomes of the bytes; what is not said depends on the storage."""
    return transfer_said(Transfer(schedule.transfer), schedule.storage)
