"""Stepping over a sequence of undefined length without building what is in it (DICOM PS3.5 7.5).

A parser makes an object of every item and element inside; an enhanced multi-frame header has hundreds of thousands,
and a hostile one as many as fit. Here they cost neither memory nor recursion.
"""

import os
import struct
from typing import BinaryIO

from pydicom.valuerep import EXPLICIT_VR_LENGTH_32

UNDEFINED = 0xFFFFFFFF
MOST_STEPS = 4_000_000

_ITEM = 0xFFFEE000
_ITEM_END = 0xFFFEE00D
_SEQUENCE_END = 0xFFFEE0DD
_HEAD = 8
_LONG = frozenset(str(vr).encode() for vr in EXPLICIT_VR_LENGTH_32)


class Malformed(ValueError):
    """Neither an item nor the end where one of the two must be, or steps without end."""


def step_over(stream: BinaryIO, *, implicit: bool, little: bool) -> None:
    """From the first byte of the value to the byte after its delimiter. Raises EOFError or Malformed."""
    order = "<" if little else ">"
    # The open sequences, and the open items in them: (is an item, has implicit VRs), from the outside in.
    open_: list[tuple[bool, bool]] = [(False, implicit)]
    for _ in range(MOST_STEPS):
        in_item, plain = open_[-1]
        head = _read(stream, _HEAD)
        group, element, length = struct.unpack(f"{order}HHL", head)
        tag = group << 16 | element
        if tag == (_ITEM_END if in_item else _SEQUENCE_END):
            open_.pop()
            if not open_:
                return
            continue
        if not in_item and tag != _ITEM:
            raise Malformed
        vr = b"" if plain or not in_item else head[4:6]
        length = _length(stream, vr, head=head, order=order) if vr else length
        if length != UNDEFINED:
            stream.seek(length, os.SEEK_CUR)
        else:
            # Inside UN of undefined length everything has implicit VRs (PS3.5 6.2.2, note 2).
            open_.append((not in_item, plain or vr == b"UN"))
    raise Malformed


def _length(stream: BinaryIO, vr: bytes, *, head: bytes, order: str) -> int:
    """Of an element that should have an explicit VR; where there is none, the length stands in its place."""
    if vr in _LONG:
        return int(struct.unpack(f"{order}L", _read(stream, 4))[0])
    if vr.isalpha() and vr.isupper():
        return int(struct.unpack(f"{order}H", head[6:])[0])
    return int(struct.unpack(f"{order}L", head[4:])[0])


def _read(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data
