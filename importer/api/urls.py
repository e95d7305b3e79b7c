from rest_framework.routers import SimpleRouter

from importer.api.views import Conflicts

router = SimpleRouter()
router.register("conflicts", Conflicts, basename="conflict-api")

urlpatterns = router.urls
