"""Addresses. Each app keeps its own; who is not signed in sees only the way in."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("watcher.urls")),
    path("", include("importer.urls")),
    path("", include("hierarchy.urls")),
    path("admin/", admin.site.urls),
]
