"""What the pages of storages show in the same way."""

from datetime import UTC, datetime
from typing import Any

from django import template
from django.utils import timezone

from importer import storage_words
from importer.core import spans
from storages.models import ExternalStorage

register = template.Library()
NANO = 1_000_000_000


@register.inclusion_tag("_badge.html")
def storage_badge(storage: ExternalStorage) -> dict[str, Any]:
    return {"wording": storage_words.HEALTH[storage.health] if storage.enabled else storage_words.OFF}


@register.inclusion_tag("_badge.html")
def health_of_check(health: str) -> dict[str, Any]:
    return {"wording": storage_words.HEALTH[health]}


@register.inclusion_tag("_badge.html")
def step_badge(outcome: str) -> dict[str, Any]:
    return {"wording": storage_words.STEP_OUTCOME[outcome]}


@register.filter
def step_words(name: str) -> str:
    return storage_words.STEP.get(name, name)


@register.filter
def kind_words(kind: str) -> str:
    """Short: for a column."""
    return storage_words.KINDS[kind].short


@register.filter
def direction_words(direction: str) -> str:
    return storage_words.DIRECTION[direction]


@register.filter
def access_words(access: str) -> str:
    return storage_words.ACCESS[access]


@register.filter
def last_name(key: str) -> str:
    """`c/` of `a/b/c/`, `d` of `a/d`: what a row inside its folder is called."""
    whole = key.removesuffix("/")
    return whole.rpartition("/")[2] + key[len(whole) :]


@register.filter
def not_a_file(kind: str) -> str:
    """Why a name in a folder is nothing to read."""
    return storage_words.NOT_A_FILE[kind]


@register.filter
def at_ns(nanoseconds: int) -> str:
    """A point in time of a store, in the installation's zone."""
    at = datetime.fromtimestamp(nanoseconds // NANO, tz=UTC)
    return spans.moment(timezone.localtime(at))


@register.filter
def value(values: dict[str, str], name: str) -> str:
    """What a form shows in the field of that name."""
    return values.get(name, "")
