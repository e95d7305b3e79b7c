"""Runs a command of the project until one function is called for the k-th time, then dies by SIGKILL.

    python scripts/crash_points.py MODULE:NAME before|after K group|self COMMAND..

The calls of all processes of the command count together. COMMAND is what follows `manage.py`, or begins with `celery`.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"


def arm(target: str, *, when: str, call: int, die: Callable[[], None]) -> None:
    """`target` is `module:name` or `module:Class.name`, where the caller looks it up."""
    owner: Any = import_module(target.partition(":")[0])
    *path, name = target.partition(":")[2].split(".")
    for part in path:
        owner = getattr(owner, part)
    original = getattr(owner, name)
    calls = multiprocessing.get_context("fork").Value(ctypes.c_int, 0)

    @wraps(original)
    def armed(*args: Any, **named: Any) -> Any:
        with calls.get_lock():
            calls.value += 1
            its_turn = calls.value == call
        if its_turn and when == "before":
            die()
        result = original(*args, **named)
        if its_turn:
            die()
        return result

    setattr(owner, name, armed)


def kill_group() -> None:
    os.killpg(os.getpgid(0), signal.SIGKILL)


def kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    target, when, call, victim, *command = sys.argv[1:]
    import django

    django.setup()
    arm(target, when=when, call=int(call), die=kill_group if victim == "group" else kill_self)
    sys.argv = command
    if command[0] == "celery":
        from celery.__main__ import main as celery

        celery()
    else:
        from django.core.management import execute_from_command_line

        execute_from_command_line(["manage.py", *command])


if __name__ == "__main__":
    main()
