"""Samples: what goes in comes out, bounded."""

import json
import zlib

import pytest

from importer.core.records import Bad, Header
from importer.core.rules import samples
from importer.core.rules.model import SourceFile
from importer.core.rules.samples import (
    EXAMPLES,
    UNREAD,
    Fact,
    NoSample,
    SampleContent,
    keywords,
    named,
    pack,
    spread,
    unpack,
)

HEADER = Header(tags={"PatientID": "P1"}, transfer_syntax="1.2.840.10008.1.2.1", pixels=None, operators=("A^B",))


def with_header(path, **tags):
    return Fact(
        file=SourceFile(path=path, size=1), is_dicom=True, header=Header({"PatientID": "P", **tags}, "1.2", None)
    )


def test_what_is_packed_comes_out_again():
    facts = (
        Fact(file=SourceFile(path="a/ü\\xff.dcm", size=7, mtime_ns=1, ctime_ns=2), is_dicom=True, header=HEADER),
        Fact(file=SourceFile(path="b", size=0), is_dicom=True, bad=Bad("failed", "Unreadable: no DICM prefix")),
        Fact(file=SourceFile(path="c.txt", size=3), is_dicom=False),
        named("d.dcm"),
        *EXAMPLES,
    )
    assert unpack(pack(facts)) == facts


def test_a_sample_holds_ten_thousand_names_and_no_more():
    assert len(unpack(pack([named(f"{n}") for n in range(samples.MOST_NAMES + 1)]))) == samples.MOST_NAMES


def test_a_sample_holds_fifty_headers_and_the_other_files_without():
    facts = unpack(pack([with_header(f"{n}.dcm") for n in range(60)]))
    assert [fact.header is not None for fact in facts] == [True] * 50 + [False] * 10


def test_long_values_are_cut():
    (fact,) = unpack(pack([with_header("a", ImageComments="x" * 5000)]))
    assert len(fact.header.tags["ImageComments"]) == samples.LONGEST_VALUE


@pytest.mark.parametrize("made", [b"", b"no zlib", zlib.compress(b"{")])
def test_what_was_not_packed_here_is_refused(made):
    with pytest.raises(NoSample):
        unpack(made)


def test_a_few_bytes_that_say_they_are_many_are_refused(monkeypatch):
    monkeypatch.setattr(samples, "MOST_UNPACKED", 100)
    with pytest.raises(NoSample):
        unpack(zlib.compress(json.dumps(["x"] * 1000).encode()))


def test_a_header_is_given_as_it_was_read():
    content = SampleContent(with_header("a"))
    assert content.is_dicom()
    assert content.header().get("PatientID") == "P"
    assert not content.asked


def test_a_name_alone_claims_to_be_dicom_and_its_header_is_said_to_be_unread():
    content = SampleContent(named("x/1.dcm"))
    assert content.is_dicom()
    assert content.header() == UNREAD
    assert content.asked


def test_what_is_wrong_with_a_file_is_its_header():
    bad = Bad("failed", "Unreadable: no DICM prefix")
    content = SampleContent(Fact(file=SourceFile(path="1.dcm", size=1), is_dicom=True, bad=bad))
    assert content.header() == bad
    assert not content.asked


def test_rules_may_ask_for_any_text_or_number_but_never_for_pixels():
    assert {"PatientID", "SeriesDescription", "EchoTime", "Rows", "MagneticFieldStrength"} <= keywords()
    assert not {"PixelData", "ReferencedSeriesSequence"} & keywords()


def test_headers_are_read_from_every_folder_in_turn():
    paths = ["a/1", "a/2", "a/3", "b/1", "c/1", "c/2"]
    assert spread(paths, most=5) == ["a/1", "b/1", "c/1", "a/2", "c/2"]
    assert sorted(spread(paths)) == sorted(paths)
