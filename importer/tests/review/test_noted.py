"""What conflicts and would be imported by reference waits where it lies: each cell of the table works for it, too."""

import os

import pytest

from hierarchy.models import FileVersion
from hierarchy.pictures import slices
from hierarchy.references import reference_of
from hierarchy.tests.stored import series
from importer.compare_queries import instances, lacking
from importer.core.methods import FITS, Action
from importer.core.states import ConflictType as T
from importer.held_pictures import held_header, held_picture, held_slices
from importer.models import Alias, Conflict, Decision, ImportJob
from importer.pipeline import store_source
from importer.pipeline.resolving import purge
from importer.tests.pipeline.drive import assert_conserved, bytes_under, put, put_series, tree, wrongs
from importer.tests.pipeline.drive import imported as copied
from importer.tests.pipeline.stored import imported, on_provider
from importer.tests.review import cases
from importer.tests.review.cases import MAKE, decided, shape, undone, waiting
from importer.tests.review.test_matrix import FITTING, LASTING, asked
from storages.stores import Kind, StoreConfig

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def scans(tmp_path):
    (tmp_path / "scans").mkdir()
    return tmp_path / "scans"


@pytest.fixture
def storage(db, scans):
    return on_provider(StoreConfig(Kind.LOCAL, str(scans)))


@pytest.fixture
def by_reference(storage, scans, monkeypatch):
    """Cases are made by imports of a folder: here, of that folder of the storage."""

    def imported_in_place(project, folder):
        return imported(project, storage, f"{folder.relative_to(scans)}/")

    monkeypatch.setattr(cases, "imported", imported_in_place)
    return imported_in_place


@pytest.fixture
def made(project, places, scans, by_reference):
    def make(kind):
        MAKE[kind](project, scans)
        assert {one.type for one in waiting()} == {kind}
        assert bytes_under(places.quarantine) == {}
        return T(kind)

    return make


@pytest.mark.parametrize(("kind", "action"), FITTING)
def test_what_fits_works_and_copies_nothing(kind, action, made, places, project):
    made(kind)
    open_before = waiting().count()
    resolution = decided(waiting(), action.value, **asked(kind, action))
    assert resolution.status == "done"
    still = waiting().count()
    assert still == (open_before if action == Action.RETRY else 0), [c.action_error for c in waiting()]
    for job in ImportJob.objects.all():
        assert_conserved(job)
    assert wrongs() == []
    assert bytes_under(places.archive) == bytes_under(places.quarantine) == {}
    assert not FileVersion.objects.filter(reference=False).exists()


@pytest.mark.parametrize(("kind", "action"), LASTING)
def test_every_decision_can_be_taken_back_and_leaves_no_trace(kind, action, made, places, project):
    made(kind)
    before = shape(project), tree(project), sorted(Conflict.objects.values_list("id", "type", "upload_path", "status"))
    decided(waiting(), action.value, **asked(kind, action))
    for decision in Decision.objects.filter(status="applied", leader=None).order_by("-id"):
        undone(decision)
    after = shape(project), tree(project), sorted(Conflict.objects.values_list("id", "type", "upload_path", "status"))
    assert after == before
    assert Alias.objects.count() == 0
    assert wrongs() == []


def test_every_type_is_among_the_cases():
    assert {kind for kind, _ in FITTING} == set(MAKE) == set(FITS)


@pytest.mark.parametrize("action", ["replace_existing", "rename_incoming", "merge_incoming"])
@pytest.mark.parametrize("harm", ["gone", "changed"])
def test_a_source_that_is_gone_is_an_error_of_the_action_and_it_stays_open(made, scans, action, harm):
    made(T.FILE_NAME)
    path = scans / "b" / "0003.dcm"
    content, was = path.read_bytes(), path.stat()
    path.unlink() if harm == "gone" else path.write_bytes(b"other")
    resolution = decided(waiting(), action)
    assert (resolution.status, resolution.applied, resolution.refused) == ("done", 0, 1)
    (one,) = waiting()
    assert ("not at its source" if harm == "gone" else "has changed") in one.action_error
    assert FileVersion.objects.count() == 1

    path.write_bytes(content)
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert decided(waiting(), action).applied == 1
    assert waiting().count() == 0


def test_a_storage_that_is_away_pauses_the_decision(made, scans):
    made(T.FILE_NAME)
    scans.rename(scans.with_name("away"))
    resolution = decided(waiting(), "replace_existing")
    assert (resolution.status, resolution.applied, resolution.refused) == ("paused", 0, 0)
    assert "cannot be opened" in resolution.reason
    assert waiting().count() == 1


def test_the_union_of_references_of_one_storage_is_a_list_again(made, project):
    made(T.FILE_NAME)
    decided(waiting(), "merge_incoming")
    newest = FileVersion.objects.get(number=2)
    assert (newest.reference, newest.members, newest.digest_of) == (True, 3, "unread")
    assert [one.key for one in reference_of(newest).members] == ["a/0001.dcm", "a/0002.dcm", "b/0003.dcm"]


@pytest.mark.parametrize("stored", ["copied", "by reference"])
def test_the_union_with_bytes_of_our_own_is_an_archive_of_our_own(stored, project, places, scans, by_reference):
    put_series(scans / "a", 2)
    own = scans.parent / "own"
    put_series(own, 3) if stored == "by reference" else put_series(scans / "b", 3)
    if stored == "copied":
        copied(project, scans / "a")
        job = by_reference(project, scans / "b")
    else:
        by_reference(project, scans / "a")
        copied(project, own)
        job = ImportJob.objects.latest("id")
    assert waiting().count() == 1
    decided(waiting(), "merge_incoming")
    newest = FileVersion.objects.get(number=2)
    assert (newest.reference, newest.members, newest.digest_of, newest.storage) == (False, 3, "manifest", None)
    assert len(bytes_under(places.archive)) == (2 if stored == "copied" else 1)
    assert wrongs() == []
    assert job.conflicts.get().placement.transfer_reason == (
        "Copied: merged with what was stored elsewhere." if stored == "copied" else ""
    )


def test_a_noted_series_has_pictures_and_is_compared(project, places, scans, by_reference, settings):
    settings.PRATIQUE_HOME = places.staging
    whole = series("98892003/MR700")
    for folder, contents in (("a", whole[:-1]), ("b", whole)):
        for number, content in enumerate(contents):
            put(scans / folder / f"{number}.dcm", content)
        by_reference(project, scans / folder)
    (one,) = waiting()
    version = FileVersion.objects.get()
    assert len(held_slices(one)) == len(slices(version)) + 1 == len(whole)
    assert held_picture(one, index=0, width=256).startswith(b"\x89PNG")
    assert any(row.keyword == "PatientID" for row in held_header(one))
    # Nobody has read what both have: which are the same is not known, how many more there are is.
    assert instances(one, version) is None
    assert lacking(one, version) == 1


def test_what_was_only_noted_is_never_let_go_of(made, scans):
    from datetime import timedelta

    from django.utils import timezone

    made(T.FILE_NAME)
    decided(waiting(), "reject_incoming")
    assert purge(now=timezone.now() + timedelta(days=400)) == 0
    assert (scans / "b" / "0003.dcm").exists()


def test_a_decision_looks_at_each_source_once_and_reads_none(made, scans, monkeypatch):
    made(T.FILE_NAME)
    read_from = []
    monkeypatch.setattr(store_source.StoreFile, "read", lambda *_: read_from.append(1))
    decided(waiting(), "replace_existing")
    assert waiting().count() == 0
    assert read_from == []


def test_what_is_noted_twice_waits_once(project, scans, by_reference):
    put_series(scans / "a", 2)
    by_reference(project, scans / "a")
    put_series(scans / "b", 3)
    by_reference(project, scans / "b")
    first = ImportJob.objects.latest("id")
    # Another set of rules looks at everything again.
    job = imported(project, first.storage, "b/", missing_meta="fail")
    assert waiting().count() == 1
    assert (job.skipped, job.conflict) == (3, 0)
