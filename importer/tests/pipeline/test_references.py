"""Imports by reference: no byte is copied, the source stays untouched, and all else is as with copies."""

import io
import json
import subprocess
import zipfile

import pytest
from django.urls import reverse
from django.utils import timezone

from hierarchy import references
from hierarchy.models import FileVersion, Group, Project
from hierarchy.models.files import current_version
from importer import report
from importer.core.rules.builtin import BUILT_IN
from importer.models import Conflict, Placement
from importer.pipeline.store_source import StoreSource
from importer.plans import approve_import
from importer.tests.pipeline.drive import (
    assert_conserved,
    became,
    bytes_under,
    conflicts,
    instance,
    leftovers,
    members,
    put,
    put_series,
    reasons,
    run,
    until,
    wrongs,
)
from importer.tests.pipeline.drive import imported as copied
from importer.tests.pipeline.stored import aged, begun, imported, on_provider
from storages.stores import Kind, StoreConfig

pytestmark = pytest.mark.django_db
EXISTS, IMPORTED = "skipped: File already exists", "imported"


@pytest.fixture
def scans(tmp_path):
    (tmp_path / "scans").mkdir()
    return tmp_path / "scans"


@pytest.fixture
def storage(db, scans):
    return on_provider(StoreConfig(Kind.LOCAL, str(scans)))


def told(folder):
    """All that could change of what lies in a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        s = path.lstat()
        found[str(path)] = (s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_mode, s.st_nlink, s.st_uid)
    return found


def version(name="1 - t1.dicom.zip"):
    return FileVersion.objects.filter(current_version(), file__name=name).select_related("file", "storage").get()


def nothing_copied(places):
    return bytes_under(places.archive) == bytes_under(places.quarantine) == {} and leftovers(places) == []


def ways(job):
    """(How, why not by reference) of each file to be."""
    return sorted(Placement.objects.filter(job=job).values_list("file_name", "transfer", "transfer_reason"))


def test_a_series_by_reference_is_a_list_of_where_its_instances_lie(project, places, scans, storage):
    put_series(scans / "P01", 3)
    put(scans / "P01" / "notes.txt")
    before = told(scans)

    job = imported(project, storage)

    assert (job.status, job.transfer, set(became(job).values())) == ("completed", "reference", {"imported"})
    assert told(scans) == before
    series, notes = version(), version("notes.txt")
    assert (series.reference, series.storage, series.digest_of, series.digest) == (True, storage, "unread", "")
    assert (series.members, series.path) == (3, "P01/")
    assert series.size == sum(path.stat().st_size for path in scans.glob("P01/*.dcm"))
    lies = references.reference_of(series).members
    assert [(one.name, one.key) for one in lies] == [(f"1.2.3.4.1.1.{n}.MR.dcm", f"P01/{n:04}.dcm") for n in (1, 2, 3)]
    assert [one.mtime_ns for one in lies] == [(scans / one.key).stat().st_mtime_ns for one in lies]
    assert (notes.reference, notes.path, notes.members) == (True, "P01/notes.txt", 1)
    assert notes.mtime_ns == (scans / "P01" / "notes.txt").stat().st_mtime_ns
    assert ways(job) == [("1 - t1.dicom.zip", "reference", ""), ("notes.txt", "reference", "")]
    assert nothing_copied(places)


def test_what_is_read_later_is_what_would_have_been_copied(project, places, scans, storage):
    put_series(scans / "P01", 3)
    imported(project, storage)
    series = version()
    references.read(series)

    other = Project.objects.create(group=Group.objects.create(name="other"), label="Other")
    copied(other, scans)
    assert set(FileVersion.objects.values_list("digest", "digest_of")) == {(series.digest, "manifest")}
    assert FileVersion.objects.filter(reference=False).count() == 1


@pytest.mark.parametrize("old", [True, False], ids=["of long ago", "of just now"])
def test_a_second_import_finds_nothing_new_and_reads_nothing(project, places, scans, storage, old):
    put_series(scans / "P01", 3)
    put(scans / "P01" / "notes.txt")
    if old:
        aged(scans)
    imported(project, storage)
    job = imported(project, storage)
    assert set(reasons(job).values()) == {EXISTS}
    assert set(FileVersion.objects.values_list("digest_of", "number")) == {("unread", 1)}


def test_reading_every_byte_tells_the_digest(project, places, scans, storage):
    put_series(scans / "P01", 3)
    imported(project, storage)
    job = imported(project, storage, checksum=True)
    assert set(reasons(job).values()) == {EXISTS}
    assert version().digest_of == "manifest"


def test_a_changed_source_is_a_conflict_and_never_a_silent_update(project, places, scans, storage):
    put_series(scans / "P01", 3)
    imported(project, storage)
    put(scans / "P01" / "0002.dcm", instance(2, PatientComments="other"))
    job = imported(project, storage)
    assert conflicts(job) == [("file_name_already_exists", "P01/study 1/1 - t1/1 - t1.dicom.zip")]
    noted = Conflict.objects.get()
    assert (noted.storage, noted.path, noted.digest) == (storage, "", "")
    assert FileVersion.objects.count() == 1
    assert bytes_under(places.quarantine) == {}


def test_under_update_a_changed_source_becomes_a_version(project, places, scans, storage):
    put_series(scans / "P01", 3)
    imported(project, storage)
    put(scans / "P01" / "0002.dcm", instance(2, PatientComments="other"))
    job = imported(project, storage, strategy="update")
    assert (job.status, job.conflict, version().number, version().reference) == ("completed", 0, 2, True)
    assert [one.size for one in references.reference_of(version()).members] == [
        (scans / "P01" / f"{n:04}.dcm").stat().st_size for n in (1, 2, 3)
    ]


@pytest.mark.parametrize("first", ["copied", "by reference"])
def test_what_is_stored_in_one_way_is_known_again_in_the_other(project, places, scans, storage, first):
    put_series(scans / "P01", 3)
    put(scans / "P01" / "notes.txt")
    in_turn = [lambda: copied(project, scans), lambda: imported(project, storage)]
    if first == "by reference":
        in_turn.reverse()
    in_turn[0]()
    job = in_turn[1]()
    assert set(reasons(job).values()) == {EXISTS}
    assert FileVersion.objects.count() == 2
    # A reference was read for that, and has its digest now.
    assert not FileVersion.objects.filter(digest_of="unread").exists()
    assert wrongs() == []


def test_a_reference_whose_source_is_gone_is_not_taken_for_the_same(project, places, scans, storage, tmp_path):
    put_series(scans / "P01", 3)
    imported(project, storage)
    (scans / "P01").rename(tmp_path / "elsewhere")
    job = copied(project, tmp_path / "elsewhere")
    assert job.conflict == 3
    assert version().digest_of == "unread"


PACKS = """
- type: dicom
  zip: true
  mappings: ["PatientID = subject.label"]
- mappings: ["path = {subject.label}/{session.label}/{acquisition.label}/*"]
"""


def test_what_the_rules_pack_is_copied_and_says_so(project, places, scans, storage):
    put_series(scans / "S" / "V" / "A", 2)
    put(scans / "S" / "V" / "A" / "notes.txt")
    job = imported(project, storage, rules_text=PACKS)
    assert job.status == "completed"
    assert ways(job) == [
        ("1 - t1.dicom.zip", "zip", "Copied: the rules pack these files (zip: true)."),
        ("notes.txt", "reference", ""),
    ]
    (stored,) = bytes_under(places.archive)
    assert set(members(places.archive / stored)) == {f"1.2.3.4.1.1.{n}.MR.dcm" for n in (1, 2)}
    assert wrongs() == []


def test_members_of_an_archive_are_copied_and_say_so(project, places, scans, storage):
    with zipfile.ZipFile(scans / "delivery.zip", "w") as target:
        for number in (1, 2):
            target.writestr(f"{number}.dcm", instance(number))
    text = 'rules:\n- type: dicom\n  include: ["path=~*.zip::*.dcm"]\n  mappings: ["PatientID = subject.label"]\n'
    job = imported(project, storage, rules_text=text)
    assert job.imported == 2, reasons(job)
    assert ways(job) == [("1 - t1.dicom.zip", "zip", "Copied: it lies inside an archive.")]


def test_files_that_stay_as_they_are_need_no_list(project, places, scans, storage):
    put_series(scans / "P01", 2)
    text = BUILT_IN["standard"].text.replace("type: dicom", "type: dicom\n    zip: false", 1)
    job = imported(project, storage, rules_text=text)
    assert set(became(job).values()) == {"imported"}, reasons(job)
    assert sorted(FileVersion.objects.values_list("path", flat=True)) == ["P01/0001.dcm", "P01/0002.dcm"]
    assert nothing_copied(places)


@pytest.mark.parametrize("harm", ["gone", "changed", "all gone"])
def test_what_goes_before_it_lands_is_not_referred_to(project, places, scans, storage, harm):
    paths = put_series(scans / "P01", 3)
    job = until(begun(project, storage), "transferring")
    for path in paths if harm == "all gone" else paths[:1]:
        path.write_bytes(b"other") if harm == "changed" else path.unlink()
    run(job)
    assert_conserved(job)
    if harm == "all gone":
        assert (job.failed, FileVersion.objects.count()) == (3, 0)
    else:
        assert (job.failed, job.imported, version().members) == (1, 2, 2)


def test_an_approved_plan_lands_by_reference(project, places, scans, storage):
    put_series(scans / "P01", 3)
    job = imported(project, storage, dry_run=True)
    assert (job.status, FileVersion.objects.count()) == ("planned", 0)
    approve_import(job.pk, actor=None, who="user ada@example.org", now=timezone.now(), enqueue=False)
    run(job)
    assert (job.status, version().reference, nothing_copied(places)) == ("completed", True, True)


def test_no_room_of_ours_is_asked_for(project, places, scans, storage, settings):
    settings.PRATIQUE_MIN_FREE_BYTES = 1 << 60
    put_series(scans / "P01", 3)
    assert imported(project, storage).status == "completed"


def test_a_copy_may_be_asked_for(project, places, scans, storage):
    put_series(scans / "P01", 3)
    job = imported(project, storage, transfer="copy")
    assert (job.transfer, version().reference, len(bytes_under(places.archive))) == ("copy", False, 1)


def test_two_projects_may_refer_to_the_same_files(project, places, scans, storage):
    put_series(scans / "P01", 3)
    other = Project.objects.create(group=project.group, label="Other")
    imported(project, storage)
    imported(other, storage)
    assert FileVersion.objects.filter(reference=True).count() == 2
    assert {one.source_path for one in FileVersion.objects.all()} == {"P01"}


def test_the_same_instance_twice_is_one_member(project, places, scans, storage):
    put_series(scans / "P01", 2)
    put(scans / "P01" / "again.dcm", instance(1))
    job = imported(project, storage)
    assert sorted(reasons(job).values()) == [IMPORTED, IMPORTED, "skipped: Duplicate instance"]
    assert version().members == 2


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ten_thousand_files_by_reference_copy_no_byte_and_touch_none(project, places, scans, storage, monkeypatch):
    for folder in range(100):
        at = scans / f"S{folder:02}" / "V" / "A"
        at.mkdir(parents=True)
        for number in range(100):
            (at / f"{number:03}.bin").write_bytes(b"%d" % number)
    before = told(scans)
    opened = []
    monkeypatch.setattr(StoreSource, "open", lambda _, listed: opened.append(listed))
    job = imported(project, storage, rules="by-path")
    assert (job.imported, job.status) == (10_000, "completed")
    assert told(scans) == before
    assert (opened, bytes_under(places.archive)) == ([], {})
    row = FileVersion.objects.get(path="S42/V/A/007.bin")
    assert (row.size, row.mtime_ns) == (1, (scans / row.path).stat().st_mtime_ns)


def test_the_report_says_how_each_file_travelled_and_why(project, places, scans, storage):
    put_series(scans / "S" / "V" / "A", 1)
    put(scans / "S" / "V" / "A" / "notes.txt")
    planned = imported(project, storage, rules_text=PACKS, dry_run=True)
    job = imported(project, storage, rules_text=PACKS)
    for one in (planned, job):
        told_of = {row["src_path"]: row for row in map(json.loads, "".join(report.audit_jsonl(one)).splitlines())}
        series, notes = told_of["S/V/A/0001.dcm"], told_of["S/V/A/notes.txt"]
        assert (series["transfer"], series["transfer_reason"]) == (
            "zip", "Copied: the rules pack these files (zip: true).",
        )  # fmt: skip
        assert (notes["transfer"], "transfer_reason" in notes) == ("reference", False)
        # Of a folder's file that nobody has read there is no digest to tell.
        assert notes["src_stat"]["hash"] == ""
        assert bool(series["src_stat"]["hash"]) == (one is job)


@pytest.mark.service
def test_references_to_every_kind_of_storage_are_read_where_they_lie(project, places, any_spot, client, people):
    for number in (1, 2, 3):
        any_spot.plant(f"P01/MR/{number}.dcm", instance(number))
    any_spot.plant("P01/notes.txt", b"beside the images")
    job = imported(project, on_provider(any_spot.config))

    assert (job.status, job.imported, bytes_under(places.archive)) == ("completed", 4, {})
    told_of = [json.loads(line) for line in "".join(report.audit_jsonl(job)).splitlines()]
    assert {(row["transfer"], row["src_stat"]["type"]) for row in told_of} == {("reference", any_spot.config.kind)}
    if any_spot.config.kind != "fs":
        assert all(row["src_stat"]["hash"] for row in told_of)
    client.force_login(people.viewer)
    got = client.get(reverse("file-download", args=[version().file_id])).getvalue()
    with zipfile.ZipFile(io.BytesIO(got)) as opened:
        assert {name: opened.read(name) for name in opened.namelist()} == {
            f"1.2.3.4.1.1.{n}.MR.dcm": instance(n) for n in (1, 2, 3)
        }
    assert client.get(reverse("file-download", args=[version("notes.txt").file_id])).getvalue() == b"beside the images"
    assert {version().digest_of, version("notes.txt").digest_of} == {"manifest", "content"}
    again = imported(project, version().storage)
    assert set(reasons(again).values()) == {EXISTS}
    assert wrongs() == []


@pytest.fixture
def read_only(scans):
    """The storage's folder, mounted so that nobody can write to it."""
    put_series(scans / "P01", 3)
    put(scans / "P01" / "notes.txt")
    for words in (["--bind", scans, scans], ["-o", "remount,bind,ro", scans]):
        if subprocess.run(["mount", *words], capture_output=True, check=False).returncode != 0:
            pytest.skip("no right to mount a file system")
    yield scans
    subprocess.run(["umount", "-l", scans], check=True)


def test_a_mount_that_nobody_may_write_to_is_enough(project, places, read_only, client, people):
    storage = on_provider(StoreConfig(Kind.LOCAL, str(read_only)))
    with pytest.raises(OSError, match="Read-only"):
        (read_only / "x").touch()
    job = imported(project, storage)
    assert (job.status, job.imported) == ("completed", 4)
    client.force_login(people.viewer)
    got = client.get(reverse("file-download", args=[version().file_id])).getvalue()
    assert zipfile.ZipFile(io.BytesIO(got)).testzip() is None
    assert imported(project, storage, checksum=True).skipped == 4
    assert nothing_copied(places)
