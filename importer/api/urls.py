from rest_framework.routers import SimpleRouter

from importer.api.imports import Imports
from importer.api.rule_sets import RuleSets
from importer.api.schedules import Schedules
from importer.api.storages import StorageProviders, Storages
from importer.api.views import Conflicts

router = SimpleRouter()
router.register("conflicts", Conflicts, basename="conflict-api")

# With and without a slash at the end: a body that is posted is not lost in a redirect.
either = SimpleRouter()
either.trailing_slash = "/?"
either.register("imports", Imports, basename="import-api")
either.register("rule-sets", RuleSets, basename="rule-set-api")
either.register("storages", Storages, basename="storage-api")
either.register("storage-providers", StorageProviders, basename="storage-provider-api")
either.register("schedules", Schedules, basename="schedule-api")

urlpatterns = [*router.urls, *either.urls]
