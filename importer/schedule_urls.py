from django.urls import path

from importer import schedule_views

urlpatterns = [
    path("", schedule_views.schedules_page, name="schedules"),
    path("new", schedule_views.schedule_new, name="schedule-new"),
    path("<int:schedule_id>/", schedule_views.schedule_page, name="schedule"),
    path("<int:schedule_id>/edit", schedule_views.schedule_edit, name="schedule-edit"),
    path("<int:schedule_id>/run", schedule_views.schedule_run, name="schedule-run"),
    path("<int:schedule_id>/switch", schedule_views.schedule_switch, name="schedule-switch"),
    path("<int:schedule_id>/remove", schedule_views.schedule_remove, name="schedule-remove"),
]
