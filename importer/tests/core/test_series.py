"""How the instances of one series agree, and that no grouping into chunks changes it."""

import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.core.mapping import map_header
from importer.core.records import Mapped, Moment
from importer.core.series import Disagreement, Said, Settled, gather, merge, settle
from importer.tests.core import made


def mapped(**changes):
    return map_header(made.header(**changes), zone=ZoneInfo("UTC"))


def together(*instances):
    return settle(gather(enumerate(instances)))


def differing(*instances):
    found = together(*instances)
    assert isinstance(found, Disagreement), found
    return found.field


def test_one_instance_settles_as_itself():
    one = mapped()
    settled = together(one)
    assert {f.name: getattr(settled, f.name) for f in fields(Settled)} == {
        f.name: getattr(one, f.name) for f in fields(Settled)
    }


def test_two_instances_that_say_the_same_agree():
    assert together(mapped(), mapped(SOPInstanceUID="1.2.3.4.1.1.2")) == together(mapped())


def test_differing_series_descriptions_disagree_on_the_acquisition_label():
    assert differing(mapped(), mapped(SeriesDescription="t2")) == "acquisition.label"


def test_a_disagreement_carries_the_two_values():
    found = together(mapped(), mapped(SeriesDescription="t2"), mapped(SeriesDescription="t3"))
    assert found.values == ("t1", "t2")


def test_study_times_three_hours_apart_agree_on_the_first():
    settled = together(mapped(), mapped(StudyTime="060405"))
    assert settled.session_time.at == datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_study_times_seven_hours_apart_disagree():
    assert differing(mapped(), mapped(StudyTime="100405")) == "session.timestamp"


def test_different_series_uids_forced_together_disagree():
    assert differing(mapped(), mapped(SeriesInstanceUID="1.2.3.4.1.2")) == "acquisition.uid"


def test_a_patient_id_that_one_lacks_the_other_gives():
    assert together(mapped(PatientID=None), mapped()).subject_label == "P01"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"PatientID": "P02"}, "subject.label"),
        ({"StudyInstanceUID": "1.2.3.4.2"}, "session.uid"),
        ({"StudyDescription": "KNEE"}, "session.label"),
        ({"SeriesNumber": "4"}, "acquisition.label"),
        ({"AcquisitionDateTime": "20200102090405"}, "acquisition.timestamp"),
    ],
)
def test_each_field_that_must_agree_is_named(changes, field):
    assert differing(mapped(), mapped(**changes)) == field


@pytest.mark.parametrize(("hours", "agree"), [(5, True), (5.001, False)])
def test_labels_made_of_times_may_lie_five_hours_apart(hours, agree):
    first = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
    labels = [(first + timedelta(hours=apart)).strftime("%Y-%m-%dT%H-%M-%S") for apart in (0, hours)]
    found = together(*(Mapped(session_label=label, session_label_is_time=True) for label in labels))
    assert found == (
        Settled(session_label=labels[0], session_label_is_time=True) if agree else Disagreement("session.label")
    )


def test_an_acquisition_label_made_of_a_time_keeps_its_number():
    later = {"SeriesDescription": None, "SeriesDate": "20200102"}
    settled = together(mapped(**later, SeriesTime="030405"), mapped(**later, SeriesTime="040506"))
    assert settled.acquisition_label == "3 - 2020-01-02T03-04-05"


@pytest.mark.parametrize("poorer", [{}, {"StudyDate": None}])
def test_a_description_that_one_lacks_the_other_gives(poorer):
    settled = together(mapped(StudyDescription=None, SeriesDescription=None, **poorer), mapped())
    assert (settled.session_label, settled.acquisition_label) == ("BRAIN^ROUTINE", "3 - t1")


def test_a_series_number_that_one_lacks_the_other_gives():
    assert together(mapped(SeriesNumber=None), mapped()).acquisition_label == "3 - t1"


def test_people_and_modality_are_taken_from_the_first_that_has_them():
    settled = together(
        mapped(PatientSex="", PatientWeight="0"),
        mapped(PatientSex="F", Modality="CT"),
        mapped(PatientSex="M", PatientWeight="70"),
    )
    assert (settled.sex, settled.weight_kg, settled.modality) == ("female", 0.0, "MR")


def test_the_first_in_source_order_counts_whichever_comes_first():
    pairs = [(7, mapped(StudyTime="040000")), (2, mapped(StudyTime="030000"))]
    assert settle(gather(pairs)).session_time.at.hour == 3


def test_times_of_two_zones_are_compared_as_moments():
    assert isinstance(together(mapped(), mapped(StudyTime="130405", TimezoneOffsetFromUTC="+1000")), Settled)


def test_what_was_said_stays_small_however_many_say_it():
    one = mapped()
    many = gather((n, replace(one, acquisition_label=f"{n} - t{n}", operator=f"o{n}")) for n in range(2000))
    assert len(json.dumps(many.to_json())) < 2000


def test_nothing_said_settles_as_nothing():
    assert settle(merge([])) == Settled()


MOMENTS = st.builds(
    Moment,
    at=st.datetimes(datetime(2020, 1, 1), datetime(2020, 1, 2), timezones=st.just(UTC)).map(
        lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000)
    ),
    zone=st.sampled_from(["UTC", "Europe/Berlin"]),
)
FEW = st.sampled_from(["", "a", "b", "c"])


@st.composite
def instances(draw):
    moment = draw(st.none() | MOMENTS)
    is_time = moment is not None and draw(st.booleans())
    stamp = moment.at.strftime("%Y-%m-%dT%H-%M-%S") if moment else ""
    number = draw(st.sampled_from(["", "1 - ", "2 - "]))
    return Mapped(
        subject_label=draw(FEW),
        session_label=stamp if is_time else draw(FEW),
        session_label_is_time=is_time,
        session_uid=draw(FEW),
        acquisition_label=number + (stamp if is_time else draw(st.sampled_from(["a", "b", "u"]))),
        acquisition_label_is_time=is_time,
        acquisition_uid=draw(st.sampled_from(["", "u", "v"])),
        session_time=moment,
        acquisition_time=draw(st.none() | MOMENTS),
        sex=draw(FEW),
        age_seconds=draw(st.none() | st.integers(0, 3)),
    )


@given(st.lists(instances(), max_size=12), st.randoms(use_true_random=False))
def test_however_the_instances_are_split_into_chunks_they_settle_the_same(given_instances, random):
    pairs = list(enumerate(given_instances))
    whole = gather(pairs)
    random.shuffle(pairs)
    chunks = [[] for _ in range(4)]
    for pair in pairs:
        random.choice(chunks).append(pair)
    stored = [Said.from_json(json.loads(json.dumps(gather(chunk).to_json()))) for chunk in chunks]
    merged = merge([merge(stored[:2]), merge(stored[2:])])
    assert merged == whole
    assert settle(merged) == settle(whole)


@given(instances())
def test_one_instance_alone_never_disagrees(instance):
    settled = settle(gather([(5, instance)]))
    assert isinstance(settled, Settled)
    assert settled.acquisition_label == instance.acquisition_label
