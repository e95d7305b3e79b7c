"""How times, ages and places of the tree are written."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from hierarchy.models import Acquisition, Session

register = template.Library()

YEAR, MONTH, WEEK, DAY = 31_557_600, 2_592_000, 604_800, 86_400
# From two of a unit on, it is the one to speak in: a child of 18 months is not one year old.
ENOUGH = 2


@register.simple_tag
def recorded(found: Session | Acquisition) -> SafeString | str:
    """A moment as the clock on the wall showed it, with its offset and the zone's name: never the reader's zone."""
    at = found.moment
    if at is None:
        return "—"
    offset = f"{at:%z}"
    zone = f"UTC{offset[:3]}:{offset[3:5]}"
    name = "" if found.timestamp_zone == zone else found.timestamp_zone
    return format_html(
        '<time datetime="{}"><span class="nowrap">{}</span> <span class="nowrap">{}</span> '
        '<span class="soft nowrap">{}</span></time>',
        at.isoformat(timespec="seconds"), f"{at.day} {at:%b %Y, %H:%M:%S}", zone, name,
    )  # fmt: skip


@register.filter
def age(seconds: int | None) -> str:
    """`34 years`, `18 months`, `5 weeks`, `3 days`, by the lengths that DICOM ages are read with."""
    if seconds is None:
        return ""
    for length, unit in ((YEAR, "years"), (MONTH, "months"), (WEEK, "weeks")):
        if seconds >= ENOUGH * length:
            return f"{seconds // length} {unit}"
    days = seconds // DAY
    return "1 day" if days == 1 else f"{days} days"


@register.filter
def lines_of(info: Mapping[str, Any]) -> list[tuple[str, str]]:
    """`{"scanner": {"station": "A", "field": 3}}` → `scanner.field: 3`, `scanner.station: A`, by name."""
    return sorted(_lines(info, ""))


def _lines(info: Mapping[str, Any], above: str) -> Iterator[tuple[str, str]]:
    for key, value in info.items():
        name = f"{above}.{key}" if above else str(key)
        if isinstance(value, Mapping) and value:
            yield from _lines(value, name)
        else:
            yield name, _written(value)


def _written(value: Any) -> str:
    """Text as it is, a list of texts with commas, anything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(one, str | int | float) for one in value):
        return ", ".join(map(_written, value))
    return json.dumps(value, ensure_ascii=False)


@register.filter
def number_of(count: int, noun: str) -> str:
    """`1 session`, `1,204 sessions`."""
    return f"1 {noun}" if count == 1 else f"{count:,} {noun}s"
