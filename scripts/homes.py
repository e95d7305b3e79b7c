"""Installations to try things on: each a home of its own with a migrated database, and commands run in it."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg2
from private_services import postgres

ROOT = Path(__file__).resolve().parent.parent
POINTS = ROOT / "scripts" / "crash_points.py"
PATIENCE = 300.0
DAYS = 2 * 24 * 3600


def rows(url: str, sql: str) -> list[tuple[Any, ...]]:
    """`url` as in DATABASE_URL."""
    connection = connect(url)
    try:
        cursor = connection.cursor()
        cursor.execute(sql)
        return list(cursor.fetchall())
    finally:
        connection.close()


def connect(url: str) -> Any:
    """Without transactions: every statement stands for itself."""
    if url.startswith("sqlite:///"):
        return sqlite3.connect(url.removeprefix("sqlite:///"), timeout=30, isolation_level=None)
    connection = psycopg2.connect(url.replace("postgres://", "postgresql://", 1))
    connection.autocommit = True
    return connection


@dataclass(frozen=True, slots=True)
class Point:
    """The k-th call of a function; see crash_points. `victim` is `group` (all processes) or `self`."""

    target: str
    when: str
    call: int
    victim: str = "group"


@dataclass(slots=True)
class Home:
    """`url` as in DATABASE_URL; `broker` as in PRATIQUE_BROKER_URL, empty for the embedded one."""

    folder: Path
    url: str
    broker: str = ""
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    known: int = 0

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PRATIQUE_")}
        own = {"PRATIQUE_HOME": str(self.folder), "DATABASE_URL": self.url, "PRATIQUE_BROKER_URL": self.broker}
        return {**kept, **own, "SECRET_KEY": "only for this run", "LOG_LEVEL": "ERROR", "PYTHONPATH": str(ROOT)}

    def start(self, *words: str, point: Point | None = None) -> subprocess.Popen[bytes]:
        """In a session of its own, so that all of its processes can be killed at once."""
        if point:
            named = [POINTS, point.target, point.when, point.call, point.victim, *words]
        else:
            named = ["-m", *words] if words[0] == "celery" else [ROOT / "manage.py", *words]
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *map(str, named)],
                cwd=ROOT, env=self.environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self.running.append(process)
        return process

    def run(self, *words: str, point: Point | None = None) -> int:
        return self.start(*words, point=point).wait(PATIENCE)

    def kill(self) -> None:
        """Everything that was started here and still runs."""
        for process in self.running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.running.clear()

    def said(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-1500:]

    def forget_imports(self) -> None:
        """What is said below is about imports that begin from now on."""
        self.known = rows(self.url, "SELECT COALESCE(MAX(id), 0) FROM importer_importjob")[0][0]

    def status(self) -> str:
        """Of the last import; empty while there is none."""
        return next(self.statuses(every=0))

    def statuses(self, *, every: float) -> Iterator[str]:
        """The same over and over, over one connection."""
        connection = connect(self.url)
        try:
            cursor = connection.cursor()
            while True:
                cursor.execute(
                    f"SELECT status FROM importer_importjob WHERE id > {self.known} ORDER BY id DESC LIMIT 1"
                )
                found = cursor.fetchone()
                yield str(found[0]) if found else ""
                time.sleep(every)
        finally:
            connection.close()

    def seconds(self) -> float:
        """How long the last import took."""
        sql = "SELECT started_at, finished_at FROM importer_importjob ORDER BY id DESC LIMIT 1"
        start, end = (datetime.fromisoformat(str(value)) for value in rows(self.url, sql)[0])
        return (end - start).total_seconds()

    def temporary(self) -> list[Path]:
        """Files under temporary names, which a killed worker leaves in a place."""
        return [path for place in ("archive", "quarantine") for path in (self.folder / place).glob(".incoming/*")]

    def let_days_pass(self) -> int:
        """For temporary files: the sweeper leaves young ones alone, whose worker may live on another machine."""
        left = self.temporary()
        for path in left:
            os.utime(path, (time.time() - DAYS,) * 2)
        return len(left)


class Databases:
    """Fresh ones, copied from one that is migrated once."""

    def __init__(self, folder: Path, server: str) -> None:
        """`server`: DATABASE_URL of a PostgreSQL on which databases may be made; empty for SQLite."""
        self._folder, self._server = folder, server
        self._made = 0
        self._name = f"pratique_{os.getpid()}"
        template = self._home(folder / "template", self._template())
        if template.run("migrate", "-v", "0"):
            raise RuntimeError(f"The database cannot be migrated:\n{template.said()}")

    @contextmanager
    def fresh(self, *, broker: str = "") -> Iterator[Home]:
        self._made += 1
        folder = self._folder / f"home-{self._made}"
        folder.mkdir()
        home = self._home(folder, self._copied(folder))
        home.broker = broker
        try:
            yield home
        finally:
            home.kill()
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        if self._server:
            self._ask(f"DROP DATABASE IF EXISTS {self._name}_round WITH (FORCE)", f"DROP DATABASE {self._name}")

    def _home(self, folder: Path, url: str) -> Home:
        folder.mkdir(exist_ok=True)
        return Home(folder, url)

    def _template(self) -> str:
        if not self._server:
            return f"sqlite:///{self._folder}/template/pratique.sqlite3"
        self._ask(f"CREATE DATABASE {self._name}")
        return self._url(self._name)

    def _copied(self, folder: Path) -> str:
        if not self._server:
            shutil.copyfile(self._folder / "template" / "pratique.sqlite3", folder / "pratique.sqlite3")
            return f"sqlite:///{folder}/pratique.sqlite3"
        own = f"{self._name}_round"
        self._ask(f"DROP DATABASE IF EXISTS {own} WITH (FORCE)", f"CREATE DATABASE {own} TEMPLATE {self._name}")
        return self._url(own)

    def _url(self, name: str) -> str:
        before, mark, after = self._server.partition("?")
        return f"{before.rpartition('/')[0]}/{name}{mark}{after}"

    def _ask(self, *statements: str) -> None:
        connection = connect(self._url("postgres"))
        try:
            for statement in statements:
                connection.cursor().execute(statement)
        finally:
            connection.close()


@contextmanager
def databases(folder: Path, *, kind: str, server: str = "") -> Iterator[Databases]:
    """`kind` is sqlite or postgres; without a server a private one is started."""
    if kind == "postgres" and not server:
        with postgres() as private:
            yield from _opened(folder, private)
    else:
        yield from _opened(folder, server if kind == "postgres" else "")


def _opened(folder: Path, server: str) -> Iterator[Databases]:
    found = Databases(folder, server)
    try:
        yield found
    finally:
        found.close()
