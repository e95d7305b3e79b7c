"""Stored values to grey levels, by the tables and formulas of DICOM PS3.3 C.11."""

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from hierarchy.decode.render import _aspect, _size
from hierarchy.decode.window import Window, grey, modality, through, window


def header(**tags):
    made = Dataset()
    made.PhotometricInterpretation = "MONOCHROME2"
    for keyword, value in tags.items():
        setattr(made, keyword, value)
    return made


def item(**tags):
    made = Dataset()
    for keyword, value in tags.items():
        setattr(made, keyword, value)
    return made


def values(*numbers):
    return np.array([numbers], dtype=np.int16)


def levels(stored, head, frame=0):
    return grey(stored, head, frame=frame)[0].tolist()


# C.11.2.1.2.1 gives for center 2048 and width 4096 the identity, for 1024 and 2048 …: the note's own examples.
@pytest.mark.parametrize(
    ("function", "center", "width", "stored", "expected"),
    [
        ("LINEAR", 128, 256, (-1, 0, 100, 255, 300), (0, 0, 100, 255, 255)),
        ("LINEAR", 0, 100, (-51, -50, 49, 50), (0, 0, 255, 255)),
        ("LINEAR", 10, 1, (9, 10, 11), (0, 128, 255)),
        ("LINEAR_EXACT", 127.5, 255, (0, 51, 255), (0, 51, 255)),
        ("SIGMOID", 0, 100, (-10000, 0, 50, 10000), (0, 128, 225, 255)),
    ],
)
def test_each_function_gives_the_standards_levels(function, center, width, stored, expected):
    found = through(np.array(stored, dtype=np.float32), Window(center, width, function))
    assert found.tolist() == list(expected)


def test_the_first_of_several_windows_is_taken():
    assert window(header(WindowCenter=["40", "500"], WindowWidth=["80", "2000"]), frame=0) == Window(40, 80, "LINEAR")


@pytest.mark.parametrize("bad", [("40", ""), ("", "80"), ("40", "0"), ("40", "-5")])
def test_a_window_that_cannot_be_used_is_none(bad):
    assert window(header(WindowCenter=bad[0], WindowWidth=bad[1]), frame=0) is None


def test_rescaling_comes_before_the_window():
    head = header(RescaleSlope="2", RescaleIntercept="-100", WindowCenter="0.5", WindowWidth="201")
    assert levels(values(0, 50, 100), head) == [0, 128, 255]


def test_a_slope_of_zero_is_taken_for_none():
    assert modality(values(1, 2), header(RescaleSlope="0"), frame=0).tolist() == [[1.0, 2.0]]


def test_monochrome1_shows_its_lowest_value_white():
    head = header(PhotometricInterpretation="MONOCHROME1", WindowCenter="128", WindowWidth="256")
    assert levels(values(0, 255), head) == [255, 0]


def test_without_a_window_the_bulk_of_the_values_fills_the_range():
    stored = np.concatenate([np.arange(0, 1001), [30000]]).astype(np.int16)[np.newaxis, :]
    found = levels(stored, header())
    assert (found[0], found[500], found[1000], found[-1]) == (0, 127, 255, 255)


def test_padding_does_not_widen_the_range():
    stored = np.array([[-2000] * 500 + list(range(100, 201))], dtype=np.int16)
    assert levels(stored, header(PixelPaddingValue=-2000))[500 + 50] == 128


@pytest.mark.parametrize("stored", [values(7, 7, 7), np.full((1, 3), np.nan, dtype=np.float32)])
def test_a_flat_or_empty_picture_is_black(stored):
    assert levels(stored, header()) == [0, 0, 0]


def test_a_voi_lookup_table_is_used_where_there_is_no_window():
    table = item(LUTDescriptor=[3, 0, 8], LUTData=[0, 51, 255])
    table["LUTDescriptor"].VR = "US"
    table["LUTData"].VR = "US"
    head = header(VOILUTSequence=Sequence([table]), PixelRepresentation=0, BitsStored=8)
    assert levels(values(0, 1, 2), head) == [0, 51, 255]


def test_a_modality_lookup_table_is_used_instead_of_slope_and_intercept():
    table = item(LUTDescriptor=[3, 0, 16], LUTData=[0, 100, 200])
    table["LUTDescriptor"].VR = "US"
    table["LUTData"].VR = "US"
    head = header(ModalityLUTSequence=Sequence([table]), RescaleSlope="9", PixelRepresentation=0)
    assert modality(values(0, 1, 2), head, frame=0).tolist() == [[0.0, 100.0, 200.0]]


def test_a_frames_own_window_beats_the_shared_one_and_the_shared_one_the_headers():
    own = item(FrameVOILUTSequence=Sequence([item(WindowCenter="1", WindowWidth="2")]))
    shared = item(FrameVOILUTSequence=Sequence([item(WindowCenter="3", WindowWidth="4")]))
    head = header(
        WindowCenter="5",
        WindowWidth="6",
        PerFrameFunctionalGroupsSequence=Sequence([own, item()]),
        SharedFunctionalGroupsSequence=Sequence([shared]),
    )
    assert [window(head, frame=frame).center for frame in (0, 1, 2)] == [1, 3, 3]
    del head.SharedFunctionalGroupsSequence
    assert window(head, frame=1).center == 5


@pytest.mark.parametrize(
    ("tags", "aspect"),
    [
        ({"PixelSpacing": ["2", "0.5"]}, 4.0),
        ({"ImagerPixelSpacing": ["0.1", "0.2"]}, 0.5),
        ({"PixelAspectRatio": ["3", "4"]}, 0.75),
        ({"PixelSpacing": ["1e9", "1"]}, 1.0),
        ({"PixelSpacing": ["0", "1"]}, 1.0),
        ({"PixelSpacing": "1"}, 1.0),
        ({}, 1.0),
    ],
)
def test_the_pixels_aspect_comes_from_the_header_unless_it_is_a_mistake(tags, aspect):
    assert _aspect(header(**tags), 0) == aspect


@pytest.mark.parametrize(
    ("pixels", "aspect", "width", "size"),
    [
        ((64, 64), 1.0, 512, (64, 64)),
        ((2048, 1024), 1.0, 512, (512, 256)),
        ((100, 100), 2.0, 512, (100, 200)),
        ((100, 100), 0.5, 512, (200, 100)),
        ((512, 64), 4.0, 256, (256, 128)),
        ((4000, 1), 1.0, 256, (256, 1)),
    ],
)
def test_a_picture_is_shrunk_to_its_box_and_never_enlarged_beyond_square_pixels(pixels, aspect, width, size):
    assert _size(pixels, aspect, width=width) == size
