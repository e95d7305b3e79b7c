"""An installation in the middle of a working day, for pictures of its pages.

Most are rows without bytes. Two deliveries are real DICOM that ships with pydicom, imported by the real pipeline.
"""

import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pydicom.data
from django.contrib.auth import get_user_model
from django.utils import timezone

from hierarchy.models import Membership, Role
from importer.core.states import JobStatus, SourceKind
from importer.models import ImportJob
from importer.pipeline.processes import run
from importer.services import ImportRequest, start_import
from importer.tests.factories import make_conflict, make_event, make_item, make_job, make_placement, make_project
from watcher.models import DropFolder
from watcher.states import BatchStatus
from watcher.tests.factories import make_batch, make_drop_folder, make_watch

PASSWORD = "only for pictures"
MUCH = 630_000_000
LONG = "Überlange Bezeichnung einer Studie, die jemand am Gerät von Hand eingetippt hat_" + "x" * 60


def seed(incoming: Path) -> None:
    """Everything at once; the newest last. `incoming` is a folder for the real deliveries."""
    now = timezone.now()
    users = get_user_model().objects
    users.create_superuser("anna", "anna.lindqvist@example.org", PASSWORD, first_name="Anna", last_name="Lindqvist")
    viewer = users.create_user("viewer", "viewer@example.org", PASSWORD)
    users.create_user("nobody", "nobody@example.org", PASSWORD)
    Membership.objects.create(user=viewer, project=make_project("neuro/Ageing cohort"), role=Role.VIEWER)
    folders = _folders()
    for number in range(60):
        make_job(make_project("onco/Breast MR"), **_at(now - timedelta(days=3, minutes=number)), imported=40)
    _ended(now, folders)
    _review(now, folders[0])
    _real(incoming, folders[0])
    _running(now, folders)
    make_watch(beat_at=now + timedelta(minutes=30), since=now - timedelta(hours=31), roots=_reports(now, folders))


def _folders() -> list[DropFolder]:
    ageing, breast = make_project("neuro/Ageing cohort"), make_project("onco/Breast MR")
    return [
        make_drop_folder(name="mr-prisma", path="/srv/incoming/mr-prisma", project=ageing),
        make_drop_folder(name="ct-ward-3", path="/srv/incoming/ct-ward-3", project=breast, completion="rename"),
        make_drop_folder(name="partner-site", path="/mnt/partner/outbox", project=None),
        make_drop_folder(name="old-scanner", path="/mnt/old/out", project=ageing, enabled=False),
    ]


def _reports(now: datetime, folders: list[DropFolder]) -> dict:
    said = {"mode": "events", "healthy": True, "reason": "", "scanned_at": (now - timedelta(seconds=12)).isoformat()}
    settling = [
        {
            "name": "ST-000482.tmp2343",
            "since": (now - timedelta(seconds=40)).isoformat(),
            "why": "has a temporary name",
        },
        {"name": "ST-000483", "since": (now - timedelta(seconds=9)).isoformat(), "why": "21 s of quiet to go"},
    ]
    broken = {**said, "healthy": False, "reason": "/mnt/partner/outbox is not mounted (no such file or directory)"}
    loose = ["Readme.txt", "scan list.xlsx"]
    return {folders[0]: {**said, "settling": settling, "loose": loose}, folders[1]: said, folders[2]: broken}


def _at(start: datetime, *, seconds: float = 45) -> dict:
    return {
        "created_at": start,
        "started_at": start + timedelta(seconds=0.4),
        "finished_at": start + timedelta(seconds=seconds),
    }


def _delivered(folder: DropFolder, job: ImportJob, *, status: str, claimed: datetime) -> None:
    make_batch(
        folder, job=job, status=status, name=job.label, label=job.label, files=job.discovered,
        bytes=job.bytes_found, seen_at=claimed, claimed_at=claimed,
    )  # fmt: skip


def _ended(now: datetime, folders: list[DropFolder]) -> None:
    ageing, device = make_project("neuro/Ageing cohort"), {"source_kind": "drop_folder", "who": "device mr-prisma"}
    for hours, counts in ((26, {"imported": 1204}), (20, {"imported": 880, "skipped": 2}), (7, {"skipped": 1204})):
        start = now - timedelta(hours=hours)
        job = make_job(ageing, **device, **_at(start), **counts, bytes_moved=MUCH, bytes_found=MUCH)
        _delivered(folders[0], job, status=BatchStatus.IMPORTED, claimed=start)
    make_job(
        ageing, status=JobStatus.CANCELLED, **_at(now - timedelta(hours=5)), imported=300, cancelled=904, label=LONG
    )
    make_job(
        ageing, status=JobStatus.FAILED, **_at(now - timedelta(hours=4), seconds=2), label="Legacy \u202eexport\nCD 7",
        error="The source cannot be listed: Permission denied.", discovered=0,
    )  # fmt: skip
    make_batch(folders[2], status=BatchStatus.HELD, label="Visit 2 (2)", claimed_at=now - timedelta(hours=2))
    make_batch(folders[0], status=BatchStatus.EMPTY, label="ST-000470", files=0, bytes=0, claimed_at=now)


def _review(now: datetime, folder: DropFolder) -> None:
    start = now - timedelta(minutes=52)
    job = make_job(
        make_project("neuro/Ageing cohort"), status=JobStatus.NEEDS_REVIEW, **_at(start, seconds=96),
        label="ST-000479", source_kind="drop_folder", source_root="/srv/incoming/mr-prisma/ST-000479",
        who="device mr-prisma", imported=1171, skipped=14, conflict=176, failed=3, extracted=1364,
        bytes_found=717_000_000, bytes_planned=621_000_000, bytes_moved=621_000_000,
    )  # fmt: skip
    _delivered(folder, job, status=BatchStatus.NEEDS_REVIEW, claimed=start)
    for what, who in (("scanning", "system"), ("extracting", "system"), ("planning", "system")):
        make_event(job, what=what, who=who, at=start + timedelta(seconds=1))
    make_event(
        job, what="paused", at=start + timedelta(seconds=31), detail="Archive: no space left. Next attempt in 30 s."
    )
    make_event(job, what="transferring", at=start + timedelta(seconds=62))
    make_event(job, what="needs_review", at=start + timedelta(seconds=96))
    _files(job)


def _files(job: ImportJob) -> None:
    landed = make_placement(job, acquisition_label="3 - t1_mprage_sag", file_name="3 - t1_mprage_sag.dicom.zip")
    for number in range(1, 33):
        make_item(job, placement=landed, path=f"MR_T1/IM{number:04}.dcm", sop_uid=f"1.2.840.{number}")
    held = make_placement(job, outcome="conflict", reason="File already exists", acquisition_label="5 - rest_bold")
    make_conflict(job, placement=held, upload_path="98892003/2025-11-24/5 - rest_bold/5 - rest_bold.dicom.zip")
    for number in range(1, 19):
        make_item(job, placement=held, path=f"MR_BOLD/IM{number:04}.dcm", sop_uid=f"1.2.841.{number}")
    missing = make_placement(job, outcome="conflict", reason="Missing label: subject", subject_label="")
    make_conflict(job, placement=missing, level="subject", type="label_is_missing", upload_path="?/BRAIN/6 - flair")
    make_item(job, placement=missing, path="anon/IM0001", sop_uid="1.2.842.1")
    for path, outcome, reason in (
        ("notes/.DS_Store", "skipped", "Junk"),
        ("notes/empty.dcm", "skipped", "Zero-byte file"),
        ("broken/IM0007.dcm", "failed", "Truncated: 131,072 bytes of pixel data are missing"),
        ("broken/IM0008.dcm", "failed", "Unreadable"),
        ("odd/na\nme\u202ewith\x07control \\xff" + "y" * 180, "failed", "Not DICOM"),
    ):
        make_item(job, path=path, outcome=outcome, reason=reason, size=0 if "empty" in path else 4_096)


def _real(incoming: Path, folder: DropFolder) -> None:
    """A whole study; then the same one again with a changed image, and odd files beside it."""
    shipped = Path(pydicom.data.__file__).parent / "test_files"
    study = Path(
        shutil.copytree(shipped / "dicomdirtests" / "98892003", incoming / "ST-000477", copy_function=shutil.copyfile)
    )
    _imported(study, folder, status=BatchStatus.IMPORTED)
    again = Path(shutil.copytree(study, incoming / "ST-000478", copy_function=shutil.copyfile))
    for file in ("rtdose.dcm", "CT_small.dcm", "MR_truncated.dcm", "examples_ybr_color.dcm", "README.txt"):
        shutil.copy(shipped / file, again)
    (again / "empty.dcm").touch()
    changed = max(path for path in again.rglob("*") if path.is_file() and path.parent != again)
    changed.write_bytes(changed.read_bytes()[:-2] + b"\1\1")
    _imported(again, folder, status=BatchStatus.NEEDS_REVIEW)


def _imported(delivery: Path, folder: DropFolder, *, status: str) -> None:
    request = ImportRequest(
        project=folder.project, source_kind=SourceKind.DROP_FOLDER, source_root=bytes(delivery),
        label=delivery.name, who=f"device {folder.name}",
    )  # fmt: skip
    job = start_import(request, actor=None, now=timezone.now(), enqueue=False)
    run(job.pk, workers=1, look=lambda: None)
    job.refresh_from_db()
    _delivered(folder, job, status=status, claimed=job.created_at)


def _running(now: datetime, folders: list[DropFolder]) -> None:
    ageing, breast = make_project("neuro/Ageing cohort"), make_project("onco/Breast MR")
    started = {"created_at": now - timedelta(seconds=75), "started_at": now - timedelta(seconds=74)}
    make_job(
        ageing, status=JobStatus.PAUSED, **started, paused_from="transferring", pauses=1, label="ST-000480",
        pause_reason="The archive has no space left", next_attempt_at=now + timedelta(minutes=4), discovered=800,
        scan_done=True, extracted=800, bytes_planned=400_000_000, bytes_moved=90_000_000, imported=180,
    )  # fmt: skip
    reading = make_job(
        breast, status=JobStatus.EXTRACTING, **started, label="Ward 3, Tuesday", source_kind="drop_folder",
        who="device ct-ward-3", discovered=18_400, scan_done=True, extracted=7_912, bytes_found=9_700_000_000,
    )  # fmt: skip
    _delivered(folders[1], reading, status=BatchStatus.IMPORTING, claimed=now - timedelta(seconds=75))
    moving = make_job(
        ageing, status=JobStatus.TRANSFERRING, **started, label="ST-000481", source_kind="drop_folder",
        source_root="/srv/incoming/mr-prisma/ST-000481", who="device mr-prisma", discovered=2_480, scan_done=True,
        extracted=2_480, bytes_found=1_300_000_000, bytes_planned=1_280_000_000, bytes_moved=803_000_000,
        imported=1_544, skipped=12, failed=1,
    )  # fmt: skip
    _delivered(folders[0], moving, status=BatchStatus.IMPORTING, claimed=now - timedelta(seconds=75))
    make_event(moving, what="pending", who="device mr-prisma", at=now - timedelta(seconds=75))
    make_event(moving, what="transferring", at=now - timedelta(seconds=40))
