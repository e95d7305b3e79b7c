"""A watcher as a process of its own, and what is dropped for it."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from conftest import ROOT
from watcher.models import Batch, DropFolder, Watch


def until(true, *, within=20.0, every=0.02):
    """Waits for it; fails with what it last said."""
    end = time.monotonic() + within
    while True:
        said = true()
        if said:
            return said
        assert time.monotonic() < end, f"not within {within} s: {said!r}"
        time.sleep(every)


@dataclass
class Daemon:
    """`manage.py` in processes of its own, on the test's database, with a home of their own."""

    environment: dict[str, str]
    home: Path
    processes: list[subprocess.Popen] = field(default_factory=list)

    def run(self, *words):
        """A command to its end."""
        return subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *words],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def start(self):
        """`start_watcher --foreground`, once it has taken up the drop folders."""
        with (self.home / "stderr").open("ab") as errors:
            process = subprocess.Popen(
                [sys.executable, str(ROOT / "manage.py"), "start_watcher", "--foreground"],
                env=self.environment,
                cwd=ROOT,
                stderr=errors,
            )
        self.processes.append(process)
        until(lambda: f"pid: {process.pid}\n" in self.note())
        until(lambda: self.scanned() or process.poll() is not None)
        return process

    def note(self):
        lock = self.home / "watcher.lock"
        return lock.read_text() if lock.exists() else ""

    @staticmethod
    def scanned():
        """True when every root has been looked at."""
        row = Watch.objects.filter(pk=1).first()
        roots = row.report.get("roots", {}) if row else {}
        return row and len(roots) >= DropFolder.objects.filter(enabled=True).count()

    def errors(self):
        return (self.home / "stderr").read_text()

    def end(self):
        for process in self.processes:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
        self.run("stop_watcher", "--kill")


def drop(root, name, files=("a", "b", "c"), content=b"x"):
    """Filled under a temporary name, then renamed."""
    temporary = root / f"{name}.tmp2343"
    temporary.mkdir()
    for file in files:
        (temporary / file).write_bytes(content)
    temporary.rename(root / name)
    return root / name


def labels():
    return sorted(Batch.objects.values_list("label", flat=True))


def folder_bytes(root, name):
    return os.path.join(os.fsencode(root), name)
