"""`make demo`, the way a person runs it: twice on the same folder, ended by Ctrl-C, then asked to check itself."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)


def environment(home: Path) -> dict[str, str]:
    """As in a shell where nothing was set but the home."""
    foreign = ("DATABASE_URL", "PRATIQUE_", "SECRET_KEY", "DJANGO_", "PYTEST")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**kept, "PRATIQUE_HOME": str(home)}


def of_home(home: Path) -> list[str]:
    """The command lines of all processes that were started for this home."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"PRATIQUE_HOME={home}".encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


@contextmanager
def demo(home: Path, output: Path):
    """`make demo`, not yet told to stop; whatever happens, it is not left behind."""
    with output.open("wb") as file:
        command = [sys.executable, "scripts/demo.py"]
        process = subprocess.Popen(command, cwd=ROOT, env=environment(home), stdout=file, stderr=file)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


def said_once_served(process: subprocess.Popen, output: Path) -> str:
    deadline = time.monotonic() + 120
    while "Ctrl-C" not in output.read_text():
        assert process.poll() is None, output.read_text()
        assert time.monotonic() < deadline, output.read_text()
        time.sleep(0.2)
    return output.read_text()


@pytest.mark.service
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_demo_shows_a_real_study_stops_when_told_and_works_again(tmp_path):
    home, output = tmp_path / "home", tmp_path / "output"
    with demo(home, output) as process:
        said = said_once_served(process, output)
        address = re.search(r"http://\S+/", said).group()
        with urllib.request.urlopen(address) as page:
            assert page.status == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert len(re.findall("^imported,", said, re.MULTILINE)) == 28
    assert len(re.findall(r"password \S+ \(it is shown this once\)", said)) == 1
    assert of_home(home) == []

    again = subprocess.run(
        [sys.executable, "scripts/demo.py", "--once"],
        cwd=ROOT, env=environment(home), capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert len(re.findall("^skipped,File already exists,", again.stdout, re.MULTILINE)) == 28
    assert "shown this once" not in again.stdout
    assert of_home(home) == []
