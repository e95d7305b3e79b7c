import struct
import zlib
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless

from importer.core import header as header_module
from importer.core.header import read_header, truncation
from importer.core.records import Bad, Header, Pixels
from importer.core.window import FIRST
from importer.tests.core import made

SHIPPED = Path(pydicom.__file__).parent / "data"


def with_fragments(*, closed=True):
    data = made.with_pixels(made.dataset())
    data.PixelData = encapsulate([b"\xff\x4f" + bytes(600), b"\xff\x4f" + bytes(400)])
    data["PixelData"].is_undefined_length = True
    written = made.file_of(data, syntax="jpeg 2000")
    return written if closed else written[:-8]


made.SYNTAXES["jpeg 2000"] = JPEG2000Lossless


@pytest.mark.parametrize("syntax", ["explicit little", "implicit little", "explicit big", "deflated"])
def test_every_transfer_syntax_gives_the_same_tags(syntax):
    found = made.read(made.file_of(made.with_pixels(made.dataset()), syntax=syntax))
    expected = {k: v for k, v in made.BASE.items() if k != "SpecificCharacterSet"}
    shape = {"Rows": "8", "Columns": "8", "BitsAllocated": "16", "SamplesPerPixel": "1"}
    assert found.tags == expected | shape
    assert found.transfer_syntax == made.SYNTAXES[syntax]


@pytest.mark.parametrize("syntax", ["explicit little", "implicit little", "explicit big"])
def test_native_pixels_are_found_at_their_place(syntax):
    data = made.file_of(made.with_pixels(made.dataset()), syntax=syntax)
    assert made.read(data).pixels == Pixels(len(data) - 128, 128, 128)


def test_pixels_inside_a_deflated_stream_have_no_place():
    assert made.read(made.file_of(made.with_pixels(made.dataset()), syntax="deflated")).pixels is None


def test_encapsulated_pixels_have_no_length():
    assert made.read(with_fragments()).pixels.length is None


@pytest.mark.parametrize(("bits", "frames", "expected"), [(1, None, 8), (8, 3, 192), (16, None, 128), (32, 2, 512)])
def test_the_expected_length_counts_bits_and_frames(bits, frames, expected):
    found = made.read(made.file_of(made.with_pixels(made.dataset(), bits=bits, frames=frames)))
    assert found.pixels.expected == expected


def test_an_odd_image_is_expected_without_its_padding():
    found = made.read(made.file_of(made.with_pixels(made.dataset(), rows=3, columns=3, bits=8)))
    assert (found.pixels.length, found.pixels.expected) == (10, 9)


def test_text_is_decoded_by_its_character_set():
    assert made.header(SpecificCharacterSet="ISO_IR 144", PatientID="ЖЮЯ").get("PatientID") == "ЖЮЯ"


def test_a_character_set_cannot_choose_a_codec_of_python():
    changed = made.file_of(made.dataset(PatientID="a\\x41")).replace(b"ISO_IR 192", b"unicode_escape"[:10])
    assert made.read(changed).get("PatientID") == "a\\x41"


def test_values_of_one_element_are_joined_by_a_backslash_and_stripped():
    assert made.header(StudyDescription=["a ", " b"]).get("StudyDescription") == "a\\b"


def test_operators_are_kept_apart():
    assert made.header(OperatorsName=["DOE^JANE", "ROE^JOHN"]).operators == ("DOE^JANE", "ROE^JOHN")


def test_absent_and_empty_tags_are_left_out():
    found = made.header(PatientID="", StudyDescription=None)
    assert not {"PatientID", "StudyDescription"} & set(found.tags)


def test_only_the_wanted_tags_are_read():
    data = made.file_of(made.dataset())
    found = read_header(made.reading(data), size=len(data), wanted=frozenset({"PatientID"}))
    assert set(found.tags) == {"PatientID", *header_module.UIDS}


def asked(data):
    """The places that were read to get a header."""
    places = []

    def read_at(offset, length):
        places.append((offset, length))
        return data[offset : offset + length]

    assert isinstance(read_header(read_at, size=len(data)), Header)
    return places


def test_a_small_header_costs_one_read_of_16_kib():
    assert asked(made.file_of(made.with_pixels(made.dataset(), rows=512, columns=512))) == [(0, FIRST)]


def test_a_long_header_is_read_in_growing_windows_and_a_skipped_value_is_not_read():
    data = made.dataset()
    data.add_new(0x00090010, "LO", "OURS")
    for element in range(40):
        data.add_new(0x00091000 + element, "OB", bytes(3000))
    data.add_new(0x00091100, "OB", bytes(4_000_000))
    lengths = [length for _, length in asked(made.file_of(made.with_pixels(data)))]
    assert lengths[:-1] == sorted(lengths[:-1])
    assert sum(lengths) < 1_000_000


@pytest.mark.parametrize("shift", range(-12, 60))
def test_a_value_that_crosses_the_first_window_is_never_cut(shift):
    data = made.dataset(StudyDescription="x" * 60, SeriesDescription="y" * 40)
    data.add_new(0x00080012, "UT", "p" * 2)
    bare = made.file_of(data)
    pad = FIRST - bare.index(b"x" * 60) - shift
    data.add_new(0x00080012, "UT", "p" * (pad + pad % 2))
    found = made.read(made.file_of(data))
    assert (found.get("StudyDescription"), found.get("SeriesDescription")) == ("x" * 60, "y" * 40)


@pytest.mark.parametrize("keyword", ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"])
@pytest.mark.parametrize("value", [None, "", "1.2.x", "1..2", "1" * 65, "1.2\\1.3"])
def test_an_instance_without_a_well_formed_uid_fails(keyword, value):
    data = made.dataset()
    data.pop(keyword)
    written = made.file_of(data)
    if value:
        element = struct.pack(
            "<HH2sH", pydicom.tag.Tag(keyword).group, pydicom.tag.Tag(keyword).elem, b"UI", len(value)
        )
        written += element + value.encode() if keyword.startswith("S") and "Instance" in keyword else b""
    assert made.read(written) == Bad("failed", f"No UID: {keyword}")


def test_the_uid_of_the_meta_group_does_not_stand_in_for_the_instances_own():
    data = made.dataset()
    written = made.file_of(data)
    assert made.read(written.replace(b"\x08\x00\x18\x00UI", b"\x08\x00\x17\x00UI")) == Bad(
        "failed", "No UID: SOPInstanceUID"
    )


def test_a_dicomdir_is_skipped_with_its_own_reason():
    directory = (SHIPPED / "test_files" / "dicomdirtests" / "DICOMDIR").read_bytes()
    assert made.read(directory) == Bad("skipped", "DICOMDIR")


def test_a_directory_by_its_class_alone_is_skipped_too():
    assert made.read(made.file_of(made.dataset(SOPClassUID="1.2.840.10008.1.3.10"))) == Bad("skipped", "DICOMDIR")


@pytest.mark.parametrize(
    "data",
    [b"", b"x", b"readme\n" * 40, bytes(4096), b"\x89PNG\r\n\x1a\n" + bytes(600), bytes(128) + b"DICX" + bytes(90)],
    ids=["nothing", "one byte", "text", "zeros", "png", "almost"],
)
def test_what_is_no_dicom_is_unreadable(data):
    assert made.read(data) == Bad("failed", "Unreadable: no DICM prefix")


def test_a_data_set_without_preamble_is_not_forced():
    assert made.read(made.file_of(made.dataset())[132:]).reason.startswith("Unreadable")


@pytest.mark.parametrize("size", [132, 200])
def test_a_file_cut_before_its_data_set_has_no_uid(size):
    assert made.read(made.file_of(made.dataset())[:size]) == Bad("failed", "No UID: SOPClassUID")


def test_a_file_cut_inside_its_header_is_truncated():
    data = made.file_of(made.dataset())
    assert made.read(data[:-3]).reason.startswith("Truncated")


def test_a_skipped_value_that_runs_past_the_end_is_truncated():
    data = made.dataset()
    data.add_new(0x00420011, "OB", bytes(5000))
    assert made.read(made.file_of(data)[:-1000]).reason.startswith("Truncated")


def test_zeros_after_the_last_element_are_padding():
    assert isinstance(made.read(made.file_of(made.dataset()) + bytes(5)), Header)


@pytest.mark.parametrize("cut", [1000, 40_000])
def test_a_native_image_cut_short_is_truncated_and_says_by_how_much(cut):
    whole = made.file_of(made.with_pixels(made.dataset(), rows=256, columns=256))
    assert made.verdict(whole[:-cut]) == Bad("failed", f"Truncated: {131072 - cut} of 131072 bytes of pixel data")


def test_one_byte_of_padding_may_be_missing():
    whole = made.file_of(made.with_pixels(made.dataset(), rows=3, columns=3, bits=8))
    assert isinstance(made.verdict(whole[:-1]), Header)


def test_the_last_byte_of_an_image_may_not_be_missing():
    whole = made.file_of(made.with_pixels(made.dataset()))
    assert made.verdict(whole[:-1]) == Bad("failed", "Truncated: 127 of 128 bytes of pixel data")


def test_an_encapsulated_image_is_whole_with_its_delimiter():
    assert isinstance(made.verdict(with_fragments()), Header)


@pytest.mark.parametrize("cut", [8, 9, 300, 700, 1010])
def test_an_encapsulated_image_without_its_delimiter_is_truncated(cut):
    assert made.verdict(with_fragments()[:-cut]).reason.startswith("Truncated")


def test_fragments_are_stepped_over_by_their_headers():
    data = with_fragments()
    found, lengths = made.read(data), []

    def read_at(offset, length):
        lengths.append(length)
        return data[offset : offset + length]

    assert truncation(found, read_at, size=len(data)) is None
    assert set(lengths) == {8}


def test_a_chain_of_fragments_without_end_is_not_followed_forever(monkeypatch):
    monkeypatch.setattr(header_module, "MOST_FRAGMENTS", 10)
    start = struct.pack("<LL", 0xE000FFFE, 0)
    reads = []
    pixels = Header({}, "", Pixels(0, None, None))
    assert truncation(pixels, lambda offset, length: reads.append(offset) or start, size=10**9) is None
    assert len(reads) == 10


def test_an_image_without_pixel_data_is_truncated():
    data = made.with_pixels(made.dataset())
    del data.PixelData
    assert made.verdict(made.file_of(data)) == Bad("failed", "Truncated: an image without pixel data")


def test_a_report_needs_no_pixel_data():
    assert isinstance(made.verdict(made.file_of(made.dataset())), Header)


def test_a_deflated_file_cut_short_is_truncated():
    data = made.with_pixels(made.dataset(), rows=64, columns=64)
    data.PixelData = bytes(range(256)) * 32
    assert made.read(made.file_of(data, syntax="deflated")[:-60]).reason.startswith("Truncated")


def test_a_deflated_bomb_ends_early():
    start = made.file_of(made.dataset(), syntax="deflated")
    head = start[: start.index(b"1.2.840.10008.1.2.1.99") + 22]
    private = struct.pack("<HH2sHL", 0x0009, 0x1001, b"OB", 0, 2**31)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = b"".join(
        [packer.compress(private)] + [packer.compress(bytes(1 << 20)) for _ in range(64)] + [packer.flush()]
    )
    found = made.read(head + bomb)
    assert found.outcome == "failed"
    assert "Endless" in found.reason


def test_a_header_that_never_ends_is_given_up():
    data = made.file_of(made.dataset(SeriesInstanceUID=None))
    elements = struct.pack("<HH2sH", 0x0009, 0x1001, b"LO", 0) * (FIRST // 8)

    def read_at(offset, length):
        return (data + elements)[:length] if offset == 0 else (elements * (length // FIRST + 1))[:length]

    assert read_header(read_at, size=1 << 40).reason == "Unreadable: the header does not parse (Endless)"


def test_a_header_that_goes_on_for_64_mebibytes_is_given_up():
    start = made.file_of(made.dataset(SeriesInstanceUID=None))
    start += struct.pack("<HH2sHL", 0x0009, 0x0010, b"UN", 0, 0xFFFFFFFF)
    items = (struct.pack("<LL", 0xE000FFFE, 1016) + bytes(1016)) * 2048

    def read_at(offset, length):
        place = (offset - len(start)) % 1024
        return (start + items)[:length] if offset == 0 else items[place : place + length]

    assert read_header(read_at, size=1 << 40).reason == "Unreadable: the header does not parse (TooMuch)"


def test_trouble_of_the_disk_is_not_the_files_fault():
    def read_at(_offset, _length):
        raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        read_header(read_at, size=4000)


def test_a_file_shorter_than_its_listing_is_truncated():
    data = made.file_of(made.dataset(SeriesInstanceUID=None))
    assert read_header(made.reading(data), size=len(data) + 50_000).outcome == "failed"


def test_no_reason_quotes_a_tag():
    data = made.file_of(made.dataset(PatientID="SECRET", SeriesInstanceUID="SECRET"))
    assert "SECRET" not in made.read(data).reason


WHOLE = made.file_of(made.nested(2))


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(WHOLE)))
def test_a_file_cut_anywhere_never_raises(size):
    assert isinstance(made.verdict(WHOLE[:size]), Bad | Header)


@settings(max_examples=300, deadline=None)
@given(st.integers(WHOLE.index(b"\x28\x00\x00\x01US") + 9, len(WHOLE) - 1))
def test_an_image_cut_anywhere_after_its_shape_never_passes_as_whole(size):
    assert made.verdict(WHOLE[:size]).reason.startswith("Truncated")


@pytest.mark.parametrize("keyword", ["SeriesDescription", "SeriesInstanceUID", "BitsAllocated"])
@pytest.mark.parametrize("cut", [1, 7, 9])
def test_a_file_cut_inside_an_element_never_passes_as_whole(keyword, cut):
    tag = pydicom.tag.Tag(keyword)
    assert isinstance(made.verdict(WHOLE[: WHOLE.rindex(struct.pack("<HH", tag.group, tag.elem)) + cut]), Bad)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(132, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_file_with_any_bytes_changed_never_raises(changes):
    data = bytearray(WHOLE)
    for place, value in changes:
        data[place] = value
    assert isinstance(made.verdict(bytes(data)), Bad | Header)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=2000), st.sampled_from(list(made.SYNTAXES)))
def test_any_bytes_after_a_good_start_never_raise(tail, syntax):
    start = made.file_of(Dataset(), syntax=syntax)
    assert isinstance(made.verdict(start + tail), Bad | Header)
