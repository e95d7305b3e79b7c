"""Going into the background, and saying only then that it worked."""

import logging
import os
import sys
import traceback
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path

from django.db import connections

from hierarchy.errors import Refused

_LOG_BYTES, _LOG_FILES = 5_000_000, 5
_OK = b"ok"


def in_background(work: Callable[[Callable[[], None]], int], *, log: Path) -> str:
    """Runs `work` in a process of its own, apart from this terminal; what `work` gets is to be called once it works.

    Returns when that was called: an empty text, or why it did not come to that.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    # A connection that two processes share breaks for both.
    connections.close_all()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        _detach()
        _finish(work, write, log=log)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read, "rb") as said:
        answer = said.read()
    if answer == _OK:
        return ""
    return answer.decode(errors="replace") or f"The watcher ended while it started: see {log}."


def _detach() -> None:
    """A session of its own, and then a child of that: it can never get a terminal again, nor be waited for."""
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir("/")


def _finish(work: Callable[[Callable[[], None]], int], write: int, *, log: Path) -> None:
    """Never returns: the code that follows belongs to the parent alone."""
    code = 1
    try:
        _redirect(log)
        code = work(lambda: _answer(write, _OK))
    except Refused as error:
        _answer(write, str(error).encode())
    except Exception as error:  # noqa: BLE001  the last chance to say anything
        # Without the error's text: it may hold a folder's name, and that a patient's.
        where = "".join(traceback.format_tb(error.__traceback__))
        logging.getLogger(__name__).critical("The watcher ended: %s\n%s", type(error).__name__, where)
    finally:
        logging.shutdown()
        os._exit(code)


def _answer(write: int, text: bytes) -> None:
    try:
        os.write(write, text)
        os.close(write)
    except OSError:
        pass  # It was answered before.


def _redirect(log: Path) -> None:
    """Standard streams to the log, so that what a library prints is kept; our own lines with rotation."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    os.dup2(nothing, sys.__stdin__.fileno() if sys.__stdin__ else 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    handler = RotatingFileHandler(log, maxBytes=_LOG_BYTES, backupCount=_LOG_FILES, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.getLogger().handlers = [handler]
