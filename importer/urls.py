from django.urls import path

from importer import views

urlpatterns = [
    path("imports/", views.imports, name="imports"),
    path("imports/<int:job_id>/", views.import_page, name="import"),
    path("imports/<int:job_id>/progress", views.import_progress, name="import-progress"),
    path("imports/<int:job_id>/conflicts/", views.import_conflicts, name="import-conflicts"),
    path("imports/<int:job_id>/items/<int:item_id>/", views.item, name="item"),
    path("imports/<int:job_id>/items/<int:item_id>/picture", views.item_picture, name="item-picture"),
    path("imports/<int:job_id>/cancel", views.import_cancel, name="import-cancel"),
    path("imports/<int:job_id>/rerun", views.import_rerun, name="import-rerun"),
    path("imports/<int:job_id>/report", views.import_report, name="import-report"),
    path("imports/<int:job_id>/conflict-report", views.import_conflict_report, name="import-conflict-report"),
]
