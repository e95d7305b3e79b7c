"""The slices of a stored file, from one end to the other."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from hierarchy.decode.members import archive, names, read_member
from hierarchy.decode.why import NoPicture, Why

# Above it the headers are not read, and the natural order of the names stands for the order in space.
MAX_READ = 4000
MAX_FRAMES = 100_000
# Bytes of an instance that are read at first, and where its image module lies behind them, at second.
HEADS = (16 * 1024, 4 * 1024 * 1024)
WANTED = ["Rows", "NumberOfFrames", "InstanceNumber", "ImagePositionPatient", "ImageOrientationPatient"]
# Direction cosines of one stack differ by no more (they are written with six digits).
SAME_DIRECTION = 1e-3


@dataclass(frozen=True, slots=True)
class Seen:
    """What the order needs to know of one instance; `frames` is 0 where it holds no image."""

    member: str
    frames: int
    number: int | None
    position: tuple[float, ...] | None
    direction: tuple[float, ...] | None


@dataclass(frozen=True, slots=True)
class Order:
    """Members and the number of frames of each; approximate where only the names were looked at."""

    slices: list[tuple[str, int]]
    approximate: bool


def order(stream: BinaryIO, *, cut: int = 0) -> Order:
    """The instances that hold images; with `cut`, members are their first so many bytes alone. Raises NoPicture where
    there are none."""
    with archive(stream) as opened:
        if opened is None:
            stream.seek(0)
            return Order(_with_images([_seen("", stream, cut=cut)]), approximate=False)
        found = names(opened)
        if len(found) > MAX_READ:
            return Order([(name, 1) for name in found], approximate=True)
        return Order(_with_images(sort([_seen_member(opened, name, cut=cut) for name in found])), approximate=False)


def _with_images(seen: Sequence[Seen]) -> list[tuple[str, int]]:
    slices = [(one.member, one.frames) for one in seen if one.frames]
    if not slices:
        raise NoPicture(Why.NO_PIXELS)
    return slices


def sort(seen: Sequence[Seen]) -> list[Seen]:
    """Along the normal of the stack where all lie in one; else by InstanceNumber; ties as they come."""
    images = [one for one in seen if one.frames]
    normal = _common_normal(images)
    if normal is None:
        return sorted(images, key=lambda one: (one.number is None, one.number or 0))
    return sorted(images, key=lambda one: (_along(normal, one), one.number or 0))


def _common_normal(seen: Sequence[Seen]) -> tuple[float, float, float] | None:
    first = seen[0].direction if seen else None
    if first is None:
        return None
    for one in seen:
        if one.position is None or one.direction is None:
            return None
        if max(abs(a - b) for a, b in zip(first, one.direction, strict=True)) > SAME_DIRECTION:
            return None
    (a, b, c), (d, e, f) = first[:3], first[3:]
    return (b * f - c * e, c * d - a * f, a * e - b * d)


def _along(normal: tuple[float, float, float], one: Seen) -> float:
    """Millimetres from the origin, rounded so that two echoes of one place are neighbours."""
    return round(sum(a * b for a, b in zip(normal, one.position or (), strict=True)), 3)


def _seen_member(opened: zipfile.ZipFile, name: str, *, cut: int) -> Seen:
    try:
        with read_member(opened, name) as stream:
            return _seen(name, stream, cut=cut)
    except NoPicture as found:
        # A damaged instance keeps its place at the end, where its picture says what is wrong with it.
        frames = 0 if found.why is Why.NOT_DICOM else 1
        return Seen(name, frames, None, None, None)


def _seen(name: str, stream: BinaryIO, *, cut: int) -> Seen:
    header = _head(stream, cut=cut)
    if header is None:
        return Seen(name, 1, None, None, None)
    frames = whole(header.get("NumberOfFrames")) or 1
    return Seen(
        member=name,
        frames=min(max(frames, 1), MAX_FRAMES) if "Rows" in header else 0,
        number=whole(header.get("InstanceNumber")),
        position=numbers(header.get("ImagePositionPatient"), count=3),
        direction=numbers(header.get("ImageOrientationPatient"), count=6),
    )


def _head(stream: BinaryIO, *, cut: int) -> Dataset | None:
    """The wanted elements; None where the part that is read does not tell.

    Few bytes first, since the image module of most instances lies within them; the cut may fall anywhere.
    """
    found = None
    for size in HEADS:
        stream.seek(0)
        head = stream.read(size)
        beyond = bool(cut) and len(head) >= cut
        found = _parsed(head, whole=len(head) < size and not beyond)
        if found is not None and "Rows" in found:
            break
        if beyond:
            return None
        if len(head) < size:
            break
    return found


def _parsed(head: bytes, *, whole: bool) -> Dataset | None:
    try:
        return dcmread(BytesIO(head), stop_before_pixels=True, specific_tags=list(WANTED))
    except InvalidDicomError as error:
        raise NoPicture(Why.NOT_DICOM) from error
    except MemoryError:
        raise
    except Exception as error:
        if whole:
            raise NoPicture(Why.DAMAGED) from error
        return None


def whole(value: object) -> int | None:
    try:
        return int(str(value))
    except ValueError:
        return None


def numbers(value: object, *, count: int) -> tuple[float, ...] | None:
    try:
        found = tuple(float(number) for number in value)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        return None
    return found if len(found) == count and all(abs(number) < float("inf") for number in found) else None
