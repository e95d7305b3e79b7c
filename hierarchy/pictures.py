"""Pictures and headers of stored files. A version never changes, so what was drawn once is kept (`hierarchy.kept`)."""

import json
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO
from xml.sax.saxutils import escape

from django.conf import settings

from hierarchy import spooled
from hierarchy.decode.why import PASSING, NoPicture, Why
from hierarchy.decoder import ask
from hierarchy.kept import Kept
from hierarchy.models import FileVersion
from hierarchy.references import Reference, reference_of
from storages.errors import PlaceError
from storages.places import archive

# Part of the name of what is kept: count up when the drawing changes.
DRAWN = "1"
WIDTHS = (256, 512, 1024)
# Slices that one child draws at most: the wanted one first, then those after it while there is time.
RUN = 8
LIMIT = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class HeaderRow:
    """One element; `depth` counts the sequences around it. Values are cut and binary ones are a length."""

    tag: str
    keyword: str
    vr: str
    value: str
    depth: int


@dataclass(frozen=True, slots=True)
class Slices:
    """The frames of a stored file in order. `approximate`: by the names alone, there are too many headers to read."""

    members: Sequence[tuple[str, int]]
    approximate: bool
    ends: Sequence[int]

    def __len__(self) -> int:
        return self.ends[-1]

    @property
    def middle(self) -> int:
        return len(self) // 2

    def at(self, index: int) -> tuple[str, int]:
        """Member ('' for a file that is no archive) and frame. Raises NoPicture beyond the ends."""
        if not 0 <= index < len(self):
            raise NoPicture(Why.NO_SLICE)
        place = bisect_right(self.ends, index)
        member, frames = self.members[place]
        return member, index - (self.ends[place] - frames)


def render_instance(stream: BinaryIO, *, frame: int | None = None, width: int = 512) -> bytes:
    """PNG of a frame of one instance; without `frame` of the middle one (of an archive: of its middle slice).

    Raises NoPicture with words for the page. Not kept: the caller knows whether the bytes can change.
    """
    return _drawn(stream, [None if frame is None else ("", frame)], width=width)[0]


def header_rows(stream: BinaryIO, *, member: str = "") -> list[HeaderRow]:
    """The header of one instance (of an archive: of that member, else of its first). Raises NoPicture."""
    return [HeaderRow(*row) for row in ask("header", stream, details={"member": member}).said["rows"]]


def slices(version: FileVersion) -> Slices:
    """Every picture that there is in a version, in order. Raises NoPicture."""
    said = json.loads(_kept(version, "order", lambda: _ordered(version)))
    members = [(member, frames) for member, frames in said["slices"]]
    return Slices(members, said["approximate"], list(accumulate(frames for _, frames in members)))


def middle_slice(version: FileVersion) -> int:
    """The index of the slice that stands for the whole. Raises NoPicture."""
    return slices(version).middle


def slice_picture(version: FileVersion, *, index: int | None = None, width: int = 512) -> bytes:
    """PNG of a slice (None: the middle one), `width` one of WIDTHS. Raises NoPicture."""
    found = slices(version)
    wanted = found.middle if index is None else index
    found.at(wanted)
    run = 1 if index is None else RUN
    return _kept(version, f"{wanted}-{width}", lambda: _draw(version, found, range(wanted, wanted + run), width=width))


def slice_header(version: FileVersion, *, index: int | None = None) -> list[HeaderRow]:
    """The header of the instance that a slice lies in; of a file without any picture, its first. Raises NoPicture."""
    try:
        found = slices(version)
        member, _ = found.at(found.middle if index is None else index)
    except NoPicture as without:
        if without.why is not Why.NO_PIXELS:
            raise
        member = ""
    with _opened(version, [member]) as stream:
        return header_rows(stream, member=member)


def width_near(asked: int) -> int:
    """The smallest of WIDTHS that is enough: only these are kept."""
    return next((width for width in WIDTHS if width >= asked), WIDTHS[-1])


def placeholder(why: str) -> bytes:
    """An SVG with a word why there is no picture, legible on light and dark."""
    return _PLACEHOLDER.format(why=escape(why)).encode()


_PLACEHOLDER = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 320" role="img" font-family="system-ui,sans-serif"'
    ' text-anchor="middle" fill="#8a8f98"><title>No picture: {why}</title>'
    '<rect x="1" y="1" width="318" height="318" rx="8" fill="#8a8f98" fill-opacity=".12"/>'
    '<path d="M124 108h72v54h-72z M124 152l20-20 16 16 12-10 24 22" fill="none" stroke="#8a8f98" stroke-width="3"/>'
    '<text x="160" y="202" font-size="20">No picture</text><text x="160" y="228" font-size="14">{why}</text></svg>'
)


def _ordered(version: FileVersion) -> dict[str, bytes]:
    reference = reference_of(version) if version.reference else None
    with _opened(version, None) if reference is None else in_place(reference, None) as stream:
        said = ask("order", stream, details={"cut": cut_at(reference)}).said
    return {"order": json.dumps(said).encode()}


def _draw(version: FileVersion, found: Slices, indices: range, *, width: int) -> dict[str, bytes]:
    targets = [found.at(index) for index in indices if index < len(found)]
    with _opened(version, [member for member, _ in targets]) as stream:
        drawn = _drawn(stream, targets, width=width)
    return {f"{index}-{width}": picture for index, picture in zip(indices, drawn, strict=False)}


def _drawn(stream: BinaryIO, targets: Sequence[tuple[str, int] | None], *, width: int) -> list[bytes]:
    """The pictures before the first that failed. Raises NoPicture when that is the one that was asked for."""
    answer = ask("pictures", stream, details={"targets": targets, "width": width})
    drawn: list[bytes] = []
    start = 0
    for entry in answer.said["pictures"]:
        if "why" in entry:
            break
        drawn.append(answer.body[start : start + entry["length"]])
        start += entry["length"]
    if not drawn:
        raise NoPicture(Why(answer.said["pictures"][0]["why"]))
    return drawn


def _opened(version: FileVersion, members: Sequence[str] | None) -> AbstractContextManager[BinaryIO]:
    """With at least these members, or the beginnings of all. Raises NoPicture."""
    return _own(version) if not version.reference else in_place(reference_of(version), members)


def cut_at(reference: Reference | None) -> int:
    """How much of each member there is in what shows the order of its slices; 0 for all of it."""
    return spooled.HEAD if reference is not None and reference.packed else 0


def in_place(reference: Reference, members: Sequence[str] | None) -> AbstractContextManager[BinaryIO]:
    """What a reference leads to, for `ask`: an archive with at least these members, or the beginnings of all of them
    (`cut`). Raises NoPicture."""
    if not reference.packed:
        return spooled.whole(reference)
    return spooled.beginnings(reference) if members is None else spooled.some(reference, members)


@contextmanager
def _own(version: FileVersion) -> Iterator[BinaryIO]:
    try:
        stream = archive().open(version.path)
    except FileNotFoundError as error:
        raise NoPicture(Why.MISSING) from error
    except (OSError, PlaceError) as error:
        raise NoPicture(Why.AWAY) from error
    with stream:
        yield stream


def _kept(version: FileVersion, name: str, make: Callable[[], Mapping[str, bytes]]) -> bytes:
    """What is kept under the name, else what `make` gives under it and beside it. Failures that last are kept too,
    or a file that takes ten seconds to fail would take them at every look."""
    store = Kept(Path(settings.PRATIQUE_HOME) / "cache" / "pictures", limit=LIMIT)
    folder = f"{version.pk.hex[:2]}/{version.pk.hex}-{DRAWN}"
    why = store.read(f"{folder}/{name}.none")
    if why is not None:
        raise NoPicture(Why(why.decode()))
    known = store.read(f"{folder}/{name}")
    return known if known is not None else _made(store, folder, name, make)


def _made(store: Kept, folder: str, name: str, make: Callable[[], Mapping[str, bytes]]) -> bytes:
    try:
        made = make()
    except NoPicture as found:
        if found.why not in PASSING:
            store.write(f"{folder}/{name}.none", found.why.encode())
        raise
    for one, content in made.items():
        store.write(f"{folder}/{one}", content)
    return made[name]
