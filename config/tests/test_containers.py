"""The production stack without an engine: each container's own command, environment and health check, run here."""

import fnmatch
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from django.conf import settings

from scripts.private_services import free_port, postgres, redis

ROOT = Path(settings.BASE_DIR)
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "pratique"}
LASTING = [name for name, service in OURS.items() if service["restart"] != "no"]
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")


def test_the_stack_is_the_one_that_is_promised():
    assert set(SERVICES) >= {"web", "worker", "beat", "watcher", "postgres", "redis", "s3"}
    assert "./data:/data" in SERVICES["watcher"]["volumes"]
    assert "/data" in SERVICES["first-start"]["command"]


def test_nothing_that_a_start_needs_hangs_on_the_object_store():
    assert SERVICES["s3"]["profiles"] == ["s3"]
    assert all("s3" not in service.get("depends_on", {}) for service in SERVICES.values())


@pytest.mark.parametrize("name", SERVICES)
def test_who_is_waited_for_can_be_waited_for(name):
    for other, how in SERVICES[name].get("depends_on", {}).items():
        ends = SERVICES[other]["restart"] == "no"
        wanted = "service_completed_successfully" if ends else "service_healthy"
        assert how["condition"] == wanted
        assert ends or "test" in SERVICES[other]["healthcheck"]


@pytest.mark.parametrize("name", LASTING)
def test_what_lasts_is_restarted_looked_after_and_confined(name):
    service = OURS[name]
    assert service["healthcheck"]["test"]
    assert (service["init"], service["read_only"], service["cap_drop"]) == (True, True, ["ALL"])


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_pinned_and_no_secret_stands_in_the_file(name):
    image = SERVICES[name]["image"]
    assert image == "pratique" or re.search(r":(\d+(\.\d+)?-bookworm|RELEASE\..+)$", image)
    for variable in SERVICES[name].get("environment", {}):
        assert variable.endswith("_FILE") or not re.search("PASSWORD|SECRET|KEY|DATABASE_URL", variable)


def test_the_image_is_pinned_and_does_not_run_as_root():
    bases = set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))
    assert bases == {"python:3.11-slim-bookworm"}
    assert re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE) == ["${UID}:${GID}"]
    assert re.findall(r"^ARG (\S+)", DOCKERFILE, re.MULTILINE) == ["UID=1000", "GID=1000"]


def test_the_linter_has_nothing_to_say_about_the_image():
    linter = Path(sys.executable).with_name("hadolint")
    said = subprocess.run([linter, "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout) == (0, "")


def test_what_the_commands_name_is_in_the_image():
    named = [word for service in OURS.values() for word in service["command"] if word.endswith(".py")]
    named += re.findall(r"(?:scripts/)?\w+\.py\b", DOCKERFILE)
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for path in {*named, "config/wsgi.py", "requirements.txt", "static/app.css", "templates/base.html"}:
        assert (ROOT / path).is_file()
        assert any(fnmatch.fnmatch(path, pattern) or path.startswith(f"{pattern}/") for pattern in kept), path


def test_the_image_s_own_command_and_check_are_those_of_the_web_service():
    words = dict(re.findall(r"^(?:\s*)(CMD|HEALTHCHECK)\s+(.*)$", DOCKERFILE, re.MULTILINE))
    assert yaml.safe_load(words["CMD"]) == SERVICES["web"]["command"]
    assert ["CMD", *yaml.safe_load(words["HEALTHCHECK"].split("CMD", 1)[1])] == SERVICES["web"]["healthcheck"]["test"]


@pytest.mark.service
def test_the_static_files_are_collected_as_the_image_does_it(tmp_path):
    line = next(line for line in DOCKERFILE.splitlines() if "collectstatic" in line)
    command = line.removeprefix("RUN ").replace("/tmp/build", str(tmp_path / "build"))
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, env=outside({}), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (ROOT / "staticfiles" / "app.css").is_file()


def outside(environment: dict[str, str]) -> dict[str, str]:
    """What a container would see, and nothing of this test run."""
    foreign = {
        "DATABASE_URL", "PRATIQUE_HOME", "PRATIQUE_BROKER_URL", "SECRET_KEY", "PRATIQUE_SECRET_KEYS",
        "DJANGO_SETTINGS_MODULE",
    }  # fmt: skip
    ours = {name: value for name, value in os.environ.items() if name not in foreign and "PYTEST" not in name}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**ours, "PATH": path, "PYTHONPATH": str(ROOT), "HOSTNAME": socket.gethostname(), **environment}


@dataclass
class Stack:
    """Containers as processes: paths, hosts and ports inside are put where they are out here."""

    folder: Path
    database: str
    broker: str
    port: int
    running: dict[str, subprocess.Popen] = field(default_factory=dict)

    def put(self, text: str) -> str:
        text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text).replace("$$", "$")
        moves = {
            "redis://redis:6379/0": self.broker,
            "/var/lib/pratique": f"{self.folder}/home",
            "0.0.0.0:8000": f"127.0.0.1:{self.port}",
            "127.0.0.1:8000": f"127.0.0.1:{self.port}",
        }
        for inside, here in moves.items():
            text = text.replace(inside, here)
        return re.sub(r"^/(keys|data)\b", rf"{self.folder}/\1", text)

    def words(self, words: list[str]) -> list[str]:
        return [self.put(str(word)) for word in words]

    def environment(self, name: str) -> dict[str, str]:
        return outside({key: self.put(str(value)) for key, value in OURS[name]["environment"].items()})

    def run(self, name: str) -> subprocess.CompletedProcess:
        command = self.words(OURS[name]["command"])
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment(name), capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done

    def start(self, name: str) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            command = self.words(OURS[name]["command"])
            environment = self.environment(name)
            self.running[name] = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)

    def healthy(self, name: str) -> bool:
        kind, *words = self.words(OURS[name]["healthcheck"]["test"])
        command = ["sh", "-c", *words] if kind == "CMD-SHELL" else words
        environment = self.environment(name)
        return (
            subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=30, check=False).returncode
            == 0
        )

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def stop(self, name: str) -> int:
        process = self.running.pop(name)
        process.send_signal(signal.SIGTERM)
        return process.wait(30)


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stack")
    for name in ("keys", "home", "data"):
        (folder / name).mkdir()
    with postgres() as database, redis() as broker:
        found = Stack(folder, database, broker, free_port())
        found.run("keys")
        # The one thing that is not where the container has it: PostgreSQL itself.
        (folder / "keys" / "database_url").write_text(database)
        found.run("first-start")
        yield found
        for process in found.running.values():
            process.kill()
            process.wait()


@pytest.mark.service
@pytest.mark.slow
class TestInPlaceOfAnEngine:
    def test_keys_are_made_once_for_their_owner_alone_and_kept(self, stack):
        kept = {path.name: path.read_text() for path in (stack.folder / "keys").iterdir()}
        stack.run("keys")
        assert kept == {path.name: path.read_text() for path in (stack.folder / "keys").iterdir()}
        assert {"secret_key", "secret_keys", "postgres_password", "database_url", "s3_password"} == set(kept)
        assert all(path.stat().st_mode & 0o077 == 0 for path in (stack.folder / "keys").iterdir())

    def test_the_first_start_makes_the_data_folder_the_first_drop_folder_and_a_second_start_changes_nothing(
        self, stack
    ):
        stack.run("first-start")
        listed = subprocess.run(
            ["python", "manage.py", "drop_folder", "list"],
            cwd=ROOT, env=stack.environment("web"), capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert listed.stdout.count(f"{stack.folder}/data") == 1

    @pytest.mark.parametrize("name", LASTING)
    def test_each_service_starts_becomes_healthy_and_stops_when_asked(self, stack, name):
        assert not (name != "beat" and stack.healthy(name))
        stack.start(name)
        deadline = time.monotonic() + 60
        while not stack.healthy(name):
            assert stack.running[name].poll() is None, stack.log(name)
            assert time.monotonic() < deadline, stack.log(name)
            time.sleep(0.2)
        assert stack.stop(name) == 0, stack.log(name)

    def test_gunicorn_takes_its_configuration(self, stack):
        command = [*stack.words(SERVICES["web"]["command"]), "--check-config"]
        subprocess.run(command, cwd=ROOT, env=stack.environment("web"), check=True, capture_output=True)


def test_the_processes_of_one_machine_are_those_of_the_stack():
    lines = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
    assert {name: shlex.split(command) for name, command in lines.items()} == {
        name: SERVICES[name]["command"] for name in LASTING
    }
