"""One instance's header: the wanted tags as text, where its pixels lie, and whether they are all there."""

import math
import struct
import warnings
from collections.abc import Mapping
from typing import BinaryIO

from importer.core.dataset import DEFLATED, Contents, Endless, contents, quick
from importer.core.nested import UNDEFINED
from importer.core.recognise import has_preamble, well_formed_uid
from importer.core.records import Bad, Header, Pixels
from importer.core.window import ReadAt, TooMuch, Window

UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
_SHAPE = ("Rows", "Columns", "BitsAllocated", "SamplesPerPixel", "NumberOfFrames")
MAPPED_TAGS = frozenset(
    {
        "AccessionNumber",
        "AcquisitionDate",
        "AcquisitionDateTime",
        "AcquisitionTime",
        "Modality",
        "OperatorsName",
        "PatientAge",
        "PatientBirthDate",
        "PatientID",
        "PatientName",
        "PatientSex",
        "PatientWeight",
        "ProtocolName",
        "SeriesDate",
        "SeriesDescription",
        "SeriesNumber",
        "SeriesTime",
        "StudyDate",
        "StudyDescription",
        "StudyTime",
        "TimezoneOffsetFromUTC",
    }
)
DEFAULT_TAGS = MAPPED_TAGS | frozenset(UIDS) | frozenset(_SHAPE)
_ALWAYS = frozenset(UIDS) | frozenset(_SHAPE)

CUT = Bad("failed", "Truncated: the header runs past the end of the file")
MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"
# Images whose pixels are fetched from elsewhere (DICOM PS3.5 A.6, A.7) have none of their own.
_PIXELS_ELSEWHERE = frozenset({"1.2.840.10008.1.2.4.94", "1.2.840.10008.1.2.4.204"}) | DEFLATED
MOST_FRAGMENTS = 200_000
_ITEM, _DELIMITER = 0xE000FFFE, 0xE0DDFFFE
_CLOSED = struct.pack("<LL", _DELIMITER, 0)


def read_header(read_at: ReadAt, *, size: int, wanted: frozenset[str] = DEFAULT_TAGS) -> Header | Bad:
    """The header, or why there is none. Nothing that the bytes say makes it raise; an OSError of `read_at` passes."""
    window = Window(read_at, size=size)
    stream = window.buffered()
    try:
        with warnings.catch_warnings():
            # Warnings of the parser quote values of tags, which must not reach a log.
            warnings.simplefilter("ignore")
            return _read(window, stream, wanted=wanted | _ALWAYS)
    except Exception as error:  # noqa: BLE001  bytes that anybody made may raise anything at all inside a parser
        if window.trouble is not None:
            raise window.trouble from None
        cut = stream.tell() >= window.size and not isinstance(error, Endless | TooMuch)
        return CUT if cut else _unparsed(error)


def truncation(header: Header, read_at: ReadAt, size: int, *, far: bool = False) -> Bad | None:
    """What is missing at the end of the pixel data; None where nothing is, or where nobody can say.

    Where the bytes are `far`, each reading costs: the end is looked at first, not every fragment on the way there.
    """
    pixels = header.pixels
    if pixels is None:
        return _pixels_missing(header)
    if pixels.length is None:
        closed = far and size - 8 > pixels.offset and read_at(size - 8, 8) == _CLOSED
        return None if closed else _fragments_missing(pixels, read_at, size)
    needed = pixels.length if pixels.expected is None else min(pixels.length, pixels.expected)
    there = max(0, size - pixels.offset)
    return Bad("failed", f"Truncated: {there} of {needed} bytes of pixel data") if there < needed else None


def _read(window: Window, stream: BinaryIO, *, wanted: frozenset[str]) -> Header | Bad:
    start = window.start()
    if not has_preamble(start):
        return Bad("failed", "Unreadable: no DICM prefix")
    read = quick(start, size=window.size, more=window.at, wanted=wanted)
    if read is None:
        read = contents(stream, size=lambda: window.size, wanted=wanted)
    return _refused(read) or _header(read)


def _refused(read: Contents) -> Bad | None:
    if MEDIA_DIRECTORY in (read.media_class, read.tags.get("SOPClassUID")):
        return Bad("skipped", "DICOMDIR")
    if read.found.seen > 0 and not read.found.whole:
        return CUT
    missing = [keyword for keyword in UIDS if not well_formed_uid(read.tags.get(keyword, ""))]
    return Bad("failed", f"No UID: {missing[0]}") if missing else None


def _header(read: Contents) -> Header:
    names = (name.strip() for name in read.tags.get("OperatorsName", "").split("\\"))
    return Header(
        tags=read.tags,
        transfer_syntax=read.transfer_syntax,
        pixels=_pixels(read),
        operators=tuple(name for name in names if name),
    )


def _pixels(read: Contents) -> Pixels | None:
    if read.found.pixels is None:
        return None
    offset, length = read.found.pixels
    return Pixels(offset, None if length == UNDEFINED else length, _expected(read.tags))


def _expected(tags: Mapping[str, str]) -> int | None:
    """Bytes of native pixel data (DICOM PS3.5 8.1.1), without the padding to an even length."""
    try:
        sides = [int(tags[keyword]) for keyword in ("Rows", "Columns", "BitsAllocated")]
        sides += [int(tags.get(keyword) or 1) for keyword in ("SamplesPerPixel", "NumberOfFrames")]
    except (KeyError, ValueError):
        return None
    return (math.prod(sides) + 7) // 8 if min(sides) > 0 else None


def _unparsed(error: Exception) -> Bad:
    """Names the kind of error alone: its text may quote what the file says."""
    return Bad("failed", f"Unreadable: the header does not parse ({type(error).__name__})")


def _pixels_missing(header: Header) -> Bad | None:
    image = all(header.get(keyword) for keyword in ("Rows", "Columns", "BitsAllocated"))
    if not image or header.transfer_syntax in _PIXELS_ELSEWHERE:
        return None
    return Bad("failed", "Truncated: an image without pixel data")


def _fragments_missing(pixels: Pixels, read_at: ReadAt, size: int) -> Bad | None:
    """Encapsulated data is a chain of items that a delimiter closes (DICOM PS3.5 A.4)."""
    place = pixels.offset
    for _ in range(MOST_FRAGMENTS):
        start = read_at(place, 8) if place + 8 <= size else b""
        tag, length = struct.unpack("<LL", start) if len(start) == 8 else (0, 0)  # noqa: PLR2004
        if tag == _DELIMITER:
            return None
        if tag != _ITEM:
            return Bad("failed", f"Truncated: pixel data has no closing delimiter before byte {size}")
        place += 8 + length
    return None
