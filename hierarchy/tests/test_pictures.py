"""Through the real decoding process: what comes back is a picture, or words."""

import struct
import sys
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import JPEG2000, DeflatedExplicitVRLittleEndian

from hierarchy import decoder, pictures
from hierarchy.decode.why import NoPicture, Why
from hierarchy.pictures import (
    header_rows,
    middle_slice,
    placeholder,
    render_instance,
    slice_header,
    slice_picture,
    slices,
)
from hierarchy.tests.stored import packed, series, shipped, store_file, store_series


def changed(name, **tags):
    made = dcmread(BytesIO(shipped(name)))
    for keyword, value in tags.items():
        setattr(made, keyword, value)
    return written(made)


def written(dataset: Dataset):
    out = BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def image(png):
    return Image.open(BytesIO(png))


def refusal(content, **how):
    with pytest.raises(NoPicture) as found:
        render_instance(BytesIO(content), **how)
    return found.value.why


@pytest.mark.parametrize(
    ("name", "size", "mode"),
    [
        ("CT_small.dcm", (128, 128), "L"),
        ("MR_small_RLE.dcm", (64, 64), "L"),
        ("MR_small_jpeg_ls_lossless.dcm", (64, 64), "L"),
        ("JPEG2000.dcm", (256, 1024), "L"),
        ("SC_rgb_jpeg_dcmtk.dcm", (100, 100), "RGB"),
        ("SC_ybr_full_422_uncompressed.dcm", (100, 100), "RGB"),
        ("SC_rgb_rle_16bit.dcm", (100, 100), "RGB"),
        ("examples_palette.dcm", (800, 350), "RGB"),
        ("image_dfl.dcm", (512, 512), "L"),
        ("ExplVR_BigEnd.dcm", (80, 60), "RGB"),
        ("liver_1frame.dcm", (512, 512), "L"),
    ],
)
def test_a_picture_of_every_kind_comes_out(name, size, mode):
    found = image(render_instance(BytesIO(shipped(name)), width=1024))
    assert (found.mode, found.size) == (mode, size)


def test_colours_come_out_as_they_were():
    for name in ("SC_rgb_jpeg_gdcm.dcm", "SC_ybr_full_422_uncompressed.dcm", "SC_rgb_rle_16bit.dcm"):
        red, green, blue = image(render_instance(BytesIO(shipped(name)))).getpixel((50, 5))
        assert red > 240, name
        assert max(green, blue) < 20, name


def test_a_picture_is_windowed_as_its_header_says():
    stored = dcmread(BytesIO(shipped("CT_small.dcm")))
    hounsfield = stored.pixel_array * float(stored.RescaleSlope) + float(stored.RescaleIntercept)
    content = changed("CT_small.dcm", WindowCenter=["40", "500"], WindowWidth=["400", "2000"])
    shown = np.asarray(image(render_instance(BytesIO(content))))
    assert (shown[hounsfield <= -161] == 0).all()
    assert (shown[hounsfield >= 240] == 255).all()
    assert abs(int(shown[hounsfield == hounsfield[hounsfield < 40].max()][0]) - 127) <= 2


def test_a_picture_fits_its_width():
    assert max(image(render_instance(BytesIO(shipped("JPEG2000.dcm")), width=256)).size) == 256


def test_pixels_that_are_not_square_are_shown_in_proportion():
    content = changed("CT_small.dcm", PixelSpacing=["2", "1"])
    assert image(render_instance(BytesIO(content))).size == (128, 256)


def test_the_middle_frame_stands_for_many_and_each_can_be_asked_for():
    content = shipped("rtdose.dcm")
    drawn = [render_instance(BytesIO(content), frame=frame) for frame in (0, 7, 14)]
    assert len(set(drawn)) == 3
    assert render_instance(BytesIO(content)) == drawn[1]


def test_an_archive_is_shown_by_its_middle_slice():
    content, _ = packed(series("98892003/MR700"))
    assert image(render_instance(BytesIO(content))).size == (16, 16)


def test_truncated_pixels_are_not_drawn():
    assert refusal(shipped("MR_truncated.dcm")) is Why.TRUNCATED


@pytest.mark.parametrize("name", ["test-SR.dcm", "rtplan.dcm"])
def test_without_pixels_there_is_no_picture(name):
    assert refusal(shipped(name)) is Why.NO_PIXELS


def test_a_frame_that_is_not_there_is_refused():
    assert refusal(shipped("rtdose.dcm"), frame=15) is Why.NO_SLICE


def test_a_header_that_promises_too_much_is_refused_before_it_is_decoded():
    assert refusal(changed("CT_small.dcm", Rows=65535, Columns=65535)) is Why.TOO_LARGE


def codestream_bomb():
    """JPEG 2000 whose own header says 60,000 x 60,000 where DICOM's says 128 x 128."""
    stored = dcmread(BytesIO(shipped("JPEG2000.dcm")))
    stream = bytearray(next(generate_frames(stored.PixelData, number_of_frames=1)))
    at = stream.index(b"\xff\x51") + 6
    struct.pack_into(">IIII", stream, at, 60000, 60000, 0, 0)
    struct.pack_into(">II", stream, at + 16, 60000, 60000)
    stored.file_meta.TransferSyntaxUID = JPEG2000
    stored.PixelData = encapsulate([bytes(stream)])
    stored["PixelData"].is_undefined_length = True
    return written(stored)


def deflate_bomb(*, gigabytes):
    """Deflated DICOM that grows a thousandfold: one flushed block of zeros, repeated."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = Dataset()
    head.Rows = head.Columns = 128
    plain = BytesIO()
    head.save_as(plain, implicit_vr=False, little_endian=True)
    start = packer.compress(plain.getvalue() + b"\xe0\x7f\x10\x00OW\x00\x00" + struct.pack("<I", 0xFFFFFFF0))
    start += packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(1 << 24)) + packer.flush(zlib.Z_FULL_FLUSH)
    file = dcmread(BytesIO(shipped("image_dfl.dcm")), stop_before_pixels=True)
    file.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    outer = BytesIO()
    outer.write(bytes(128) + b"DICM")
    write_file_meta_info(outer, file.file_meta, enforce_standard=False)
    outer.write(start + block * (64 * gigabytes))
    return outer.getvalue()


def test_a_bomb_in_a_codestream_costs_a_picture_and_nothing_else():
    assert refusal(codestream_bomb()) in {Why.UNDECODABLE, Why.TOO_LARGE, Why.CRASHED}


@pytest.mark.slow
def test_a_bomb_in_a_deflated_file_costs_a_picture_and_a_header_and_nothing_else():
    content = deflate_bomb(gigabytes=3)
    assert refusal(content) in {Why.TOO_LARGE, Why.TOO_LONG, Why.SLOW}
    with pytest.raises(NoPicture):
        header_rows(BytesIO(content))


def test_a_decoder_that_dies_is_a_sentence(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert refusal(shipped("CT_small.dcm")) is Why.CRASHED


def test_a_decoder_that_hangs_is_ended(monkeypatch, tmp_path):
    hanging = tmp_path / "hanging"
    hanging.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 60\n")
    hanging.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(hanging))
    monkeypatch.setattr(decoder, "TIMEOUT", 0.5)
    assert refusal(shipped("CT_small.dcm")) is Why.SLOW
    assert not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()


def test_a_decoder_that_uses_up_its_processor_time_is_ended_by_its_own_limit(monkeypatch, tmp_path):
    spinning = tmp_path / "spinning"
    spinning.write_text("#!/bin/sh\nulimit -t 1\nwhile :; do :; done\n")
    spinning.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(spinning))
    assert refusal(shipped("CT_small.dcm")) is Why.TOO_LONG


def test_only_a_few_decoders_run_at_once_and_who_waits_too_long_is_told(monkeypatch):
    monkeypatch.setattr(decoder, "TURN", 0.05)
    held = [decoder.AT_ONCE.acquire() for _ in range(2)]
    try:
        assert refusal(shipped("CT_small.dcm")) is Why.BUSY
    finally:
        for _ in held:
            decoder.AT_ONCE.release()


def test_the_decoder_knows_none_of_our_secrets(monkeypatch, tmp_path):
    spy = tmp_path / "spy"
    spy.write_text(f"#!/bin/sh\nenv > {tmp_path}/environment\nexit 1\n")
    spy.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(spy))
    monkeypatch.setenv("SECRET_KEY", "do not tell")
    refusal(shipped("CT_small.dcm"))
    assert "do not tell" not in (tmp_path / "environment").read_text()


def rows_of(name):
    return header_rows(BytesIO(shipped(name)))


def test_a_header_names_every_element():
    found = {row.keyword: row for row in rows_of("CT_small.dcm")}
    assert (found["Modality"].tag, found["Modality"].vr, found["Modality"].value) == ("(0008,0060)", "CS", "CT")
    assert found["TransferSyntaxUID"].value == "1.2.840.10008.1.2.1"
    assert found["ImageType"].value == "ORIGINAL\\PRIMARY\\AXIAL"
    assert "PixelData" not in found


def test_a_header_names_private_elements_and_shows_binary_ones_as_a_length():
    found = rows_of("CT_small.dcm")
    assert any(row.keyword == "[Suite id]" for row in found)
    assert any(row.value.endswith(" bytes") and row.vr in {"OB", "OW", "UN"} for row in found)


def test_a_nested_header_is_indented_under_its_sequence():
    found = rows_of("rtplan.dcm")
    beams = next(i for i, row in enumerate(found) if row.keyword == "BeamSequence")
    assert (found[beams].value, found[beams].depth, found[beams + 1].depth) == ("1 item", 0, 1)


def test_a_long_value_is_cut_and_says_how_long_it_was():
    content = changed("CT_small.dcm", PatientComments="x" * 9000)
    value = next(row.value for row in header_rows(BytesIO(content)) if row.keyword == "PatientComments")
    assert len(value) < 300
    assert value.endswith("9,000 characters")


def test_a_value_that_cannot_be_read_costs_its_own_row_alone():
    content = shipped("CT_small.dcm").replace(b"\x28\x00\x10\x00US", b"\x28\x00\x10\x00FD")
    found = {row.tag: row.value for row in header_rows(BytesIO(content))}
    assert found["(0028,0010)"] == "cannot be read"
    assert found["(0028,0011)"] == "128"


def test_a_header_has_an_end(monkeypatch):
    content = dcmread(BytesIO(shipped("CT_small.dcm")))
    content.ReferencedImageSequence = [Dataset() for _ in range(6000)]
    assert len(header_rows(BytesIO(written(content)))) == 5000


def test_what_is_not_dicom_has_no_header():
    with pytest.raises(NoPicture, match="not DICOM"):
        header_rows(BytesIO(b"hello"))


@pytest.mark.django_db
class TestStored:
    def test_a_series_has_its_slices_and_its_middle(self, places, home):
        version = store_series(series("98892003/MR700"))
        assert len(slices(version)) == 7
        assert middle_slice(version) == 3
        assert slice_picture(version) == slice_picture(version, index=3)
        assert slice_picture(version, index=0) != slice_picture(version, index=6)

    def test_what_was_drawn_once_is_kept_for_its_owner_alone(self, places, home, monkeypatch):
        version = store_series(series("98892003/MR700"))
        drawn = slice_picture(version)
        monkeypatch.setattr(sys, "executable", "/bin/false")
        assert slice_picture(version) == drawn
        assert (home / "cache" / "pictures").stat().st_mode & 0o077 == 0

    def test_the_next_slices_are_drawn_along(self, places, home, monkeypatch):
        version = store_series(series("98892003/MR700"))
        slice_picture(version, index=0)
        monkeypatch.setattr(sys, "executable", "/bin/false")
        assert image(slice_picture(version, index=3)).size == (16, 16)

    def test_a_slice_beyond_the_end_is_refused(self, places, home):
        version = store_series(series("98892003/MR700"))
        for index in (-1, 7):
            with pytest.raises(NoPicture, match="no such slice"):
                slice_picture(version, index=index)

    def test_a_failure_that_lasts_is_remembered(self, places, home, monkeypatch):
        version = store_file(shipped("MR_truncated.dcm"))
        for _ in range(2):
            with pytest.raises(NoPicture, match="truncated"):
                slice_picture(version)
            monkeypatch.setattr(sys, "executable", "/bin/false")

    def test_missing_bytes_are_a_sentence_and_not_remembered(self, places, home):
        version = store_file(shipped("CT_small.dcm"))
        hidden = places.archive / (version.path + ".away")
        (places.archive / version.path).rename(hidden)
        with pytest.raises(NoPicture, match="not where they were stored"):
            slice_picture(version)
        hidden.rename(places.archive / version.path)
        assert image(slice_picture(version)).size == (128, 128)

    def test_a_disk_that_refuses_what_is_kept_costs_only_time(self, places, home):
        home.mkdir()
        (home / "cache").write_text("a file where the folder belongs")
        assert image(slice_picture(store_file(shipped("CT_small.dcm")))).size == (128, 128)

    def test_a_header_is_that_of_the_slice(self, places, home):
        version = store_series(series("98892003/MR700"))
        number = {
            index: next(row.value for row in slice_header(version, index=index) if row.keyword == "SOPInstanceUID")
            for index in (0, 6, None)
        }
        assert len(set(number.values())) == 3

    def test_what_has_no_picture_has_a_header(self, places, home):
        assert any(row.keyword == "Modality" for row in slice_header(store_series([shipped("rtplan.dcm")])))


@pytest.mark.parametrize(("asked", "width"), [(1, 256), (256, 256), (257, 512), (5000, 1024)])
def test_only_a_few_widths_are_drawn(asked, width):
    assert pictures.width_near(asked) == width


def test_a_placeholder_says_why_and_escapes_it():
    assert b"<text" in placeholder("damaged data")
    assert b"<script" not in placeholder("<script>")
