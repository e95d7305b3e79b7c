"""Values of single elements as text."""

import struct

from pydicom.charset import convert_encodings, decode_bytes, python_encoding
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.valuerep import TEXT_VR_DELIMS

DEFAULT_ENCODINGS = ("iso8859",)
_TEXT = frozenset({"SH", "LO", "ST", "LT", "UT", "UC", "PN"})
_PLAIN = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"})
_NUMBERS = {"US": "H", "SS": "h", "UL": "L", "SL": "l", "FL": "f", "FD": "d", "UV": "Q", "SV": "q"}
# pydicom also takes the name of any codec of Python as a character set; a file does not choose its decoder here.
_ENCODINGS = frozenset(python_encoding.values())
_PADDING = "\0 "


def encodings_of(character_set: str) -> tuple[str, ...]:
    """Python's names for SpecificCharacterSet (values joined by a backslash); what is unknown reads as ISO 8859-1."""
    if not character_set:
        return DEFAULT_ENCODINGS
    found = convert_encodings([part.strip(_PADDING) for part in character_set.split("\\")])
    return tuple(name if name in _ENCODINGS else DEFAULT_ENCODINGS[0] for name in found)


def text_of(element: RawDataElement, encodings: tuple[str, ...]) -> str:
    """Values joined by a backslash, each without padding; empty for what is no text and no number."""
    return text_from(element.value or b"", _vr(element), encodings, little_endian=element.is_little_endian)


def text_from(value: bytes, vr: str, encodings: tuple[str, ...], *, little_endian: bool = True) -> str:
    """As `text_of`, by the value representation's name."""
    if vr in _PLAIN:
        return _parts(value.decode("latin-1"))
    if vr in _TEXT:
        return _parts(decode_bytes(value, encodings, TEXT_VR_DELIMS))
    if vr in _NUMBERS:
        return _numbers(value, form=_NUMBERS[vr], little_endian=little_endian)
    return ""


def _vr(element: RawDataElement) -> str:
    return element.VR if element.VR and element.VR != "UN" else dictionary_VR(element.tag)


def _parts(text: str) -> str:
    if "\\" not in text:
        return text.strip(_PADDING)
    return "\\".join(part.strip(_PADDING) for part in text.split("\\"))


def _numbers(value: bytes, *, form: str, little_endian: bool) -> str:
    count = len(value) // struct.calcsize(form)
    packed = struct.Struct(f"{'<' if little_endian else '>'}{count}{form}")
    return "\\".join(str(number) for number in packed.unpack(value[: packed.size]))
