"""What a request gets: never an exception, whatever the bytes do to a parser."""

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any, BinaryIO

import pydicom

from hierarchy.decode.header import rows
from hierarchy.decode.order import order
from hierarchy.decode.render import picture
from hierarchy.decode.why import NoPicture, Why

Answer = tuple[dict[str, Any], list[bytes]]
# Seconds: neighbours of the wanted picture are drawn for as long, so that a reader who scrolls finds them.
AHEAD = 0.25

pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
# Its warnings hold values of tags.
logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)


def answer(request: dict[str, Any], stream: BinaryIO) -> Answer:
    """`{"why"}` where there is nothing to show, else what the task gives."""
    found: list[Answer] = []
    why = _why(lambda: found.append(_TASKS[request["task"]](request, stream)))
    return ({"why": why}, []) if why else found[0]


def _why(attempt: Callable[[], None]) -> str:
    """Empty when the attempt came through."""
    try:
        attempt()
    except NoPicture as found:
        return str(found.why)
    except MemoryError:
        return str(Why.TOO_LARGE)
    except Exception:  # noqa: BLE001  # Hostile bytes raise anything; the page says so, the process ends.
        return str(Why.DAMAGED)
    return ""


def _order(request: dict[str, Any], stream: BinaryIO) -> Answer:
    found = order(stream, cut=request.get("cut", 0))
    return {"slices": found.slices, "approximate": found.approximate}, []


def _header(request: dict[str, Any], stream: BinaryIO) -> Answer:
    return {"rows": rows(stream, member=request["member"])}, []


def _pictures(request: dict[str, Any], stream: BinaryIO) -> Answer:
    """The first target always, the others while there is time: one entry each, a length or why there is none."""
    until = time.monotonic() + AHEAD
    entries: list[dict[str, Any]] = []
    parts: list[bytes] = []
    for target in request["targets"]:
        if entries and time.monotonic() > until:
            break
        drawn: list[bytes] = []
        why = _why(partial(_draw, stream, target, width=request["width"], drawn=drawn))
        entries.append({"why": why} if why else {"length": len(drawn[0])})
        parts += drawn
    return {"pictures": entries}, parts


def _draw(stream: BinaryIO, target: tuple[str, int] | None, *, width: int, drawn: list[bytes]) -> None:
    member, frame = target or _middle(stream)
    drawn.append(picture(stream, member=member, frame=frame, width=width))


def _middle(stream: BinaryIO) -> tuple[str, int | None]:
    """The member and frame that stand for the whole file."""
    slices = order(stream).slices
    if len(slices) == 1:
        return slices[0][0], None
    frames = [(member, frame) for member, count in slices for frame in range(count)]
    return frames[len(frames) // 2]


_TASKS: dict[str, Callable[[dict[str, Any], BinaryIO], Answer]] = {
    "order": _order,
    "header": _header,
    "pictures": _pictures,
}
