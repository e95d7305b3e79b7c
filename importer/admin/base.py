"""What every row of the importer is to an administrator: to look at. What changes state goes through the services."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest

if TYPE_CHECKING:  # Generic for the type checker alone.
    Admin = admin.ModelAdmin[Any]
    Pages = Paginator[Any]
else:
    Admin = admin.ModelAdmin
    Pages = Paginator

# Beyond it, nobody turns pages; counting millions of rows would take longer than showing them.
COUNTED = 10_000


class BoundedPaginator(Pages):
    """Counts to COUNTED and no further."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        if isinstance(rows, QuerySet):
            return rows.order_by()[:COUNTED].count()
        return len(rows)


class LookOnly(Admin):
    """No row is made, changed or deleted here. `blobs` are left where they are: nobody reads compressed bytes."""

    blobs: ClassVar[Sequence[str]] = ()
    show_full_result_count = False
    list_per_page = 50
    paginator = BoundedPaginator

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        return super().get_queryset(request).defer(*self.blobs)

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return False
