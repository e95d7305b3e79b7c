"""How well it is known that what is stored is still what was stored, and what can be done where it is not."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from hierarchy.errors import NotAllowed, Refused
from hierarchy.models import Project, Role
from hierarchy.paging import keyset, number
from hierarchy.selectors import memberships, sees_all
from importer import verify_queries, verify_services
from importer.core.checks import CheckState
from importer.core.wording import Tone
from importer.models import Check
from importer.review_forms import next_of
from importer.review_queries import managed_projects
from importer.services import who_is
from importer.verify_queries import Coverage
from importer.verify_words import CHECK
from importer.views import reader

FILTERS = (
    ("", "All that is wrong"),
    ("changed", "Changed"),
    ("missing", "Missing"),
    ("unreadable", "Unreadable"),
    ("away", "Place is away"),
    ("unread", "Not read again yet"),
)


@require_safe
def verify(request: HttpRequest) -> HttpResponse:
    """Coverage, the places, and what is wrong."""
    now, actor = timezone.now(), request.user
    chosen = request.GET.get("state", "")
    chosen = chosen if chosen in verify_queries.CHOICES else ""
    root, project = number(request, "place"), number(request, "project")
    rows = verify_queries.listed(actor, chosen=chosen, root=root, project=project)
    page = keyset(request, rows, by=("-pk",))
    coverage = verify_queries.coverage_of(actor=actor, now=now)
    context = {
        "coverage": coverage,
        "shares": _shares(coverage),
        "places": verify_queries.root_rows(actor, now=now),
        "page": page,
        "rows": _rows(request, page.rows),
        "chosen": chosen,
        "place": root,
        "project": project,
        "filters": FILTERS,
        "narrowed": bool(chosen or root is not None or project is not None),
        "back": request.get_full_path(),
    }
    return render(request, "verify/verify.html", context)


def _shares(coverage: Coverage) -> list[dict[str, Any]]:
    """Parts of a bar, in percent of its width."""
    parts = (
        (f"OK, read again in {coverage.days} days", coverage.fresh, Tone.GOOD),
        ("OK when last looked at", coverage.ok - coverage.fresh, Tone.BUSY),
        ("Not checked yet", coverage.unchecked, Tone.FAINT),
        ("Place is away", coverage.away, Tone.WARN),
        ("Wrong", coverage.wrong, Tone.BAD),
    )
    shares, x = [], 0.0
    for label, count, tone in parts:
        width = round(100 * count / max(coverage.total, 1), 3)
        shares.append({"label": label, "count": count, "x": round(x, 3), "width": width, "tone": tone})
        x += width
    return shares


def _rows(request: HttpRequest, found: Any) -> list[dict[str, Any]]:
    """Each row with what the reader may do about it."""
    projects = Project.objects.filter(pk__in={row.project_id for row in found})
    managed = set(managed_projects(request.user).filter(pk__in=projects).values_list("pk", flat=True))
    may_look = _works_in(request, projects)
    return [
        {
            "check": row,
            "state": CheckState.AWAY if row.root.away_since else row.state,
            "words": row.root.words if row.root.away_since else row.words,
            "may_look": row.project_id in may_look,
            "may_repair": row.project_id in managed and row.root.storage_id is None and not row.root.away_since,
        }
        for row in found
    ]


def _works_in(request: HttpRequest, projects: Any) -> set[int]:
    """Those in which the reader may do more than look."""
    if sees_all(request.user):
        return set(projects.values_list("pk", flat=True))
    mine = memberships(request.user).filter(role__in=[role.value for role in Role if role.rank >= Role.UPLOADER.rank])
    own = projects.filter(pk__in=mine.filter(project__isnull=False).values("project"))
    of_groups = projects.filter(group__in=mine.filter(group__isnull=False).values("group"))
    everywhere = projects if mine.filter(project=None, group=None).exists() else projects.none()
    return set((own | of_groups | everywhere).values_list("pk", flat=True))


def visible_check(request: HttpRequest, check_id: int) -> Check:
    return get_object_or_404(verify_queries.visible_checks(request.user), pk=check_id)


@require_POST
def look(request: HttpRequest, check_id: int) -> HttpResponse:
    """Reads it now."""
    row, actor = visible_check(request, check_id), reader(request)
    state = verify_services.look_again(row.pk, actor=actor, now=timezone.now())
    tell = messages.success if state == CheckState.OK else messages.warning
    tell(request, f"{CHECK[state].label}: {CHECK[state].hint}")
    return redirect(next_of(request, otherwise="verify"))


@require_POST
def repair(request: HttpRequest, check_id: int) -> HttpResponse:
    """Puts it back from a copy that is proven good."""
    row, actor = visible_check(request, check_id), reader(request)
    try:
        words = verify_services.put_right(row.pk, actor=actor, who=who_is(actor), now=timezone.now())
    except NotAllowed:
        raise
    except Refused as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, f"Repaired from {words}, and read again: it is as it was stored.")
    return redirect(next_of(request, otherwise="verify"))
