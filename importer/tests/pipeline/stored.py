"""Imports from storages: the row of one, and a job over it."""

import os
from datetime import UTC, datetime

from django.utils import timezone

from importer.core.states import SourceKind
from importer.services import ImportRequest, start_import
from importer.tests.pipeline.drive import run
from storages.models import ExternalStorage
from storages.tests.rows import make_provider

LONG_AGO = 1_600_000_000


def storage_of(config, **fields):
    """The row of what a Spot is."""
    now = datetime(2025, 11, 24, 9, 30, tzinfo=UTC)
    own = {name: getattr(config, name) for name in ("kind", "bucket", "prefix", "endpoint", "region", "account")}
    sealed = config.credentials.sealed() if config.credentials else None
    signs = {"credentials": sealed, "credentials_at": now if sealed else None}
    return ExternalStorage.objects.create(
        **{"label": "scans", "created_at": now, "next_check_at": now, **own, **signs, **fields}
    )


def on_provider(config, **fields):
    """The same on a provider, with what has to be agreed to agreed: what comes from it is imported by reference."""
    made = make_provider(kind=config.kind, bucket=config.bucket, endpoint=config.endpoint)
    agreed = {"acknowledged_by": "system", "acknowledged_at": made.created_at}
    return storage_of(config, provider=made, **{**agreed, **fields})


def begun(project, storage, *prefixes, **options):
    """A job over the storage that nobody has begun."""
    fields = {"source_kind": SourceKind.STORAGE, "label": "test", "who": "system"} | options
    return start_import(
        ImportRequest(project=project, storage=storage, prefixes=prefixes, **fields),
        actor=None, now=timezone.now(), enqueue=False,
    )  # fmt: skip


def imported(project, storage, *prefixes, **options):
    return run(begun(project, storage, *prefixes, **options))


def aged(folder):
    """Every file below was written long ago: times of the last seconds are not trusted."""
    for path in folder.rglob("*"):
        os.utime(path, (LONG_AGO, LONG_AGO), follow_symlinks=False)
