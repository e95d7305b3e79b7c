"""Names of any bytes as text, and back."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from importer.core.names import printable, raw, shown


@given(st.binary(max_size=40))
def test_every_name_comes_back_byte_for_byte(name):
    text = printable(name)
    assert raw(text) == name
    assert text.encode().decode() == text


@given(st.lists(st.binary(min_size=1, max_size=6), min_size=2, max_size=2, unique=True))
def test_two_names_are_two_texts(names):
    assert printable(names[0]) != printable(names[1])


def test_what_is_utf_8_stays_as_it_is():
    assert printable("Zo\u00eb/e\u0301\n\u202e".encode()) == "Zo\u00eb/e\u0301\n\u202e"


def test_what_is_not_is_spelled_out():
    assert printable(b"caf\xe9") == r"caf\xe9"
    assert printable(rb"caf\xe9") == r"caf\x5cxe9"
    assert printable(rb"\x5cxe9 \y \x") == r"\x5cx5cxe9 \y \x"


def test_what_is_shown_has_no_control_character_or_direction_mark():
    assert shown("a\nb\x1b\u202eb\u2066\x85\u2028") == r"a\nb\x1b\u202eb\u2066\x85\u2028"
    assert shown("Zo\u00eb \\ plain") == "Zo\u00eb \\ plain"
    row = next(csv.reader(io.StringIO(shown("a\r\nb"))))
    assert row == [r"a\r\nb"]
