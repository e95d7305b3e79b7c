"""Claiming, holding, releasing and settling deliveries."""

import os
import threading
from datetime import timedelta

import pytest
from django.db import connections

from conftest import ON_SQLITE
from hierarchy.errors import Refused
from importer.core.states import JobStatus
from importer.models import Event, ImportJob, move_to
from importer.plans import approve_import
from importer.rule_sets import restore
from importer.tests.pipeline.drive import run, tree
from importer.tests.rule_sets import by, make_rule_set
from watcher import services
from watcher.models import Batch, DropFolder
from watcher.states import BatchStatus
from watcher.tests.dropping import NOW, dropped

LATER = NOW + timedelta(minutes=1)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "drop").mkdir()
    return tmp_path / "drop"


@pytest.fixture
def folder(project, places, root):
    return DropFolder.objects.create(name="ct", path=str(root), project=project)


@pytest.fixture
def without_project(db, places, root):
    return DropFolder.objects.create(name="ct", path=str(root))


def finish(batch, status=JobStatus.COMPLETED, **counts):
    """Plays the pipeline: the batch's import ends."""
    counts = {"discovered": 1, "imported": 1} | counts
    ImportJob.objects.filter(pk=batch.job_id).update(status=status, finished_at=NOW, **counts)
    services.settle_batches(now=LATER)
    batch.refresh_from_db()
    return batch


def test_a_delivery_becomes_one_batch_with_one_import(folder, root):
    batch = services.claim(folder.pk, dropped(root, files=(b"a", b"b", b"c")), now=NOW)
    assert (batch.label, batch.files, batch.status) == ("ST-000001", 3, BatchStatus.IMPORTING)
    job = batch.job
    assert (job.label, job.who, job.source_kind) == ("ST-000001", "device ct", "drop_folder")
    assert job.source_root == f"{root}/ST-000001"
    assert list(Event.objects.filter(batch_id=batch.pk).values_list("who", "what")) == [("device ct", "claimed")]


def test_a_delivery_that_is_being_imported_is_not_claimed_again(folder, root):
    delivery = dropped(root)
    services.claim(folder.pk, delivery, now=NOW)
    assert services.claim(folder.pk, delivery, now=NOW) is None
    assert services.claim(folder.pk, dropped(root, files=(b"b",)), now=NOW) is None
    assert ImportJob.objects.count() == 1


def test_a_delivery_that_was_imported_and_has_not_changed_is_not_claimed_again(folder, root):
    delivery = dropped(root)
    finish(services.claim(folder.pk, delivery, now=NOW))
    assert services.claim(folder.pk, delivery, now=LATER) is None


def test_a_delivery_that_changed_after_its_import_is_the_next_generation(folder, root):
    first = finish(services.claim(folder.pk, dropped(root), now=NOW))
    second = services.claim(folder.pk, dropped(root, files=(b"b",)), now=LATER)
    first.refresh_from_db()
    assert (second.label, second.generation, second.job.label) == ("ST-000001 (2)", 2, "ST-000001 (2)")
    assert second.pk != first.pk
    assert first.left_at == LATER


def test_the_same_content_dropped_again_after_it_had_left_is_a_batch_of_its_own(folder, root):
    delivery = dropped(root)
    first = finish(services.claim(folder.pk, delivery, now=NOW))
    services.note_gone((first.pk,), now=LATER)
    assert services.claim(folder.pk, delivery, now=LATER).label == "ST-000001 (2)"


def test_the_same_name_in_two_drop_folders_is_two_deliveries(folder, root, project, tmp_path):
    (tmp_path / "other").mkdir()
    other = DropFolder.objects.create(name="mr", path=str(tmp_path / "other"), project=project)
    services.claim(folder.pk, dropped(root), now=NOW)
    services.claim(other.pk, dropped(tmp_path / "other"), now=NOW)
    assert list(Batch.objects.order_by("id").values_list("label", flat=True)) == ["ST-000001"] * 2


def test_an_open_batch_is_never_marked_as_gone(folder, root):
    batch = services.claim(folder.pk, dropped(root), now=NOW)
    services.note_gone((batch.pk,), now=LATER)
    batch.refresh_from_db()
    assert batch.left_at is None


def test_an_empty_folder_is_a_batch_without_an_import(folder, root):
    batch = services.claim(folder.pk, dropped(root, files=()), now=NOW)
    assert (batch.status, batch.job, batch.reason) == (BatchStatus.EMPTY, None, "There was no file in it.")


def test_a_drop_folder_that_was_switched_off_claims_nothing(folder, root):
    DropFolder.objects.update(enabled=False)
    assert services.claim(folder.pk, dropped(root), now=NOW) is None
    assert not Batch.objects.exists()


def test_a_delivery_that_vanished_before_its_claim_leaves_no_batch(folder, root):
    delivery = dropped(root)
    os.rename(root / "ST-000001", root / "ST2")
    with pytest.raises(Refused):
        services.claim(folder.pk, delivery, now=NOW)
    assert not Batch.objects.exists()
    assert not ImportJob.objects.exists()


@pytest.mark.parametrize(
    "name",
    [b"\xff\xfe", b"two\nlines", b"\xff" * 255, "\u202eabc".encode(), b"-rf", b"=1+1", b"\\xff"],
    ids=["bytes", "newline", "long", "right-to-left", "dash", "formula", "escape"],
)
def test_a_name_of_any_bytes_is_claimed_and_found_again(folder, root, name):
    batch = services.claim(folder.pk, dropped(root, name), now=NOW)
    batch.refresh_from_db()
    assert services.folder_of(folder, batch) == os.path.join(os.fsencode(root), name)
    assert list(services.known_batches(folder.pk)) == [name]


def test_a_delivery_runs_the_rules_of_its_drop_folder_as_a_plan_where_it_asks_for_one(folder, root, project):
    made = make_rule_set("weekly", project=project)
    DropFolder.objects.update(rule_set="weekly", preview=True)
    job = services.claim(folder.pk, dropped(root), now=NOW).job
    assert (job.rules, job.rules_version, job.dry_run) == ("weekly", made.versions.get(), True)
    DropFolder.objects.update(rule_set="", preview=False)
    job = services.claim(folder.pk, dropped(root, b"ST-2"), now=NOW).job
    assert (job.rules, job.dry_run) == ("standard", False)


def test_a_delivery_whose_rules_are_archived_stays_where_it_is_with_the_reason(folder, root, project):
    make_rule_set("weekly", project=project, archived=True)
    DropFolder.objects.update(rule_set="weekly")
    with pytest.raises(Refused, match="weekly is archived"):
        services.claim(folder.pk, dropped(root), now=NOW)
    assert not Batch.objects.exists()


def test_a_held_delivery_whose_rules_are_archived_says_so_and_starts_when_they_are_back(without_project, root, project):
    made = make_rule_set("weekly", project=project, archived=True)
    batch = services.claim(without_project.pk, dropped(root), now=NOW)
    DropFolder.objects.update(project=project, rule_set="weekly")
    assert services.release_held(now=LATER) == 0
    batch.refresh_from_db()
    assert (batch.status, "weekly is archived" in batch.reason) == (BatchStatus.HELD, True)
    restore(made.pk, **by())
    assert services.release_held(now=LATER) == 1


def test_without_a_project_a_delivery_is_held_and_says_what_to_do(without_project, root):
    batch = services.claim(without_project.pk, dropped(root), now=NOW)
    assert (batch.status, batch.job) == (BatchStatus.HELD, None)
    assert "drop_folder add" in batch.reason


def test_held_deliveries_start_when_the_drop_folder_gets_a_project(without_project, root, project):
    names = [b"A", b"B"]
    for name in names:
        services.claim(without_project.pk, dropped(root, name), now=NOW)
    assert services.release_held(now=LATER) == 0
    DropFolder.objects.update(project=project)
    assert services.release_held(now=LATER) == 2
    assert set(Batch.objects.values_list("status", "job__project", "reason")) == {("importing", project.pk, "")}
    assert services.release_held(now=LATER) == 0


def test_a_held_delivery_is_imported_as_it_is_when_it_is_released(without_project, root, project):
    batch = services.claim(without_project.pk, dropped(root), now=NOW)
    late = dropped(root, files=(b"late",))
    DropFolder.objects.update(project=project)
    services.release_held(now=LATER)
    batch.refresh_from_db()
    assert (batch.files, batch.fingerprint) == (2, late.fingerprint)


def test_a_held_delivery_that_left_fails_and_one_behind_a_missing_root_waits(without_project, root, project):
    batch = services.claim(without_project.pk, dropped(root), now=NOW)
    DropFolder.objects.update(project=project)
    root.rename(root.with_name("away"))
    services.release_held(now=LATER)
    batch.refresh_from_db()
    assert batch.status == BatchStatus.HELD
    root.with_name("away").rename(root)
    (root / "ST-000001").rename(root / ".gone")
    services.release_held(now=LATER)
    batch.refresh_from_db()
    assert (batch.status, batch.finished_at, batch.left_at) == (BatchStatus.FAILED, LATER, LATER)
    assert "drop it again" in batch.reason


def test_no_more_held_deliveries_start_than_may_be_in_flight(without_project, root, project):
    for number in range(services.MAX_INFLIGHT + 5):
        services.claim(without_project.pk, dropped(root, b"%02d" % number), now=NOW)
    DropFolder.objects.update(project=project)
    services.release_held(now=LATER)
    services.release_held(now=LATER)
    assert Batch.objects.filter(status=BatchStatus.IMPORTING).count() == services.MAX_INFLIGHT
    assert Batch.objects.filter(status=BatchStatus.HELD).order_by("id").first().label == f"{services.MAX_INFLIGHT}"


@pytest.mark.parametrize(
    ("job", "counts", "expected"),
    [
        (JobStatus.COMPLETED, {}, (BatchStatus.IMPORTED, "")),
        (JobStatus.COMPLETED, {"discovered": 2, "skipped": 1}, (BatchStatus.IMPORTED, "")),
        (JobStatus.COMPLETED, {"discovered": 3, "failed": 2}, (BatchStatus.PARTIAL, "2 of 3 files failed")),
        (JobStatus.COMPLETED, {"discovered": 0, "imported": 0}, (BatchStatus.EMPTY, "no file")),
        (JobStatus.NEEDS_REVIEW, {"discovered": 2, "conflict": 1}, (BatchStatus.NEEDS_REVIEW, "1 of 2 files wait")),
        (JobStatus.FAILED, {"error": "No space left."}, (BatchStatus.FAILED, "No space left.")),
        (JobStatus.CANCELLED, {"cancelled": 1, "imported": 0}, (BatchStatus.CANCELLED, "was cancelled")),
    ],
)
def test_a_batch_ends_as_its_import_does(folder, root, job, counts, expected):
    batch = finish(services.claim(folder.pk, dropped(root), now=NOW), job, **counts)
    assert batch.status == expected[0]
    assert expected[1] in batch.reason
    assert batch.finished_at == NOW


def test_a_batch_in_review_is_imported_with_the_last_decision(folder, root):
    batch = finish(services.claim(folder.pk, dropped(root), now=NOW), JobStatus.NEEDS_REVIEW, conflict=1, imported=0)
    assert services.settle_batches(now=LATER) == 0
    finish(batch, conflict=0, imported=1)
    assert batch.status == BatchStatus.IMPORTED


def played(batch, status):
    """Plays the pipeline: the batch's import gets as far as this."""
    ImportJob.objects.filter(pk=batch.job_id).update(status=status)
    services.settle_batches(now=LATER)
    batch.refresh_from_db()
    return batch.status


def test_a_batch_whose_plan_waits_for_approval_says_so_and_ends_with_its_import(folder, root):
    batch = services.claim(folder.pk, dropped(root), now=NOW)
    assert played(batch, JobStatus.PLANNED) == BatchStatus.PLANNED
    assert (batch.finished_at, batch.reason) == (None, services.PLANNED_REASON)
    assert services.settle_batches(now=LATER) == 0
    assert played(batch, JobStatus.PLANNING) == BatchStatus.IMPORTING
    assert batch.reason == ""
    # An approved plan that came out otherwise is asked about again.
    assert played(batch, JobStatus.PLANNED) == BatchStatus.PLANNED
    assert finish(batch).status == BatchStatus.IMPORTED


@pytest.mark.django_db(transaction=True)
def test_a_delivery_with_a_preview_is_imported_when_its_plan_is_approved(folder, root, project):
    make_rule_set("by name", "- mappings: 'name={sub}_{ses}_{acq}.txt'\n", project=project)
    DropFolder.objects.update(preview=True, rule_set="by name")
    batch = services.claim(folder.pk, dropped(root, files=(b"P01_V1_T1.txt",)), now=NOW)
    job = run(batch.job)
    services.settle_batches(now=LATER)
    batch.refresh_from_db()
    assert (job.status, batch.status, tree(project)) == ("planned", BatchStatus.PLANNED, {})
    approve_import(job.pk, actor=None, who="system", now=LATER, enqueue=False)
    services.settle_batches(now=LATER)
    batch.refresh_from_db()
    assert batch.status == BatchStatus.IMPORTING
    job = run(job)
    services.settle_batches(now=LATER)
    batch.refresh_from_db()
    assert (job.status, batch.status) == ("completed", BatchStatus.IMPORTED)
    assert list(tree(project)) == ["P01/V1/T1/P01_V1_T1.txt"]


def test_a_plan_that_is_not_approved_ends_its_batch_with_its_import(folder, root):
    batch = services.claim(folder.pk, dropped(root), now=NOW)
    played(batch, JobStatus.PLANNED)
    assert finish(batch, JobStatus.CANCELLED, cancelled=1, imported=0).status == BatchStatus.CANCELLED


def test_a_batch_whose_plan_waits_takes_no_place_among_the_imports_and_is_not_claimed_again(folder, root):
    delivery = dropped(root)
    played(services.claim(folder.pk, delivery, now=NOW), JobStatus.PLANNED)
    assert services.importing_by_folder() == {}
    assert services.claim(folder.pk, dropped(root, files=(b"changed",)), now=LATER) is None


def test_a_batch_whose_import_still_runs_is_left_alone(folder, root):
    services.claim(folder.pk, dropped(root), now=NOW)
    assert services.settle_batches(now=LATER) == 0


def test_settling_asks_once_for_all_batches(folder, root, django_assert_max_num_queries):
    for number in range(20):
        services.claim(folder.pk, dropped(root, b"%02d" % number), now=NOW)
    with django_assert_max_num_queries(1):
        assert services.settle_batches(now=LATER) == 0


def test_settling_twice_at_once_settles_once(folder, root):
    batch = services.claim(folder.pk, dropped(root), now=NOW)
    ImportJob.objects.update(status=JobStatus.COMPLETED, finished_at=NOW, discovered=1, imported=1)
    stale = Batch.objects.select_related("job").get(pk=batch.pk)
    assert services.settle_batches(now=LATER) == 1
    assert services._settle(stale, stale.job, now=LATER) is False
    assert Event.objects.filter(batch_id=batch.pk, what="imported").count() == 1


def test_a_whole_root_that_moved_takes_its_new_identity(folder, root):
    batch = finish(services.claim(folder.pk, dropped(root), now=NOW))
    services.note_moved({batch.pk: (2**64 - 1, 2**63 + 1)})
    known = services.known_batches(folder.pk)[b"ST-000001"]
    assert (known.device, known.inode) == (2**64 - 1, 2**63 + 1)


@pytest.mark.skipif(ON_SQLITE, reason="on SQLite: eight processes, in test_daemon.py")
@pytest.mark.django_db(transaction=True)
def test_of_eight_scanners_at_once_one_gets_the_delivery(folder, root):
    delivery, start, won = dropped(root), threading.Barrier(8), []

    def scan():
        start.wait()
        won.append(services.claim(folder.pk, delivery, now=NOW))
        connections.close_all()

    threads = [threading.Thread(target=scan) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([batch for batch in won if batch is not None]) == 1
    assert (Batch.objects.count(), ImportJob.objects.count()) == (1, 1)


def test_a_race_that_only_the_constraint_sees_is_lost_quietly(folder, root, monkeypatch):
    delivery = dropped(root)
    services.claim(folder.pk, delivery, now=NOW)
    monkeypatch.setattr(services, "_is_new", lambda *_: True)
    assert services.claim(folder.pk, delivery, now=NOW) is None
    assert ImportJob.objects.count() == 1


def test_a_move_that_the_table_of_states_does_not_know_is_refused(folder, root):
    batch = finish(services.claim(folder.pk, dropped(root), now=NOW))
    with pytest.raises(Exception, match="cannot become importing"):
        move_to(batch, BatchStatus.IMPORTING, who="system", now=NOW)
