"""What decisions left behind: standing rules, and the aliases that keep a study from being asked about again."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from hierarchy.errors import NotAllowed, Refused
from hierarchy.models import Project
from hierarchy.paging import keyset
from hierarchy.selectors import visible_projects
from importer import review, review_queries
from importer.core.methods import FITS, Unfit
from importer.models import Alias, StandingRule
from importer.review_forms import next_of
from importer.review_offers import MODELS
from importer.review_words import ACTION
from importer.services import who_is
from importer.views import reader

LOOK_BACK = timedelta(days=30)


@require_safe
def rules(request: HttpRequest) -> HttpResponse:
    """What is always done for a project and type, with what it would have done lately."""
    since = timezone.now() - LOOK_BACK
    page = keyset(request, review_queries.rules_of(request.user), by=("-id",), step=20)
    managed = set(review_queries.managed_projects(request.user).values_list("pk", flat=True))
    rows = [
        {
            "rule": rule,
            **effect(rule, since=since),
            "label": ACTION[rule.action],
            "may": rule.project_id in managed,
        }
        for rule in page.rows
    ]
    context = {"page": page, "rows": rows, "preview": _preview(request), "here": "rules"}
    return render(request, "review/rules.html", context)


def _preview(request: HttpRequest) -> dict[str, Any] | None:
    """A rule that somebody thinks of making, from a decision: what it would have done. Nothing is stored."""
    wanted, kind, action = (request.GET.get(name, "") for name in ("project", "type", "action"))
    if kind not in FITS or action not in FITS[kind] or not (wanted.isascii() and wanted.isdigit()):
        return None
    project = visible_projects(request.user).filter(pk=int(wanted[:18])).first()
    if project is None:
        return None
    rule = StandingRule(project=project, type=kind, action=action)
    return {"rule": rule, "label": ACTION[action], **effect(rule, since=timezone.now() - LOOK_BACK)}


def effect(rule: StandingRule, *, since: datetime) -> dict[str, int]:
    found = review.rule_effect(rule, since=since)
    return {
        "conflicts": found["conflicts"],
        "same": found["decided the same"],
        "otherwise": found["decided otherwise"],
        "open": found["open"],
    }


@require_POST
def rule_set(request: HttpRequest) -> HttpResponse:
    """Makes a rule, or switches one on or off."""
    said, actor = request.POST, reader(request)
    project_id = said.get("project", "")
    usable = int(project_id[:18]) if project_id.isascii() and project_id.isdigit() else 0
    project = get_object_or_404(Project.objects.filter(pk__in=visible_projects(actor).values("pk")), pk=usable)
    kind, enabled = said.get("type", ""), said.get("enabled") == "1"
    try:
        if kind not in FITS:
            raise Refused("There is no such type of conflict.")
        review.set_standing_rule(
            project,
            conflict_type=kind,
            action=said.get("action", ""),
            enabled=enabled,
            actor=actor,
            who=who_is(actor),
            now=timezone.now(),
        )
    except NotAllowed:
        raise
    except (Refused, Unfit) as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, "The rule is on: it decides in imports from now on." if enabled else RULE_OFF)
    return redirect("rules")


RULE_OFF = "The rule is off: such conflicts wait for a decision again."


@require_safe
def aliases(request: HttpRequest) -> HttpResponse:
    """Which study or series goes where without being asked about."""
    page = keyset(request, review_queries.aliases_of(request.user), by=("-id",))
    managed = set(review_queries.managed_projects(request.user).values_list("pk", flat=True))
    names = _paths(page.rows)
    rows = [
        {"alias": one, "to": names.get((one.level, one.container_id)), "may": one.project_id in managed}
        for one in page.rows
    ]
    return render(request, "review/aliases.html", {"page": page, "rows": rows, "here": "aliases"})


ABOVE: dict[str, tuple[str, ...]] = {
    "subject": ("label",),
    "session": ("subject__label", "label"),
    "acquisition": ("session__subject__label", "session__label", "label"),
}


def _paths(found: Any) -> dict[tuple[str, int], str]:
    """Container → its path; what is gone is left out."""
    paths: dict[tuple[str, int], str] = {}
    for level, names in ABOVE.items():
        ids = [one.container_id for one in found if one.level == level]
        rows: Any = MODELS[level]._default_manager  # type: ignore[index]
        for pk, *labels in rows.filter(pk__in=ids).values_list("pk", *names) if ids else ():
            paths[level, pk] = "/".join(labels)
    return paths


@require_POST
def alias_forget(request: HttpRequest, alias_id: int) -> HttpResponse:
    """From now on such a delivery is asked about again; what has landed stays."""
    actor = reader(request)
    alias = get_object_or_404(Alias.objects.filter(project__in=visible_projects(actor)), pk=alias_id)
    review.forget_alias(alias.pk, actor=actor, who=who_is(actor), now=timezone.now())
    messages.success(request, "Forgotten: its next delivery is asked about again.")
    return redirect(next_of(request, otherwise=reverse("aliases")))
