"""The servers that tests start for themselves: there when needed, gone afterwards, and never silently left out."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
SCRIPT = [sys.executable, "scripts/private_services.py"]
SHOW = (
    "import os,time; print(os.environ['PRATIQUE_BROKER_URL'], os.environ['DATABASE_URL'], flush=True); time.sleep(60)"
)


@contextmanager
def started():
    """The script, running, and where its two servers are."""
    command = [*SCRIPT, "--postgres", "--redis", "--", sys.executable, "-c", SHOW]
    script = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        redis, database = script.stdout.readline().split()
        yield script, urlsplit(redis).port, database.split("host=")[1]
    finally:
        with suppress(ProcessLookupError):
            os.killpg(script.pid, signal.SIGKILL)
        script.wait()
        script.stdout.close()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def serves(folder: str) -> bool:
    try:
        psycopg2.connect(host=folder, user="pratique", dbname="postgres").close()
    except psycopg2.OperationalError:
        return False
    return True


def gone(port: int, folder: str) -> bool:
    deadline = time.monotonic() + 10
    while answers(port) or serves(folder):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.service
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name)
def test_the_servers_go_with_the_one_who_started_them(number):
    with started() as (script, port, folder):
        assert answers(port)
        assert serves(folder)
        if number == signal.SIGINT:
            os.killpg(script.pid, number)
        else:
            script.send_signal(number)
        script.wait(20)
        assert gone(port, folder)


@pytest.mark.service
def test_the_exit_status_is_the_command_s():
    done = subprocess.run([*SCRIPT, "--redis", "--", "sh", "-c", "exit 7"], cwd=ROOT, check=False)
    assert done.returncode == 7


def test_what_is_not_installed_is_an_error_that_says_how_to_get_it(tmp_path):
    environment = {**os.environ, "PATH": str(tmp_path)}
    done = subprocess.run(
        [*SCRIPT, "--redis", "--", "true"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "Redis is not installed" in done.stderr
    assert "apt-get install redis-server" in done.stderr
