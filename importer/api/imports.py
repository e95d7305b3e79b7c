"""Imports and their plans over REST: the same services as every other door."""

from datetime import datetime
from types import SimpleNamespace
from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from hierarchy.errors import Refused
from hierarchy.models import Project
from hierarchy.selectors import find_project
from importer import page_queries, plan_queries, storage_providers, storage_queries
from importer.api.errors import enveloped
from importer.api.import_serializers import (
    ApproveIn,
    DeselectIn,
    ImportIn,
    ImportOut,
    PlanIn,
    RerunIn,
    container_out,
    file_out,
    head_out,
    progress_out,
)
from importer.core.progress import progress
from importer.core.states import JobStatus, Level, MissingMeta, SourceKind, Strategy, UidScope
from importer.core.transfer_rules import DeleteSource, Transfer
from importer.downloads import AUDIT, CONFLICTS, PLAN, VANISHED, Writers, download
from importer.models import ImportJob
from importer.plan_queries import ROOT, PlanChoice
from importer.plan_tree import At, head, listing
from importer.plans import Branch, approve_import, deselect
from importer.services import ImportRequest, cancel_import, rerun_import, start_import, who_is
from importer.sources import Source, check_goes_to, opened_source, typed_source
from storages.models import ExternalStorage


class NewestFirst(CursorPagination):
    page_size = 50
    max_page_size = 500
    page_size_query_param = "limit"
    ordering = "-id"


class ByHeader(DefaultContentNegotiation):
    """`?format=` says what a report is written in; what an answer is written in says the Accept header alone."""

    settings = SimpleNamespace(URL_FORMAT_OVERRIDE=None)  # type: ignore[assignment]


class Imports(ListModelMixin, RetrieveModelMixin, GenericViewSet[ImportJob]):
    """`?status=planned&project=GROUP/PROJECT`, newest first; `plan`, `approve`, `deselect` and reports beside."""

    serializer_class = ImportOut
    pagination_class = NewestFirst
    content_negotiation_class = ByHeader
    lookup_value_regex = "[0-9]{1,18}"

    def get_exception_handler(self) -> Any:
        return enveloped

    def get_queryset(self) -> "QuerySet[ImportJob]":
        rows = page_queries.visible_jobs(self._user())
        status, project = (self.request.query_params.get(name, "") for name in ("status", "project"))
        if self.action != "list":
            return rows
        if status and status not in set(JobStatus):
            raise Refused(f"There is no status {status}: it is one of {', '.join(JobStatus)}.")
        rows = rows.filter(status=status) if status else rows
        return rows.filter(project=find_project(project, actor=self._user())) if project else rows

    def _user(self) -> User:
        """Everybody here is signed in: the API's permission class sees to it."""
        user: User = self.request.user  # type: ignore[assignment]
        return user

    def _by(self) -> dict[str, Any]:
        return {"actor": self._user(), "who": who_is(self._user()), "now": timezone.now()}

    def _shown(self, job: ImportJob, *, status: int = 200) -> Response:
        found = page_queries.visible_jobs(self._user()).get(pk=job.pk)
        return Response(ImportOut(found).data, status=status)

    def create(self, request: Request) -> Response:
        """201 with the import; with `dry_run` it stops as a plan."""
        said, by = _valid(ImportIn, request.data), self._by()
        project = find_project(said["project"], actor=self._user())
        asked = ImportRequest(
            project=project,
            who=by["who"],
            description=said.get("description", ""),
            strategy=_one(Strategy, said.get("conflict_strategy")),
            uid_scope=_one(UidScope, said.get("uid_scope")),
            missing_meta=_one(MissingMeta, said.get("missing_meta")),
            limit=said.get("limit"),
            dry_run=said.get("dry_run", False),
            rules=said.get("rules"),
            transfer=Transfer(said.get("transfer", Transfer.AUTO)),
            delete_source=DeleteSource(said.get("delete_source", DeleteSource.NEVER)),
            checksum=said.get("checksum", False),
            **self._where_from(said, project),
        )
        return self._shown(start_import(asked, actor=by["actor"], now=by["now"]), status=201)

    def _where_from(self, said: dict[str, Any], project: Project) -> dict[str, Any]:
        """The fields of a request that say so, and its label."""
        if "storage" in said:
            storage = acknowledged(said, **self._by())
            label, prefixes = said.get("label") or storage.label, said.get("prefixes", ())
            return {"source_kind": SourceKind.STORAGE, "storage": storage, "prefixes": prefixes, "label": label}
        source = self._source(said["source"])
        check_goes_to(source, project, actor=self._user())
        return {"source_kind": source.kind, "source_root": source.root, "label": said.get("label") or source.label}

    def _source(self, said: str) -> Source:
        if said.startswith("/"):
            return typed_source(said, actor=self._user())
        return opened_source(said, actor=self._user())

    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """202: the plan is made again and, where nothing differs, run."""
        job, said = self.get_object(), _valid(ApproveIn, request.data)
        return self._shown(approve_import(job.pk, expect=said.get("expect"), **self._by()), status=202)

    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        return self._shown(cancel_import(self.get_object().pk, **self._by()), status=202)

    @action(detail=True, methods=["post"])
    def rerun(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """201 with the new import."""
        before, said = self.get_object(), _valid(RerunIn, request.data)
        job = rerun_import(before.pk, only_failed=said["only_failed"], **self._by())
        return self._shown(job, status=201)

    @action(detail=True, methods=["post"])
    def deselect(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """How many destination files changed, and the sums that follow."""
        job, said = self.get_object(), _valid(DeselectIn, request.data)
        part = said.get("placements")
        if part is None:
            branch = said["branch"]
            part = Branch(Level(branch["level"]), branch["subject"], branch["session"], branch["acquisition"])
        changed = deselect(job.pk, part, off=not said["selected"], **self._by())
        job.refresh_from_db()
        return Response({"changed": changed, "plan": head_out(head(job), job)})

    @action(detail=True, methods=["get"])
    def plan(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """A level of the tree, 50 rows of it, with `next`; with `format=csv` all of it."""
        job = self.get_object()
        if request.query_params.get("format"):
            return self._report(PLAN, name="plan")  # type: ignore[return-value]
        if job.status != JobStatus.PLANNED:
            raise Refused(f"Import {job.pk} is no plan: it is {job.status.replace('_', ' ')}.")
        at = self._at(job, _valid(PlanIn, request.query_params))
        found = listing(at)
        return Response(
            {
                "plan": head_out(head(job), job),
                "containers": [container_out(one) for one in found.entries],
                "files": [file_out(one, job) for one in found.files],
                "next": self._next(found.more_url),
            }
        )

    def _at(self, job: ImportJob, said: dict[str, Any]) -> At:
        branch = plan_queries.branch_at(job, said["at"]) if said["at"] else ROOT
        if branch is None:
            raise NotFound(f"There is no part {said['at']} in this plan.")
        behind = self.request.query_params.get("from", "")
        files_after = int(behind[:18]) if behind.isascii() and behind.isdecimal() else None
        choice = PlanChoice(show=said["show"], words=said["q"])
        return At(job, choice, branch, key=said["at"], after=said.get("after"), files_after=files_after)

    def _next(self, more_url: str) -> str | None:
        if not more_url:
            return None
        return self.request.build_absolute_uri(f"{self.request.path}?{more_url.partition('?')[2]}")

    @action(detail=True, methods=["get"])
    def progress(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        job = self.get_object()
        return Response(progress_out(job, progress(job, now=timezone.now())))

    @action(detail=True, methods=["get"])
    def report(self, request: Request, pk: str) -> StreamingHttpResponse:  # noqa: ARG002
        """`?format=csv` (the default) or `jsonl`, one row per source file."""
        return self._report(AUDIT, name="report")

    @action(detail=True, methods=["get"], url_path="conflict-report")
    def conflict_report(self, request: Request, pk: str) -> StreamingHttpResponse:  # noqa: ARG002
        """`?format=csv` (the default) or `jsonl`, one row per conflict ever detected."""
        return self._report(CONFLICTS, name="conflicts")

    @action(detail=True, methods=["get"])
    def vanished(self, request: Request, pk: str) -> StreamingHttpResponse:  # noqa: ARG002
        """CSV: what earlier imports met in the storage and this one did not."""
        return self._report(VANISHED, name="vanished")

    def _report(self, writers: Writers, *, name: str) -> StreamingHttpResponse:
        return download(self.get_object(), writers, ending=self.request.query_params.get("format", "csv"), name=name)


def _valid(taken: type[serializers.Serializer[Any]], said: Any) -> dict[str, Any]:
    asked = taken(data=said)
    asked.is_valid(raise_exception=True)
    found: dict[str, Any] = asked.validated_data
    return found


def acknowledged(said: dict[str, Any], *, actor: User, who: str, now: datetime) -> ExternalStorage:
    """The storage that is asked for; where the warning about references was read just now, that is noted."""
    storage = storage_queries.find(actor, said["storage"])
    if said["acknowledged"] and storage_providers.warning_before_import(storage):
        return storage_providers.acknowledge(storage.pk, actor=actor, who=who, now=now)
    return storage


def _one(kind: Any, value: str | None) -> Any:
    """None: as the rules, the project or the site says."""
    return kind(value) if value else None
