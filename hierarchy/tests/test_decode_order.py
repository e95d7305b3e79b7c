import itertools
import random
import zipfile
from io import BytesIO

import pytest
from pydicom import dcmread

from hierarchy.decode.order import Seen, order, sort
from hierarchy.decode.why import NoPicture, Why
from hierarchy.natural import natural
from hierarchy.tests.stored import packed, series, shipped

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)


def seen(member, *, z=None, number=None, frames=1, direction=AXIAL):
    position = None if z is None else (0.0, 0.0, float(z))
    return Seen(member, frames, number, position, direction)


def members(found):
    return [one.member for one in found]


def test_a_stack_is_ordered_along_its_normal_and_not_by_number_or_name():
    stack = [seen("c", z=-1, number=1), seen("a", z=5, number=2), seen("b", z=2, number=3)]
    assert members(sort(stack)) == ["c", "b", "a"]


def test_slices_of_one_place_follow_their_numbers():
    stack = [seen("late", z=0, number=9), seen("next", z=3, number=1), seen("early", z=0, number=2)]
    assert members(sort(stack)) == ["early", "late", "next"]


@pytest.mark.parametrize(
    "odd",
    [{"direction": SAGITTAL, "z": 0}, {"z": None}, {"direction": None, "z": 1}],
    ids=["tilted", "nowhere", "no direction"],
)
def test_where_one_slice_does_not_lie_in_the_stack_numbers_decide(odd):
    stack = [seen("b", z=9, number=2), seen("a", z=99, number=1), seen("c", number=3, **odd)]
    assert members(sort(stack)) == ["a", "b", "c"]


def test_without_positions_and_numbers_the_order_of_the_names_stays():
    stack = [seen("1.2"), seen("1.10"), seen("1.3", number=4)]
    assert members(sort(stack)) == ["1.3", "1.2", "1.10"]


def test_names_are_compared_as_numbers_where_they_are_numbers():
    names = ["1.2.10.MR.dcm", "1.2.9.MR.dcm", "1.2." + "9" * 5000, "a/b", "", "1.2.9²"]
    assert sorted(names, key=natural).index("1.2.9.MR.dcm") < sorted(names, key=natural).index("1.2.10.MR.dcm")


def test_a_stored_series_comes_out_in_space():
    instances = series("98892003/MR700")
    random.Random(7).shuffle(instances)
    content, _ = packed(instances)
    found = order(BytesIO(content))
    heights = []
    with zipfile.ZipFile(BytesIO(content)) as opened:
        for name, _ in found.slices:
            heights.append(dcmread(opened.open(name)).ImagePositionPatient)
    assert len(found.slices) == len(instances) == 7
    moved = [[b - a for a, b in zip(p, q, strict=True)] for p, q in itertools.pairwise(heights)]
    assert all(sum(a * b for a, b in zip(step, moved[0], strict=True)) > 0 for step in moved)


def test_instances_without_pictures_are_left_out_and_frames_are_counted():
    content, _ = packed([shipped("rtplan.dcm"), shipped("rtdose.dcm"), shipped("CT_small.dcm")])
    assert sorted(frames for _, frames in order(BytesIO(content)).slices) == [1, 15]


def test_a_single_file_is_its_own_only_member():
    assert order(BytesIO(shipped("rtdose.dcm"))).slices == [("", 15)]


def test_members_that_are_not_dicom_are_no_slices():
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as opened:
        opened.writestr("readme.txt", "hello")
        opened.writestr("folder/", "")
        opened.writestr("a.dcm", shipped("CT_small.dcm"))
    assert order(out).slices == [("a.dcm", 1)]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", Why.NOT_DICOM),
        (b"hello" * 100, Why.NOT_DICOM),
        (b"PK\x03\x04 and nothing of a directory", Why.ARCHIVE),
        (shipped("test-SR.dcm"), Why.NO_PIXELS),
        (shipped("waveform_ecg.dcm"), Why.NO_PIXELS),
        (packed([])[0], Why.NO_PIXELS),
    ],
    ids=["empty", "text", "torn archive", "report", "waveform", "empty archive"],
)
def test_what_holds_no_picture_says_why(content, why):
    with pytest.raises(NoPicture) as found:
        order(BytesIO(content))
    assert found.value.why is why


def test_a_very_long_series_is_ordered_by_its_names_alone(monkeypatch):
    monkeypatch.setattr("hierarchy.decode.order.MAX_READ", 2)
    content, _ = packed(series("98892003/MR700"))
    found = order(BytesIO(content))
    assert found.approximate
    assert [name for name, _ in found.slices] == sorted((name for name, _ in found.slices), key=natural)
