"""Conflicts and what was decided, for administrators: read-only rows, actions that call the same services."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from hierarchy.errors import Refused
from importer.admin.base import LookOnly
from importer.core.methods import Word
from importer.core.names import shown
from importer.models import Alias, Conflict, Decision, Resolution, StandingRule
from importer.review import Verdict, decide
from importer.services import who_is

SAID = {
    Word.UPDATE: "Update existing",
    Word.KEEP_ALL: "Keep all",
    Word.SKIP: "Skip: reject what came in",
    Word.RETRY: "Retry: check again",
}


def _deciding(word: Word) -> Callable[[Any, HttpRequest, "QuerySet[Conflict]"], None]:
    def act(_admin: Any, request: HttpRequest, chosen: "QuerySet[Conflict]") -> None:
        actor = request.user
        assert isinstance(actor, User)  # noqa: S101  the admin site lets nobody else in
        rows = Conflict.objects.filter(pk__in=list(chosen.values_list("pk", flat=True)))
        try:
            resolution = decide(rows, Verdict(action=word, who=who_is(actor)), actor=actor, now=timezone.now())
        except Refused as error:
            messages.error(request, str(error))
            return
        left = len(rows) - resolution.total
        messages.success(
            request, f"{resolution.total} are being decided, {left} left out (decided, or it does not fit)."
        )

    act.__name__ = f"decide_{word.name.lower()}"
    return admin.action(description=SAID[word])(act)


@admin.register(Conflict)
class ConflictAdmin(LookOnly):
    list_display = ("id", "status", "level", "type", "where", "project", "job_id", "size", "created_at", "resolved_by")
    list_filter = ("status", "level", "type", "action", ("project", admin.RelatedOnlyFieldListFilter))
    search_fields = ("upload_path", "=job__id", "resolved_by", "=placement__session_uid", "=placement__acquisition_uid")
    list_select_related = ("project__group",)
    ordering = ("-id",)
    blobs = ("manifest",)
    actions = [_deciding(word) for word in Word]

    @admin.display(description="upload path", ordering="upload_path")
    def where(self, conflict: Conflict) -> str:
        return shown(conflict.upload_path)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Without it the admin offers no actions; the fields stay read-only all the same."""
        return obj is None and request.user.is_active

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:  # noqa: ARG002
        return [field.name for field in Conflict._meta.fields]


@admin.register(Resolution)
class ResolutionAdmin(LookOnly):
    list_display = (
        "id",
        "status",
        "action",
        "who",
        "project",
        "total",
        "applied",
        "refused",
        "created_at",
        "finished_at",
    )
    list_filter = ("status", "action")
    search_fields = ("who",)
    list_select_related = ("project__group",)


@admin.register(Decision)
class DecisionAdmin(LookOnly):
    list_display = ("id", "status", "action", "conflict", "resolution", "result", "error", "done_at", "undo_until")
    list_filter = ("status", "action")
    search_fields = ("=conflict__id", "result")
    list_select_related = ("conflict", "resolution")


@admin.register(Alias)
class AliasAdmin(LookOnly):
    list_display = ("id", "project", "level", "uid", "label", "container_id", "created_at")
    list_filter = ("level",)
    search_fields = ("=uid", "label")
    list_select_related = ("project__group",)


@admin.register(StandingRule)
class StandingRuleAdmin(LookOnly):
    list_display = ("project", "type", "action", "enabled", "who", "created_at")
    list_filter = ("enabled", "type", "action")
    list_select_related = ("project__group",)
