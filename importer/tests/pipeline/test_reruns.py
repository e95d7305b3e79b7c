"""Once more: all of it, only what failed, only the first files, or as a plan that writes nothing."""

import pytest
from django.utils import timezone

from hierarchy.errors import Refused
from hierarchy.models import Subject
from importer.models import Conflict
from importer.pipeline import scan
from importer.pipeline.advance import advance
from importer.services import rerun_import
from importer.tests.pipeline.denied import permissions_count
from importer.tests.pipeline.drive import (
    became,
    bytes_under,
    imported,
    instance,
    leftovers,
    put,
    put_series,
    reasons,
    run,
    start,
    tree,
    until,
    worker,
)

pytestmark = pytest.mark.django_db(transaction=True)


def again(job, *, only_failed, **fields):
    return rerun_import(
        job.pk, actor=None, who="system", now=timezone.now(), only_failed=only_failed, enqueue=False, **fields
    )


@pytest.fixture
def half(project, places, tmp_path):
    """An import of which some files failed: (job, folder)."""
    folder = tmp_path / "in"
    put_series(folder / "good", 2)
    put(folder / "bad.dcm", instance(1, series=2)[:-9])
    put(folder / "locked" / "deep" / "1.dcm", instance(1, series=3))
    put(folder / "locked" / "deep" / "2.dcm", instance(2, series=3))
    put(folder / "unentered" / "sub" / "1.dcm", instance(1, series=4))
    put(folder / "vanishes.dcm", instance(1, series=5))
    (folder / "locked").chmod(0)
    (folder / "unentered").chmod(0o600)
    job = start(project, folder)
    with permissions_count():
        until(job, "extracting")
        (folder / "vanishes.dcm").unlink()
        run(job)
    assert became(job) == {
        "bad.dcm": "failed", "good/0001.dcm": "imported", "good/0002.dcm": "imported", "locked/": "failed",
        "unentered/sub": "failed", "vanishes.dcm": "failed",
    }  # fmt: skip
    yield job, folder
    (folder / "locked").chmod(0o700)
    (folder / "unentered").chmod(0o700)


def test_only_what_failed_is_looked_at_again_as_it_is_now(half):
    job, folder = half
    (folder / "locked").chmod(0o700)
    (folder / "unentered").chmod(0o700)
    put(folder / "bad.dcm", instance(1, series=2))
    put(folder / "new.dcm", instance(1, series=6))

    repaired = run(again(job, only_failed=True))

    assert became(repaired) == dict.fromkeys(
        ["bad.dcm", "locked/deep/1.dcm", "locked/deep/2.dcm", "unentered/sub/1.dcm"], "imported"
    )
    assert (repaired.rerun_of_id, repaired.label, repaired.project) == (job.pk, job.label, job.project)
    assert run(again(repaired, only_failed=False)).skipped == 6
    with pytest.raises(Refused, match="Nothing failed"):
        again(repaired, only_failed=True)


def test_what_still_fails_has_its_row_again(half):
    job, _ = half
    with permissions_count():
        same = run(again(job, only_failed=True))

    assert became(same) == dict.fromkeys(["bad.dcm", "locked/", "unentered/sub"], "failed")
    with permissions_count():
        assert became(run(again(same, only_failed=True))) == became(same)


def test_a_folder_that_became_a_link_is_not_followed_when_it_is_run_again(half, tmp_path):
    job, folder = half
    outside = put(tmp_path / "outside" / "deep" / "secret.dcm", instance(1, series=9)).parent.parent
    (folder / "locked").rename(tmp_path / "moved")
    (folder / "locked").symlink_to(outside)

    with permissions_count():
        repaired = run(again(job, only_failed=True))

    assert reasons(repaired)["locked"] == "skipped: Symlink"
    assert not [path for path in became(repaired) if "secret" in path]
    (folder / "locked").unlink()
    (tmp_path / "moved").rename(folder / "locked")


def test_a_killed_scan_of_what_failed_goes_on_without_a_path_twice(half, monkeypatch):
    job, folder = half
    for number in range(20):
        put(folder / "locked" / "deep" / f"n{number:02}.dcm", instance(number, series=8))
    (folder / "locked").chmod(0o700)
    monkeypatch.setattr(scan, "CHUNK_ENTRIES", 3)
    monkeypatch.setattr(scan, "PER_WRITE", 1)
    repaired = again(job, only_failed=True)
    original, writes = scan._write, []

    def killed(*args, **named):
        original(*args, **named)
        writes.append(args)
        raise KeyboardInterrupt

    monkeypatch.setattr(scan, "_write", killed)
    with permissions_count():
        for _ in range(3):
            with pytest.raises(KeyboardInterrupt):
                advance(repaired.pk, worker=worker())
        monkeypatch.setattr(scan, "_write", original)
        run(repaired)

    assert len(writes) == 3
    paths = list(became(repaired))
    assert len(paths) == len(set(paths)) == repaired.discovered == 24


def test_an_import_that_runs_is_not_run_again(project, places, tmp_path):
    put_series(tmp_path / "in", 1)
    job = start(project, tmp_path / "in")

    with pytest.raises(Refused, match="not ended"):
        again(job, only_failed=False)


def test_a_limit_counts_files_in_the_order_of_their_paths(project, places, tmp_path):
    put_series(tmp_path / "in" / "b", 5)
    put(tmp_path / "in" / "a" / "zero", b"")

    job = imported(project, tmp_path / "in", limit=3)

    assert list(became(job)) == ["a/zero", "b/0001.dcm", "b/0002.dcm"]
    assert run(again(job, only_failed=False)).discovered == 3


def test_a_plan_says_what_would_be_and_writes_nothing(project, places, tmp_path):
    put_series(tmp_path / "one", 2)
    imported(project, tmp_path / "one")
    before = tree(project), bytes_under(places.archive), Subject.objects.count()
    folder = tmp_path / "two"
    put_series(folder / "same", 2)
    put_series(folder / "new", 2, series=2, patient="P02", study=2)
    put_series(folder / "wrong", 2, series=3, patient="P03")
    put(folder / "bad.dcm", instance(1, series=9)[:-9])

    plan = run(start(project, folder, dry_run=True))

    assert plan.status == "planned"
    assert became(plan) == {
        "bad.dcm": "failed",
        "new/0001.dcm": "planned", "new/0002.dcm": "planned",
        "same/0001.dcm": "skipped", "same/0002.dcm": "skipped",
        "wrong/0001.dcm": "conflict", "wrong/0002.dcm": "conflict",
    }  # fmt: skip
    assert (plan.imported, plan.skipped, plan.conflict, plan.failed) == (0, 2, 2, 1)
    assert (tree(project), bytes_under(places.archive), Subject.objects.count()) == before
    assert not Conflict.objects.exists()
    assert leftovers(places) == []
    assert run(start(project, folder)).imported == 2
