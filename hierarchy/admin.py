"""The tree in the administration: labels and people can be corrected, stored bytes and what tells of them cannot."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from hierarchy.models import Acquisition, File, FileVersion, Group, Membership, Project, Session, Subject

if TYPE_CHECKING:  # Generic for the type checker alone.
    Admin = admin.ModelAdmin[Any]
    Inline = admin.TabularInline[Any, Any]
else:
    Admin = admin.ModelAdmin
    Inline = admin.TabularInline

MADE = ("created_at", "updated_at")


class Big(Admin):
    """A table that may hold millions of rows: never counted whole, no page of it costs more than the next."""

    show_full_result_count = False
    list_per_page = 50


@admin.register(Group)
class GroupAdmin(Admin):
    list_display = (
        "name",
        "label",
        "created_at",
    )
    search_fields = (
        "name",
        "label",
    )
    readonly_fields = MADE


@admin.register(Project)
class ProjectAdmin(Admin):
    list_display = (
        "label",
        "group",
        "created_at",
    )
    list_filter = ("group",)
    list_select_related = ("group",)
    search_fields = (
        "label",
        "group__name",
    )
    autocomplete_fields = ("group",)
    readonly_fields = MADE


@admin.register(Subject)
class SubjectAdmin(Big):
    list_display = (
        "label",
        "copy",
        "project",
        "sex",
        "created_at",
    )
    list_filter = (
        "sex",
        "project__group",
    )
    list_select_related = ("project__group",)
    search_fields = (
        "label",
        "=project__label",
    )
    autocomplete_fields = ("project",)
    readonly_fields = MADE


@admin.register(Session)
class SessionAdmin(Big):
    list_display = (
        "label",
        "copy",
        "subject",
        "timestamp",
        "accession_number",
        "uid",
    )
    list_filter = (
        "timestamp",
        "subject__project__group",
    )
    list_select_related = ("subject__project__group",)
    search_fields = (
        "label",
        "=uid",
        "=accession_number",
        "subject__label",
    )
    autocomplete_fields = ("subject",)
    readonly_fields = MADE


@admin.register(Acquisition)
class AcquisitionAdmin(Big):
    list_display = (
        "label",
        "copy",
        "session",
        "timestamp",
        "uid",
    )
    list_filter = ("timestamp",)
    list_select_related = ("session__subject",)
    search_fields = (
        "label",
        "=uid",
    )
    autocomplete_fields = ("session",)
    readonly_fields = MADE


class VersionInline(Inline):
    model = FileVersion
    fields = (
        "number",
        "size",
        "members",
        "digest_of",
        "digest",
        "path",
        "import_id",
        "created_at",
    )
    readonly_fields = fields
    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, _request: HttpRequest, _obj: Model | None = None) -> bool:
        return False


@admin.register(File)
class FileAdmin(Big):
    """What a file is called can be corrected here; its bytes, and where it stands, come from imports alone."""

    list_display = (
        "name",
        "type",
        "modality",
        "version",
        "parent",
        "created_at",
    )
    list_filter = (
        "type",
        "modality",
    )
    list_select_related = (
        "project__group",
        "subject",
        "session",
        "acquisition",
    )
    search_fields = ("name",)
    readonly_fields = (
        *MADE,
        "version",
        "project",
        "subject",
        "session",
        "acquisition",
    )
    inlines = (VersionInline,)

    @admin.display(description="Stands on")
    def parent(self, file: File) -> str:
        level = next(level for level in ("project", "subject", "session", "acquisition") if getattr(file, level))
        return f"{level} {getattr(file, level)}"

    def has_add_permission(self, _request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Model | None = None) -> bool:
        return False


@admin.register(FileVersion)
class FileVersionAdmin(Big):
    """Immutable: a version is looked at here, never made, changed or deleted."""

    list_display = (
        "file",
        "number",
        "size",
        "members",
        "digest_of",
        "reference",
        "import_id",
        "created_at",
    )
    list_filter = (
        "digest_of",
        "reference",
        "created_at",
    )
    list_select_related = ("file",)
    search_fields = (
        "=digest",
        "=path",
        "file__name",
    )

    def has_add_permission(self, _request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Model | None = None) -> bool:
        return False


@admin.register(Membership)
class MembershipAdmin(Admin):
    list_display = (
        "user",
        "role",
        "project",
        "group",
        "created_at",
    )
    list_filter = (
        "role",
        "group",
    )
    list_select_related = (
        "user",
        "project__group",
        "group",
    )
    search_fields = (
        "user__username",
        "user__email",
        "project__label",
        "group__name",
    )
    autocomplete_fields = (
        "user",
        "project",
        "group",
    )
    readonly_fields = MADE

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).order_by("user__username", "pk")
