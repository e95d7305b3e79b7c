from django.urls import path

from importer import views

urlpatterns = [
    path("imports/", views.imports, name="imports"),
    path("imports/<int:job_id>/", views.import_page, name="import"),
]
