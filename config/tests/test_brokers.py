"""An import handed to a worker through each kind of broker: nothing else tells the worker that there is work."""

import subprocess
import sys
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
from django.conf import settings

from importer.models import ImportJob
from scripts.private_services import rabbitmq, rabbitmq_program, redis

ROOT = Path(settings.BASE_DIR)
BROKERS = {"embedded": lambda: nullcontext(""), "redis": redis}
if rabbitmq_program():  # The one that a machine need not have.
    BROKERS["rabbitmq"] = rabbitmq


@contextmanager
def worker(environment: dict[str, str], log: Path):
    with log.open("wb") as output:
        command = [sys.executable, "-m", "celery", "-A", "config", "worker", "-c", "2", "--loglevel", "INFO"]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.service
@pytest.mark.slow
@pytest.mark.parametrize("name", BROKERS)
def test_an_import_that_is_queued_is_done_by_a_worker(name, environment, dicom_study, tmp_path):
    with BROKERS[name]() as url, worker({**environment, "PRATIQUE_BROKER_URL": url}, tmp_path / "log") as process:
        command = ["manage.py", "import_folder", str(dicom_study), "--project", "lab/Brain", "--create", "--queue"]
        subprocess.run(
            [sys.executable, *command], cwd=ROOT, env={**environment, "PRATIQUE_BROKER_URL": url}, check=True
        )
        deadline = time.monotonic() + 60
        while ImportJob.objects.get().finished_at is None:
            assert process.poll() is None
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.05)
    job = ImportJob.objects.get()
    assert (job.status, job.imported) == ("completed", 17), (tmp_path / "log").read_text()
