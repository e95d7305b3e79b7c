"""One conflict: what stands on the left, what comes in on the right, and what could be done about it."""

from dataclasses import replace
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_safe

from hierarchy.decode.why import NoPicture
from hierarchy.models import Role
from hierarchy.paging import address, number
from hierarchy.pictures import placeholder, width_near
from hierarchy.services import may
from importer import compare_queries, review_forms, review_queries
from importer.compare_queries import Match, Side
from importer.core.states import Level
from importer.held_pictures import held_picture
from importer.models import Conflict
from importer.paging import paged
from importer.pipeline.undo import undoable
from importer.review_offers import Offer, around, label_suggestions, missing_levels, offers, title
from importer.review_views import ASSIGNS, last_act, visible_conflict

WIDTH = 512
# Seconds. Held bytes never change, but who may look does.
PICTURE_KEPT = 300


@require_safe
def conflict(request: HttpRequest, conflict_id: int) -> HttpResponse:
    """Everything that is needed to decide, and the deciding."""
    found = visible_conflict(request, conflict_id)
    choice = review_forms.choice(request.GET)
    is_open = found.status == "open"
    above, below = review_queries.neighbours(request.user, found, choice=choice) if is_open else (None, None)
    query = request.GET.copy()
    for name in ("slice", "with", "before"):
        query.pop(name, None)
    context = {
        "conflict": found,
        "title": title(found),
        "job": found.job,
        "is_open": is_open,
        "may": is_open and may(request.user, Role.DATA_MANAGER, project=found.project),
        "may_undo": may(request.user, Role.DATA_MANAGER, project=found.project),
        "hidden": review_forms.as_query(choice),
        "queue_url": review_forms.queue(choice),
        "query": query.urlencode(),
        "above": above,
        "below": below,
        "sources": review_queries.sources_of(found),
        "decisions": _decisions(found),
        "events": review_queries.history(found),
        "last": last_act(request),
        **_row(request, found),
        **_sides(request, found),
    }
    return render(request, "review/conflict.html", context)


def _row(request: HttpRequest, found: Conflict) -> dict[str, Any]:
    """The files that wait for the same answer."""
    rows = review_queries.files_of(
        request.user, found, decided=found.status != "open", before=number(request, "before")
    )
    same = review_queries.visible_conflicts(request.user).filter(
        project=found.project_id, cause=found.cause, status=found.status
    )
    return {"page": paged(request, rows, key="before"), "row_files": same.count()}


def _decisions(found: Conflict) -> list[dict[str, Any]]:
    decisions = review_queries.decisions_of(found)
    still = {one.pk for one in undoable(decisions, now=timezone.now())}
    return [{"decision": one, "undoable": one.pk in still and one.leader_id is None} for one in decisions]


def _sides(request: HttpRequest, found: Conflict) -> dict[str, Any]:
    candidates = compare_queries.matches(request.user, found)
    beside = _beside(candidates, number(request, "with"))
    version = beside.version if beside else None
    left = compare_queries.existing_side(version)
    right = compare_queries.incoming_side(found, beside=left)
    compared = compare_queries.differences(left.rows, right.rows) if left.rows and right.rows else []
    lacking = compare_queries.lacking(found, version) if found.level == Level.FILE else None
    fitting = _without_targets(offers(found, around([found]), lacking=lacking))
    assigns = found.type in ASSIGNS
    return {
        "matches": candidates,
        "beside": beside,
        "version": version,
        "left": left,
        "right": right,
        "compared": compared,
        "different": sum(one.differs for one in compared),
        "same": sum(not one.differs for one in compared),
        **_uids(beside),
        "instances": compare_queries.instances(found, version) if found.level == Level.FILE else None,
        "same_digest": bool(version and version.digest and version.digest == found.digest),
        "offers": fitting,
        "hint": next((offer for offer in fitting if offer.why), None),
        "levels": missing_levels(found) if assigns else [],
        "suggestions": label_suggestions(found) if assigns else [],
        **_scroll(request, found, left, right),
    }


def _without_targets(fitting: list[Offer]) -> list[Offer]:
    """One button instead of one per container: here a radio button says which."""
    first = next((offer for offer in fitting if offer.target is not None), None)
    kept = [offer for offer in fitting if offer.target is None]
    return kept if first is None else [replace(first, target=None, path="the one chosen below"), *kept]


def _uids(beside: Match | None) -> dict[str, str]:
    """Of the study and series that the stored file belongs to; of an empty container, its own."""
    above = beside.version.file.acquisition if beside and beside.version else None
    if above is not None:
        return {"left_study": above.session.uid, "left_series": above.uid}
    uid, level = (beside.uid, beside.level) if beside else ("", "")
    study, series = level == Level.SESSION, level == Level.ACQUISITION
    return {"left_study": uid if study else "", "left_series": uid if series else ""}


def _beside(candidates: list[Match], wanted: int | None) -> Match | None:
    """The candidate that the reader chose to compare with, else the first."""
    named = (one for one in candidates if one.id == wanted and wanted is not None)
    return next(named, next(iter(candidates), None))


def _scroll(request: HttpRequest, found: Conflict, left: Side, right: Side) -> dict[str, Any]:
    """One range for both; where one side has fewer slices it stays on its last."""
    total = max(left.total, right.total)
    asked = number(request, "slice")
    at = min(asked, total - 1) if asked is not None and total else compare_queries.start(left, right)
    return {
        "total": total,
        "last_slice": total - 1,
        "slice": at,
        "slice_before": address(request, "slice", str(at - 1)) if at > 0 else "",
        "slice_after": address(request, "slice", str(at + 1)) if at + 1 < total else "",
        **_indices(at, left, right),
        "right_picture": f"{reverse('conflict-picture', args=[found.pk])}?width={WIDTH}",
    }


def _indices(at: int, left: Side, right: Side) -> dict[str, Any]:
    """The slice of each side; the maps say it for every other place of the range."""
    leading, following = (right, left) if right.total >= left.total else (left, right)
    to = compare_queries.aligned(leading, following)
    other = to[at] if at < len(to) else min(at, following.total - 1)
    words = ",".join(map(str, to))
    ahead = {"left_index": other, "right_index": at, "left_map": words, "right_map": ""}
    behind = {"left_index": at, "right_index": other, "left_map": "", "right_map": words}
    return ahead if leading is right else behind


@require_safe
def picture(request: HttpRequest, conflict_id: int) -> HttpResponse:
    """PNG of a slice of what waits; where there is none, a drawing that says why."""
    found = visible_conflict(request, conflict_id)
    width = width_near(number(request, "width") or WIDTH)
    try:
        response = HttpResponse(
            held_picture(found, index=number(request, "slice") or 0, width=width), content_type="image/png"
        )
    except NoPicture as without:
        response = HttpResponse(placeholder(str(without.why)), content_type="image/svg+xml")
    patch_cache_control(response, private=True, max_age=PICTURE_KEPT)
    return response
