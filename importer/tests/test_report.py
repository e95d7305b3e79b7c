"""The audit and conflict reports, from rows as the pipeline leaves them."""

import csv
import io
import json
import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from hierarchy.models import Acquisition, File, FileVersion, Manifest, Session, Subject
from importer import report, report_digests
from importer.core.manifest import Member, to_lines
from importer.core.states import ConflictStatus, JobStatus
from importer.tests.factories import START, make_conflict, make_event, make_item, make_job, make_placement

pytestmark = pytest.mark.django_db

SECOND = 1_577_934_245
SHA = {name: f"{n:064x}" for n, name in enumerate("abcdef", 1)}


def cells(lines):
    return list(csv.reader(io.StringIO("".join(lines), newline="")))


def rows(lines):
    return list(csv.DictReader(io.StringIO("".join(lines), newline="")))


def objects(lines):
    return [json.loads(line) for line in "".join(lines).splitlines()]


@pytest.fixture
def job():
    return make_job(status=JobStatus.COMPLETED)


@pytest.fixture
def acquisition(job):
    subject = Subject.objects.create(project=job.project, label="P01")
    session = Session.objects.create(subject=subject, label="BRAIN", uid="1.2")
    return Acquisition.objects.create(session=session, label="3 - t1", uid="1.2.3")


def placed(job, acquisition, **fields):
    """A Placement that knows its containers."""
    session = acquisition.session
    defaults = {
        "subject_label": session.subject.label,
        "session_label": session.label,
        "session_uid": session.uid,
        "acquisition_label": acquisition.label,
        "acquisition_uid": acquisition.uid,
        "subject_id": session.subject_id,
        "session_id": session.pk,
        "acquisition_id": acquisition.pk,
        "said": {"modality": "MR"},
    }
    return make_placement(job, **(defaults | fields))


def landed(job, acquisition, members, *, outcome="imported", **fields):
    """A series in the archive, with a source file for each member (UID → digest)."""
    file = File.objects.create(acquisition=acquisition, name=f"{len(members)}.dicom.zip", type="dicom")
    version = FileVersion.objects.create(
        file=file, number=1, size=4096, digest="f" * 64, digest_of="manifest", path=f"p/{file.pk}", created_at=START
    )
    lines = to_lines([Member(f"{uid}.MR.dcm", 10, sha) for uid, sha in members.items()])
    Manifest.objects.create(version=version, lines=lines)
    to = placed(
        job,
        acquisition,
        file_name=file.name,
        file_id=file.pk,
        version=1,
        version_id=version.pk,
        outcome=outcome,
        **fields,
    )
    return to, [make_item(job, placement=to, sop_uid=uid, path=f"st/{uid}.dcm") for uid in members]


def test_the_audit_csv_has_exactly_its_columns(job):
    assert cells(report.audit_csv(job)) == [
        ["status", "reason", "src_path", "dst_path", "file_id", "version", "session_uid", "acquisition_uid"]
    ]


def test_an_imported_file_says_what_it_became(job, acquisition):
    to, _ = landed(job, acquisition, {"1.2.3.1": SHA["a"]}, reason="left over from the plan")
    assert cells(report.audit_csv(job))[1] == [
        "imported", "", "st/1.2.3.1.dcm", "P01/BRAIN/3 - t1/1.dicom.zip", str(to.file_id), "1", "1.2", "1.2.3",
    ]  # fmt: skip


def test_a_file_that_never_had_a_place_has_empty_cells(job):
    make_item(job, path="junk", outcome="skipped", reason="Junk")
    assert cells(report.audit_csv(job))[1] == ["skipped", "Junk", "junk", "", "", "", "", ""]


def test_a_file_with_an_outcome_of_its_own_keeps_the_place_of_its_series(job, acquisition):
    to, _ = landed(job, acquisition, {"1.1": SHA["a"]})
    make_item(job, placement=to, path="twice.dcm", outcome="skipped", reason="Duplicate instance", sop_uid="1.1")
    row = rows(report.audit_csv(job))[1]
    assert (row["status"], row["reason"], row["dst_path"]) == (
        "skipped",
        "Duplicate instance",
        "P01/BRAIN/3 - t1/1.dicom.zip",
    )


def test_what_met_an_existing_file_names_it(job, acquisition):
    to, _ = landed(job, acquisition, {"1.1": SHA["a"]}, outcome="skipped", reason="File already exists")
    row = rows(report.audit_csv(job))[0]
    assert (row["status"], row["file_id"], row["version"]) == ("skipped", str(to.file_id), "1")


@pytest.mark.parametrize(
    ("level", "path"),
    [
        ("acquisition", "P01/BRAIN/3 - t1/f.txt"),
        ("session", "P01/BRAIN/f.txt"),
        ("subject", "P01/f.txt"),
        ("project", "f.txt"),
    ],
)
def test_the_destination_is_as_long_as_its_level(job, acquisition, level, path):
    make_item(job, placement=placed(job, acquisition, kind="file", level=level, file_name="f.txt"))
    assert rows(report.audit_csv(job))[0]["dst_path"] == path


def test_a_missing_label_is_left_out_of_the_destination(job, acquisition):
    make_item(
        job, placement=placed(job, acquisition, subject_label="", outcome="conflict", reason="Missing label: subject")
    )
    assert rows(report.audit_csv(job))[0]["dst_path"] == "BRAIN/3 - t1/3 - t1.dicom.zip"


def test_rows_come_in_source_order(job):
    for seq in (30, 10, 20):
        make_item(job, seq=seq, path=str(seq))
    assert [row["src_path"] for row in rows(report.audit_csv(job))] == ["10", "20", "30"]


def test_the_rows_of_another_import_stay_out(job):
    make_item(make_job())
    assert rows(report.audit_csv(job)) == []


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_cell_that_a_spreadsheet_would_run_is_defused(job, start):
    make_item(job, path=f"{start}cmd|' /C calc'!A0")
    assert cells(report.audit_csv(job))[1][2] == f"'{start}cmd|' /C calc'!A0"


def test_a_path_with_a_newline_and_quotes_stays_one_cell(job):
    make_item(job, path='a\n"b",c')
    assert cells(report.audit_csv(job))[1][2] == 'a\n"b",c'


@pytest.mark.parametrize("outcome", [None, "planned"])
def test_what_an_ended_import_did_not_reach_is_cancelled(outcome):
    job = make_job(status=JobStatus.FAILED)
    make_item(job, placement=make_placement(job, outcome=outcome))
    row = rows(report.audit_csv(job))[0]
    assert (row["status"], row["reason"]) == ("cancelled", "Not reached: the import ended before")


@pytest.mark.parametrize(("outcome", "status"), [(None, ""), ("planned", "planned")])
def test_a_running_import_reports_what_is_known_so_far(outcome, status):
    job = make_job(status=JobStatus.TRANSFERRING)
    make_item(job, placement=make_placement(job, outcome=outcome))
    assert rows(report.audit_csv(job))[0]["status"] == status


def test_an_object_of_the_audit_has_the_published_shape(job, acquisition):
    upserts = {"subject": "update", "session": "skip", "acquisition": "create", "file": "create"}
    to, [item] = landed(job, acquisition, {"1.1": SHA["a"]}, upserts=upserts)
    item.mtime_ns = SECOND * 10**9 + 250_000_000
    item.save()
    session = acquisition.session
    assert objects(report.audit_jsonl(job)) == [
        {
            "_id": item.pk,
            "src_path": "st/1.1.dcm",
            "src_stat": {
                "type": "fs",
                "path": "st/1.1.dcm",
                "size": 526_000,
                "hash": SHA["a"],
                "created": SECOND + 0.25,
                "modified": SECOND + 0.25,
            },
            "status": "imported",
            "dst_path": "P01/BRAIN/3 - t1/1.dicom.zip",
            "dst_stat": {
                "subject": {"_id": session.subject_id, "label": "P01", "upsert": "update"},
                "session": {"_id": session.pk, "uid": "1.2", "label": "BRAIN", "upsert": "skip"},
                "acquisition": {"_id": acquisition.pk, "uid": "1.2.3", "label": "3 - t1", "upsert": "create"},
                "file": {
                    "_id": {"file_id": to.file_id, "version": 1},
                    "name": "1.dicom.zip",
                    "size": 4096,
                    "upsert": "create",
                },
            },
            "file_id": to.file_id,
            "file_version": 1,
            "reason": "",
            "transfer": "zip",
        }
    ]


def test_a_file_higher_up_has_no_levels_below(job, acquisition):
    make_item(job, placement=placed(job, acquisition, kind="file", level="subject", file_name="f.txt"))
    [found] = objects(report.audit_jsonl(job))
    assert (list(found["dst_stat"]), found["transfer"]) == (["subject", "file"], "copy")


def test_a_file_without_a_place_has_no_destination(job):
    make_item(job, path="junk", outcome="skipped", reason="Junk")
    [found] = objects(report.audit_jsonl(job))
    assert (found["dst_path"], found["dst_stat"], found["file_id"], found["transfer"]) == ("", {}, None, None)
    assert found["src_stat"]["hash"] == ""


def test_what_met_an_existing_file_changed_nothing(job, acquisition):
    landed(job, acquisition, {"1.1": SHA["a"]}, outcome="skipped")
    stat = objects(report.audit_jsonl(job))[0]["dst_stat"]
    assert {part["upsert"] for part in stat.values()} == {"skip"}


def hashes(job):
    return [found["src_stat"]["hash"] for found in objects(report.audit_jsonl(job))]


def test_a_digest_is_that_of_the_file_itself_not_of_its_archive(job, acquisition):
    landed(job, acquisition, {"1.1": SHA["a"], "1.10": SHA["b"]})
    assert hashes(job) == [SHA["a"], SHA["b"]]


def test_a_duplicate_has_the_digest_of_what_it_equals(job, acquisition):
    to, _ = landed(job, acquisition, {"1.1": SHA["a"]})
    make_item(job, placement=to, sop_uid="1.1", outcome="skipped", reason="Duplicate instance")
    assert hashes(job) == [SHA["a"], SHA["a"]]


def test_a_file_that_went_as_it_is_has_its_versions_digest(job, acquisition):
    file = File.objects.create(acquisition=acquisition, name="f.txt")
    version = FileVersion.objects.create(
        file=file, number=1, size=3, digest=SHA["c"], digest_of="content", path="p", created_at=START
    )
    make_item(job, placement=placed(job, acquisition, kind="file", file_name="f.txt", version_id=version.pk))
    assert hashes(job) == [SHA["c"]]


def test_what_waits_in_quarantine_has_the_digest_of_what_waits(job, acquisition):
    """Its Placement also names the version that it met, whose content is another."""
    met, _ = landed(job, acquisition, {"1.1": SHA["a"]})
    waiting = placed(job, acquisition, outcome="conflict", version_id=met.version_id)
    make_conflict(job, placement=waiting, manifest=to_lines([Member("1.1.MR.dcm", 10, SHA["b"])]))
    make_item(job, placement=waiting, sop_uid="1.1")
    assert hashes(job) == [SHA["a"], SHA["b"]]


def test_a_single_file_in_quarantine_has_its_own_digest(job, acquisition):
    waiting = placed(job, acquisition, kind="file", file_name="f.txt", outcome="conflict")
    make_conflict(job, placement=waiting, digest=SHA["d"])
    make_item(job, placement=waiting)
    assert hashes(job) == [SHA["d"]]


def test_what_was_held_already_does_not_borrow_the_digest_of_what_it_met(job, acquisition):
    met, _ = landed(job, acquisition, {"1.1": SHA["a"]})
    again = {"outcome": "skipped", "conflict_type": "file_name_already_exists", "version_id": met.version_id}
    make_item(job, placement=placed(job, acquisition, **again), sop_uid="1.1")
    assert hashes(job) == [SHA["a"], ""]


def test_a_version_that_is_gone_leaves_the_row_standing(job, acquisition):
    make_item(job, placement=placed(job, acquisition, version_id=uuid.uuid4()), sop_uid="1.1")
    [found] = objects(report.audit_jsonl(job))
    assert (found["src_stat"]["hash"], found["dst_stat"]["file"]["size"]) == ("", None)


def test_pages_join_without_a_gap_and_remember_their_series(job, acquisition, monkeypatch):
    monkeypatch.setattr(report, "PAGE", 3)
    uids = {f"1.{n}": f"{n:064x}" for n in range(10)}
    landed(job, acquisition, uids)
    assert hashes(job) == list(uids.values())
    assert len(rows(report.audit_csv(job))) == 10


def test_more_series_than_are_kept_still_find_their_digests(job, acquisition, monkeypatch):
    monkeypatch.setattr(report, "PAGE", 3)
    monkeypatch.setattr(report_digests, "KEPT", 1)
    for n in range(4):
        landed(job, acquisition, {f"{n}.{m}": SHA["abcdef"[m]] for m in range(n + 1)})
    assert hashes(job) == [SHA["abcdef"[m]] for n in range(4) for m in range(n + 1)]


def queries(write, job):
    with CaptureQueriesContext(
        connection,
    ) as seen:
        "".join(write(job))
    return len(seen)


@pytest.mark.parametrize("write", [report.audit_csv, report.audit_jsonl, report.conflict_csv, report.conflict_jsonl])
def test_the_queries_of_a_page_do_not_grow_with_its_rows(job, acquisition, write):
    def add(count, start):
        for n in range(start, start + count):
            landed(job, acquisition, {f"{n}.{m}": SHA["a"] for m in range(n + 1)})
            conflict = make_conflict(job, placement=placed(job, acquisition, outcome="conflict"))
            make_item(job, placement=conflict.placement, sop_uid="9")

    add(1, 0)
    few = queries(write, job)
    add(12, 1)
    assert queries(write, job) == few


def test_the_conflict_csv_has_exactly_its_columns(job):
    assert cells(report.conflict_csv(job)) == [
        [
            "id",
            "created",
            "level",
            "type",
            "upload_path",
            "resolved",
            "resolved_by",
            "action",
            "action_error",
            "action_result",
        ]
    ]


def test_an_open_conflict_has_empty_cells_where_nothing_was_decided(job):
    conflict = make_conflict(job, upload_path="P01/BRAIN/t1/t1.dicom.zip")
    assert cells(report.conflict_csv(job))[1] == [
        str(conflict.pk), "2025-11-24T09:30:00+00:00", "file", "file_name_already_exists", "P01/BRAIN/t1/t1.dicom.zip",
        "", "", "", "", "",
    ]  # fmt: skip


def test_a_decided_conflict_says_who_did_what_when(job):
    resolved = datetime(2025, 11, 25, 10, 0, tzinfo=timezone(timedelta(hours=1)))
    decided = {
        "resolved_at": resolved,
        "resolved_by": "user a@b.org",
        "action": "replace_existing",
        "action_result": "x",
    }
    make_conflict(job, status=ConflictStatus.RESOLVED, **decided)
    row = rows(report.conflict_csv(job))[0]
    assert row["resolved"] == resolved.astimezone(UTC).isoformat()
    assert (row["resolved_by"], row["action"], row["action_result"]) == ("user a@b.org", "replace_existing", "x")


def test_conflicts_of_another_import_stay_out(job):
    make_conflict(make_job())
    assert rows(report.conflict_csv(job)) == []


def test_an_upload_path_that_a_spreadsheet_would_run_is_defused(job):
    make_conflict(job, upload_path="=1+1/x")
    assert rows(report.conflict_csv(job))[0]["upload_path"] == "'=1+1/x"


def test_the_conflict_jsonl_tells_what_came_what_it_met_and_who_tried(job, acquisition):
    match = {"level": "session", "id": 7, "uid": "1.9", "path": "P02/BRAIN"}
    said = {"subject": {"sex": "female"}, "session": {"age_seconds": 3}, "acquisition": {}, "modality": "MR"}
    to = placed(job, acquisition, outcome="conflict", said=said)
    conflict = make_conflict(job, placement=to, candidates=[match, {"suggestion": "folder"}])
    for uid in ("1.1", "1.2"):
        make_item(job, placement=to, sop_uid=uid, path=f"st/{uid}")
    make_event(job, what="retry", who="user a@b.org", conflict_id=conflict.pk, detail="still there")
    [found] = objects(report.conflict_jsonl(job))
    assert list(found)[:10] == list(report.CONFLICT_COLUMNS)
    assert found["sources"] == [{"path": f"st/{uid}", "size": 526_000, "sop_uid": uid} for uid in ("1.1", "1.2")]
    assert found["incoming"] == {
        "subject": {"label": "P01", "sex": "female"},
        "session": {"label": "BRAIN", "uid": "1.2", "age_seconds": 3},
        "acquisition": {"label": "3 - t1", "uid": "1.2.3"},
        "file": {"name": "3 - t1.dicom.zip", "size": 1_000_000, "digest": "0" * 64, "modality": "MR"},
    }
    assert (found["matches"], found["suggestions"]) == ([match], ["folder"])
    assert found["history"] == [
        {"at": "2025-11-24T09:30:00+00:00", "who": "user a@b.org", "what": "retry", "detail": "still there"}
    ]


def test_each_conflict_has_its_own_source_files_whatever_their_order(job, acquisition, monkeypatch):
    monkeypatch.setattr(report, "CONFLICT_PAGE", 2)
    places = [placed(job, acquisition, outcome="conflict") for _ in range(5)]
    for to in places:
        make_item(job, placement=to, path=f"of {to.pk}") if to is not places[2] else None
    for to in reversed(places):
        make_conflict(job, placement=to)
    found = [[source["path"] for source in one["sources"]] for one in objects(report.conflict_jsonl(job))]
    assert found == [[f"of {to.pk}"] if to is not places[2] else [] for to in reversed(places)]
