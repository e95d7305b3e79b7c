"""What every page shows in the same way: states, sizes, times, names, icons."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import template
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from importer.core import names, spans, wording

register = template.Library()

# Label, address, and the other pages that count as the same part of the product.
SECTIONS: tuple[tuple[str, str, frozenset[str]], ...] = (
    ("Dashboard", "dashboard", frozenset({"drop-folder"})),
    ("Projects", "projects", frozenset({"project", "subject", "session", "acquisition", "file"})),
    ("Batches", "batches", frozenset({"batch"})),
    ("Imports", "imports", frozenset({"import"})),
)
MESSAGE_TONES = {"success": "good", "warning": "warn", "error": "bad"}

register.filter("shown", names.shown)
register.filter("size", spans.size)
register.filter("duration", spans.duration)
register.filter("count", spans.count)


@register.filter
def message_tone(level: str) -> str:
    return MESSAGE_TONES.get(level, "busy")


@register.filter
def conflict_type(value: str) -> str:
    return wording.CONFLICT_TYPE.get(value, value)


@register.filter
def source_kind(value: str) -> str:
    return wording.SOURCE_KIND.get(value, value)


@register.inclusion_tag("_nav.html", takes_context=True)
def nav(context: template.Context) -> dict[str, Any]:
    """The sections, with the one that the page belongs to marked."""
    request: HttpRequest | None = context.get("request")
    here = request.resolver_match.url_name if request and request.resolver_match else None
    return {"links": [(label, _address(name), here == name or here in inside) for label, name, inside in SECTIONS]}


def _address(name: str) -> str:
    try:
        return reverse(name)
    except NoReverseMatch:
        return "/"


@register.inclusion_tag("_crumbs.html")
def crumbs(*pairs: object) -> dict[str, Any]:
    """`{% crumbs "Imports" imports_url … %}`: label, address, label, address, from the top to the page's parent."""
    return {"crumbs": list(zip(pairs[::2], pairs[1::2], strict=True))}


def _badge(words: Mapping[str, wording.Wording], value: str | None) -> dict[str, Any]:
    return {"wording": words[value] if value else wording.UNDECIDED}


@register.inclusion_tag("_badge.html")
def job_badge(status: str) -> dict[str, Any]:
    return _badge(wording.JOB, status)


@register.inclusion_tag("_badge.html")
def outcome_badge(outcome: str | None) -> dict[str, Any]:
    return _badge(wording.OUTCOME, outcome)


@register.inclusion_tag("_badge.html")
def conflict_badge(status: str) -> dict[str, Any]:
    return _badge(wording.CONFLICT, status)


@register.simple_tag
def icon(name: str, *, attrs: str = "", css: str = "") -> SafeString:
    """Decoration: what it means stands beside it in words. `attrs` comes from templates only."""
    opening = mark_safe(attrs)  # noqa: S308 (written in templates, never data)
    classes = f"icon {css}".strip()
    return format_html(
        '<svg class="{}" aria-hidden="true" focusable="false" {}><use href="{}#{}"></use></svg>',
        classes, opening, static("icons.svg"), name,
    )  # fmt: skip


@register.simple_tag
def moment(at: datetime | None, missing: str = "—") -> SafeString | str:
    """A point in time, in the installation's zone."""
    if at is None:
        return missing
    local = timezone.localtime(at)
    return format_html(
        '<time datetime="{}" class="nowrap">{}</time>', local.isoformat(timespec="seconds"), spans.moment(local)
    )


@register.simple_tag
def ago(at: datetime | None, missing: str = "never") -> SafeString | str:
    """How long since, with the exact time on hover."""
    if at is None:
        return missing
    local = timezone.localtime(at)
    said = spans.since(at, now=timezone.now())
    return format_html(
        '<time datetime="{}" title="{}" class="nowrap">{}</time>',
        local.isoformat(timespec="seconds"), spans.moment(local), said,
    )  # fmt: skip
