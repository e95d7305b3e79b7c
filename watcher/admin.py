"""Drop folders can be changed here; deliveries and the watcher's heartbeat are only looked at."""

import os
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest

from hierarchy.errors import Refused
from importer.core.names import printable, raw, shown
from watcher.folders import check_marker, check_path, check_rule_set
from watcher.models import Batch, DropFolder, Watch
from watcher.readiness import judge_name

if TYPE_CHECKING:  # Generic for the type checker alone.
    Admin = admin.ModelAdmin[Any]
    Form = forms.ModelForm[DropFolder]
else:
    Admin = admin.ModelAdmin
    Form = forms.ModelForm


class ReadOnly(Admin):
    """Looked at, never made, changed or deleted by hand."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, _request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Model | None = None) -> bool:
        return False


class DropFolderForm(Form):
    """The same checks as the command `drop_folder add`."""

    try_name = forms.CharField(
        required=False,
        label="Try a name",
        help_text="Says after saving what the watcher makes of a folder of this name: ready, unfinished or ignored.",
    )

    class Meta:
        model = DropFolder
        fields: ClassVar = [
            "name",
            "path",
            "project",
            "enabled",
            "completion",
            "marker",
            "quiet_seconds",
            "scan_seconds",
            "watch_mode",
            "rule_set",
            "preview",
        ]

    def clean_path(self) -> str:
        resolved = os.path.realpath(raw(self.cleaned_data["path"]))
        try:
            check_path(resolved, but=self.instance if self.instance.pk else None)
        except Refused as error:
            raise ValidationError(str(error)) from error
        return printable(resolved)

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        check_marker(said.get("marker", ""), completion=said.get("completion", ""))
        try:
            check_rule_set(said.get("rule_set", ""), said.get("project"))
        except Refused as error:
            raise ValidationError({"rule_set": str(error)}) from error
        return said


@admin.register(DropFolder)
class DropFolderAdmin(Admin):
    form = DropFolderForm
    list_display = [
        "name",
        "path",
        "project",
        "enabled",
        "completion",
        "quiet_seconds",
        "watch_mode",
        "rule_set",
        "preview",
    ]
    list_filter: ClassVar = ["enabled", "completion", "watch_mode", "preview"]
    list_select_related: ClassVar = ["project__group"]
    search_fields = (
        "name",
        "path",
        "project__label",
        "project__group__name",
    )
    autocomplete_fields: ClassVar = ["project"]

    def save_model(self, request: HttpRequest, obj: DropFolder, form: Any, change: bool) -> None:  # noqa: FBT001
        super().save_model(request, obj, form, change)
        name = form.cleaned_data["try_name"]
        if name:
            messages.info(request, f"{shown(name)}: {judge_name(raw(name)).value}")


@admin.register(Batch)
class BatchAdmin(ReadOnly):
    list_display = ["delivery", "drop_folder", "status", "files", "bytes", "found_by", "claimed_at", "job"]
    list_filter: ClassVar = ["status", "found_by", "drop_folder", "claimed_at"]
    list_select_related: ClassVar = ["drop_folder", "job"]
    search_fields = (
        "label",
        "drop_folder__name",
        "=fingerprint",
    )
    date_hierarchy = "claimed_at"

    @admin.display(description="Delivery", ordering="label")
    def delivery(self, batch: Batch) -> str:
        """Its label, with line breaks and direction marks spelled out."""
        return shown(batch.label)


@admin.register(Watch)
class WatchAdmin(ReadOnly):
    list_display = ["host", "pid", "since", "beat_at"]
    search_fields = ("host",)
