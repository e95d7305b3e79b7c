"""Storages and providers over REST: the same services as every other door."""

from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import Http404
from django.utils import timezone
from rest_framework.decorators import action
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.viewsets import GenericViewSet

from hierarchy.selectors import find_project
from importer import storage_providers, storage_queries, storage_services
from importer.api import storage_serializers as said
from importer.api.errors import enveloped
from importer.rule_choice import find_group
from importer.services import who_is
from importer.storage_address import Address
from importer.storage_providers import NewProvider, ProviderEdit
from importer.storage_queries import StorageChoice
from importer.storage_services import NewStorage, Scope, SignIn, StorageEdit
from storages.models import Access, Direction, ExternalStorage, StorageProvider
from storages.stores import Kind

SORTS = ("label", "created_at", "checked_at", "id")


class ByLabel(CursorPagination):
    page_size = 50
    max_page_size = 500
    page_size_query_param = "limit"
    ordering = "label"

    def get_ordering(self, request: Request, queryset: Any, view: Any) -> tuple[str, ...]:  # noqa: ARG002
        asked = request.query_params.get("sort", "label")
        sign = "-" if asked.startswith("-") else ""
        return (asked if asked.removeprefix("-") in SORTS else "label", f"{sign}id")


class _Door(GenericViewSet[Any]):
    pagination_class = ByLabel
    lookup_value_regex = "[0-9]{1,18}"

    def get_exception_handler(self) -> Any:
        return enveloped

    def _by(self) -> dict[str, Any]:
        """Who does it, and when."""
        actor = user_of(self.request)
        return {"actor": actor, "who": who_is(actor), "now": timezone.now()}

    def _paged(self, rows: "QuerySet[Any]", shown: Any) -> Response:
        page = self.paginate_queryset(rows) or []
        return self.get_paginated_response([shown(row) for row in page])


class Storages(_Door):
    """`?health=…&kind=…&direction=…&q=…&sort=-created_at`; `check`, `browse`, `move`, `acknowledge` beside."""

    queryset = ExternalStorage.objects.none()

    def list(self, request: Request) -> Response:
        asked = valid(said.ListIn, request.query_params)
        choice = StorageChoice(
            health=asked.get("health", ""),
            kind=asked.get("kind", ""),
            direction=asked.get("direction", ""),
            words=asked.get("q", ""),
        )
        return self._paged(storage_queries.listed(user_of(request), choice), said.storage_out)

    def create(self, request: Request) -> Response:
        """201. It is tested at once: see `check` in the answer."""
        asked = valid(said.StorageIn, request.data)
        made = storage_services.create(_new(asked, user_of(request)), **self._by())
        found = self._checked(made.pk) if asked["test"] else None
        return Response(self._shown(made.pk) | {"check": found}, status=201)

    def retrieve(self, _request: Request, pk: str) -> Response:
        return Response(self._shown(int(pk)))

    def partial_update(self, request: Request, pk: str) -> Response:
        asked = valid(said.StorageEditIn, request.data)
        storage_services.update(self._id(pk), _edit(asked, user_of(request)), **self._by())
        return Response(self._shown(int(pk)))

    def destroy(self, _request: Request, pk: str) -> Response:
        storage_services.delete(self._id(pk), **self._by())
        return Response(status=204)

    @action(detail=True, methods=["post"])
    def check(self, _request: Request, pk: str) -> Response:
        """Now, step by step. 200 also where it does not work: `health` says so."""
        return Response(self._checked(self._id(pk)))

    @action(detail=True, methods=["get"])
    def checks(self, _request: Request, pk: str) -> Response:
        """The newest first."""
        rows = storage_queries.checks_of(self._row(int(pk)))
        return Response({"results": [said.check_out(row) for row in rows]})

    @action(detail=True, methods=["get", "post"])
    def browse(self, request: Request, pk: str) -> Response:
        """One page of one folder: `path` (empty, or ending in /), `after`, `limit`."""
        asked = valid(said.BrowseIn, request.data if request.method == "POST" else request.query_params)
        actor = user_of(request)
        level = storage_services.browse(
            self._id(pk), asked["path"], actor=actor, after=asked["after"], limit=asked["limit"]
        )
        return Response(said.level_out(level))

    @action(detail=True, methods=["post"])
    def move(self, request: Request, pk: str) -> Response:
        """Everything was moved as a whole: `bucket` is where to."""
        asked = valid(said.MoveIn, request.data)
        storage_services.move(self._id(pk), asked["bucket"], **self._by())
        return Response(self._shown(int(pk)))

    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Request, pk: str) -> Response:
        """`{"acknowledged": true}`, once, before the first import by reference."""
        valid(said.AcknowledgeIn, request.data)
        storage_providers.acknowledge(self._id(pk), **self._by())
        return Response(self._shown(int(pk)))

    def _row(self, pk: int) -> ExternalStorage:
        """404 for what is not there, or not to be seen."""
        row = storage_queries.visible(user_of(self.request)).filter(pk=pk).first()
        if row is None:
            raise Http404
        return row

    def _id(self, pk: str) -> int:
        return self._row(int(pk)).pk

    def _shown(self, pk: int) -> dict[str, Any]:
        row, actor = self._row(pk), user_of(self.request)
        shown = said.storage_out(row)
        shown["warning"] = storage_providers.warning_before_import(row) or None
        shown["may_change"] = storage_queries.may_manage(actor)
        return shown

    def _checked(self, pk: int) -> dict[str, Any] | None:
        actor = user_of(self.request)
        found = storage_services.check(pk, actor=actor, who=who_is(actor))
        return said.check_out(found) if found else None


class StorageProviders(_Door):
    """One is made with `acknowledged: true`; without it the answer is 409 with the warning to read."""

    queryset = StorageProvider.objects.none()

    def list(self, request: Request) -> Response:
        return self._paged(storage_queries.providers(user_of(request)), _provider_shown)

    def create(self, request: Request) -> Response:
        asked = valid(said.ProviderIn, request.data)
        new = NewProvider(
            label=asked["label"], description=asked["description"], address=_address(asked),
            access=Access(asked["access"]), acknowledged=asked["acknowledged"],
        )  # fmt: skip
        made = storage_providers.create(new, **self._by())
        return Response(said.provider_out(made) | {"used_by": 0}, status=201)

    def retrieve(self, _request: Request, pk: str) -> Response:
        return Response(_provider_shown(self._row(int(pk))))

    def partial_update(self, request: Request, pk: str) -> Response:
        asked = valid(said.ProviderEditIn, request.data)
        access = Access(asked["access"]) if "access" in asked else None
        edit = ProviderEdit(label=asked.get("label"), description=asked.get("description"), access=access)
        storage_providers.update(self._row(int(pk)).pk, edit, **self._by())
        return Response(_provider_shown(self._row(int(pk))))

    def destroy(self, _request: Request, pk: str) -> Response:
        storage_providers.delete(self._row(int(pk)).pk, **self._by())
        return Response(status=204)

    def _row(self, pk: int) -> StorageProvider:
        row = storage_queries.providers(user_of(self.request)).filter(pk=pk).first()
        if row is None:
            raise Http404
        return row


def _provider_shown(row: StorageProvider) -> dict[str, Any]:
    return said.provider_out(row) | {"used_by": getattr(row, "used_by", 0)}


def user_of(request: Any) -> User:
    """Everybody here is signed in: the API's permission class sees to it."""
    user: User = request.user
    return user


def valid(kind: type[Serializer[Any]], data: Any) -> dict[str, Any]:
    """What was asked, in its shape. Raises ValidationError."""
    asked = kind(data=data)
    asked.is_valid(raise_exception=True)
    found: dict[str, Any] = asked.validated_data
    return found


def _address(asked: dict[str, Any]) -> Address:
    place = {name: asked.get(name, "") for name in ("bucket", "prefix", "endpoint", "region", "account")}
    return Address(kind=Kind(asked["kind"]), **place)


def _new(asked: dict[str, Any], actor: User) -> NewStorage:
    provider = asked.get("provider")
    return NewStorage(
        label=asked["label"],
        description=asked["description"],
        address=_address(asked),
        sign_in=SignIn(credentials=asked["credentials"], from_machine=asked["from_machine"]),
        direction=Direction(asked["direction"]),
        scope=_scope(asked, actor) or Scope(),
        provider=storage_queries.find_provider(actor, provider) if provider else None,
    )


def _scope(asked: dict[str, Any], actor: User) -> Scope | None:
    """None where nothing is said about it."""
    if asked.get("group"):
        return Scope(group=find_group(asked["group"], actor=actor))
    if asked.get("project"):
        return Scope(project=find_project(asked["project"], actor=actor))
    return Scope() if {"group", "project"} & set(asked) else None


def _edit(asked: dict[str, Any], actor: User) -> StorageEdit:
    sign_in = None
    if "credentials" in asked or asked.get("from_machine"):
        sign_in = SignIn(credentials=asked.get("credentials", {}), from_machine=asked.get("from_machine", False))
    return StorageEdit(
        label=asked.get("label"),
        description=asked.get("description"),
        endpoint=asked.get("endpoint"),
        region=asked.get("region"),
        direction=Direction(asked["direction"]) if "direction" in asked else None,
        scope=_scope(asked, actor),
        enabled=asked.get("enabled"),
        sign_in=sign_in,
    )
