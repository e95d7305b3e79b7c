"""Rule sets: the list, one of them with its versions, and the verbs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from hierarchy.errors import NotAllowed, Refused
from hierarchy.paging import keyset, number, words
from hierarchy.selectors import Actor
from importer import page_queries, rule_drafts, rule_sets
from importer.core.rules.schema import schema
from importer.models import ImportJob, RuleSetVersion
from importer.rule_choice import RuleScope, RuleSetChoice, RuleSetRow
from importer.rule_editor_views import visible_row
from importer.rule_words import SCOPE
from importer.services import who_is
from importer.views import reader

VERSIONS_SHOWN = 20
JOBS_SHOWN = 8
SCOPES = ((RuleScope.SITE, "Site"), (RuleScope.GROUP, "Groups"), (RuleScope.PROJECT, "Projects"))


@dataclass(frozen=True, slots=True)
class DiffLine:
    """`kind` is `added`, `gone`, `same` or `place`."""

    kind: str
    text: str


@require_safe
def rule_sets_page(request: HttpRequest) -> HttpResponse:
    """What is built in, and what people keep, as far as the reader sees it."""
    scope, searched = request.GET.get("scope", ""), words(request)
    archived = request.GET.get("archived") == "1"
    choice = RuleSetChoice(
        scope=RuleScope(scope) if scope in {one for one, _ in SCOPES} else None, archived=archived, words=searched
    )
    page = keyset(request, rule_sets.listed(request.user, choice), by=("name", "id"))
    whole = not (page.first_url or choice.scope or archived or searched)
    context = {
        "page": page,
        "rows": [rule_sets.row_of(one) for one in page.rows],
        "built_ins": rule_sets.built_ins() if whole else [],
        "filters": [("", "All"), *((one.value, label) for one, label in SCOPES)],
        "chosen": choice.scope.value if choice.scope else "",
        "words": searched,
        "archived": archived,
        "is_narrowed": bool(choice.scope or searched),
        "any_archived": _any_archived(request.user),
        "may_keep": bool(rule_drafts.scopes(request.user)),
        "scope_words": SCOPE,
    }
    return render(request, "rule_sets/list.html", context)


def _any_archived(actor: Actor) -> bool:
    return rule_sets.listed(actor, RuleSetChoice(archived=True)).exists()


@require_safe
def rule_set_page(request: HttpRequest, key: str) -> HttpResponse:
    """One rule set: its text, its versions, and what uses it."""
    row = visible_row(request, key)
    shown = _shown_version(request, row)
    text = shown.text if shown else rule_sets.text_of(row)
    history = keyset(request, rule_sets.versions(row), by=("-number",), ident="number", step=VERSIONS_SHOWN)
    context = {
        "row": row,
        "scope": SCOPE[row.scope],
        "version": shown,
        "is_old": shown is not None and shown.number != row.version,
        "lines": text.splitlines(),
        "text": text,
        "history": history,
        "difference": _difference(request, row, shown),
        "jobs": list(_jobs(request.user, row)[:JOBS_SHOWN]),
        "may_change": rule_sets.may_change(request.user, row),
        "may_keep": bool(rule_drafts.scopes(request.user)),
        "schema_url": request.build_absolute_uri(reverse("rule-set-schema")),
    }
    return render(request, "rule_sets/rule_set.html", context)


def _shown_version(request: HttpRequest, row: RuleSetRow) -> RuleSetVersion | None:
    """The newest, unless the address asks for another; None of a built-in. Raises Http404."""
    if row.id is None:
        return None
    return _version(row, number(request, "version") or row.version)


def _version(row: RuleSetRow, wanted: int) -> RuleSetVersion:
    try:
        return rule_sets.version_of(row, wanted)
    except Refused as unknown:
        raise Http404 from unknown


def _difference(request: HttpRequest, row: RuleSetRow, shown: RuleSetVersion | None) -> dict[str, Any] | None:
    """What the shown version changed against an earlier one, where the address asks for it."""
    older = number(request, "against")
    if older is None or shown is None:
        return None
    _version(row, older)
    return {"older": older, "newer": shown.number, "lines": diff_lines(row, older, shown.number)}


def diff_lines(row: RuleSetRow, older: int, newer: int) -> Sequence[DiffLine]:
    """A unified diff without its two lines of names."""
    kinds = {"+": "added", "-": "gone", "@": "place"}
    said = rule_sets.difference(row, older, newer)[2:]
    return [DiffLine(kinds.get(line[:1], "same"), line if line.startswith("@") else line[1:]) for line in said]


def _jobs(actor: Actor, row: RuleSetRow) -> "QuerySet[ImportJob]":
    """The newest imports that ran it, of those that the reader sees."""
    jobs = page_queries.visible_jobs(actor)
    if row.id is None:
        return jobs.filter(rules=row.name, rules_version=None)
    return jobs.filter(rules_version__rule_set=row.id).select_related("rules_version")


Verb = Callable[..., Any]
VERBS: dict[str, tuple[Verb, str]] = {
    "archive": (rule_sets.archive, "Archived: no import can choose it any more. Those that ran keep it."),
    "restore": (rule_sets.restore, "Restored: imports can choose it again."),
    "make-default": (rule_sets.make_default, "It is the default now, for imports that do not say otherwise."),
    "unmake-default": (rule_sets.unmake_default, "It is no default any more: the next wider one holds."),
}


@require_POST
def change(request: HttpRequest, rule_set_id: int) -> HttpResponse:
    """Archives, restores, makes it the default or takes that away. Raises Http404 for another verb."""
    row = visible_row(request, str(rule_set_id))
    act, said = VERBS.get(request.POST.get("do", ""), (None, ""))
    if act is None:
        raise Http404
    actor = reader(request)
    try:
        act(rule_set_id, actor=actor, who=who_is(actor), now=timezone.now())
    except NotAllowed:
        raise
    except Refused as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, said)
    return redirect("rule-set-page", row.key)


@require_safe
def export(request: HttpRequest, key: str) -> HttpResponse:
    """The text as it was written, as a file."""
    row = visible_row(request, key)
    shown = _shown_version(request, row)
    made = rule_sets.export(row, number=shown.number if shown else None)
    response = HttpResponse(made.text, content_type="application/yaml; charset=utf-8")
    name = "".join(one if one.isascii() and (one.isalnum() or one in "._-") else "_" for one in made.file_name)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@require_safe
def rule_schema(request: HttpRequest) -> JsonResponse:
    """For editors."""
    del request
    return JsonResponse(schema(), json_dumps_params={"indent": 2})
