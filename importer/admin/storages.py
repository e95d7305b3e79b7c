"""Storages, providers and checks for administrators. What is made or changed is made on their own pages: there the
services ask who may, credentials are never shown again, and what is saved is tested.
"""

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from importer.admin.base import LookOnly
from importer.core.names import shown
from importer.storage_queries import may_manage
from storages.models import ExternalStorage, StorageCheck, StorageProvider


class OnItsPages(LookOnly):
    """Looked at; `Add` leads to the form of the site, `View on site` to where the rest is done."""

    made_at = ""
    page = ""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may_manage(request.user)

    def add_view(self, *_args: object, **_options: object) -> HttpResponse:
        return HttpResponseRedirect(reverse(self.made_at))

    def view_on_site(self, row: Model) -> str:
        return reverse(self.page, args=[row.pk])

    @admin.display(description="label", ordering="label")
    def name(self, row: ExternalStorage | StorageProvider) -> str:
        return shown(row.label)

    @admin.display(description="address")
    def where(self, row: ExternalStorage | StorageProvider) -> str:
        return shown(row.address)


@admin.register(ExternalStorage)
class StorageAdmin(OnItsPages):
    blobs = ("credentials",)
    exclude = ("credentials",)
    made_at, page = "storage-new", "storage"
    list_display = ("id", "name", "kind", "where", "direction", "enabled", "health", "checked_at", "provider")
    list_display_links = ("id", "name")
    list_filter = ("health", "kind", "direction", "enabled")
    list_select_related = ("provider",)
    search_fields = ("label", "bucket", "prefix")
    ordering = ("label",)


@admin.register(StorageProvider)
class StorageProviderAdmin(OnItsPages):
    made_at, page = "storage-provider-new", "storage-provider"
    list_display = ("id", "name", "kind", "where", "access", "acknowledged_by", "acknowledged_at")
    list_display_links = ("id", "name")
    list_filter = ("kind", "access")
    search_fields = ("label", "bucket", "prefix")
    ordering = ("label",)


@admin.register(StorageCheck)
class StorageCheckAdmin(LookOnly):
    list_display = ("id", "storage", "at", "who", "health", "said")
    list_filter = ("health",)
    list_select_related = ("storage",)
    search_fields = ("=storage__id", "storage__label")
    ordering = ("-id",)

    @admin.display(description="words")
    def said(self, check: StorageCheck) -> str:
        return shown(check.words)
