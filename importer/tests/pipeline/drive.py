"""Drives the pipeline in this process, and says what became of everything."""

import hashlib
import zipfile
from datetime import timedelta
from pathlib import Path

from django.utils import timezone

from hierarchy.models import Acquisition, FileVersion, Session, Subject
from hierarchy.models.files import current_version
from importer.core.names import raw
from importer.core.states import SourceKind
from importer.models import Conflict, Item
from importer.pipeline.advance import Step, advance
from importer.pipeline.verify import State, verify
from importer.pipeline.worker import Worker, this_owner
from importer.services import ImportRequest, start_import
from importer.tests.core.made import dataset, file_of
from storages.place_contract import MARK

ENDS = {"imported", "skipped", "conflict", "failed", "cancelled"}


class Clock:
    """A clock that goes only when told to; add seconds to move it."""

    def __init__(self):
        self.now = timezone.now()

    def __call__(self):
        return self.now

    def add(self, seconds):
        self.now += timedelta(seconds=seconds)


def start(project, folder, **options):
    """A job over the folder that nobody has begun."""
    fields = {"source_kind": SourceKind.FOLDER, "label": "test", "who": "system"} | options
    root = folder if isinstance(folder, bytes) else str(folder).encode()
    return start_import(
        ImportRequest(project=project, source_root=root, **fields), actor=None, now=timezone.now(), enqueue=False
    )


def worker(**fields):
    return Worker(**{"owner": this_owner(), **fields})


def run(job, *, by=None, steps=5000):
    """Until the job ends or has nothing to do; then the law of conservation is asked."""
    by = by or worker()
    for _ in range(steps):
        if advance(job.pk, worker=by) is not Step.DID:
            break
    else:
        raise AssertionError(f"no end after {steps} steps")
    job.refresh_from_db()
    if job.status in {"completed", "needs_review", "cancelled", "failed"}:
        assert_conserved(job)
    return job


def until(job, status, *, by=None, steps=500):
    """Steps until the job is in that state."""
    by = by or worker()
    for _ in range(steps):
        job.refresh_from_db()
        if job.status == status:
            return job
        advance(job.pk, worker=by)
    raise AssertionError(f"never became {status}, is {job.status}")


def imported(project, folder, **options):
    return run(start(project, folder, **options))


def assert_conserved(job):
    """The law of conservation, counted anew from the rows."""
    became = [outcome for outcome, _ in outcomes(job).values()]
    assert set(became) <= ENDS
    counted = {end: became.count(end) for end in ENDS}
    assert counted == {end: getattr(job, end) for end in ENDS}
    assert len(became) == job.discovered == Item.objects.filter(job=job).count()


def outcomes(job):
    """Source path → (outcome, reason)."""
    rows = Item.objects.filter(job=job).select_related("placement").order_by("seq")
    return {
        item.path: (item.outcome, item.reason) if item.outcome else (item.placement.outcome, item.placement.reason)
        for item in rows
    }


def became(job):
    """Source path → outcome."""
    return {path: outcome for path, (outcome, _) in outcomes(job).items()}


def reasons(job):
    """Source path → `outcome: first part of the reason`."""
    return {path: f"{o}: {r.partition(':')[0]}".removesuffix(": ") for path, (o, r) in outcomes(job).items()}


def conflicts(job=None):
    """Source paths' conflict types: upload path → type."""
    rows = Conflict.objects.all() if job is None else Conflict.objects.filter(job=job)
    return sorted((one.type, one.upload_path) for one in rows)


def tree(project):
    """Every file: readable path (without the project) → digest of its current version."""
    rows = FileVersion.objects.filter(current_version()).select_related(
        "file__subject", "file__session__subject", "file__acquisition__session__subject"
    )
    return {path_of(row.file): row.digest for row in rows}


def path_of(file):
    at, labels = file.acquisition or file.session or file.subject, [file.name]
    while at is not None:
        labels.append(at.label)
        at = getattr(at, "session", None) or getattr(at, "subject", None)
    return "/".join(reversed(labels))


def containers():
    """(subjects, sessions, acquisitions)."""
    return Subject.objects.count(), Session.objects.count(), Acquisition.objects.count()


def wrongs():
    """What `verify` does not like."""
    return [(check.state, check.path) for check in verify() if check.state is not State.OK]


def leftovers(places):
    """Temporary files, and stored ones that no row speaks of."""
    temporary = [path for place in (places.archive, places.quarantine) for path in (place / ".incoming").glob("*")]
    return temporary + wrongs()


def digest(data):
    return hashlib.sha256(data).hexdigest()


def instance(number=1, *, series=1, study=1, patient="P01", **changes):
    """The bytes of one DICOM file; None takes an element away."""
    uid = f"1.2.3.4.{study}.{series}"
    said = {
        "SOPInstanceUID": f"{uid}.{number}",
        "SeriesInstanceUID": uid,
        "StudyInstanceUID": f"1.2.3.4.{study}",
        "PatientID": patient,
        "SeriesNumber": str(series),
        "StudyDescription": f"study {study}",
        "InstanceNumber": str(number),
    }
    return file_of(dataset(**(said | changes)))


def put(path, data=b"some bytes"):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def put_series(folder, count=3, *, first=1, **said):
    """`count` instances of one series as files of the folder; the files."""
    numbers = range(first, first + count)
    return [put(Path(folder) / f"{number:04}.dcm", instance(number, **said)) for number in numbers]


def members(path):
    """Member → content of a stored archive."""
    with zipfile.ZipFile(path) as packed:
        return {info.filename: packed.read(info) for info in packed.infolist()}


def bytes_under(folder, job=None):
    """Path → digest of every file below, but for the mark of a place."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != MARK)
    return {str(path.relative_to(folder)): digest(path.read_bytes()) for path in files}


def source_bytes(job, path):
    return Path(raw(job.source_root).decode("utf-8", "surrogateescape"), path).read_bytes()
