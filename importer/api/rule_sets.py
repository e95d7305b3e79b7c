"""Rule sets over REST: the same services as every other door. A built-in has its name in the place of a number."""

from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from django.utils.http import content_disposition_header
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from hierarchy.errors import Refused
from hierarchy.selectors import find_project
from importer import rule_sets
from importer.api.errors import enveloped
from importer.api.rule_serializers import CreateIn, DefaultIn, ListIn, TestIn, UpdateIn, row_out, version_out
from importer.core.rules.schema import schema
from importer.models import RuleSet, RuleSetVersion
from importer.rule_sets import NewRuleSet, RuleSetChoice, RuleSetRow
from importer.rule_trials import as_json, rules_named, tried
from importer.services import who_is

SORTS = ("name", "created_at", "id")


class ByName(CursorPagination):
    """Built-ins stand on the first page, above its rows."""

    page_size = 50
    max_page_size = 500
    page_size_query_param = "limit"
    ordering = "name"

    def get_ordering(self, request: Request, queryset: Any, view: Any) -> tuple[str, ...]:  # noqa: ARG002
        asked = request.query_params.get("sort", "name")
        sign = "-" if asked.startswith("-") else ""
        return (asked if asked.removeprefix("-") in SORTS else "name", f"{sign}id")


class ByNumber(ByName):
    ordering = "-number"

    def get_ordering(self, request: Request, queryset: Any, view: Any) -> tuple[str, ...]:  # noqa: ARG002
        return ("-number",)


class RuleSets(GenericViewSet[RuleSet]):
    """`?scope=…&project=GROUP/PROJECT&archived=true|false|any&q=…&sort=-created_at`."""

    queryset = RuleSet.objects.none()
    pagination_class = ByName
    lookup_field = "key"
    lookup_value_regex = r"[\w-]+"

    def get_exception_handler(self) -> Any:
        return enveloped

    def _row(self, key: str) -> RuleSetRow:
        """404 for what is not there, or not to be seen."""
        try:
            return rule_sets.find(user_of(self.request), key)
        except Refused as error:
            raise NotFound(str(error)) from error

    def _id(self, key: str) -> int:
        """A built-in has none: it is only looked at."""
        return rule_sets.own_id(self._row(key))

    def _by(self) -> dict[str, Any]:
        actor = user_of(self.request)
        return {"actor": actor, "who": who_is(actor), "now": timezone.now()}

    def list(self, request: Request) -> Response:
        asked = ListIn(data=request.query_params)
        asked.is_valid(raise_exception=True)
        choice = _choice(asked.validated_data, user_of(request))
        page = self.paginate_queryset(rule_sets.listed(user_of(request), choice)) or []
        built_in = [] if "cursor" in request.query_params else rule_sets.built_ins(choice)
        return self.get_paginated_response([row_out(row) for row in [*built_in, *map(rule_sets.row_of, page)]])

    def retrieve(self, _request: Request, key: str) -> Response:
        return self._shown(key)

    def create(self, request: Request) -> Response:
        asked = CreateIn(data=request.data)
        asked.is_valid(raise_exception=True)
        made = rule_sets.create(_new(asked.validated_data, user_of(request)), **self._by())
        return self._shown(str(made.pk), status=201)

    def partial_update(self, request: Request, key: str) -> Response:
        """A text needs `base_version`, the version that it was written on; 409 where there is a newer one."""
        asked = UpdateIn(data=request.data)
        asked.is_valid(raise_exception=True)
        said, pk = asked.validated_data, self._id(key)
        if "text" in said:
            base, description = said["base_version"], said.get("description")
            rule_sets.edit(pk, said["text"], base=base, description=description, **self._by())
        else:
            rule_sets.describe(pk, said["description"], **self._by())
        return self._shown(key)

    @action(detail=True, methods=["post"])
    def archive(self, _request: Request, key: str) -> Response:
        rule_sets.archive(self._id(key), **self._by())
        return self._shown(key)

    @action(detail=True, methods=["post"])
    def restore(self, _request: Request, key: str) -> Response:
        rule_sets.restore(self._id(key), **self._by())
        return self._shown(key)

    @action(detail=True, methods=["post"])
    def default(self, request: Request, key: str) -> Response:
        """`{"is_default": false}` takes it away."""
        asked = DefaultIn(data=request.data)
        asked.is_valid(raise_exception=True)
        verb = rule_sets.make_default if asked.validated_data["is_default"] else rule_sets.unmake_default
        verb(self._id(key), **self._by())
        return self._shown(key)

    @action(detail=True, methods=["get"])
    def versions(self, request: Request, key: str) -> Response:
        """Newest first, without their texts."""
        pages = ByNumber()
        rows: QuerySet[RuleSetVersion] = rule_sets.versions(self._row(key)).defer("text")
        page = pages.paginate_queryset(rows, request, view=self) or []
        return pages.get_paginated_response([version_out(one) for one in page])

    @action(detail=True, methods=["get"], url_path=r"versions/(?P<number>[0-9]{1,9})")
    def version(self, _request: Request, key: str, number: str) -> Response:
        row = self._row(key)
        try:
            found = rule_sets.version_of(row, int(number))
        except Refused as error:
            raise NotFound(str(error)) from error
        return Response(version_out(found) | {"text": found.text})

    @action(detail=True, methods=["get"])
    def export(self, _request: Request, key: str) -> HttpResponse:
        return as_file(rule_sets.export(self._row(key)))

    @action(detail=False, methods=["post"])
    def test(self, request: Request) -> Response:
        """Per sample: what becomes of it, the rule that takes it, its fields, and what every rule said."""
        asked = TestIn(data=request.data)
        asked.is_valid(raise_exception=True)
        said, actor = asked.validated_data, user_of(request)
        project = find_project(said["project"], actor=actor) if "project" in said else None
        text = said["text"] if "text" in said else rules_named(said["rule_set"], project=project, actor=actor).text
        rows = tried(rule_sets.parsed(text), said["samples"])
        return Response({"results": [as_json(one) for one in rows]})

    @action(detail=False, methods=["get"], url_path="schema", permission_classes=[AllowAny])
    def file_schema(self, _request: Request) -> Response:
        """JSON Schema of a rules file. Open: an editor that asks for it is not signed in."""
        return Response(schema(), content_type="application/schema+json")

    def _shown(self, key: str, *, status: int = 200) -> Response:
        row = self._row(key)
        shown = row_out(row) | {"text": rule_sets.text_of(row)}
        shown["may_change"] = rule_sets.may_change(user_of(self.request), row)
        return Response(shown, status=status)


def as_file(exported: rule_sets.Export) -> HttpResponse:
    response = HttpResponse(exported.text, content_type="application/yaml; charset=utf-8")
    named = content_disposition_header(as_attachment=True, filename=exported.file_name)
    response.headers["Content-Disposition"] = named or "attachment"
    return response


def user_of(request: Any) -> User:
    """Everybody here is signed in: the API's permission class sees to it."""
    user: User = request.user
    return user


def _choice(said: dict[str, Any], actor: Any) -> RuleSetChoice:
    archived = {"true": True, "false": False, "any": None}[said["archived"]]
    project = find_project(said["project"], actor=actor) if said.get("project") else None
    return RuleSetChoice(scope=said.get("scope"), project=project, archived=archived, words=said.get("q", ""))


def _new(said: dict[str, Any], actor: Any) -> NewRuleSet:
    return NewRuleSet(
        name=said["name"],
        text=said["text"],
        description=said.get("description", ""),
        group=rule_sets.find_group(said["group"], actor=actor) if said.get("group") else None,
        project=find_project(said["project"], actor=actor) if said.get("project") else None,
        is_default=said["is_default"],
    )
