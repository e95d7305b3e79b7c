"""The elements of one DICOM file up to its pixel data: where each syntax begins, which are wanted, how it ended."""

import io
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import BinaryIO

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.filereader import data_element_generator

from importer.core.nested import UNDEFINED, step_over
from importer.core.scanner import Values, Want, scanned
from importer.core.values import DEFAULT_ENCODINGS, encodings_of, text_from, text_of

PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
# Nothing wanted is longer; what is, is skipped like an absent value instead of being read into memory.
LONGEST = 64 * 1024
# The longest real headers have a few thousand elements outside their sequences.
MOST_ELEMENTS = 200_000
MOST_INFLATED = 16 * 1024 * 1024

IMPLICIT = "1.2.840.10008.1.2"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
# The deflated syntaxes: their data set is one compressed stream (DICOM PS3.5 A.5, A.7, A.16).
DEFLATED = frozenset({"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})

_META_GROUP = 0x0002
_TRANSFER_SYNTAX = 0x00020010
_MEDIA_CLASS = 0x00020002
_CHARACTER_SET = 0x00080005
_FIRST_PIXELS = 0x7FE00008
# Where the file does not say what a value is.
_UNNAMED = frozenset({b"", b"UN"})


@dataclass(slots=True)
class Found:
    """What a walk over one data set met. `pixels` is (offset of the value, stated length, maybe UNDEFINED).

    `stopped` says that the walk came to where nothing wanted follows: so all before it was read, and read whole.
    """

    elements: dict[int, RawDataElement] = field(default_factory=dict)
    pixels: tuple[int, int] | None = None
    seen: int = 0
    stopped: bool = False
    whole: bool = True
    # Where the last element said that it ends; None after one of undefined length.
    end: int | None = None
    # Where the value of a sequence of undefined length begins, and whether all in it has implicit VRs.
    unwanted: tuple[int, bool] | None = None


@dataclass(slots=True)
class Contents:
    """Texts by keyword, with what the file says about itself in its meta group."""

    tags: dict[str, str]
    transfer_syntax: str
    media_class: str
    found: Found


def quick(start: bytes, *, size: int, more: Callable[[int, int], bytes], wanted: frozenset[str]) -> Contents | None:
    """As `contents` for an ordinary file, many times faster; None for any other. An OSError of `more` passes."""
    read = scanned(start, size=size, more=more, want=_want(wanted))
    if read is None:
        return None
    found = Found(pixels=read.pixels, seen=1, stopped=read.stopped)
    try:
        meta = {tag: text_from(value, vr.decode(), DEFAULT_ENCODINGS) for tag, (vr, value) in read.meta.items()}
        texts = _texts_of(read.values, wanted=wanted)
    except (ValueError, LookupError):
        # A character set that nobody knows how to read.
        return None
    return Contents(texts, meta.get(_TRANSFER_SYNTAX, ""), meta.get(_MEDIA_CLASS, ""), found)


def _texts_of(values: Values, *, wanted: frozenset[str]) -> dict[str, str]:
    vr, declared = values.get(_CHARACTER_SET, (b"", b""))
    encodings = encodings_of(text_from(declared, vr.decode() or "CS", DEFAULT_ENCODINGS) if declared else "")
    known, texts = _known(wanted), {}
    for tag, (vr, value) in values.items():
        keyword, standard = known.get(tag, ("", ""))
        own = standard if vr in _UNNAMED else vr.decode()
        if keyword and (text := text_from(value, own, encodings)):
            texts[keyword] = text
    return texts


@lru_cache(maxsize=64)
def _known(wanted: frozenset[str]) -> dict[int, tuple[str, str]]:
    """Tag → keyword, and the value representation that the standard gives it."""
    return {tag: (keyword, dictionary_VR(tag)) for tag, keyword in _keywords(wanted).items()}


@lru_cache(maxsize=64)
def _want(wanted: frozenset[str]) -> Want:
    syntaxes = frozenset(syntax.encode() for syntax in DEFLATED | {BIG_ENDIAN})
    return Want(frozenset({_TRANSFER_SYNTAX, _MEDIA_CLASS}), _tags(wanted), LONGEST, syntaxes)


class Endless(Exception):
    """A header beyond every real one."""


def contents(stream: BinaryIO, *, size: Callable[[], int], wanted: frozenset[str]) -> Contents:
    """From the byte after `DICM`. Raises whatever a broken file makes the parser raise."""
    stream.seek(132)
    meta = _meta(stream)
    syntax = meta.get(_TRANSFER_SYNTAX, "")
    if syntax in DEFLATED:
        found = _deflated(stream, tags=_tags(wanted))
    else:
        found = _walked(stream, syntax=syntax, tags=_tags(wanted), size=size)
    return Contents(_texts(found, wanted=wanted), syntax, meta.get(_MEDIA_CLASS, ""), found)


def _meta(stream: BinaryIO) -> dict[int, str]:
    """File meta information: always explicit little endian (DICOM PS3.10 7.1), though some writers do not know."""

    def beyond(tag: int, _vr: str | None, _length: int) -> bool:
        return tag >> 16 != _META_GROUP

    elements = data_element_generator(stream, _looks_implicit(stream), True, beyond, LONGEST)
    return {int(e.tag): text_of(e, DEFAULT_ENCODINGS) for e in elements if isinstance(e, RawDataElement)}


def _looks_implicit(stream: BinaryIO) -> bool:
    """Devices exist that write one kind and declare the other: two capitals after the tag are a VR, not a length."""
    start = stream.tell()
    vr = stream.read(6)[4:]
    stream.seek(start)
    return not (vr.isalpha() and vr.isupper())


def _walked(stream: BinaryIO, *, syntax: str, tags: frozenset[int], size: Callable[[], int]) -> Found:
    big = syntax == BIG_ENDIAN
    implicit = not big and _looks_implicit(stream)
    found = Found()
    going_on = True
    while going_on:
        for element in _elements(stream, implicit=implicit, little=not big, tags=tags, found=found):
            if isinstance(element, RawDataElement):
                found.elements[int(element.tag)] = element
        going_on = _stepped_over(stream, found=found, little=not big)
    found.whole = _ended_well(stream, found=found, size=size())
    return found


def _stepped_over(stream: BinaryIO, *, found: Found, little: bool) -> bool:
    """False where the walk came to its end, and not just to a sequence that nobody wants."""
    if found.unwanted is None:
        return False
    (place, implicit), found.unwanted = found.unwanted, None
    stream.seek(place)
    step_over(stream, implicit=implicit, little=little)
    return True


def _elements(
    stream: BinaryIO, *, implicit: bool, little: bool, tags: frozenset[int], found: Found
) -> Iterator[RawDataElement | DataElement]:
    def beyond(tag: int, vr: str | None, length: int) -> bool:
        """Stops at the pixels and at what is to be stepped over. Called for every element before its value is read."""
        place, number = stream.tell(), int(tag)
        found.seen += 1
        if found.seen > MOST_ELEMENTS:
            raise Endless
        found.end = None if length == UNDEFINED else place + length
        if number in PIXELS:
            found.pixels = (place, length)
        found.stopped = number >= _FIRST_PIXELS
        if length == UNDEFINED and not found.stopped:
            found.unwanted = (place, implicit or vr == "UN")
        return found.stopped or found.unwanted is not None

    return data_element_generator(stream, implicit, little, beyond, LONGEST, specific_tags=list(tags))


def _ended_well(stream: BinaryIO, *, found: Found, size: int) -> bool:
    """False when the last element met runs past the end, or when what follows it is a piece of a next one."""
    if found.stopped or found.end is None:
        return True
    if found.end > size:
        return False
    stream.seek(found.end)
    left = stream.read(8)
    return len(left) == 8 or not any(left)  # noqa: PLR2004


def _deflated(stream: BinaryIO, *, tags: frozenset[int]) -> Found:
    """Bounded: a few bytes may say that they are many gigabytes."""
    inflated, complete = _inflated(stream)
    found = _walked(io.BytesIO(inflated), syntax="", tags=tags, size=lambda: len(inflated))
    full = len(inflated) == MOST_INFLATED
    if full and not complete and not found.stopped:
        raise Endless
    found.whole = found.whole and (complete or full)
    found.stopped, found.pixels = found.stopped and found.whole, None
    return found


def _inflated(stream: BinaryIO) -> tuple[bytes, bool]:
    """At most MOST_INFLATED bytes, and whether the compressed stream came to its own end."""
    inflater, out = zlib.decompressobj(-zlib.MAX_WBITS), bytearray()
    while len(out) < MOST_INFLATED and not inflater.eof:
        chunk = inflater.unconsumed_tail or stream.read(LONGEST)
        if not chunk:
            break
        out += inflater.decompress(chunk, MOST_INFLATED - len(out))
    return bytes(out), inflater.eof


@lru_cache(maxsize=64)
def _keywords(wanted: frozenset[str]) -> dict[int, str]:
    return {tag: keyword for keyword in wanted if (tag := tag_for_keyword(keyword)) is not None}


@lru_cache(maxsize=64)
def _tags(wanted: frozenset[str]) -> frozenset[int]:
    return frozenset(_keywords(wanted)) | {_CHARACTER_SET}


def _texts(found: Found, *, wanted: frozenset[str]) -> dict[str, str]:
    declared = found.elements.get(_CHARACTER_SET)
    encodings = encodings_of(text_of(declared, DEFAULT_ENCODINGS) if declared else "")
    keywords = _keywords(wanted)
    texts = {keywords[tag]: text_of(element, encodings) for tag, element in found.elements.items() if tag in keywords}
    return {keyword: text for keyword, text in texts.items() if text}
