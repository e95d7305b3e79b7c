"""Killed workers, with real processes: a small `make crash`, and a file that kills whoever reads it."""

import subprocess
import sys
from pathlib import Path

import pytest

from importer.models import ImportJob
from importer.tests.pipeline.drive import leftovers, put, put_series, reasons

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.service, pytest.mark.slow]

# Runs manage.py in a process whose readers of headers die over one file, as they would over a fault in a decoder.
DEADLY = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
import django
django.setup()
from importer.pipeline import extract
original = extract.read
def read(opener, seq, entry, **named):
    if entry.path.endswith("deadly.dcm"):
        os.kill(os.getpid(), signal.SIGKILL)
    return original(opener, seq, entry, **named)
extract.read = read
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", *sys.argv[2:]])
"""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("moment", ["extracting: told", "transferring: named, not told", "at random"])
def test_an_import_that_was_killed_ends_as_if_it_had_not_been(environment, moment):
    on = ["--database", "sqlite"]
    if environment["DATABASE_URL"].startswith("postgres"):
        on = ["--database", "postgres", "--server", environment["DATABASE_URL"]]
    command = [sys.executable, ROOT / "scripts" / "crash.py", *on, "--files", "700", "--rounds", "1"]
    done = subprocess.run([*command, "--only", moment], capture_output=True, check=False, text=True, timeout=590)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr


def test_a_file_that_kills_its_readers_fails_alone_and_the_import_ends(environment, project, places, tmp_path):
    put_series(tmp_path / "in" / "a", 30)
    put(tmp_path / "in" / "deadly.dcm", b"what no reader survives")
    command = [sys.executable, "-c", DEADLY, ROOT, "import_folder", tmp_path / "in", "--project", "lab/Brain"]
    command += ["--workers", "2"]
    done = subprocess.run(command, env=environment, capture_output=True, check=False, text=True, timeout=170)
    job = ImportJob.objects.get()
    assert (done.returncode, job.status, job.imported) == (1, "completed", 30), done.stdout + done.stderr
    assert reasons(job)["deadly.dcm"] == "failed: Poison"
    assert leftovers(places) == []
