"""Rule sets and their versions for administrators: to look at. They are changed on their own pages."""

from django.contrib import admin

from importer.admin.base import LookOnly
from importer.core.names import shown
from importer.models import RuleSet, RuleSetVersion
from importer.rule_choice import row_of


@admin.register(RuleSet)
class RuleSetAdmin(LookOnly):
    list_display = ("id", "name", "scope", "where", "version", "is_default", "archived_at", "created_at")
    list_display_links = ("id", "name")
    list_filter = ("is_default", ("archived_at", admin.EmptyFieldListFilter))
    list_select_related = ("group", "project__group")
    search_fields = ("name", "description", "group__name", "project__label")
    ordering = ("name", "id")

    @admin.display
    def scope(self, kept: RuleSet) -> str:
        return row_of(kept).scope.value

    @admin.display
    def where(self, kept: RuleSet) -> str:
        return shown(row_of(kept).where)


@admin.register(RuleSetVersion)
class RuleSetVersionAdmin(LookOnly):
    # A list reads no texts; the page of a row fetches its own.
    blobs = ("text",)
    list_display = ("id", "rule_set", "number", "who", "created_at")
    list_select_related = ("rule_set",)
    search_fields = ("=rule_set__id", "rule_set__name", "who")
    ordering = ("-id",)
