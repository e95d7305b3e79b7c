"""Rows for tests of the pages of deliveries."""

import itertools
from datetime import timedelta

from importer.models import ImportJob
from importer.tests.factories import START, make_project
from watcher.models import Batch, DropFolder, Watch
from watcher.states import OPEN, BatchStatus, FoundBy

_numbers = itertools.count(1)


def make_drop_folder(**fields) -> DropFolder:
    number = next(_numbers)
    defaults = {"name": f"scanner-{number}", "path": f"/data/incoming/scanner-{number}"}
    if "project" not in fields:
        defaults["project"] = make_project()
    return DropFolder.objects.create(**{**defaults, **fields})


def make_batch(
    folder: DropFolder | None = None, *, status: str = BatchStatus.IMPORTED, job: ImportJob | None = None, **fields
) -> Batch:
    number = next(_numbers)
    defaults = {
        "name": f"ST-{number:06}",
        "label": f"ST-{number:06}",
        "device": "fe01",
        "inode": str(number),
        "fingerprint": "0" * 64,
        "files": 120,
        "bytes": 63_000_000,
        "found_by": FoundBy.EVENT,
        "seen_at": START,
        "claimed_at": START + timedelta(seconds=2),
        "finished_at": None if status in OPEN else START + timedelta(seconds=70),
    }
    return Batch.objects.create(
        drop_folder=folder or make_drop_folder(), status=status, job=job, **{**defaults, **fields}
    )


def make_watch(*, beat_at=START, roots=None, **fields) -> Watch:
    """`roots`: drop folder -> what the watcher says about it."""
    report = {"roots": {str(folder.pk): said for folder, said in (roots or {}).items()}}
    defaults = {"host": "archive-1", "pid": 4711, "owner": "archive-1:4711", "since": START - timedelta(hours=7)}
    return Watch.objects.create(id=1, beat_at=beat_at, report=report, **{**defaults, **fields})
