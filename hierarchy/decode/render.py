"""One frame of one instance as a PNG."""

from io import BytesIO
from typing import BinaryIO

import numpy as np
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from hierarchy.decode.members import instance
from hierarchy.decode.order import MAX_FRAMES, numbers, whole
from hierarchy.decode.why import NoPicture, Why
from hierarchy.decode.window import Grey, Values, functional, grey

# Of one frame. The largest detectors (mammography, digital radiography) stay below 40 million.
MAX_PIXELS = 40_000_000
# Pixels further from square than this are taken for a mistake in the header.
MAX_ASPECT = 16.0


def picture(stream: BinaryIO, *, member: str, frame: int | None, width: int) -> bytes:
    """PNG of a frame (None: the middle one), at most `width` pixels wide and high, never enlarged beyond that its
    pixels come out square. Raises NoPicture."""
    with instance(stream, member) as found:
        header = _header(found)
        chosen = _checked(header, frame)
        _not_truncated(found, header, chosen)
        stored = _frame(found, header, chosen)
        return _png(_shown(stored, header, chosen), header, frame=chosen, width=width)


def _header(stream: BinaryIO) -> Dataset:
    try:
        return dcmread(stream, stop_before_pixels=True)
    except InvalidDicomError as error:
        raise NoPicture(Why.NOT_DICOM) from error


def _checked(header: Dataset, frame: int | None) -> int:
    """The index of the frame, once it is sure that decoding it stays small."""
    rows, columns = (int(header.get(side) or 0) for side in ("Rows", "Columns"))
    frames = max(whole(header.get("NumberOfFrames")) or 1, 1)
    if not rows or not columns:
        raise NoPicture(Why.NO_PIXELS)
    if rows * columns * int(header.get("SamplesPerPixel") or 1) > MAX_PIXELS or frames > MAX_FRAMES:
        raise NoPicture(Why.TOO_LARGE)
    chosen = frames // 2 if frame is None else frame
    if not 0 <= chosen < frames:
        raise NoPicture(Why.NO_SLICE)
    return chosen


def _syntax(header: Dataset) -> UID:
    return UID(str(header.file_meta.get("TransferSyntaxUID", "")))


def _not_truncated(stream: BinaryIO, header: Dataset, frame: int) -> None:
    """Parsers do not report it: the frame has to lie within the file. The stream stands before the pixel data."""
    here = stream.tell()
    remaining = stream.seek(0, 2) - here
    if remaining == 0 and _syntax(header) != DeflatedExplicitVRLittleEndian:
        raise NoPicture(Why.NO_PIXELS)
    if _syntax(header).is_encapsulated or _syntax(header) == DeflatedExplicitVRLittleEndian:
        return
    bits = int(header.Rows) * int(header.Columns) * int(header.SamplesPerPixel) * int(header.BitsAllocated)
    if header.get("PhotometricInterpretation") == "YBR_FULL_422":
        bits = bits * 2 // 3
    if remaining < (frame + 1) * bits // 8:
        raise NoPicture(Why.TRUNCATED)


def _frame(stream: BinaryIO, header: Dataset, frame: int) -> Values:
    stream.seek(0)
    try:
        if _syntax(header) == DeflatedExplicitVRLittleEndian:
            return np.squeeze(pixel_array(dcmread(stream), index=frame))
        return pixel_array(stream, index=frame)
    except NotImplementedError as error:
        raise NoPicture(Why.UNSUPPORTED) from error
    except RuntimeError as error:
        # What pydicom raises once every codec that knows the syntax has failed.
        raise NoPicture(Why.UNDECODABLE) from error


def _shown(stored: Values, header: Dataset, frame: int) -> Grey:
    meaning = str(header.get("PhotometricInterpretation", ""))
    if meaning == "PALETTE COLOR":
        stored = apply_color_lut(stored, header)
        return _eight_bits(stored, bits=8 * stored.dtype.itemsize)
    if stored.ndim == 3:  # noqa: PLR2004  # Rows, columns, samples.
        return _eight_bits(stored, bits=int(header.get("BitsStored") or 8))
    return grey(stored, header, frame=frame)


def _eight_bits(stored: Values, *, bits: int) -> Grey:
    return (stored >> max(bits - 8, 0)).astype(np.uint8)


def _png(shown: Grey, header: Dataset, *, frame: int, width: int) -> bytes:
    image = Image.fromarray(shown)
    size = _size(image.size, _aspect(header, frame), width=width)
    if size != image.size:
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    packed = BytesIO()
    image.save(packed, "PNG", compress_level=3)
    return packed.getvalue()


def _size(pixels: tuple[int, int], aspect: float, *, width: int) -> tuple[int, int]:
    """(width, height) on the page; the side whose pixels are longer is stretched, never the other one shrunk."""
    wide, high = (pixels[0], pixels[1] * aspect) if aspect >= 1 else (pixels[0] / aspect, pixels[1])
    shrink = min(1.0, width / max(wide, high))
    return max(1, round(wide * shrink)), max(1, round(high * shrink))


def _aspect(header: Dataset, frame: int) -> float:
    """Height of a pixel over its width: PixelSpacing, ImagerPixelSpacing (both mm) or PixelAspectRatio."""
    said = functional(header, "PixelMeasuresSequence", frame=frame)
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "PixelAspectRatio"):
        pair = numbers(said.get(keyword), count=2)
        if pair and min(pair) > 0 and 1 / MAX_ASPECT <= pair[0] / pair[1] <= MAX_ASPECT:
            return pair[0] / pair[1]
    return 1.0
