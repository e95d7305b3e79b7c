"""Which instances of a series are its localizer."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.core.header import DEFAULT_TAGS, read_header
from importer.core.localizer import (
    FEWEST,
    KEYWORDS,
    MOST_KINDS,
    Geometry,
    Kinds,
    gather,
    geometry_of,
    merge,
    outliers,
    runs_of,
)
from importer.tests.core.made import dataset, file_of, reading

AXIAL, CORONAL, SAGITTAL = "1,0,0,0,1,0", "1,0,0,0,0,-1", "0,1,0,0,0,-1"


def at(z, *, x=-100.0, y=-100.0, orientation=AXIAL, size="512x512"):
    return Geometry(orientation, size, (x, y, float(z)))


def axial(count, **named):
    return [at(z, **named) for z in range(count)]


def nowhere(**named):
    return Geometry(named.get("orientation", CORONAL), named.get("size", "888x888"))


def split(instances):
    """Places of the instances that go to the localizer, by one part and by many."""
    numbered = list(enumerate(instances))
    whole = gather(numbered)
    found = outliers(merge([whole]))
    places = sorted(seq for first, last in runs_of(whole, found) for seq in range(first, last + 1))
    parts = [gather(numbered[start : start + 3]) for start in range(0, len(numbered), 3)]
    assert outliers(merge(reversed(parts))) == found
    return places


FAR = {"x": -250.0, "y": 250.0}
CASES = {
    "another orientation and size": ([*axial(10), at(5, orientation=CORONAL, size="888x888")], [10]),
    "two of them": (axial(8) + [at(z, orientation=CORONAL, size="888x888") for z in (1, 2)], [8, 9]),
    "first of all": ([at(5, orientation=CORONAL, size="888x888"), *axial(10)], [0]),
    "another orientation and far": ([*axial(40), at(500, orientation=CORONAL)], [40]),
    "another size and far": ([*axial(40), at(-60, size="256x256")], [40]),
    "another orientation, size and no position": ([*axial(10), nowhere()], [10]),
    "three planes": (
        [at(0, orientation=CORONAL, size="256x256", **FAR)] * 3
        + [at(0, orientation=SAGITTAL, size="256x256", **FAR)] * 3
        + axial(20),
        [0, 1, 2, 3, 4, 5],
    ),
    "another size only": ([*axial(40), at(5, size="256x256")], []),
    "another orientation only": ([*axial(40), at(5, orientation=CORONAL)], []),
    "far only": ([*axial(40), at(5000)], []),
    "another orientation, near": ([*axial(40), at(41, orientation=CORONAL)], []),
    "another orientation, beside the first": ([*axial(40), at(-1.9, orientation=CORONAL)], []),
    "another orientation, across": (axial(40) + [at(z, orientation=CORONAL) for z in (20, 500)], []),
    "no orientation, another size, far": ([*axial(40), at(500, orientation="", size="256x256")], []),
    "no size, another orientation, far": ([*axial(40), at(500, orientation=CORONAL, size="")], []),
    "one and one": ([*axial(1), at(5, orientation=CORONAL, size="888x888")], []),
    "one and two": (axial(1) + [at(5, orientation=CORONAL, size="888x888")] * 2, []),
    "four and four": (axial(4) + [at(5, orientation=CORONAL, size="888x888")] * 4, []),
    "half and half": (axial(40) + [at(5, orientation=CORONAL, size="888x888")] * 40, []),
    "six and one": ([*axial(6), at(5, orientation=CORONAL, size="888x888")], []),
    "seven and one": ([*axial(7), at(5, orientation=CORONAL, size="888x888")], [7]),
    "five and three": (axial(5) + [at(5, orientation=CORONAL, size="888x888")] * 3, [5, 6, 7]),
    "nothing says anything": ([Geometry()] * 20, []),
    "nothing has a position": ([Geometry(AXIAL, "512x512")] * 20 + [at(9, orientation=CORONAL)], []),
    "all in one place": ([at(1)] * 20 + [at(9, orientation=CORONAL)], [20]),
    "around an axis": ([at(5, orientation=f"{n},0,0,0,1,0", size=f"{n}x{n}") for n in range(99)], []),
    "none": ([], []),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_differs_in_two_of_three_is_the_localizer(name):
    instances, expected = CASES[name]
    assert split(instances) == expected


def test_one_kind_too_many_is_no_localizer():
    odd = [at(500 + n, orientation=CORONAL, size=f"{n}x1") for n in range(1, MOST_KINDS + 1)]
    assert len(split(axial(99) + odd[:-1])) == MOST_KINDS - 1
    assert split(axial(99) + odd) == []


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, Geometry()),
        ({"Rows": 4, "Columns": 5}, Geometry(size="4x5")),
        ({"Rows": 4}, Geometry()),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}, Geometry(AXIAL)),
        ({"ImageOrientationPatient": [0.9999, -0.001, 0, "-0.0", 1, 0.004]}, Geometry(AXIAL)),
        ({"ImageOrientationPatient": [1, 0, 0]}, Geometry()),
        ({"ImagePositionPatient": [1.5, -2, "3e2"]}, Geometry(position=(1.5, -2.0, 300.0))),
        ({"ImagePositionPatient": [1.5, -2]}, Geometry()),
        ({"ImagePositionPatient": ["1e300", 1, 1]}, Geometry()),
    ],
)
def test_a_header_says_where_an_instance_lies(said, expected):
    data = file_of(dataset(**said))
    found = read_header(reading(data), size=len(data), wanted=DEFAULT_TAGS | KEYWORDS)
    assert geometry_of(found) == expected


GEOMETRY = st.builds(
    Geometry,
    st.sampled_from(["", AXIAL, CORONAL]),
    st.sampled_from(["", "512x512", "888x888"]),
    st.none() | st.tuples(*[st.sampled_from([-500.0, 0.0, 1.0, 2.0, 500.0])] * 3),
)


@given(st.lists(GEOMETRY, max_size=30), st.lists(st.integers(0, 3), min_size=30, max_size=30), st.randoms())
def test_the_answer_does_not_depend_on_how_instances_were_grouped(instances, groups, random):
    numbered = list(enumerate(instances))
    parts = [gather([pair for pair, of in zip(numbered, groups, strict=False) if of == group]) for group in range(4)]
    parts = [Kinds.from_json(json.loads(json.dumps(part.to_json()))) for part in parts]
    random.shuffle(parts)
    cut = random.randint(0, 4)
    found = outliers(merge([merge(parts[:cut]), merge(parts[cut:])]))
    assert found == outliers(gather(numbered))
    places = {seq for part in parts for first, last in runs_of(part, found) for seq in range(first, last + 1)}
    assert places == {seq for seq, one in numbered if f"{one.orientation};{one.size}" in found}


@given(st.lists(GEOMETRY, max_size=40))
def test_a_localizer_is_always_the_smaller_part(instances):
    places = split(instances)
    assert 2 * len(places) < len(instances) or not places
    assert not places or len(instances) >= FEWEST
