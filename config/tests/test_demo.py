"""`make demo`, the way a person runs it: twice on the same folder, ended by Ctrl-C, then asked to check itself."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
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


@pytest.mark.service
@pytest.mark.slow
def test_the_demo_shows_a_real_study_stops_when_told_and_works_again(tmp_path):
    home = tmp_path / "home"
    command = [sys.executable, "scripts/demo.py"]
    with (tmp_path / "output").open("wb") as output:
        first = subprocess.Popen(command, cwd=ROOT, env=environment(home), stdout=output, stderr=output)
        deadline = time.monotonic() + 90
        while "Ctrl-C" not in (tmp_path / "output").read_text():
            assert first.poll() is None, (tmp_path / "output").read_text()
            assert time.monotonic() < deadline, (tmp_path / "output").read_text()
            time.sleep(0.2)
        said = (tmp_path / "output").read_text()
        address = re.search(r"http://\S+/", said).group()
        assert urllib.request.urlopen(address).status == 200
        first.send_signal(signal.SIGINT)
        assert first.wait(30) == 0
    assert len(re.findall("^imported,", said, re.MULTILINE)) == 28
    assert len(re.findall(r"password \S+ \(it is shown this once\)", said)) == 1
    assert of_home(home) == []

    again = subprocess.run(
        [*command, "--once"], cwd=ROOT, env=environment(home), capture_output=True, text=True, timeout=90, check=False
    )
    assert again.returncode == 0, again.stderr
    assert len(re.findall("^skipped,File already exists,", again.stdout, re.MULTILINE)) == 28
    assert "shown this once" not in again.stdout
    assert of_home(home) == []
