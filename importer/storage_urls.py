from django.urls import path

from importer import storage_provider_views, storage_views

urlpatterns = [
    path("", storage_views.storages, name="storages"),
    path("new", storage_views.storage_new, name="storage-new"),
    path("new/<str:kind>", storage_views.storage_new_kind, name="storage-new-kind"),
    path("<int:storage_id>/", storage_views.storage, name="storage"),
    path("<int:storage_id>/edit", storage_views.storage_edit, name="storage-edit"),
    path("<int:storage_id>/check", storage_views.storage_check, name="storage-check"),
    path("<int:storage_id>/browse", storage_views.storage_browse, name="storage-browse"),
    path("<int:storage_id>/switch", storage_views.storage_switch, name="storage-switch"),
    path("<int:storage_id>/move", storage_views.storage_move, name="storage-move"),
    path("<int:storage_id>/acknowledge", storage_views.storage_acknowledge, name="storage-acknowledge"),
    path("<int:storage_id>/delete", storage_views.storage_delete, name="storage-delete"),
    path("providers/", storage_provider_views.providers, name="storage-providers"),
    path("providers/new", storage_provider_views.provider_new, name="storage-provider-new"),
    path("providers/<int:provider_id>/", storage_provider_views.provider, name="storage-provider"),
    path("providers/<int:provider_id>/edit", storage_provider_views.provider_edit, name="storage-provider-edit"),
    path("providers/<int:provider_id>/delete", storage_provider_views.provider_delete, name="storage-provider-delete"),
]
