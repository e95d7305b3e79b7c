"""States of deliveries and drop folders, in words."""

from typing import Any

from django import template
from django.utils.html import format_html

from importer.core import names
from importer.rule_choice import RuleSetRow
from importer.templatetags.pratique import ago, moment
from watcher import selectors, wording
from watcher.health import WatchState
from watcher.models import DropFolder

register = template.Library()
FOLDERS_SHOWN = 20


@register.inclusion_tag("_badge.html")
def batch_badge(status: str) -> dict[str, Any]:
    return {"wording": wording.BATCH[status]}


@register.inclusion_tag("_badge.html")
def health_badge(health: str) -> dict[str, Any]:
    return {"wording": wording.HEALTH[health]}


@register.inclusion_tag("watcher/_watch_notice.html")
def watch_notice(watch: WatchState) -> dict[str, Any]:
    """Who watches, since when, and what to do when nobody does."""
    advice = wording.WATCH[watch.health]
    said = format_html(
        advice.sentence.replace("{host}", "<strong>{host}</strong>"),
        host=names.shown(watch.host), since=moment(watch.since), beat=ago(watch.beat_at),
    )  # fmt: skip
    return {"wording": wording.HEALTH[watch.health], "sentence": said, "commands": advice.commands}


@register.filter
def completion_words(value: str) -> str:
    return wording.COMPLETION[value]


@register.simple_tag(takes_context=True)
def drop_folders_of(context: template.Context, row: RuleSetRow) -> list[DropFolder]:
    """Those that name a rule set, as far as the reader sees them."""
    return list(selectors.folders_with(context["request"].user, row)[:FOLDERS_SHOWN])
