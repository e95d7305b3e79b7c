"""Schedules over REST: the same services as every other door."""

from dataclasses import replace
from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils import timezone
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from hierarchy.selectors import find_project
from importer import page_queries, schedule_queries, schedules, storage_queries
from importer.api.errors import enveloped
from importer.api.import_serializers import ImportOut
from importer.api.imports import NewestFirst, acknowledged
from importer.api.schedule_serializers import ScheduleEditIn, ScheduleIn, ScheduleListIn, ScheduleOut
from importer.core.states import MissingMeta, Strategy, UidScope
from importer.core.transfer_rules import DeleteSource, Transfer
from importer.models import ImportSchedule
from importer.schedule_queries import ScheduleChoice
from importer.schedules import NewSchedule, Options, ScheduleEdit, Times, options_of, times_of
from importer.services import who_is

# As the API calls an option, and what it becomes: a closed set, or itself.
OPTIONS: dict[str, tuple[str, Any]] = {
    "rules": ("rules", str),
    "rules_text": ("rules_text", str),
    "conflict_strategy": ("strategy", Strategy),
    "uid_scope": ("uid_scope", UidScope),
    "missing_meta": ("missing_meta", MissingMeta),
    "transfer": ("transfer", Transfer),
    "delete_source": ("delete_source", DeleteSource),
    "checksum": ("checksum", bool),
    "limit": ("limit", int),
    "dry_run": ("dry_run", bool),
}


class Schedules(ListModelMixin, RetrieveModelMixin, GenericViewSet[ImportSchedule]):
    """`?state=on&project=GROUP/PROJECT&storage=LABEL&q=…`, newest first; `runs` and `run` beside."""

    serializer_class = ScheduleOut
    pagination_class = NewestFirst
    lookup_value_regex = "[0-9]{1,18}"

    def get_exception_handler(self) -> Any:
        return enveloped

    def get_queryset(self) -> "QuerySet[ImportSchedule]":
        if self.action != "list":
            return schedule_queries.visible(self._user())
        said = _valid(ScheduleListIn, self.request.query_params)
        project, storage = said.get("project"), said.get("storage")
        choice = ScheduleChoice(
            state=said.get("state", ""),
            project=find_project(project, actor=self._user()).pk if project else None,
            storage=storage_queries.find(self._user(), storage).pk if storage else None,
            words=said.get("q", ""),
        )
        return schedule_queries.listed(self._user(), choice)

    def _user(self) -> User:
        """Everybody here is signed in: the API's permission class sees to it."""
        user: User = self.request.user  # type: ignore[assignment]
        return user

    def _by(self) -> dict[str, Any]:
        return {"actor": self._user(), "who": who_is(self._user()), "now": timezone.now()}

    def _shown(self, kept: ImportSchedule, *, status: int = 200) -> Response:
        return Response(ScheduleOut(schedule_queries.visible(self._user()).get(pk=kept.pk)).data, status=status)

    def create(self, request: Request) -> Response:
        """201 with the schedule."""
        said = _valid(ScheduleIn, request.data)
        new = NewSchedule(
            project=find_project(said["project"], actor=self._user()),
            storage=acknowledged(said, **self._by()),
            times=Times(cron=said["cron"], start=said.get("start"), end=said.get("end")),
            name=said.get("name", ""),
            description=said.get("description", ""),
            prefixes=said.get("prefixes", ()),
            options=_options(Options(), said),
        )
        return self._shown(schedules.create(new, **self._by()), status=201)

    def partial_update(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Who changes it answers for it from then on."""
        kept, said = self.get_object(), _valid(ScheduleEditIn, request.data)
        times = times_of(kept)
        edit = ScheduleEdit(
            name=said.get("name"),
            description=said.get("description"),
            prefixes=said.get("prefixes"),
            times=replace(times, **{name: said[name] for name in ("cron", "start", "end") if name in said}),
            options=_options(options_of(kept), said),
        )
        by = self._by()
        if said.get("active") is False:
            schedules.switch(kept.pk, on=False, **by)
            if said.keys() == {"active"}:
                return self._shown(kept)
        elif "active" in said:
            edit = replace(edit, active=True)
        return self._shown(schedules.update(kept.pk, edit, **by))

    def destroy(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """204. Its imports stay."""
        schedules.remove(self.get_object().pk, **self._by())
        return Response(status=204)

    @action(detail=True, methods=["post"])
    def run(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """201 with the import; 409 while a run is under way."""
        job = schedules.run_now(self.get_object().pk, **self._by())
        return Response(ImportOut(page_queries.visible_jobs(self._user()).get(pk=job.pk)).data, status=201)

    @action(detail=True, methods=["get"])
    def runs(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Its imports, newest first."""
        rows = page_queries.visible_jobs(self._user()).filter(schedule=self.get_object())
        paginator = NewestFirst()
        page = paginator.paginate_queryset(rows, self.request, view=self) or []
        return paginator.get_paginated_response(ImportOut(page, many=True).data)


def _options(before: Options, said: dict[str, Any]) -> Options:
    """Those that are said in the place of those before. A rule set that is named takes the place of own rules."""
    changes: dict[str, Any] = {
        name: value if value is None else kind(value)
        for said_as, (name, kind) in OPTIONS.items()
        if said_as in said
        for value in [said[said_as]]
    }
    if "rules" in changes and "rules_text" not in changes:
        changes["rules_text"] = ""
    return replace(before, **changes)


def _valid(taken: type[serializers.Serializer[Any]], said: Any) -> dict[str, Any]:
    asked = taken(data=said)
    asked.is_valid(raise_exception=True)
    found: dict[str, Any] = asked.validated_data
    return found
