"""Archives whose members a rule asks for: each member is a source file of its own."""

import os

import pytest
from django.utils import timezone

from hierarchy.decode.why import NoPicture
from importer.core.names import printable
from importer.instances import header_of
from importer.models import Item
from importer.pipeline import chunks, scan
from importer.pipeline.advance import advance
from importer.plans import approve_import
from importer.services import rerun_import
from importer.tests.core.zips import encrypted, overlapping, spoiled, zipped
from importer.tests.pipeline.drive import (
    assert_conserved,
    became,
    bytes_under,
    imported,
    instance,
    leftovers,
    members,
    outcomes,
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

RULES = """[{type: dicom, include: ["path=~*.zip::*.dcm", "path=~*.dcm"]}]"""


def series(count=3, **said):
    return {f"in/{number:04}.dcm": instance(number, **said) for number in range(1, count + 1)}


def begin(project, folder, *, rules=RULES, **options):
    job = start(project, folder, **options)
    job.rules_text = rules
    job.save(update_fields=["rules_text"])
    return job


def import_of(project, folder, **options):
    return run(begin(project, folder, **options))


def again(job):
    return rerun_import(job.pk, actor=None, who="system", now=timezone.now(), only_failed=True, enqueue=False)


def test_members_land_like_files(project, places, tmp_path):
    put(tmp_path / "in" / "x" / "a.zip", zipped(series(3) | {"README": b"read me"}))
    put_series(tmp_path / "in" / "y", 2, series=2)

    job = import_of(project, tmp_path / "in")

    assert became(job) == {
        "x/a.zip::README": "skipped",
        "x/a.zip::in/0001.dcm": "imported", "x/a.zip::in/0002.dcm": "imported", "x/a.zip::in/0003.dcm": "imported",
        "y/0001.dcm": "imported", "y/0002.dcm": "imported",
    }  # fmt: skip
    assert reasons(job)["x/a.zip::README"] == "skipped: No rule matched"
    stored = next(path for path in places.archive.rglob("1 - t1.dicom.zip"))
    assert set(members(stored).values()) == set(series(3).values())
    assert leftovers(places) == []


def test_a_series_is_one_whether_its_files_lie_in_an_archive_or_not(project, places, tmp_path):
    put(tmp_path / "in" / "a.zip", zipped({"1.dcm": instance(1)}))
    put(tmp_path / "in" / "b.zip", zipped({"1.dcm": instance(2), "2.dcm": instance(1)}))
    put(tmp_path / "in" / "c.dcm", instance(3))

    job = import_of(project, tmp_path / "in")

    assert became(job) == {
        "a.zip::1.dcm": "imported", "b.zip::1.dcm": "imported", "b.zip::2.dcm": "skipped", "c.dcm": "imported",
    }  # fmt: skip
    assert reasons(job)["b.zip::2.dcm"] == "skipped: Duplicate instance"
    assert len(tree(project)) == 1


def test_a_second_import_brings_nothing_new(project, places, tmp_path):
    put(tmp_path / "in" / "a.zip", zipped(series(3)))
    import_of(project, tmp_path / "in")
    before = tree(project), bytes_under(places.archive)

    job = import_of(project, tmp_path / "in")

    assert set(reasons(job).values()) == {"skipped: File already exists"}
    assert job.skipped == 3
    assert (tree(project), bytes_under(places.archive)) == before


def test_without_a_rule_for_its_members_an_archive_is_a_file(project, places, tmp_path):
    put(tmp_path / "in" / "s" / "t" / "u" / "a.zip", zipped(series(3)))
    assert became(imported(project, tmp_path / "in")) == {"s/t/u/a.zip": "imported"}


def test_only_archives_of_the_filter_are_opened(project, places, tmp_path):
    put(tmp_path / "in" / "open" / "a.zip", zipped(series(1)))
    put(tmp_path / "in" / "shut" / "a.zip", zipped(series(1, series=2)))
    rules = "[{type: dicom, include: ['path=~^open/*.zip::*.dcm']}]"
    assert became(import_of(project, tmp_path / "in", rules=rules)) == {
        "open/a.zip::in/0001.dcm": "imported",
        "shut/a.zip": "skipped",
    }


@pytest.mark.parametrize("every", [1, 2, 3])
def test_a_killed_scan_goes_on_inside_an_archive(project, places, tmp_path, monkeypatch, every):
    put(tmp_path / "in" / "a" / "1.zip", zipped(series(5)))
    put(tmp_path / "in" / "a" / "1.zip.dcm", instance(1, series=2))
    put(tmp_path / "in" / "b.zip", zipped(series(4, series=3)))
    put(tmp_path / "in" / "c.dcm", instance(1, series=4))
    whole = list(became(import_of(project, tmp_path / "in", dry_run=True)))
    monkeypatch.setattr(scan, "CHUNK_ENTRIES", every)
    monkeypatch.setattr(scan, "PER_WRITE", 1)
    job = begin(project, tmp_path / "in")
    original = scan._write

    def killed(*args, **named):
        original(*args, **named)
        raise KeyboardInterrupt

    monkeypatch.setattr(scan, "_write", killed)
    for _ in range(-(-len(whole) // every)):
        with pytest.raises(KeyboardInterrupt):
            advance(job.pk, worker=worker())
    monkeypatch.setattr(scan, "_write", original)

    assert list(became(run(job))) == whole, reasons(job)
    assert len(whole) == 11
    assert job.imported == 11, reasons(job)


def test_an_archive_that_is_spoiled_while_a_scan_is_away_has_a_row_for_its_rest(project, places, tmp_path, monkeypatch):
    path = put(tmp_path / "in" / "a.zip", zipped(series(4)))
    monkeypatch.setattr(scan, "CHUNK_ENTRIES", 2)
    monkeypatch.setattr(scan, "PER_WRITE", 1)
    job = begin(project, tmp_path / "in")
    original = scan._write

    def killed(*args, **named):
        original(*args, **named)
        raise KeyboardInterrupt

    monkeypatch.setattr(scan, "_write", killed)
    with pytest.raises(KeyboardInterrupt):
        advance(job.pk, worker=worker())
    monkeypatch.setattr(scan, "_write", original)
    path.write_bytes(b"text")

    job = run(job)

    assert reasons(job) == dict.fromkeys(["a.zip::in/0001.dcm", "a.zip::in/0002.dcm", "a.zip"], "failed: Unreadable")
    put(tmp_path / "in" / "a.zip", zipped(series(5)))
    repaired = run(again(job))
    assert became(repaired) == {f"a.zip::in/{number:04}.dcm": "imported" for number in range(1, 6)}


def test_an_archive_that_changes_after_its_listing_is_not_taken(project, places, tmp_path):
    path = put(tmp_path / "in" / "a.zip", zipped(series(3)))
    job = until(begin(project, tmp_path / "in"), "transferring")
    path.write_bytes(zipped(series(3) | {"new.dcm": instance(9)}))
    assert set(reasons(run(job)).values()) == {"failed: Changed since listing"}
    assert tree(project) == {}


def test_an_archive_that_is_replaced_after_its_listing_is_not_taken(project, places, tmp_path):
    path = put(tmp_path / "in" / "a.zip", zipped(series(3)))
    found = path.stat()
    job = until(begin(project, tmp_path / "in"), "extracting")
    other = put(tmp_path / "other", path.read_bytes())
    os.utime(other, ns=(found.st_atime_ns, found.st_mtime_ns))
    other.rename(path)
    assert set(reasons(run(job)).values()) == {"failed: Changed since listing"}


def test_an_archive_that_goes_away_takes_its_members_along(project, places, tmp_path):
    path = put(tmp_path / "in" / "a.zip", zipped(series(2)))
    job = until(begin(project, tmp_path / "in"), "transferring")
    path.unlink()
    assert set(reasons(run(job)).values()) == {"failed: Vanished"}


HOSTILE = {
    "encrypted": (encrypted(zipped({"a.dcm": instance(1)})), {"::a.dcm": "failed: Unreadable"}),
    "bomb": (zipped({"a.dcm": bytes(70_000_000)}), {"::a.dcm": "failed: Unreadable"}),
    "overlapping": (overlapping(), {"": "failed: Unreadable"}),
    "absolute": (zipped({"/etc/a.dcm": instance(1)}), {"::/etc/a.dcm": "failed: Unreadable"}),
    "up": (zipped({"../../a.dcm": instance(1)}), {"::../../a.dcm": "failed: Unreadable"}),
    "twice": (zipped([("a.dcm", instance(1)), ("a.dcm", instance(2))]), {"::a.dcm": "failed: Unreadable"}),
    "nested": (zipped({"b.zip": zipped({"a.dcm": instance(1)})}), {"::b.zip": "skipped: No rule matched"}),
    "no zip": (b"text", {"": "failed: Unreadable"}),
    "zero bytes": (b"", {"": "skipped: Zero-byte file"}),
    "empty": (zipped({}), {"": "skipped: Empty archive"}),
    "only folders": (zipped({"a/": b"", "b/": b""}), {"": "skipped: Empty archive"}),
    "cut": (zipped({"a.dcm": instance(1)})[:-30], {"": "failed: Unreadable"}),
    "spoiled": (spoiled(zipped({"a.dcm": instance(1)}, method=0), instance(1)), {"::a.dcm": "failed: Unreadable"}),
    "zero-byte member": (zipped({"a.dcm": b""}), {"::a.dcm": "skipped: Zero-byte file"}),
    "junk": (zipped({"__MACOSX/._a.dcm": b"x"}), {"::__MACOSX/._a.dcm": "skipped: Junk"}),
    "truncated": (zipped({"a.dcm": instance(1)[:-9]}), {"::a.dcm": "failed: Truncated"}),
    "no dicom": (zipped({"a.dcm": b"text"}), {"::a.dcm": "failed: Unreadable"}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_has_rows_with_reasons_and_harms_no_other(project, places, tmp_path, name):
    data, expected = HOSTILE[name]
    put(tmp_path / "in" / "a.zip", data)
    put(tmp_path / "in" / "b.zip", zipped({"a.dcm": instance(1, series=7)}))

    job = import_of(project, tmp_path / "in")

    assert reasons(job) == {f"a.zip{path}": why for path, why in expected.items()} | {"b.zip::a.dcm": "imported"}
    assert_conserved(job)
    assert len(tree(project)) == 1
    assert {path.name for path in tmp_path.iterdir()} <= {"in", "archive", "quarantine", "staging"}


def test_what_failed_in_an_archive_is_looked_at_again(project, places, tmp_path):
    good = series(4)
    put(tmp_path / "in" / "a.zip", zipped(good | {"in/0002.dcm": b"broken", "in/0004.dcm": b"broken"}))
    put(tmp_path / "in" / "b.zip", b"text")
    put(tmp_path / "in" / "c.zip", b"text")
    job = import_of(project, tmp_path / "in")
    assert job.failed == 4
    put(tmp_path / "in" / "a.zip", zipped(good | {"new.dcm": instance(9)}))
    put(tmp_path / "in" / "b.zip", zipped(series(2, series=2)))
    (tmp_path / "in" / "c.zip").unlink()

    repaired = run(again(job))

    assert set(became(repaired)) == {
        "a.zip::in/0002.dcm", "a.zip::in/0004.dcm", "b.zip::in/0001.dcm", "b.zip::in/0002.dcm",
    }  # fmt: skip
    assert became(repaired)["b.zip::in/0001.dcm"] == "imported"


def test_names_with_two_colons_are_no_archives(project, places, tmp_path):
    put(tmp_path / "in" / "a.zip::b.dcm", instance(1))
    put(tmp_path / "in" / "c::.zip", zipped({":d::e.dcm": instance(1, series=2)}))
    assert outcomes(import_of(project, tmp_path / "in")) == {
        printable(b"a.zip::b.dcm"): ("imported", ""),
        r"c\x3a:.zip::\x3ad\x3a:e.dcm": ("imported", ""),
    }


def test_a_plan_of_members_is_approved(project, places, tmp_path):
    path = put(tmp_path / "in" / "a.zip", zipped(series(3)))
    job = import_of(project, tmp_path / "in", dry_run=True)
    assert set(became(job).values()) == {"planned"}

    approve_import(job.pk, actor=None, who="system", now=timezone.now(), enqueue=False)
    path.write_bytes(zipped(series(3) | {"new.dcm": instance(9)}))
    job = run(job)
    assert (job.status, job.plan_changed) == ("planned", 1)
    assert set(reasons(job).values()) == {"failed: Changed since listing"}


def test_an_approved_plan_of_members_runs(project, places, tmp_path):
    put(tmp_path / "in" / "a.zip", zipped(series(3)))
    job = import_of(project, tmp_path / "in", dry_run=True)
    approve_import(job.pk, actor=None, who="system", now=timezone.now(), enqueue=False)
    assert set(became(run(job)).values()) == {"imported"}


def test_a_limit_counts_members(project, places, tmp_path):
    put(tmp_path / "in" / "a.zip", zipped(series(5)))
    assert list(became(import_of(project, tmp_path / "in", limit=2))) == ["a.zip::in/0001.dcm", "a.zip::in/0002.dcm"]


def test_the_same_instance_twice_in_two_archives_is_compared(project, places, tmp_path):
    put(tmp_path / "in" / "a.zip", zipped({"1.dcm": instance(1)}))
    put(tmp_path / "in" / "b.zip", zipped({"1.dcm": instance(1, PatientWeight="80")}))
    job = import_of(project, tmp_path / "in")
    assert became(job) == {"a.zip::1.dcm": "imported", "b.zip::1.dcm": "conflict"}


def test_a_listing_of_before_has_no_time_of_change():
    blob = chunks.packed([["a", "file", 1, 2, "3"]])
    [entry] = chunks.from_blob(blob)
    assert (entry.path, entry.ctime_ns) == ("a", 0)
    assert chunks.from_blob(chunks.to_blob([entry])) == [entry]


def test_a_member_that_waits_shows_its_header_from_its_archive(project, places, tmp_path):
    path = put(tmp_path / "in" / "a.zip", zipped(series(1)))
    job = import_of(project, tmp_path / "in", dry_run=True)
    item = Item.objects.get(job=job)
    assert "P01" in {row.value for row in header_of(item)}
    os.utime(path, (1, 1))
    with pytest.raises(NoPicture):
        header_of(item)
