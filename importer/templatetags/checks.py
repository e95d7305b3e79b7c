"""How stored files were found, on the pages of the files."""

from typing import Any

from django import template

from hierarchy.models import Acquisition, FileVersion, Session
from importer.core.checks import CheckState
from importer.verify_queries import state_of, wrong_in
from importer.verify_words import CHECK, ENDED

register = template.Library()


@register.inclusion_tag("_badge.html")
def check_badge(state: str) -> dict[str, Any]:
    return {"wording": CHECK[state]}


@register.filter
def ended_words(ended: str) -> str:
    return ENDED[ended]


@register.inclusion_tag("verify/_of_version.html")
def check_of(version: FileVersion) -> dict[str, Any]:
    """How this version was found the last time."""
    row = state_of(version)
    if row is None:
        return {"state": CheckState.UNCHECKED}
    away = row.root.away_since is not None
    return {
        "state": CheckState.AWAY if away else row.state,
        "words": row.root.words if away else row.words,
        "row": row,
    }


@register.inclusion_tag("verify/_wrong_in.html")
def wrong_here(container: Session | Acquisition) -> dict[str, Any]:
    """A notice where the newest version of something in it is wrong, or its place away."""
    rows = wrong_in(container)
    return {
        "wrong": [row for row in rows if row.root.away_since is None],
        "away": [row for row in rows if row.root.away_since is not None],
    }
