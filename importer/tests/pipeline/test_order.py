"""The same files give the same result, in whatever order and by however many they are worked on."""

import random
import shutil
import tempfile
import threading
from pathlib import Path

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hierarchy.models import Acquisition, File, FileVersion, Group, Manifest, Project, Session, Subject
from importer.models import Chunk, Conflict, ImportJob
from importer.pipeline import chunks, scan
from importer.pipeline.advance import Step, advance
from importer.tests.pipeline.drive import assert_conserved, instance, outcomes, put, start, tree, worker, wrongs
from storages.models import KnownPlace

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

# Few values, so that they meet often.
one_of = st.sampled_from
FOLDERS = one_of(["a", "b", "a/x", "b/x/y", "S/E/A", "T/S/E/A"])
DICOM = st.fixed_dictionaries(
    {
        "folder": FOLDERS,
        "number": one_of([1, 2]),
        "series": one_of([1, 2]),
        "study": one_of([1, 2]),
        "patient": one_of(["P01", "P01", "P02", None]),
        "SeriesDescription": one_of(["t1", "t1", "t1", "t2"]),
        "StudyDescription": one_of(["visit", "visit", "other"]),
        "ContentDate": one_of(["20200101", "20200101", "20200102"]),
    }
)
PAPER = st.fixed_dictionaries({"folder": FOLDERS, "content": one_of([b"one", b"two", b""])})


@st.composite
def sources(draw):
    files = [dict(file) for file in draw(st.lists(DICOM | PAPER, min_size=1, max_size=9))]
    return [(f"{file.pop('folder')}/{number}.dcm", file) for number, file in enumerate(files)]


def written(root, files):
    for path, said in files:
        # Papers share a name, so that some meet.
        if "content" in said:
            put((root / path).with_name("notes.txt"), said["content"])
        else:
            put(root / path, instance(**said))


class Shuffled:
    """Slices are taken in any order instead of their own."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def run(self, job, by):
        for _ in range(3000):
            waiting = list(Chunk.objects.filter(job=job, status="open").values_list("id", flat=True))
            # All but one look as if somebody had them.
            if waiting:
                kept = self.random.choice(waiting)
                others = Chunk.objects.filter(id__in=waiting).exclude(id=kept)
                others.update(leased_until="2999-01-01T00:00:00Z", owner="elsewhere")
            step = advance(job.pk, worker=by)
            Chunk.objects.filter(job=job, owner="elsewhere").update(leased_until=None, owner="")
            if step is Step.ENDED:
                return
        raise AssertionError("no end")


def several(job, count):
    def work():
        try:
            while advance(job.pk, worker=worker()) is not Step.ENDED:
                pass
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def everything():
    """All that an import leaves behind, without ids."""
    fields = ("label", "uid", "timestamp", "timestamp_offset")
    return {
        "files": tree(None),
        "subjects": sorted(Subject.objects.values_list("label", "firstname", "lastname", "sex")),
        "sessions": sorted(map(str, Session.objects.values_list("subject__label", *fields, "age_seconds", "operator"))),
        "acquisitions": sorted(map(str, Acquisition.objects.values_list("session__label", *fields))),
        "conflicts": sorted(Conflict.objects.values_list("type", "level", "upload_path", "digest", "size")),
        "manifests": sorted(bytes(lines) for lines in Manifest.objects.values_list("lines", flat=True)),
        "kinds": sorted(File.objects.values_list("name", "type", "modality")),
    }


def emptied(places):
    for folder in (places.archive, places.quarantine):
        shutil.rmtree(folder, ignore_errors=True)
    for model in (Conflict, ImportJob, Manifest, FileVersion, File, Acquisition, Session, Subject, KnownPlace):
        model.objects.all().delete()


def result(project, root, places, *, seed, size, slices, workers=1):
    scan.CHUNK_ENTRIES, chunks.SLICE_COUNT = size, slices
    try:
        job = start(project, root)
        if workers > 1:
            several(job, workers)
        else:
            Shuffled(seed).run(job, worker())
    finally:
        scan.CHUNK_ENTRIES, chunks.SLICE_COUNT = 500, 250
    job.refresh_from_db()
    assert_conserved(job)
    assert wrongs() == []
    found = job.status, outcomes(job), everything()
    emptied(places)
    return found


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(files=sources(), seed=st.integers(0, 2**16))
def test_the_order_of_work_does_not_show_in_what_becomes_of_the_files(places, files, seed):
    group, _ = Group.objects.get_or_create(name="lab")
    project, _ = Project.objects.get_or_create(group=group, label="Order")
    with tempfile.TemporaryDirectory() as folder:
        written(Path(folder), files)
        plain = result(project, folder, places, seed=0, size=500, slices=250)
        assert result(project, folder, places, seed=seed, size=1, slices=1) == plain
        assert result(project, folder, places, seed=seed, size=3, slices=2) == plain
        if seed % 5 == 0:
            assert result(project, folder, places, seed=seed, size=2, slices=1, workers=3) == plain
