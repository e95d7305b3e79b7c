"""Imports from storages of every kind: the same outcome as from a folder."""

import pytest

from importer.tests.pipeline.drive import became, instance, outcomes, tree, wrongs
from importer.tests.pipeline.stored import imported, storage_of

# A heartbeat looks by a connection of its own.
pytestmark = pytest.mark.django_db(transaction=True)

FILES = {
    "P01/MR/1.dcm": instance(1),
    "P01/MR/2.dcm": instance(2),
    "P01/MR/3.dcm": instance(3),
    "P01/notes.txt": b"beside the images",
    "P02/MR/1.dcm": instance(1, study=2, patient="P02"),
    "P02/.DS_Store": b"junk",
    "P02/empty.bin": b"",
}


@pytest.fixture
def planted(any_spot):
    for key, content in FILES.items():
        any_spot.plant(key, content)
    return any_spot


@pytest.mark.service
def test_what_lies_in_a_storage_lands_as_from_a_folder(project, places, planted):
    job = imported(project, storage_of(planted.config))

    assert became(job) == {
        "P01/MR/1.dcm": "imported",
        "P01/MR/2.dcm": "imported",
        "P01/MR/3.dcm": "imported",
        "P01/notes.txt": "imported",
        "P02/.DS_Store": "skipped",
        "P02/MR/1.dcm": "imported",
        "P02/empty.bin": "skipped",
    }
    assert job.status == "completed"
    assert len(tree(project)) == 3
    assert wrongs() == []


@pytest.mark.service
def test_prefixes_narrow_what_is_imported(project, places, planted):
    job = imported(project, storage_of(planted.config), "P02/", "P01/MR/2", "P01/MR/")

    assert job.prefixes == ["P01/MR/", "P02/"]
    assert [path for path in outcomes(job) if path.startswith("P01")] == [f"P01/MR/{n}.dcm" for n in (1, 2, 3)]
    assert job.discovered == 6
