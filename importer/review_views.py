"""The review queue: what waits, deciding about it, and what became of the deciding."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from hierarchy.errors import NotAllowed, Refused
from hierarchy.paging import Page, address, number
from importer import review, review_forms, review_queries, tasks
from importer.core.states import ConflictType, DecisionStatus, Level, ResolutionStatus
from importer.core.wording import CONFLICT_TYPE
from importer.models import Conflict, Decision, Resolution
from importer.page_queries import cut
from importer.paging import paged
from importer.pipeline.resolving import resolve
from importer.pipeline.worker import Worker, this_owner
from importer.review_forms import Asked
from importer.review_offers import LEVELS, Offer, around, offers, title
from importer.review_queries import STEP, Choice, Facet, Facets, Row
from importer.review_rows import lacking_of
from importer.review_words import ACTION
from importer.services import who_is
from importer.views import reader

# Up to so many are carried out while the reader waits; more is a worker's, with progress to look at.
AT_ONCE = 25
EXAMPLES = 5
ASSIGNS = frozenset({ConflictType.LABEL_MISSING, ConflictType.SERIES_LABELS})


@dataclass(frozen=True, slots=True, kw_only=True)
class LastAct:
    """What the notice says about the reader's last decision; counts are files."""

    pk: int
    words: str
    is_over: bool
    applied: int
    refused: int
    total: int
    can_undo: bool

    @property
    def done(self) -> int:
        return self.applied + self.refused


@require_safe
def queue(request: HttpRequest) -> HttpResponse:
    """What waits, one row per cause and container."""
    chosen = review_forms.choice(request.GET)
    found = review_queries.row_page(request.user, chosen, after=number(request, "after"))
    page = Page(
        rows=found.rows,
        next_url=address(request, "after", str(found.next_after)) if found.next_after is not None else "",
        first_url=address(request, "after", None) if "after" in request.GET else "",
        step=STEP,
    )
    facets = review_queries.facets(request.user, chosen)
    context = {
        "page": page,
        "rows": with_offers(request, page.rows),
        "choice": chosen,
        "hidden": review_forms.as_query(chosen),
        "facets": facets,
        "upto": found.rows[0].newest.pk if found.rows and not page.first_url else number(request, "upto"),
        "may_decide": not chosen.decided and review_queries.managed_projects(request.user).exists(),
        "last": last_act(request),
        "back": request.get_full_path(),
        "filters": filters(request, facets, chosen),
        "levels": [level.value for level in (*LEVELS, Level.FILE)],
        "can_merge": any(one.value == ConflictType.FILE_NAME for one in facets.types),
        "can_assign": any(one.value in ASSIGNS for one in facets.types),
        "here": "queue",
    }
    return render(request, "review/queue.html", context)


def with_offers(request: HttpRequest, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Each row beside what could be done about it."""
    newest = [row.newest for row in rows]
    standing, lacking = around(newest), lacking_of(newest)
    wanted = {one.project_id for one in newest}
    managed = set(review_queries.managed_projects(request.user).filter(pk__in=wanted).values_list("pk", flat=True))
    found = []
    for row in rows:
        fitting = offers(row.newest, standing, lacking=lacking.get(row.newest.pk))
        suggestion = next((offer for offer in fitting if offer.why), None)
        may = row.newest.project_id in managed and row.newest.status == "open"
        found.append(
            {
                "row": row,
                "conflict": row.newest,
                "title": title(row.newest),
                "offers": fitting,
                "hint": suggestion,
                "may": may,
            }
        )
    return found


def filters(request: HttpRequest, facets: Facets, chosen: Choice) -> list[dict[str, Any]]:
    """Lists of links, each narrowing the queue down to one thing."""
    types = [replace(one, label=CONFLICT_TYPE[one.value]) for one in facets.types]
    blocks = (
        ("type", "By type", types, chosen.type),
        ("project", "By project", facets.projects, str(chosen.project or "")),
        ("import", "By import or batch", facets.imports, str(chosen.job or "")),
    )
    return [
        {
            "key": key,
            "title": title,
            "clear": address(request, key, None) if here else "",
            "choices": [
                {"label": one.label, "count": one.count, "here": one.value == here, "url": narrowed(request, key, one)}
                for one in choices
            ],
        }
        for key, title, choices, here in blocks
    ]


def narrowed(request: HttpRequest, key: str, facet: Facet) -> str:
    """From the first page of what it finds."""
    query = request.GET.copy()
    query.pop("after", None)
    query[key] = facet.value
    return f"{request.path}?{query.urlencode()}"


def last_act(request: HttpRequest) -> LastAct | None:
    """The reader's own last decision, as long as there is something to say or to undo about it."""
    last = review_queries.last_resolution(request.user)
    if last is None:
        return None
    over = review_queries.is_over(last)
    can_undo = over and undoable(last).exists()
    if over and not can_undo and not last.refused:
        return None
    return LastAct(
        pk=last.pk,
        words=ACTION[last.action],
        is_over=over,
        applied=last.applied,
        refused=last.refused,
        total=last.total,
        can_undo=can_undo,
    )


def undoable(resolution: Resolution) -> "QuerySet[Decision]":
    return resolution.decisions.filter(status=DecisionStatus.APPLIED, undo_until__gt=timezone.now())


@require_safe
def row_files(request: HttpRequest, conflict_id: int) -> HttpResponse:
    """The files of one row, a page at a time: a fragment of the queue."""
    conflict = visible_conflict(request, conflict_id)
    rows = review_queries.files_of(
        request.user, conflict, decided=conflict.status != "open", before=number(request, "before")
    )
    page = paged(request, rows, key="before")
    return render(request, "review/_files.html", {"conflict": conflict, "page": page})


def visible_conflict(request: HttpRequest, conflict_id: int) -> Conflict:
    """Raises Http404 also where the reader may not see the project: its existence is nobody's business."""
    rows = review_queries.with_all(review_queries.visible_conflicts(request.user))
    return get_object_or_404(rows, pk=conflict_id)


@require_POST
def decide(request: HttpRequest) -> HttpResponse:
    """Carries out a small decision, hands a large one to a worker; what is large or not yet said is summed up first."""
    asked, actor = review_forms.asked(request), reader(request)
    conflicts = review_queries.selected(actor, asked.selection)
    back = review_forms.next_of(request, otherwise=review_forms.queue(asked.selection.choice))
    total = conflicts.count()
    if not total or not asked.action:
        messages.error(request, "Choose what to decide about first." if asked.action else "Choose what to do first.")
        return redirect(back)
    if not asked.sure and (asked.selection.whole or total > AT_ONCE or asked.lacks_label):
        return summary(request, asked, conflicts, back=back)
    try:
        made = review.decide(
            conflicts, asked.verdict(who_is(actor)), actor=actor, now=timezone.now(), enqueue=total > AT_ONCE
        )
    except NotAllowed:
        raise
    except Refused as refused:
        messages.error(request, str(refused))
        return redirect(back)
    return carried_out(made, back=back)


def carried_out(made: Resolution, *, back: str) -> HttpResponse:
    if made.total > AT_ONCE:
        return redirect("resolution", made.pk)
    done = resolve(made.pk, worker=Worker(owner=this_owner(), wake=tasks.wake))
    if done.status != ResolutionStatus.DONE:
        return redirect("resolution", made.pk)
    return redirect(back)


def summary(request: HttpRequest, asked: Asked, conflicts: "QuerySet[Conflict]", *, back: str) -> HttpResponse:
    """What a decision would do, before it does anything."""
    verdict = asked.verdict("")
    expected = review.forecast(conflicts, verdict, actor=reader(request))
    some = list(review_queries.with_all(conflicts).order_by("-id")[:EXAMPLES])
    standing = around(some)
    examples = [(one, next((offer for offer in offers(one, standing) if _means(asked, offer)), None)) for one in some]
    context = {
        "asked": asked,
        "action_words": ACTION.get(asked.action, asked.action),
        "expected": expected,
        "fits": sum(expected.by_action.values()),
        "left_over": sum(expected.left_out.values()),
        "by_action": [(ACTION[name], name, count) for name, count in expected.by_action.items()],
        "left_out": sorted(expected.left_out.items(), key=lambda pair: -pair[1]),
        "examples": examples,
        "hidden": review_forms.as_query(asked.selection.choice),
        "back": back,
        "levels": missing_of(conflicts) if asked.lacks_label else [],
    }
    return render(request, "review/summary.html", context)


def _means(asked: Asked, offer: Offer) -> bool:
    """Whether that is what would be done; a label that nobody has said yet, and one of several containers, is not."""
    fits = asked.action in {offer.action, offer.word}
    said = asked.action == offer.action or not offer.chooses
    return fits and said and offer.target in {None, asked.target}


def missing_of(conflicts: "QuerySet[Conflict]") -> list[str]:
    """Levels that at least one of them has no label for."""
    assigns = conflicts.filter(type__in=ASSIGNS)
    return [level.value for level in LEVELS if assigns.filter(**{f"placement__{level}_label": ""}).exists()]


@require_safe
def resolutions(request: HttpRequest) -> HttpResponse:
    """Acts of deciding, newest first."""
    rows = review_queries.visible_resolutions(request.user).order_by("-id")
    before = number(request, "before")
    if before is not None:
        rows = rows.filter(id__lt=before)
    page = paged(request, cut(rows, step=50, key=lambda one: one.pk), key="before")
    return render(request, "review/resolutions.html", {"page": page, "here": "resolutions"})


def visible_resolution(request: HttpRequest, resolution_id: int) -> Resolution:
    return get_object_or_404(review_queries.visible_resolutions(request.user), pk=resolution_id)


@require_safe
def resolution(request: HttpRequest, resolution_id: int) -> HttpResponse:
    """How far a decision is, or what became of it."""
    return render(request, "review/resolution.html", progress_of(request, resolution_id))


@require_safe
def resolution_progress(request: HttpRequest, resolution_id: int) -> HttpResponse:
    """The fragment that the page polls."""
    return render(request, "review/_resolution.html", progress_of(request, resolution_id))


def progress_of(request: HttpRequest, resolution_id: int) -> dict[str, Any]:
    found = visible_resolution(request, resolution_id)
    seen = found.decisions.filter(conflict__in=review_queries.visible_conflicts(request.user))
    over = review_queries.is_over(found)
    newest = seen.select_related("conflict").order_by("-id")
    return {
        "resolution": found,
        "over": over,
        "done": found.applied + found.refused,
        "refused": list(newest.filter(status=DecisionStatus.REFUSED)[:50]),
        "applied": list(newest.filter(status=DecisionStatus.APPLIED)[:50]) if over else [],
        "undoable": undoable(found).filter(leader=None).count() if over else 0,
        "may": seen.filter(conflict__project__in=review_queries.managed_projects(request.user)).exists(),
        "here": "resolutions",
    }


@require_POST
def resolution_cancel(request: HttpRequest, resolution_id: int) -> HttpResponse:
    """What has been carried out stands; what has not is open again."""
    found, actor = visible_resolution(request, resolution_id), reader(request)
    review.cancel_resolution(found.pk, actor=actor, who=who_is(actor), now=timezone.now())
    return redirect("resolution", found.pk)


@require_POST
def resolution_undo(request: HttpRequest, resolution_id: int) -> HttpResponse:
    """Takes back all of it that can be, and says what cannot."""
    found, actor = visible_resolution(request, resolution_id), reader(request)
    done, why = review.undo_resolution(found.pk, actor=actor, who=who_is(actor), now=timezone.now())
    messages.success(request, f"Taken back: {done:,}.") if done else None
    for reason, count in why.items():
        messages.error(request, f"Could not be taken back: {count:,}. {reason}")
    return redirect(review_forms.next_of(request, otherwise=reverse("resolution", args=[found.pk])))


@require_POST
def decision_undo(request: HttpRequest, decision_id: int) -> HttpResponse:
    """With what followed from it."""
    seen = review_queries.visible_conflicts(request.user)
    decision, actor = get_object_or_404(Decision, pk=decision_id, conflict__in=seen), reader(request)
    back = review_forms.next_of(request, otherwise=reverse("conflict", args=[decision.conflict_id]))
    try:
        done = review.undo_decision(decision.pk, actor=actor, who=who_is(actor), now=timezone.now())
    except NotAllowed:
        raise
    except Refused as refused:
        messages.error(request, f"This could not be taken back. {refused}")
        return redirect(back)
    messages.success(request, f"Taken back: {len(done):,}.")
    return redirect(back)
