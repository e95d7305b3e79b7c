from django.urls import path

from watcher import sample_views, views

urlpatterns = [
    path("", views.dashboard, name="dashboard"),
    path("live", views.dashboard_live, name="dashboard-live"),
    path("drop-folders/<int:folder_id>/", views.drop_folder, name="drop-folder"),
    path("drop-folders/<int:folder_id>/sample", sample_views.folder_sample, name="drop-folder-sample"),
    path("batches/", views.batches, name="batches"),
    path("batches/<int:batch_id>/", views.batch, name="batch"),
    path("batches/<int:batch_id>/sample", sample_views.batch_sample, name="batch-sample"),
    path("batches/<int:batch_id>/progress", views.batch_progress, name="batch-progress"),
]
