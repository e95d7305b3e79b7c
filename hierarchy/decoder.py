"""Asks the decoding process (`hierarchy.decode`): one short-lived child per question, never more than a few at once."""

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import UnsupportedOperation
from typing import Any, BinaryIO

from django.conf import settings

from hierarchy.decode.why import NoPicture, Why

# Seconds on the clock. More than the child's own limit of processor time, so that what comes first tells them apart:
# bytes that are never to be tried again, or a slow disk.
TIMEOUT = 10.0
# Seconds that a request waits for its turn.
TURN = 15.0
AT_ONCE = threading.BoundedSemaphore(2)
# SIGXCPU at the soft limit, SIGKILL at the hard one.
OUT_OF_TIME = {-signal.SIGXCPU, -signal.SIGKILL}
# Nothing of our own environment goes in: it holds secrets, and the bytes that the child reads are hostile.
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "LANG": "C.UTF-8"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the child said, and the bytes that came with it, cut by the lengths that it gave."""

    said: Mapping[str, Any]
    body: bytes


def ask(task: str, stream: BinaryIO, *, details: Mapping[str, Any]) -> Answer:
    """Raises NoPicture: refused, crashed, too long, or no turn."""
    if not AT_ONCE.acquire(timeout=TURN):
        raise NoPicture(Why.BUSY)
    try:
        with _handle(stream) as handle:
            return _asked({"task": task, "handle": handle, **details}, handle=handle)
    finally:
        AT_ONCE.release()


@contextmanager
def _handle(stream: BinaryIO) -> Iterator[int]:
    """A descriptor that a child can inherit; what has none (an object store's stream) is spooled to a file."""
    try:
        yield stream.fileno()
    except UnsupportedOperation:
        with tempfile.TemporaryFile() as spooled:
            stream.seek(0)
            shutil.copyfileobj(stream, spooled, 1 << 20)
            spooled.flush()
            yield spooled.fileno()


def _asked(request: Mapping[str, Any], *, handle: int) -> Answer:
    child = subprocess.Popen(
        [sys.executable, "-B", "-m", "hierarchy.decode"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pass_fds=[handle],
        cwd=settings.BASE_DIR,
        env=ENVIRONMENT,
    )
    with child:
        try:
            out, _ = child.communicate(json.dumps(request).encode() + b"\n", timeout=TIMEOUT)
        except subprocess.TimeoutExpired as error:
            child.kill()
            raise NoPicture(Why.SLOW) from error
    return _understood(out, status=child.returncode)


def _understood(out: bytes, *, status: int) -> Answer:
    if status:
        raise NoPicture(Why.TOO_LONG if status in OUT_OF_TIME else Why.CRASHED)
    line, _, body = out.partition(b"\n")
    said = json.loads(line)
    if "why" in said:
        raise NoPicture(Why(said["why"]))
    return Answer(said, body)
