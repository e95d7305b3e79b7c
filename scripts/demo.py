"""A working installation with real data in it: `make demo`, or `make demo ONCE=1` to check it and leave.

Everything is done by the commands that people use, in processes of their own; this script only starts them, drops a
study in and looks at what became of it.
"""

import argparse
import csv
import io
import itertools
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import django  # noqa: E402

django.setup()

import pydicom.data  # noqa: E402
from django.conf import settings  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402

from importer.models import ImportJob  # noqa: E402
from scripts.private_services import free_port, tied_to_parent  # noqa: E402
from watcher.models import Batch, DropFolder  # noqa: E402

PROJECT = "demo/First study"
PATIENCE = 120.0
# Real images that ship with pydicom, made small by its authors (docs/architecture.md, "The demo's data").
STUDIES = ("dicomdirtests/98892003", "dicomdirtests/77654033")
IMAGES = ("CT_small.dcm", "examples_overlay.dcm", "examples_rgb_color.dcm", "JPEG2000.dcm")


class Unwell(Exception):
    """The demo cannot go on; the text says why and where to look."""


@dataclass(frozen=True, slots=True)
class Delivery:
    name: str
    files: int


@dataclass(frozen=True, slots=True)
class Running:
    """Processes by name, each writing to a log of its own."""

    processes: Mapping[str, subprocess.Popen[bytes]]
    logs: Path

    def check(self) -> None:
        for name, process in self.processes.items():
            if process.poll() is not None:
                tail = (self.logs / f"{name}.log").read_text(errors="replace")[-3000:]
                raise Unwell(f"The {name} process ended by itself:\n{tail}")

    def stop(self) -> None:
        """Asks all to end, waits, and ends for good what has not: their children too."""
        for process in self.processes.values():
            process.terminate()
        deadline = time.monotonic() + 15
        for process in self.processes.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="end after the report; status 0 only if all came out right")
    once = parser.parse_args().once
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    # Even where a shell started us in the background, which turns Ctrl-C off.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return _demo(once=once)
    except Unwell as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. `make demo` goes on where it was.")
        return 0


def _demo(*, once: bool) -> int:
    address = f"127.0.0.1:{_port()}"
    _manage("migrate", "--no-input", "-v", "0")
    _manage("collectstatic", "--no-input", "-v", "0")
    _admin()
    folder = _drop_folder()
    with _installation(address) as running:
        _until(lambda: _serves(address), running=running, what="the web pages")
        _until(_watched, running=running, what="the watcher")
        delivery = _drop(folder)
        job = _imported(delivery, running=running)
        wrong = _wrong(job, delivery=delivery, rows=_reported(job))
        if wrong:
            raise Unwell(f"The import did not come out right: {wrong}.")
        print(f"\nThe address: http://{address}/")
        if not once:
            _serve(running, folder=folder)
    return 0


def _port() -> int:
    """8000 where it is free: an address that is easily remembered."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", 8000))
        except OSError:
            return free_port()
    return 8000


def _manages(*arguments: str) -> bool:
    """Runs a management command; whether it ended well."""
    return subprocess.run([sys.executable, "manage.py", *arguments], cwd=ROOT, check=False).returncode == 0


def _manage(*arguments: str) -> None:
    if not _manages(*arguments):
        raise Unwell(f"`manage.py {arguments[0]}` failed; what it said is above.")


def _admin() -> None:
    """Made once; the password is shown then and never again."""
    users = get_user_model().objects
    if users.filter(username="admin").exists():
        print(
            "Sign in as admin with the password of the first time; it is forgotten? manage.py changepassword admin",
            flush=True,
        )
        return
    password = secrets.token_urlsafe(9)
    users.create_superuser("admin", "admin@example.org", password)
    print(f"Sign in as admin with the password {password} (it is shown this once).", flush=True)


def _drop_folder() -> DropFolder:
    path = settings.PRATIQUE_HOME / "drop"
    if not DropFolder.objects.filter(path=str(path)).exists():
        _manage("drop_folder", "add", str(path), "--project", PROJECT, "--create")
    return DropFolder.objects.get(path=str(path))


@contextmanager
def _installation(address: str) -> Iterator[Running]:
    """What the Procfile lists."""
    logs = settings.PRATIQUE_HOME / "log"
    logs.mkdir(exist_ok=True)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONPATH": str(ROOT),
        "WEB_BIND": address,
    }
    lines = (ROOT / "Procfile").read_text().splitlines()
    commands = dict(line.split(": ", 1) for line in lines)
    started: dict[str, subprocess.Popen[bytes]] = {}
    running = Running(started, logs)
    try:
        for name, command in commands.items():
            started[name] = _started(command, log=logs / f"{name}.log", environment=environment)
        yield running
    finally:
        running.stop()


def _started(command: str, *, log: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            tied_to_parent(shlex.split(command)),
            cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip


def _until(done: Callable[[], object], *, running: Running, what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not done():
        running.check()
        if time.monotonic() > deadline:
            raise Unwell(f"Waited {PATIENCE:.0f} s for {what}. The logs are in {running.logs}.")
        time.sleep(0.1)


def _serves(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _watched() -> bool:
    asked = [sys.executable, "manage.py", "watcher_status", "--json"]
    return subprocess.run(asked, cwd=ROOT, check=False, capture_output=True).returncode == 0


def _drop(folder: DropFolder) -> Delivery:
    """As a careful sender does it: under a temporary name first, then, whole, under its own."""
    root = Path(folder.path)
    name = _fresh_name(root)
    unfinished = root / f"{name}.tmp{secrets.randbelow(9000) + 1000}"
    shipped = Path(pydicom.data.__file__).parent / "test_files"
    for study in STUDIES:
        shutil.copytree(shipped / study, unfinished / Path(study).name, copy_function=shutil.copyfile)
    for image in IMAGES:
        shutil.copyfile(shipped / image, unfinished / image)
    files = sum(path.is_file() for path in unfinished.rglob("*"))
    unfinished.rename(root / name)
    print(f"Dropped {name}, a folder of {files} real DICOM files, into {root}", flush=True)
    return Delivery(name, files)


def _fresh_name(root: Path) -> str:
    """Names are people's: what was dropped once, here or long ago, is not dropped again under the same one."""
    taken = {path.name for path in root.iterdir()} | set(Batch.objects.values_list("name", flat=True))
    return next(name for name in (f"ST-{number:06}" for number in itertools.count(1)) if name not in taken)


def _imported(delivery: Delivery, *, running: Running) -> ImportJob:
    """Waits for the end of the delivery's import, whatever end that is."""
    jobs = ImportJob.objects.filter(batch__name=delivery.name, finished_at__isnull=False)
    _until(jobs.exists, running=running, what=f"the import of {delivery.name}")
    return jobs.get()


def _reported(job: ImportJob) -> list[dict[str, str]]:
    """Prints the audit report; its rows."""
    took = (job.finished_at - job.created_at).total_seconds() if job.finished_at else 0
    print(f"Import {job.pk} is {job.status} after {took:.1f} s. Its audit report:\n")
    command = [sys.executable, "manage.py", "import_report", str(job.pk), "--format", "csv"]
    report = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    print(report, flush=True)
    return list(csv.DictReader(io.StringIO(report)))


def _wrong(job: ImportJob, *, delivery: Delivery, rows: list[dict[str, str]]) -> str:
    """What is not as it has to be, in words; empty when all is well."""
    sums = job.imported + job.skipped + job.conflict + job.failed + job.cancelled
    stored = sum(row["status"] == "imported" or row["reason"].startswith("File already exists") for row in rows)
    again = ImportJob.objects.filter(status="completed", pk__lt=job.pk).exists()
    checks = [
        (job.status == "completed", f"it ended as {job.status}"),
        (job.discovered == delivery.files, f"{delivery.files} files were dropped, {job.discovered} found"),
        (sums == job.discovered, f"{job.discovered} files were found, {sums} accounted for"),
        (len(rows) == delivery.files, f"{delivery.files} files were dropped, the report has {len(rows)} rows"),
        (stored == delivery.files, f"{delivery.files} files were dropped, {stored} are stored"),
        (again or job.imported == delivery.files, f"{delivery.files} files were dropped, {job.imported} imported"),
        (_manages("verify"), "`manage.py verify` found stored files that are not what they should be"),
    ]
    return "; ".join(words for well, words in checks if not well)


def _serve(running: Running, *, folder: DropFolder) -> None:
    print(f"Drop more folders into {folder.path}\nStop it with Ctrl-C.", flush=True)
    while True:
        running.check()
        time.sleep(1)


if __name__ == "__main__":
    sys.exit(main())
