"""Schedules for administrators: to look at. They are changed on their own pages."""

from django.contrib import admin

from importer.admin.base import LookOnly
from importer.core.names import shown
from importer.models import ImportSchedule
from importer.schedule_words import STATE, state_of


@admin.register(ImportSchedule)
class ImportScheduleAdmin(LookOnly):
    blobs = ("rules_text",)
    list_display = ("id", "called", "state", "storage", "project", "cron", "next_run_at", "last_run_at", "who")
    list_display_links = ("id", "called")
    list_filter = ("active", ("project", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("storage", "project__group")
    search_fields = ("name", "storage__label", "who")
    ordering = ("-id",)

    @admin.display(description="name", ordering="name")
    def called(self, schedule: ImportSchedule) -> str:
        return shown(schedule.name)

    @admin.display
    def state(self, schedule: ImportSchedule) -> str:
        return STATE[state_of(schedule)].label
