"""Sequences of undefined length in the way of a header."""

import struct
import tracemalloc

import pytest

from importer.core.records import Bad
from importer.tests.core import made


def test_sequences_of_undefined_length_are_stepped_over():
    assert made.read(made.file_of(made.nested(3))).get("PatientID") == "P01"


def test_a_sequence_of_many_empty_items_costs_no_memory():
    start = made.file_of(made.dataset(SeriesInstanceUID=None))
    items = b"\x08\x00\x15\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\0\0\0\0" * 300_000
    data = start + items + b"\xfe\xff\xdd\xe0\0\0\0\0"
    tracemalloc.start()
    found = made.read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == Bad("failed", "No UID: SeriesInstanceUID")
    assert peak < 8_000_000


def test_sequences_nested_beyond_all_reason_do_not_bring_the_reader_down():
    start = made.file_of(made.dataset(SeriesInstanceUID=None))
    deep = b"\x08\x00\x15\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * 5000
    assert made.read(start + deep).reason.startswith("Truncated")


UID = made.element(0x0008, 0x1155, b"UI", b"1.2.")
PLAIN_UID = struct.pack("<HHL", 0x0008, 0x1155, 4) + b"1.2."
# Its length reads as the VR "UI" with another length, where VRs are expected.
PLAIN_TEXT = struct.pack("<HHL", 0x0008, 0x1155, 0x4955) + bytes(0x4955)


def by_length(item):
    return struct.pack("<L", len(item)) + item


def by_delimiter(item):
    return b"\xff" * 4 + item + b"\xfe\xff\x0d\xe0" + bytes(4)


ITEMS = {
    "explicit, by length": (b"SQ", by_length(UID)),
    "explicit, by delimiter": (b"SQ", by_delimiter(UID)),
    "implicit in an explicit file, by length": (b"SQ", by_length(PLAIN_UID)),
    "implicit in an explicit file, by delimiter": (b"SQ", by_delimiter(PLAIN_UID)),
    "unknown, so implicit": (b"UN", by_delimiter(PLAIN_TEXT)),
    "a long value": (b"SQ", by_delimiter(struct.pack("<HH2sHL", 0x0008, 0x0119, b"UC", 0, 9000) + bytes(9000))),
    "fragments": (b"OB", by_length(b"\xff\xd8 a fragment")),
    "an empty item by length": (b"SQ", by_length(b"")),
    "an empty item by delimiter": (b"SQ", by_delimiter(b"")),
}


@pytest.mark.parametrize(("vr", "item"), ITEMS.values(), ids=ITEMS)
def test_whatever_a_sequence_is_made_of_the_walk_goes_on_behind_it(vr, item):
    value = b"\xfe\xff\x00\xe0" + item + b"\xfe\xff\xdd\xe0" + bytes(4)
    sequence = struct.pack("<HH2sHL", 0x0009, 0x1001, vr, 0, 0xFFFFFFFF) + value
    data = made.file_of(made.dataset())
    place = data.index(b"\x10\x00\x20\x00LO")
    assert made.read(data[:place] + sequence + data[place:]).get("PatientID") == "P01"


def test_a_sequence_that_holds_no_items_is_unreadable():
    data = made.file_of(made.dataset())
    torn = struct.pack("<HH2sHL", 0x0020, 0x9999, b"SQ", 0, 0xFFFFFFFF) + b"no item here" * 9
    assert made.read(data + torn) == Bad("failed", "Unreadable: the header does not parse (Malformed)")
