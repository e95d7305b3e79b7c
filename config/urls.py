"""Addresses. Each app keeps its own; who is not signed in sees only the way in."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path

from config.health import health

urlpatterns = [
    path("health", health, name="health"),
    path("sign-in/", LoginView.as_view(redirect_authenticated_user=True), name="sign-in"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
    path("", include("watcher.urls")),
    path("", include("importer.urls")),
    path("", include("hierarchy.urls")),
    path("api/v1/", include("importer.api.urls")),
    path("admin/", admin.site.urls),
]
