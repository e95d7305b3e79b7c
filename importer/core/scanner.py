"""Headers of ordinary files, many times faster: little endian, nothing odd.

Steps from element to element over the bytes and decodes the wanted ones alone. Whatever is unusual in any way gives
None, and pydicom reads the file: so a value found here is the value that pydicom finds.
"""

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass

from importer.core.nested import UNDEFINED, Malformed, step_over

# So often a header may leave what is held: each time the bytes from there on are read.
MOST_READS = 64
MOST_ELEMENTS = 200_000
READ_AHEAD = 16 * 1024
MOST_AHEAD = 1024 * 1024

_PREAMBLE = 132
_TRANSFER_SYNTAX = 0x00020010
_META_GROUP = 0x0002
_META_END = 0x0003_0000
_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_FIRST_PIXELS = 0x7FE00008
_DELIMITERS = 0xFFFE0000
_LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_SHORT = frozenset(
    {b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS"}
    | {b"ST", b"TM", b"UI", b"UL", b"US"}
)
# Bytes before the value, by value representation (DICOM PS3.5 7.1.2).
_HEADS = dict.fromkeys(_LONG, 12) | dict.fromkeys(_SHORT, 8)
_EXPLICIT, _IMPLICIT, _LENGTH = (
    struct.Struct("<HH2sH").unpack_from,
    struct.Struct("<HHL").unpack_from,
    struct.Struct("<L").unpack_from,
)

# Tag → (value representation as two bytes, empty where it is implicit; the value).
Values = dict[int, tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Want:
    """Tags of the meta group and of the data set, values longer than `longest` left out; `odd_syntaxes` are those
    transfer syntaxes that are not for here (big endian, deflated)."""

    meta: frozenset[int]
    tags: frozenset[int]
    longest: int
    odd_syntaxes: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class Scanned:
    """`pixels` is (offset of the value, stated length, maybe UNDEFINED). `stopped`: at them, or at what comes behind;
    else the walk came to the file's very end."""

    meta: Values
    values: Values
    pixels: tuple[int, int] | None
    stopped: bool


class Odd(Exception):
    """Nothing for the fast way."""


class Scan:
    """One walk over a file. `start` holds its first bytes; `more(offset, length)` gives others."""

    __slots__ = ("base", "data", "found", "more", "pixels", "reads", "size", "stopped")

    def __init__(self, start: bytes, *, size: int, more: Callable[[int, int], bytes]) -> None:
        self.data, self.base, self.size, self.more = start, 0, size, more
        self.reads = 0
        self.found: Values = {}
        self.pixels: tuple[int, int] | None = None
        self.stopped = False

    def meta(self, place: int, wanted: frozenset[int]) -> int:
        """The file meta information, always explicit (DICOM PS3.10 7.1). The place behind it."""
        return self._explicit(place, wanted, until=_META_END, longest=65535)

    def data_set(self, place: int, wanted: frozenset[int], *, longest: int) -> None:
        """Up to the pixels, or to the very end. Values longer than `longest` are stepped over."""
        vr = self.data[place + 4 : place + 6]
        if len(vr) < 2:  # noqa: PLR2004
            raise Odd
        walk = self._explicit if vr.isalpha() and vr.isupper() else self._implicit
        walk(place, wanted, until=_FIRST_PIXELS, longest=longest)

    def _explicit(self, place: int, wanted: frozenset[int], *, until: int, longest: int) -> int:
        """A loop of few words: it runs some hundred times for every file. KeyError for an unknown representation."""
        data, base, read, heads, held = self.data, self.base, _EXPLICIT, _HEADS, len(self.data) - 12
        for _ in range(MOST_ELEMENTS):
            at = place - base
            if at > held:
                if place == self.size:
                    return place
                data, base, at = self._last(place)
                held = len(data) - 12
            group, element, vr, length = read(data, at)
            tag = group << 16 | element
            if until == _META_END and tag >> 16 != _META_GROUP:
                return place
            head = heads[vr]
            if head == 12:  # noqa: PLR2004
                (length,) = _LENGTH(data, at + 8)
            if tag >= until:
                return self._stop(tag, place, head, length)
            if length == UNDEFINED:
                place = base + self._over(data, at + head, implicit=vr == b"UN")
                continue
            if tag in wanted and length <= longest:
                if at + head + length > len(data):
                    data, base, at = self._refill(place, head + length)
                    held = len(data) - 12
                self.found[tag] = (vr, data[at + head : at + head + length])
            place += head + length
        raise Odd

    def _implicit(self, place: int, wanted: frozenset[int], *, until: int, longest: int) -> int:
        data, base = self.data, self.base
        for _ in range(MOST_ELEMENTS):
            at = place - base
            if at + 8 > len(data):
                if place == self.size:
                    return place
                data, base, at = self._refill(place, 8)
            group, element, length = _IMPLICIT(data, at)
            tag = group << 16 | element
            if tag >= until:
                return self._stop(tag, place, 8, length)
            if length == UNDEFINED:
                place = base + self._over(data, at + 8, implicit=True)
                continue
            if tag in wanted and length <= longest:
                if at + 8 + length > len(data):
                    data, base, at = self._refill(place, 8 + length)
                self.found[tag] = (b"", data[at + 8 : at + 8 + length])
            place += 8 + length
        raise Odd

    def _stop(self, tag: int, place: int, head: int, length: int) -> int:
        """At the first tag from the pixels on."""
        if tag >= _DELIMITERS:
            raise Odd
        self.stopped = True
        if tag in _PIXELS:
            self.pixels = (place + head, length)
        return place

    def _over(self, data: bytes, value: int, *, implicit: bool) -> int:
        """The place in `data` behind a sequence of undefined length that is held whole."""
        stream = io.BytesIO(data)
        stream.seek(value)
        try:
            step_over(stream, implicit=implicit, little=True)
        except (EOFError, Malformed) as error:
            raise Odd from error
        if stream.tell() > len(data):
            raise Odd
        return stream.tell()

    def _refill(self, place: int, needed: int) -> tuple[bytes, int, int]:
        """Holds the bytes from `place` on, at least `needed`: data, its base, and where the place is in it."""
        ahead = min(READ_AHEAD << self.reads, MOST_AHEAD)
        self.reads += 1
        if self.reads > MOST_READS or place + needed > self.size:
            raise Odd
        data = self.more(place, min(max(needed, ahead), self.size - place))
        if len(data) < needed:
            raise Odd
        return data, place, 0

    def _last(self, place: int) -> tuple[bytes, int, int]:
        """As _refill, for a head of 12 bytes of which the file may have 8: zeros behind its end make no value."""
        if self.size - place >= 12:  # noqa: PLR2004
            return self._refill(place, 12)
        data, base, at = self._refill(place, 8)
        if data[4:6] in _LONG:
            raise Odd
        return data + bytes(4), base, at


def scanned(start: bytes, *, size: int, more: Callable[[int, int], bytes], want: "Want") -> Scanned | None:
    """From a file's first bytes; None for anything unusual. An OSError of `more` passes."""
    scan = Scan(start, size=size, more=more)
    try:
        place = scan.meta(_PREAMBLE, want.meta)
        meta, scan.found = scan.found, {}
        if meta.get(_TRANSFER_SYNTAX, (b"", b""))[1].rstrip(b"\0 ") in want.odd_syntaxes:
            return None
        scan.data_set(place, want.tags, longest=want.longest)
    except (Odd, KeyError, struct.error):
        return None
    return Scanned(meta, scan.found, scan.pixels, scan.stopped)
