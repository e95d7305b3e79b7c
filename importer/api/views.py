"""Conflicts over REST: the same services as every other door."""

from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from hierarchy.selectors import visible_projects
from importer.api.errors import enveloped
from importer.api.serializers import ConflictOut, ResolveIn, UndoIn
from importer.core.methods import FITS, NEEDS_TARGET, WORDS
from importer.models import Conflict, Decision, Resolution
from importer.review import Verdict, decide, forecast, undo_decision, undo_resolution
from importer.selection import FIELDS, selected
from importer.services import who_is

SORTS = {"id", "-id", "created_at", "-created_at", "upload_path", "-upload_path"}


class ByCursor(CursorPagination):
    page_size = 50
    max_page_size = 500
    page_size_query_param = "limit"
    ordering = "-id"

    def get_ordering(self, request: Request, queryset: Any, view: Any) -> tuple[str, ...]:  # noqa: ARG002
        asked = request.query_params.get("sort", "-id")
        return (asked if asked in SORTS else "-id", "-id")


class Conflicts(ListModelMixin, RetrieveModelMixin, GenericViewSet[Conflict]):
    """`?type=…&level=…&status=open&sort=-created_at`; `resolve`, `undo` and `methods` beside."""

    serializer_class = ConflictOut
    pagination_class = ByCursor

    def get_exception_handler(self) -> Any:
        return enveloped

    def get_queryset(self) -> "QuerySet[Conflict]":
        rows = Conflict.objects.filter(project__in=visible_projects(_user(self.request)))
        asked = [f"{name}={value}" for name, value in self.request.query_params.items() if name in FIELDS]
        return selected(rows, asked).select_related("project", "placement").defer("manifest")

    @action(detail=False, methods=["get"])
    def methods(self, _request: Request) -> Response:
        """Type → its actions, each with its word and whether it needs a target or labels."""
        return Response(
            {
                kind: [
                    {
                        "action": fitting.value,
                        "word": WORDS[fitting].value,
                        "needs_target": fitting.value == "replace_existing" and kind in NEEDS_TARGET,
                        "needs_labels": fitting.value == "assign_label",
                    }
                    for fitting in actions
                ]
                for kind, actions in FITS.items()
            }
        )

    @action(detail=False, methods=["post"])
    def resolve(self, request: Request) -> Response:
        """202 with the resolution, or with `dry_run` what would be done."""
        asked = ResolveIn(data=request.data)
        asked.is_valid(raise_exception=True)
        said = asked.validated_data
        rows = selected(Conflict.objects.filter(project__in=visible_projects(_user(request))), said.get("filter", []))
        rows = rows.filter(pk__in=said["ids"]) if "ids" in said else rows
        verdict = Verdict(
            action=said["action"],
            who=who_is(_user(request)),
            target=said.get("target"),
            labels=said.get("labels", {}),
        )
        if said["dry_run"]:
            found = forecast(rows, verdict, actor=_user(request))
            return Response({"total": found.total, "by_action": found.by_action, "left_out": found.left_out})
        made = decide(rows, verdict, actor=_user(request), now=timezone.now())
        return Response(_shown(made), status=202)

    @action(detail=False, methods=["post"])
    def undo(self, request: Request) -> Response:
        asked = UndoIn(data=request.data)
        asked.is_valid(raise_exception=True)
        by: dict[str, Any] = {"actor": _user(request), "who": who_is(_user(request)), "now": timezone.now()}
        if "decision" in asked.validated_data:
            return Response({"undone": len(undo_decision(_known(Decision, asked.validated_data["decision"]), **by))})
        done, why = undo_resolution(_known(Resolution, asked.validated_data["resolution"]), **by)
        return Response({"undone": done, "could_not": why})


def _known(model: type[Decision] | type[Resolution], pk: int) -> int:
    """404 for what is not there."""
    found: int = get_object_or_404(model, pk=pk).pk
    return found


def _user(request: Any) -> User:
    """Everybody here is signed in: the API's permission class sees to it."""
    user: User = request.user
    return user


def _shown(made: Resolution) -> dict[str, Any]:
    return {"resolution": made.pk, "status": made.status, "action": made.action, "total": made.total}
