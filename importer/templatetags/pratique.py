"""What every page shows in the same way: states, sizes, times, names, icons."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django import template
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from importer import review_words
from importer.core import names, spans, wording
from importer.models import Placement
from importer.review_queries import COUNTED, waiting_count

register = template.Library()

# Label, address, and the other pages that count as the same part of the product.
SECTIONS: tuple[tuple[str, str, frozenset[str]], ...] = (
    ("Dashboard", "dashboard", frozenset({"drop-folder"})),
    ("Projects", "projects", frozenset({"project", "subject", "session", "acquisition", "file", "file-header"})),
    ("Batches", "batches", frozenset({"batch"})),
    (
        "Imports",
        "imports",
        frozenset(
            {
                "import",
                "import-new",
                "import-conflicts",
                "import-vanished",
                "item",
                "plan",
                "schedules",
                "schedule",
                "schedule-new",
                "schedule-edit",
            }
        ),
    ),
    (
        "Rules",
        "rule-sets",
        frozenset({"rule-set-page", "rule-set-new", "rule-set-edit", "rule-set-try", "rule-set-names"}),
    ),
    (
        "Storages",
        "storages",
        frozenset(
            {
                "storage",
                "storage-new",
                "storage-new-kind",
                "storage-edit",
                "storage-browse",
                "storage-providers",
                "storage-provider",
                "storage-provider-new",
                "storage-provider-edit",
            }
        ),
    ),
    ("Review", "review", frozenset({"conflict", "review-decide", "resolutions", "resolution", "rules", "aliases"})),
    ("Verify", "verify", frozenset()),
)
WORDS: dict[str, Mapping[str, str]] = {
    "conflict": wording.CONFLICT_TYPE,
    "source": wording.SOURCE_KIND,
    "strategy": wording.STRATEGY,
    "uid_scope": wording.UID_SCOPE,
    "missing_meta": wording.MISSING_META,
    "action": review_words.ACTION,
}
MESSAGE_TONES = {"success": "good", "warning": "warn", "error": "bad"}

register.filter("size", spans.size)
register.filter("duration", spans.duration)
register.filter("count", spans.count)


@register.filter
def shown(value: object) -> str:
    """Text from outside with its control characters spelled out; every label, name and tag value goes through it."""
    return "" if value is None else names.shown(str(value))


@register.filter
def message_tone(level: str) -> str:
    return MESSAGE_TONES.get(level, "busy")


@register.filter
def words(value: str, kind: str) -> str:
    """`{{ job.strategy|words:"strategy" }}`: a closed set's value as people say it."""
    return WORDS[kind].get(value, value)


@register.filter
def event_words(what: str) -> str:
    """A state in its words; any other event's name with spaces."""
    return wording.JOB[what].label if what in wording.JOB else what.replace("_", " ").capitalize()


@register.simple_tag
def destination(placement: Placement | None) -> str:
    """Where a file is meant to stand: subject / session / acquisition / file."""
    if placement is None:
        return ""
    parts = (placement.subject_label, placement.session_label, placement.acquisition_label, placement.file_name)
    return " / ".join(names.shown(part) for part in parts if part)


@register.simple_tag
def query(**chosen: str) -> str:
    """Parameters of an address, escaped."""
    return urlencode(chosen)


@register.inclusion_tag("_nav.html", takes_context=True)
def nav(context: template.Context) -> dict[str, Any]:
    """The sections, with the one that the page belongs to marked."""
    request: HttpRequest | None = context.get("request")
    here = request.resolver_match.url_name if request and request.resolver_match else None
    waiting = waiting_count(request.user) if request and hasattr(request, "user") else 0
    return {
        "links": [(label, reverse(name), here == name or here in inside) for label, name, inside in SECTIONS],
        "review_url": reverse("review"),
        "waiting": f"{waiting:,}" if waiting < COUNTED else f"{COUNTED - 1:,}+" if waiting else "",
        "is_waiting": waiting > 0,
    }


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


@register.inclusion_tag("_badge.html")
def resolution_badge(status: str) -> dict[str, Any]:
    return _badge(review_words.RESOLUTION, status)


@register.inclusion_tag("_badge.html")
def decision_badge(status: str) -> dict[str, Any]:
    return _badge(review_words.DECISION, status)


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
    if not at:
        return missing
    local = timezone.localtime(at)
    return format_html(
        '<time datetime="{}" class="nowrap">{}</time>', local.isoformat(timespec="seconds"), spans.moment(local)
    )


@register.simple_tag
def ago(at: datetime | None, missing: str = "never") -> SafeString | str:
    """How long since, with the exact time on hover."""
    if not at:
        return missing
    local = timezone.localtime(at)
    said = spans.since(at, now=timezone.now())
    return format_html(
        '<time datetime="{}" title="{}" class="nowrap">{}</time>',
        local.isoformat(timespec="seconds"), spans.moment(local), said,
    )  # fmt: skip
