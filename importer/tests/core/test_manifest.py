"""What is inside an archive, and when two are equal."""

import json
import zlib

from importer.core.manifest import Member, digest, from_lines, to_lines

A, B = Member("a", 1, "00", "x/1"), Member("b", 2, "11", "x/2")


def test_neither_order_nor_sources_count():
    assert digest([A, B]) == digest([B, Member("a", 1, "00", "elsewhere")])


def test_names_sizes_and_contents_count():
    others = [Member("A", 1, "00"), Member("a", 2, "00"), Member("a", 1, "01")]
    assert len({digest([one]) for one in (A, *others)}) == 4
    assert digest([A]) != digest([A, B]) != digest([])


def test_no_name_can_be_made_to_look_like_two_members():
    sly = Member('a", 1, "00"]\n["b', 2, "11")
    assert digest([sly]) != digest([A, B])
    assert list(from_lines(to_lines([sly]))) == [sly]


def test_lines_are_sorted_json_and_come_back_as_they_were():
    odd = Member("e\u0301\n", 2**40, "ff", r"caf\xe9/\x5cxff")
    blob = to_lines([B, odd, A])
    lines = zlib.decompress(blob).decode().split("\n")
    assert [json.loads(line)[0] for line in lines] == ["a", "b", "e\u0301\n"]
    assert list(from_lines(memoryview(blob))) == [A, B, odd]


def test_nothing_is_no_lines():
    assert list(from_lines(to_lines([]))) == []
