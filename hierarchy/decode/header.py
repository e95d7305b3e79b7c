"""A header as rows of a table; pixels are never decoded."""

from collections.abc import Iterator
from typing import Any, BinaryIO

from pydicom import dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.multival import MultiValue

from hierarchy.decode.members import instance
from hierarchy.decode.why import NoPicture, Why

MAX_ROWS = 5000
MAX_DEPTH = 12
MAX_VALUES = 64
MAX_LENGTH = 240
BINARY = frozenset({"OB", "OW", "OF", "OD", "OL", "OV", "UN", "OB or OW"})

# Tag, keyword or name, value representation, value, depth of nesting.
Row = tuple[str, str, str, str, int]


def rows(stream: BinaryIO, *, member: str) -> list[Row]:
    """At most MAX_ROWS rows, the file's own (0002,eeee) first. Raises NoPicture."""
    with instance(stream, member) as found:
        try:
            header = dcmread(found, stop_before_pixels=True)
        except InvalidDicomError as error:
            raise NoPicture(Why.NOT_DICOM) from error
        walked: list[Row] = []
        for dataset in (header.file_meta, header):
            for row in _of(dataset, depth=0):
                walked.append(row)
                if len(walked) == MAX_ROWS:
                    return walked
        return walked


def _of(dataset: Dataset, *, depth: int) -> Iterator[Row]:
    for tag in sorted(dataset.keys()):
        where = f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
        try:
            element = dataset[tag]
            row = (where, _name(element), element.VR, _value(element), depth)
        except Exception:  # noqa: BLE001  # Whatever a hostile value raises costs its own row alone.
            yield (where, "", "", "cannot be read", depth)
            continue
        yield row
        if element.VR == "SQ" and depth < MAX_DEPTH:
            yield from _items(element, depth=depth + 1)


def _items(element: DataElement, *, depth: int) -> Iterator[Row]:
    for index, item in enumerate(element.value, 1):
        if len(element.value) > 1:
            yield (f"item {index}", "", "", "", depth)
        yield from _of(item, depth=depth)


def _name(element: DataElement) -> str:
    """The keyword, else the dictionary's name for a private element (`[Slice measurement]`)."""
    return element.keyword or element.name


def _value(element: DataElement) -> str:
    if element.VR == "SQ":
        count = len(element.value)
        return f"{count} item" if count == 1 else f"{count} items"
    if isinstance(element.value, bytes) or element.VR in BINARY:
        return f"{len(element.value or b''):,} bytes"
    return _cut(_text(element.value))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, MultiValue | list | tuple):
        return str(value)
    more = f" … {len(value):,} values" if len(value) > MAX_VALUES else ""
    return "\\".join(str(one) for one in value[:MAX_VALUES]) + more


def _cut(text: str) -> str:
    return text if len(text) <= MAX_LENGTH else f"{text[:MAX_LENGTH]}… {len(text):,} characters"
