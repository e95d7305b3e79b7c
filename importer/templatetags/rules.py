"""What pages of rules show: fates of files, and rows of proposals."""

from typing import Any

from django import template

from importer import rule_names_views
from importer.core import names
from importer.core.rules.proposals import Row
from importer.rule_words import FATE

register = template.Library()


@register.inclusion_tag("_badge.html")
def fate_badge(fate: str) -> dict[str, Any]:
    return {"wording": FATE[fate]}


@register.simple_tag
def was(row: Row) -> str:
    """What a row of a proposal says as it is shown."""
    return rule_names_views.was(row)


@register.filter
def shown_lines(text: str) -> str:
    """As `shown`, line by line."""
    return "\n".join(map(names.shown, text.split("\n")))
