from django.urls import path

from hierarchy import file_views, views

urlpatterns = [
    path("projects/", views.projects, name="projects"),
    path("projects/<int:project_id>/", views.project, name="project"),
    path("subjects/<int:subject_id>/", views.subject, name="subject"),
    path("sessions/<int:session_id>/", views.session, name="session"),
    path("acquisitions/<int:acquisition_id>/", views.acquisition, name="acquisition"),
    path("files/<int:file_id>/", file_views.file, name="file"),
    path("files/<int:file_id>/header", file_views.header, name="file-header"),
    path("files/<int:file_id>/picture", file_views.picture, name="file-picture"),
    path("files/<int:file_id>/download", file_views.download, name="file-download"),
]
