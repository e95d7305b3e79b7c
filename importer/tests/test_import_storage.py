"""The command that imports from a storage: what it takes, what it refuses, and whole processes against a server."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from hierarchy.models import File, Membership, Project, Role
from importer.models import Event, ImportJob
from importer.tests.pipeline.drive import instance, put, put_series, wrongs
from importer.tests.pipeline.stored import aged, storage_of
from storages.stores import Kind, StoreConfig
from storages.tests.rows import make_provider
from storages.tests.spots import made

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _handlers():
    """The command sets some for its process."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def root(project, places, tmp_path):
    put_series(tmp_path / "bucket" / "P01", 2)
    put(tmp_path / "bucket" / "P02" / "1.dcm", instance(1, study=2, patient="P02"))
    aged(tmp_path / "bucket")
    return tmp_path / "bucket"


@pytest.fixture
def storage(root):
    return storage_of(StoreConfig(Kind.LOCAL, str(root)))


def run(*words):
    """Exit status, and what a refusal says."""
    try:
        call_command("import_storage", *map(str, words), "--workers", "1")
    except SystemExit as end:
        return end.code, ""
    except CommandError as error:
        return error.returncode, str(error)
    return 0, ""


def test_it_imports_by_label_or_number_all_or_below_prefixes(storage, capsys):
    assert run("SCANS", "P02/", "--project", "lab/Brain") == (0, "")
    assert "1 files found: 1 imported" in capsys.readouterr().out
    assert run(storage.pk, "--project", "lab/Brain", "--label", "all of it") == (0, "")
    assert "3 files found: 2 imported, 1 skipped" in capsys.readouterr().out
    job = ImportJob.objects.first()
    assert (job.label, job.source_kind, job.storage, job.source_root) == (
        "all of it", "storage", storage, storage.address,
    )  # fmt: skip


def test_options_of_imports_hold_here_too(storage, tmp_path, capsys):
    report = tmp_path / "report.csv"
    assert run("scans", "--project", "lab/New", "--create", "--dry-run", "--report", report) == (0, "")
    assert report.read_text().count("planned") == 3
    assert ImportJob.objects.get().status == "planned"
    assert run("scans", "--project", "lab/Brain", "--limit", 1, "--exclude", "path=~P01") == (0, "")
    assert ImportJob.objects.first().discovered == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["elsewhere", "--project", "lab/Brain"], "There is no storage elsewhere to import from"),
        (["scans", "--project", "lab/Nowhere"], "Nowhere"),
        (["scans", "--project", "lab/New", "--create", "--transfer", "hardlink"], "zip: false"),
        (["scans", "--project", "lab/New", "--create", "--transfer", "reference"], "storage provider"),
        (["scans", "--project", "lab/Brain", "--acknowledge"], "stands on no provider"),
        (["scans", "--project", "lab/Brain", "--fail-fast", "3"], "not built yet"),
        (["scans", "P" * 1100, "--project", "lab/Brain"], "1,024 bytes"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_made(storage, words, said):
    code, why = run(*words)
    assert code == 2
    assert said in why
    assert not ImportJob.objects.exists()
    assert not Project.objects.filter(label="New").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [({"enabled": False}, "switched off"), ({"direction": "export"}, "exports only")],
)
def test_a_storage_that_is_not_for_imports_is_refused(storage, change, said):
    type(storage).objects.update(**change)
    code, why = run("scans", "--project", "lab/Brain")
    assert (code, said in why) == (2, True)


def test_a_storage_of_another_project_or_group_is_refused(storage, project):
    other = Project.objects.create(group=project.group, label="Other")
    type(storage).objects.update(project=other)
    assert "goes to no other" in run("scans", "--project", "lab/Brain")[1]
    assert run("scans", "--project", "lab/Other")[0] == 0


def test_whoever_may_not_use_it_learns_nothing_of_it(storage, people):
    assert run("scans", "--project", "lab/Brain", "--as", "stranger")[0] == 2
    assert "no storage scans" in run("scans", "--project", "lab/Brain", "--as", "viewer")[1]
    assert run("scans", "--project", "lab/Brain", "--as", "uploader") == (0, "")
    assert Membership.objects.filter(role=Role.UPLOADER).exists()


def test_references_are_acknowledged_once(storage):
    provider = make_provider(kind="fs", bucket=storage.bucket, endpoint="", account="")
    type(storage).objects.update(provider=provider)
    code, why = run("scans", "--project", "lab/Brain")
    assert code == 2
    assert "back" in why
    assert run("scans", "--project", "lab/Brain", "--acknowledge") == (0, "")
    assert run("scans", "--project", "lab/Brain") == (0, "")


def test_what_was_deleted_comes_back_when_it_is_asked_for(storage, capsys):
    run("scans", "--project", "lab/Brain")
    file = File.objects.get(acquisition__session__subject__label="P02")
    file.versions.all().delete()
    file.delete()
    assert run("scans", "--project", "lab/Brain") == (0, "")
    assert not File.objects.filter(pk=file.pk).exists()

    capsys.readouterr()
    assert run("scans", "P01/", "--project", "lab/Brain", "--restore-deleted") == (0, "")
    assert run("scans", "--project", "lab/Brain") == (0, "")
    assert "imported" in capsys.readouterr().out
    assert not File.objects.filter(acquisition__session__subject__label="P02").exists()

    assert run("scans", "P02/", "--project", "lab/Brain", "--restore-deleted") == (0, "")
    assert File.objects.filter(acquisition__session__subject__label="P02").count() == 1
    assert Event.objects.filter(what="deleted files wanted back", detail="1").exists()


@pytest.mark.service
@pytest.mark.usefixtures("servers_here")
def test_several_processes_import_from_a_bucket(environment, project, request, tmp_path):
    spot = made("s3", request, tmp_path)
    for number in range(60):
        spot.plant(f"P{number % 3}/{number:03}.dcm", instance(number + 1, study=number % 3, patient=f"P{number % 3}"))
    storage_of(spot.config)
    words = ["import_storage", "scans", "--project", "lab/Brain", "--workers", "3"]
    found = subprocess.run(
        [sys.executable, ROOT / "manage.py", *words], env={**environment, "PRATIQUE_ALLOWED_NETWORKS": "127.0.0.0/8"},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (found.returncode, found.stderr) == (0, "")
    assert "60 files found: 60 imported" in found.stdout
    assert wrongs() == []
