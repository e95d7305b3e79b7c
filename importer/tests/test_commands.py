"""The commands around imports: exit codes that scripts rely on, refusals before anything is made, and interrupts."""

import csv
import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from hierarchy.models import FileVersion, Group, Project
from importer import tasks
from importer.models import ImportJob
from importer.tests.factories import make_job
from importer.tests.pipeline.drive import imported, instance, leftovers, put, put_series, start, tree, until, worker
from storages.models import ExternalStorage, StorageProvider

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.django_db(transaction=True)
COLUMNS = "status,reason,src_path,dst_path,file_id,version,session_uid,acquisition_uid"


@pytest.fixture(autouse=True)
def handlers():
    """The commands set some for their process."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def source(project, places, tmp_path):
    put_series(tmp_path / "in" / "a", 2)
    return tmp_path / "in"


def code(*words):
    """The exit status of a command in this process."""
    try:
        call_command(*map(str, words))
    except SystemExit as end:
        return end.code
    except CommandError as error:
        return error.returncode
    return 0


def run(*words):
    return code("import_folder", *words, "--project", "lab/Brain", "--workers", "1")


def test_all_clean_is_zero_a_failure_one_a_conflict_three_and_a_failure_goes_first(source, tmp_path, capsys):
    assert run(source) == 0
    assert "2 files found: 2 imported" in capsys.readouterr().out
    put_series(tmp_path / "b", 2, ContentDate="20200109")
    assert run(tmp_path / "b") == 3
    assert run(tmp_path / "b") == 0
    put(tmp_path / "b" / "bad.dcm", b"bad")
    assert run(tmp_path / "b") == 1
    put_series(tmp_path / "b" / "c", 1, ContentDate="20200110")
    assert run(tmp_path / "b") == 1


def test_a_plan_exits_as_its_import_would_and_writes_nothing(source, project, capsys):
    assert run(source, "--dry-run") == 0
    assert "planned: 2 files found: 2 planned, 0 imported" in capsys.readouterr().out
    put(source / "bad.dcm", b"bad")
    assert run(source, "--dry-run") == 1
    assert tree(project) == {}


REFUSED = {
    "no such folder": ["/nowhere/at/all"],
    "another rule set": ["--rule-set", "mine"],
    "rules that are not there": ["--rules", "/nowhere.yaml"],
    "include": ["--include", "x"], "exclude": ["--exclude", "size=~1"], "mapping": ["--mapping", "x"],
    "default": ["--default", "x"], "override": ["--override", "subject.colour=red"],
    "fail fast": ["--fail-fast", "5%"], "profile": ["--deidentify", "p"],
    "by reference": ["--transfer", "reference"], "hardlink": ["--transfer", "hardlink"],
    "symlink": ["--transfer", "symlink"], "move": ["--transfer", "move"],
    "removing what is referred to": [
        "--transfer", "reference", "--acknowledge", "--delete-source", "on_success",
    ],
    "agreeing to nothing": ["--acknowledge"],
    "no file at all": ["--limit", "0"],
    "no worker": ["--workers", "0"], "too many": ["--workers", "65"],
    "a report of no kind": ["--report", "r.txt"],
    "a report of what is queued": ["--queue", "--report", "r.csv"],
    "a stranger": ["--as", "nobody"],
    "an unknown project": ["--project", "lab/Nowhere"],
    "no project": ["--project", "lab"],
}  # fmt: skip


@pytest.mark.parametrize("words", REFUSED.values(), ids=REFUSED)
def test_what_is_refused_exits_with_two_and_leaves_nothing(source, words):
    path = [] if words[0].startswith("/") else [source]
    project = [] if "--project" in words else ["--project", "lab/Brain"]

    assert code("import_folder", *path, *words, *project) == 2

    assert not ImportJob.objects.exists()
    assert not StorageProvider.objects.exists()
    assert not ExternalStorage.objects.exists()
    assert Project.objects.count() == Group.objects.count() == 1


def test_by_reference_a_folder_becomes_a_provider_once_somebody_has_agreed(source, places, capsys):
    with pytest.raises(CommandError, match="only home of the data"):
        call_command("import_folder", str(source), "--transfer", "reference", "--project", "lab/Brain")
    assert run(source, "--transfer", "reference", "--acknowledge") == 0
    storage = ExternalStorage.objects.select_related("provider").get()
    assert (storage.label, storage.kind, storage.bucket, storage.acknowledged_by) == ("in", "fs", str(source), "system")
    assert (storage.provider.label, storage.provider.address) == ("in", str(source))
    assert FileVersion.objects.get().storage == storage
    assert not places.archive.exists() or not any(places.archive.rglob("*.zip"))

    put_series(source / "b", 2, study=2)
    assert run(source / "b", "--transfer", "reference") == 0
    assert ExternalStorage.objects.count() == StorageProvider.objects.count() == 1
    assert ImportJob.objects.latest("id").prefixes == ["b/"]
    assert sorted(FileVersion.objects.values_list("path", flat=True)) == ["a/", "b/"]


def test_only_an_admin_declares_a_folder_and_whoever_may_import_uses_it(source, people):
    words = ["--transfer", "reference", "--acknowledge"]
    assert run(source, *words, "--as", people.uploader.username) == 2
    assert not StorageProvider.objects.exists()
    assert run(source, *words, "--as", people.site_admin.username) == 0
    assert run(source, *words, "--as", people.uploader.username) == 0
    assert run(source, *words, "--as", people.viewer.username) == 2


def test_a_folder_outside_the_roots_is_never_declared(source, settings):
    settings.PRATIQUE_LOCAL_ROOTS = [Path("/nowhere")]
    assert run(source, "--transfer", "reference", "--acknowledge") == 2
    assert not StorageProvider.objects.exists()


def test_a_rerun_of_an_import_by_reference_is_one(source):
    assert run(source, "--transfer", "reference", "--acknowledge") == 0
    assert code("rerun_import", ImportJob.objects.get().pk, "--workers", "1") == 0
    again = ImportJob.objects.latest("id")
    assert (again.transfer, again.skipped, again.storage.label) == ("reference", 2, "in")


def test_a_moved_source_is_gone_and_a_linked_one_is_not(source, tmp_path):
    rules = put(
        tmp_path / "plain.yaml", b"- mappings: ['path = {subject.label}/{session.label}/*']\n  level: session\n"
    )
    for transfer, left in (("hardlink", 1), ("move", 0)):
        folder = tmp_path / transfer
        put(folder / "S" / transfer / "scan.nii", transfer.encode())
        assert run(folder, "--transfer", transfer, "--rules", rules) == 0
        assert len(list(folder.rglob("*.nii"))) == left


def test_a_source_is_removed_after_success(source):
    assert run(source, "--delete-source", "on_success") == 0
    assert list(source.rglob("*")) == []
    assert ImportJob.objects.get().removal == "removed"


def test_a_refused_import_has_not_made_its_project_either(source):
    words = ["--project", "new/Project", "--create"]
    assert code("import_folder", "/nowhere/at/all", *words) == 2
    assert code("import_folder", source, *words, "--rule-set", "mine") == 2
    assert Project.objects.count() == Group.objects.count() == 1


def test_create_makes_group_and_project(source):
    assert code("import_folder", source, "--project", "fw://new/My Project", "--create", "--workers", "1") == 0
    assert ImportJob.objects.get().project.label == "My Project"


def test_as_somebody_it_has_their_rights(source, people):
    assert run(source, "--as", people.viewer.username) == 2
    assert run(source, "--as", people.stranger.email) == 2
    assert run(source, "--as", people.uploader.email) == 0
    assert ImportJob.objects.get().who == f"user {people.uploader.email}"
    assert code("import_folder", source, "--project", "new/P", "--create", "--as", people.uploader.username) == 2
    assert code("cancel_import", make_job(status="scanning").pk, "--as", people.viewer.username) == 2
    assert code("rerun_import", ImportJob.objects.first().pk, "--as", people.viewer.username) == 2


def test_options_reach_the_job(source):
    words = ["--label", "L", "--description", "D", "--uid-scope", "group", "--missing-meta", "fail", "--limit", "1"]
    assert run(source, *words, "--checksum", "--transfer", "copy") == 0
    job = ImportJob.objects.get()
    assert (job.label, job.description, job.uid_scope, job.missing_meta, job.discovered, job.who) == (
        "L", "D", "group", "fail", 1, "system",
    )  # fmt: skip


def test_reports_go_where_their_name_says(source, tmp_path, capsys):
    assert run(source, "--report", "-", "--conflict-report", tmp_path / "c.jsonl") == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[0] == COLUMNS
    assert len(list(csv.reader(io.StringIO(said.out)))) == 3
    assert "2 imported" in said.err
    assert (tmp_path / "c.jsonl").read_text() == ""
    assert run(source, "--report", tmp_path / "r.jsonl") == 0
    assert [json.loads(line)["status"] for line in (tmp_path / "r.jsonl").read_text().splitlines()] == ["skipped"] * 2
    assert code("import_report", ImportJob.objects.first().pk) == 0
    assert capsys.readouterr().out.splitlines()[-2].startswith("skipped,File already exists")
    assert code("import_report", 12345) == 2


def test_queued_it_only_wakes_a_worker(source, monkeypatch):
    sent = []
    monkeypatch.setattr(tasks.work, "delay", lambda *args: sent.append(args))
    assert code("import_folder", source, "--project", "lab/Brain", "--queue") == 0
    job = ImportJob.objects.get()
    assert (job.status, sent) == ("pending", [(job.pk,)])
    assert code("rerun_import", job.pk, "--queue") == 2


def test_cancel_and_run_again(source, project, capsys):
    job = start(project, source)
    until(job, "transferring", by=worker())
    assert code("cancel_import", job.pk) == 0
    assert "is cancelled" in capsys.readouterr().out
    assert code("cancel_import", job.pk) == 2
    assert code("rerun_import", job.pk, "--failed") == 2
    assert code("rerun_import", job.pk, "--workers", "1") == 0
    assert len(tree(project)) == 1
    assert code("cancel_import", 12345) == code("rerun_import", 12345) == 2


def test_only_what_failed_runs_again(source, project):
    put(source / "bad.dcm", b"bad")
    job = imported(project, source)
    put(source / "bad.dcm", instance(1, series=2))
    assert code("rerun_import", job.pk, "--failed", "--workers", "1") == 0
    assert ImportJob.objects.first().imported == 1


# Real processes


def manage(environment, *words, **named):
    return subprocess.Popen(
        [sys.executable, ROOT / "manage.py", *map(str, words)],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **named,
    )  # fmt: skip


def ended(process, *, seconds=60):
    out, err = process.communicate(timeout=seconds)
    return process.returncode, out, err


@pytest.mark.service
@pytest.mark.slow
@pytest.mark.parametrize(
    "how", [(signal.SIGINT, 1), (signal.SIGINT, 2), (signal.SIGTERM, 1), (signal.SIGHUP, 2)], ids=str
)
def test_an_interrupt_leaves_an_import_that_goes_on_and_says_how(environment, source, project, places, how):
    """Interrupted in its pause: it waits for its source, so it is at a known place when the signal comes."""
    number, workers = how
    for name in range(40):
        put(source / "SUB" / "SES" / "ACQ" / f"{name}.bin", b"%d" % name)
    locked = places.archive
    locked.parent.mkdir(exist_ok=True)
    locked.write_bytes(b"in the way")
    process = manage(environment, "import_folder", source, "--project", "lab/Brain", "--workers", workers)
    wait_for(lambda: ImportJob.objects.filter(status="paused").exists(), process)
    process.send_signal(number)
    status, _, err = ended(process)

    job = ImportJob.objects.get()
    assert (status, "Traceback" in err) == (1, False), err
    assert f"Import {job.pk} can go on" in err
    assert "manage.py sweep" in err
    assert f"manage.py cancel_import {job.pk}" in err
    locked.unlink()
    ImportJob.objects.update(next_attempt_at="2000-01-01T00:00:00Z")
    status, out, err = ended(manage(environment, "sweep"))
    assert (status, err) == (0, "")
    job.refresh_from_db()
    assert (job.status, job.imported) == ("completed", 42), out
    assert leftovers(places) == []


def wait_for(condition, process, *, seconds=40):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.service
@pytest.mark.slow
def test_a_closed_terminal_is_an_interrupt(environment, source, places):
    places.archive.write_bytes(b"in the way")
    leader, follower = pty.openpty()
    command = [sys.executable, ROOT / "manage.py", "import_folder", source, "--project", "lab/Brain", "--workers", "2"]
    process = subprocess.Popen(
        ["setsid", "--ctty", *command], env=environment, stdin=follower, stdout=follower, stderr=follower
    )
    os.close(follower)
    wait_for(lambda: ImportJob.objects.filter(status="paused").exists(), process)

    os.close(leader)

    process.wait(30)
    assert ImportJob.objects.get().status == "paused"
    assert not ImportJob.objects.exclude(owner="").exists()


@pytest.mark.service
def test_usage_is_refused_with_two_by_the_program_itself(environment):
    status, _, err = ended(manage(environment, "import_folder", "/tmp", "--project", "a/b", "--what"))
    assert (status, err.startswith("usage:")) == (2, True)
