"""`manage.py import_folder` as somebody runs it who has just installed the program, timed from outside."""

import json
import os
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

from homes import Databases, Home, rows
from limit import total
from private_services import postgres

COUNTS = "SELECT discovered, imported, skipped FROM importer_importjob ORDER BY id DESC LIMIT 1"
FILES = "SELECT manifest.lines FROM hierarchy_manifest manifest"


@dataclass(frozen=True, slots=True)
class Timed:
    """`cpu`: seconds of processor time of all processes; `resident`: bytes of the largest of them."""

    seconds: float
    cpu: float
    resident: int


class Wrong(Exception):
    """The import did not do the work that is to be timed."""


@contextmanager
def servers(folder: Path, kinds: list[str]) -> Iterator[dict[str, Databases]]:
    """`sqlite` and `postgres`, the latter one of our own that flushes its commits to the disk, as it comes."""
    found = {"sqlite": Databases(_made(folder / "sqlite"), "")} if "sqlite" in kinds else {}
    if "postgres" not in kinds:
        yield found
        return
    with postgres(durable=True) as server:
        found["postgres"] = Databases(_made(folder / "postgres"), server)
        yield found
        found["postgres"].close()


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def imported(home: Home, tree: Path, *, files: int, as_: str) -> Timed:
    """`as_`: `imported` or `skipped`, what all of the files must come out as. Raises Wrong."""
    timed = _timed(home, "import_folder", str(tree), "--project", "bench/Bench", "--create", "--workers", "2")
    discovered, new, old = rows(home.url, COUNTS)[0]
    if discovered != files or {"imported": new, "skipped": old}[as_] != files:
        raise Wrong(f"{discovered} files found, {new} imported, {old} skipped; {files} should be {as_}.\n{home.said()}")
    return timed


def _timed(home: Home, *words: str) -> Timed:
    """What is still in memory of earlier runs is written down first, so that each run pays for its own."""
    os.sync()
    start = time.perf_counter()
    process = home.start(*words)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise Wrong(f"{words[0]} ended with {process.returncode}.\n{home.said()}")
    return Timed(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def digest(home: Home) -> str:
    """Over the digests of everything that is stored: that of limit.pack over the same tree."""
    lines = (zlib.decompress(bytes(blob)).decode() for (blob,) in rows(home.url, FILES))
    return total([json.loads(line)[2] for text in lines for line in text.split("\n")])


def check(home: Home, *, wanted: str) -> None:
    """Raises Wrong unless what is stored is the tree, by the database and by its bytes. Not timed."""
    if digest(home) != wanted:
        raise Wrong("What is stored is not what was read by the limit.")
    if home.run("verify"):
        raise Wrong(f"verify found something.\n{home.said()}")
