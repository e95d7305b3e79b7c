"""A broken world pauses an import, with its reason; the import goes on by itself and nothing is half written."""

import errno
import shutil
import subprocess
from contextlib import contextmanager

import pytest

from importer.models import Chunk, Conflict, Event
from importer.pipeline.advance import Step, advance, pause
from importer.tests.pipeline.denied import permissions_count
from importer.tests.pipeline.drive import (
    Clock,
    became,
    bytes_under,
    imported,
    leftovers,
    put,
    put_series,
    run,
    start,
    tree,
    until,
    worker,
)
from storages import places as storage

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def source(tmp_path):
    for series in (1, 2, 3):
        put_series(tmp_path / "in" / f"{series}", 3, series=series)
    return tmp_path / "in"


@pytest.fixture
def expected(project, source, places):
    """Member digests as an import without trouble gives them, in a project of its own."""
    other = type(project).objects.create(group=project.group, label="Undisturbed")
    imported(other, source)
    found = sorted(tree(other).items())
    assert len(found) == 3
    return found


def of_project(project):
    from hierarchy.models import FileVersion

    rows = FileVersion.objects.filter(file__acquisition__session__subject__project=project)
    return sorted(tree(project).keys()), sorted(rows.values_list("digest", flat=True))


def paused(job, by):
    """After its step the job waits, says why and until when."""
    for _ in range(500):
        job.refresh_from_db()
        if job.status == "paused":
            break
        advance(job.pk, worker=by)
    assert job.status == "paused"
    assert job.pause_reason
    assert advance(job.pk, worker=by) is Step.IDLE
    return job


@pytest.mark.parametrize("stage", ["pending", "extracting", "planning", "transferring"])
def test_a_source_that_goes_away_is_waited_for(project, places, source, expected, stage):
    clock = Clock()
    by = worker(now=clock)
    if stage == "planning":
        # COMPARE is what reads the source in this stage.
        imported(project, source)
    job = start(project, source)
    until(job, stage, by=by)

    source.rename(source.with_name("away"))
    paused(job, by)
    assert "source" in job.pause_reason.lower()
    source.with_name("away").rename(source)
    assert advance(job.pk, worker=by) is Step.IDLE
    clock.add(6)

    assert run(job, by=by).status == "completed"
    assert set(became(job).values()) == {"skipped" if stage == "planning" else "imported"}
    assert of_project(project)[1] == sorted(digest for _, digest in expected)
    assert leftovers(places) == []
    told = list(Event.objects.filter(job_id=job.pk, what="paused").values_list("detail", flat=True))
    assert told == [job.pause_reason]


def test_each_pause_in_a_row_is_twice_as_long_up_to_five_minutes(project, places, source):
    clock = Clock()
    by = worker(now=clock)
    job = start(project, source)
    source.rename(source.with_name("away"))
    waits = []
    for _ in range(9):
        paused(job, by)
        waits.append(round((job.next_attempt_at - clock()).total_seconds()))
        clock.add(waits[-1] + 1)
        advance(job.pk, worker=by)
        job.refresh_from_db()

    assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300]


def mounted(folder, size):
    return subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, check=False
    )


@pytest.fixture
def small_disk(places):
    """The archive on a disk of one megabyte; where none can be mounted, one that says so itself."""
    places.archive.mkdir()
    if mounted(places.archive, "1m").returncode != 0:
        pytest.skip("no right to mount a file system")
    yield places.archive
    subprocess.run(["umount", "-l", places.archive], check=True)


def test_a_disk_that_fills_up_in_the_middle_leaves_nothing_half_written(project, places, source, small_disk, settings):
    settings.PRATIQUE_MIN_FREE_BYTES = 0
    clock = Clock()
    by = worker(now=clock)
    rows = {"Rows": 512, "Columns": 512, "BitsAllocated": 8, "PixelData": bytes(512 * 512)}
    put_series(source / "big", 3, series=4, **rows)
    put_series(source / "more", 3, series=5, **rows)
    job = start(project, source)
    until(job, "transferring", by=by)
    # The check before each slice sees the room that the slice needs; a neighbour takes it meanwhile.
    Chunk.objects.filter(job=job, work="transfer").update(bytes=0)

    paused(job, by)

    assert "No space left" in job.pause_reason
    assert bytes_under(places.archive) == {}
    assert tree(project) == {}
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    clock.add(6)
    assert run(job, by=by).status == "completed"
    assert job.imported == 15
    assert leftovers(places) == []


def test_a_full_disk_is_seen_before_a_byte_is_written(project, places, source, settings):
    by = worker(now=Clock())
    settings.PRATIQUE_MIN_FREE_BYTES = shutil.disk_usage(source).total * 2
    job = start(project, source)

    paused(job, by)

    assert "bytes are needed" in job.pause_reason
    assert bytes_under(places.archive) == {}


def test_a_quarantine_that_is_full_pauses_too_and_nothing_of_the_slice_lands(project, places, source, expected):
    clock = Clock()
    by = worker(now=clock)
    put_series(source.with_name("before"), 1, series=1)
    imported(project, source.with_name("before"))
    before = tree(project), bytes_under(places.archive)
    job = start(project, source)
    places.quarantine.rename(places.quarantine.with_name("aside"))
    places.quarantine.write_bytes(b"a file lies where the folder should")

    paused(job, by)

    assert (tree(project), bytes_under(places.archive)) == before
    places.quarantine.unlink()
    places.quarantine.with_name("aside").rename(places.quarantine)
    clock.add(6)
    assert run(job, by=by).status == "needs_review"
    assert (job.imported, job.conflict, Conflict.objects.count()) == (6, 3, 1)
    assert leftovers(places) == []


@contextmanager
def read_only(folder):
    folder.mkdir(exist_ok=True)
    folder.chmod(0o500)
    try:
        with permissions_count():
            yield
    finally:
        folder.chmod(0o700)


def test_an_archive_that_may_not_be_written_is_waited_for(project, places, source, expected):
    clock = Clock()
    by = worker(now=clock)
    job = start(project, source)
    with read_only(places.archive / ".incoming"):
        paused(job, by)
        assert "Permission denied" in job.pause_reason
    clock.add(6)

    run(job, by=by)

    assert of_project(project)[1] == sorted(digest for _, digest in expected)


@pytest.mark.parametrize("moment", ["fsync", "link"])
@pytest.mark.usefixtures("expected")
def test_a_disk_that_refuses_while_names_are_given_leaves_none(project, places, source, moment, monkeypatch):
    """No file system here refuses on demand in the middle of that, so the call itself does."""
    by = worker(now=Clock())
    before = bytes_under(places.archive)
    job = start(project, source)
    until(job, "transferring", by=by)
    if moment == "fsync":
        monkeypatch.setattr(storage, "flush_folders", refusing)
    else:
        original, left = storage.os.link, [2]

        def link(*args, **kwargs):
            left[0] -= 1
            return original(*args, **kwargs) if left[0] > 0 else refusing()

        monkeypatch.setattr(storage.os, "link", link)

    paused(job, by)

    assert bytes_under(places.archive) == before
    assert of_project(project)[1] == []


def refusing(*_args):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_job_pauses_where_it_stands_and_never_goes_back_a_stage(project, places, source):
    """The pausing worker read the job before another moved it on."""
    clock = Clock()
    by = worker(now=clock)
    job = start(project, source)
    until(job, "extracting", by=by)
    stale = type(job).objects.get(pk=job.pk)
    until(job, "transferring", by=by)
    stale.refresh_from_db = lambda **_: None

    pause(stale, "the source went away", worker=by)

    job.refresh_from_db()
    assert (job.status, job.paused_from) == ("paused", "transferring")
    clock.add(6)
    assert run(job, by=by).imported == 9


def test_the_last_slice_may_end_while_the_job_is_paused(project, places, source):
    clock = Clock()
    by = worker(now=clock)
    put(source / "SUB" / "SES" / "ACQ" / "x.bin")
    job = start(project, source)
    for stage in ("extracting", "transferring"):
        until(job, stage, by=by)
        ended_during_the_pause(job, by)
        clock.add(6 * 3)
    assert run(job, by=by).imported == 10


def ended_during_the_pause(job, by):
    from importer.pipeline import chunks, leases

    original = chunks.end

    def paused_first(lease, **named):
        job.refresh_from_db()
        pause(job, "another worker met a broken world", worker=by)
        chunks.end = original
        original(lease, **named)

    chunks.end = paused_first
    try:
        advance(job.pk, worker=by)
    finally:
        chunks.end = original
    job.refresh_from_db()
    assert job.status == "paused"
    assert not leases.ImportJob.objects.get(pk=job.pk).open_chunks


def test_pauses_end_when_a_person_cancels(project, places, source):
    from django.utils import timezone

    from importer.services import cancel_import

    by = worker(now=Clock())
    job = start(project, source)
    until(job, "extracting", by=by)
    source.rename(source.with_name("away"))
    paused(job, by)

    cancel_import(job.pk, actor=None, who="system", now=timezone.now())

    assert run(job, by=by).status == "cancelled"
    assert job.cancelled == 9
