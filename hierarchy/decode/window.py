"""Stored values to grey levels 0 to 255, as the header says (DICOM PS3.3 C.11.1 and C.11.2)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi

Values = NDArray[Any]
Grey = NDArray[np.uint8]
# Values looked at for a window where the header gives none.
SAMPLE = 250_000


@dataclass(frozen=True, slots=True)
class Window:
    center: float
    width: float
    function: str


def grey(stored: Values, header: Dataset, *, frame: int) -> Grey:
    """One frame of one sample per pixel, windowed; MONOCHROME1 has its lowest value white."""
    values = modality(stored, header, frame=frame)
    shown = _displayed(values, header, frame=frame, padding=_padding(stored, header))
    dark_is_high = header.get("PhotometricInterpretation") == "MONOCHROME1"
    return np.subtract(np.uint8(255), shown) if dark_is_high else shown


def modality(stored: Values, header: Dataset, *, frame: int) -> Values:
    """Rescaled to the modality's unit: a lookup table, or slope and intercept, also per frame (C.7.6.16.2.9)."""
    if header.get("ModalityLUTSequence"):
        return apply_modality_lut(stored, header).astype(np.float32)
    said = functional(header, "PixelValueTransformationSequence", frame=frame)
    slope, intercept = number(said.get("RescaleSlope")), number(said.get("RescaleIntercept"))
    values = stored.astype(np.float32)
    values *= np.float32(1.0 if slope is None or slope == 0 else slope)
    values += np.float32(intercept or 0.0)
    return values


def functional(header: Dataset, macro: str, *, frame: int) -> Dataset:
    """Where an attribute of a frame stands: its own group, the shared one, or (single frame) the header itself."""
    for sequence, index in (("PerFrameFunctionalGroupsSequence", frame), ("SharedFunctionalGroupsSequence", 0)):
        groups = header.get(sequence) or []
        found: Sequence[Dataset] = groups[index].get(macro) or [] if index < len(groups) else []
        if found:
            return found[0]
    return header


def window(header: Dataset, *, frame: int) -> Window | None:
    """The first of the windows that the header gives; None where it gives none that can be used."""
    said = functional(header, "FrameVOILUTSequence", frame=frame)
    center, width = number(said.get("WindowCenter")), number(said.get("WindowWidth"))
    if center is None or width is None or width <= 0:
        return None
    return Window(center, width, str(said.get("VOILUTFunction") or "LINEAR"))


def number(value: object) -> float | None:
    """The first value, finite, of an element that may hold several or nonsense."""
    try:
        found = float(str(value if isinstance(value, str | float | int) else next(iter(value))))  # type: ignore[call-overload]
    except (TypeError, ValueError, StopIteration):
        return None
    return found if math.isfinite(found) else None


def through(values: Values, chosen: Window) -> Grey:
    """LINEAR, LINEAR_EXACT or SIGMOID (C.11.2.1.2, C.11.2.1.3)."""
    center, width = chosen.center, chosen.width
    if chosen.function == "SIGMOID":
        # Beyond 80 the exponential is 0 or infinite for every display.
        level = 1.0 / (1.0 + np.exp(np.clip(-4.0 * (values - center) / width, -80, 80)))
    elif chosen.function == "LINEAR_EXACT" or width <= 1:
        level = (values - center) / width + 0.5
    else:
        level = (values - (center - 0.5)) / (width - 1.0) + 0.5
    return _bytes(level)


def _displayed(values: Values, header: Dataset, *, frame: int, padding: NDArray[np.bool_] | None) -> Grey:
    chosen = window(header, frame=frame)
    if chosen is not None:
        return through(values, chosen)
    table = _table(header)
    if table is not None:
        return _bytes(apply_voi(values.astype(np.int32), header).astype(np.float32) / table)
    return _bytes(_spread(values, padding))


def _table(header: Dataset) -> float | None:
    """The highest output of the VOI lookup table (C.11.2.1.1), where there is one."""
    tables = header.get("VOILUTSequence") or []
    bits = tables[0].LUTDescriptor[2] if len(tables) else 0
    return float(2**bits - 1) if 1 <= bits <= 16 else None  # noqa: PLR2004  # The standard's range.


def _spread(values: Values, padding: NDArray[np.bool_] | None) -> Values:
    """Between the 1st and 99th percentile of what is no padding; a flat picture comes out flat."""
    inside = values if padding is None or padding.all() else values[~padding]
    sample = inside.reshape(-1)[:: max(1, inside.size // SAMPLE)]
    sample = sample[np.isfinite(sample)]
    if not sample.size:
        return np.zeros_like(values)
    low, high = (float(found) for found in np.percentile(sample, [1, 99]))
    if high <= low:
        low, high = float(sample.min()), float(sample.max())
    return (values - low) / max(high - low, 1e-12)


def _padding(stored: Values, header: Dataset) -> NDArray[np.bool_] | None:
    value = number(header.get("PixelPaddingValue"))
    return None if value is None else stored == value


def _bytes(level: Values) -> Grey:
    shown: Grey = (np.clip(np.nan_to_num(level), 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    return shown
