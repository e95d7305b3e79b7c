"""Imports, their slices, Placements, Items and Events for administrators."""

from django.contrib import admin

from importer.admin.base import LookOnly
from importer.core.names import shown
from importer.models import Chunk, Event, ImportJob, Item, Placement


@admin.register(ImportJob)
class ImportJobAdmin(LookOnly):
    list_display = ("id", "name", "status", "project", "source_kind", "who", "discovered", "created_at", "finished_at")
    list_display_links = ("id", "name")
    list_filter = ("status", "source_kind", "dry_run", ("project", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("project__group",)
    search_fields = ("label", "who", "source_root")
    ordering = ("-id",)

    @admin.display(description="label", ordering="label")
    def name(self, job: ImportJob) -> str:
        return shown(job.label)


@admin.register(Chunk)
class ChunkAdmin(LookOnly):
    blobs = ("entries", "answers")
    list_display = ("id", "job_id", "work", "status", "first_seq", "count", "bytes", "owner", "leased_until", "kills")
    list_filter = ("status", "work")
    search_fields = ("=job__id", "owner")
    ordering = ("-id",)


@admin.register(Placement)
class PlacementAdmin(LookOnly):
    list_display = ("id", "job_id", "kind", "level", "place", "outcome", "reason", "count")
    list_filter = ("outcome", "kind", "level", "conflict_type")
    search_fields = ("=job__id", "subject_label", "session_uid", "acquisition_uid")
    ordering = ("-id",)

    @admin.display
    def place(self, placement: Placement) -> str:
        labels = (placement.subject_label, placement.session_label, placement.acquisition_label, placement.file_name)
        return " / ".join(shown(label) for label in labels if label)


@admin.register(Item)
class ItemAdmin(LookOnly):
    list_display = ("id", "job_id", "seq", "name", "size", "outcome_of", "reason_of")
    list_filter = ("outcome",)
    list_select_related = ("placement",)
    search_fields = ("=job__id", "path", "=sop_uid")
    ordering = ("-id",)

    @admin.display(description="path")
    def name(self, item: Item) -> str:
        return shown(item.path)

    @admin.display(description="outcome")
    def outcome_of(self, item: Item) -> str | None:
        return item.outcome or (item.placement.outcome if item.placement else None)

    @admin.display(description="reason")
    def reason_of(self, item: Item) -> str:
        said = item.reason if item.outcome or item.placement is None else item.placement.reason
        return shown(said)


@admin.register(Event)
class EventAdmin(LookOnly):
    list_display = ("id", "at", "who", "what", "said", "job_id", "batch_id", "conflict_id", "rule_set_id")
    list_filter = ("what",)
    search_fields = ("=job_id", "=batch_id", "=rule_set_id", "who")
    ordering = ("-id",)

    @admin.display(description="detail")
    def said(self, event: Event) -> str:
        return shown(event.detail)
