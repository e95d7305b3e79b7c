from django.urls import path

from importer import conflict_views, review_views, rule_views, views

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
    path("review/", review_views.queue, name="review"),
    path("review/decide", review_views.decide, name="review-decide"),
    path("review/rules/", rule_views.rules, name="rules"),
    path("review/rules/set", rule_views.rule_set, name="rule-set"),
    path("review/aliases/", rule_views.aliases, name="aliases"),
    path("review/aliases/<int:alias_id>/forget", rule_views.alias_forget, name="alias-forget"),
    path("review/decisions/", review_views.resolutions, name="resolutions"),
    path("review/decisions/<int:resolution_id>/", review_views.resolution, name="resolution"),
    path("review/decisions/<int:resolution_id>/progress", review_views.resolution_progress, name="resolution-progress"),
    path("review/decisions/<int:resolution_id>/cancel", review_views.resolution_cancel, name="resolution-cancel"),
    path("review/decisions/<int:resolution_id>/undo", review_views.resolution_undo, name="resolution-undo"),
    path("review/decision/<int:decision_id>/undo", review_views.decision_undo, name="decision-undo"),
    path("review/<int:conflict_id>/", conflict_views.conflict, name="conflict"),
    path("review/<int:conflict_id>/files", review_views.row_files, name="conflict-files"),
    path("review/<int:conflict_id>/picture", conflict_views.picture, name="conflict-picture"),
]
