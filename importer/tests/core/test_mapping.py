"""Every row of the published table of headers (base: `made.BASE`, read in UTC), then what the table leaves open."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.core.header import MAPPED_TAGS, UIDS
from importer.core.mapping import map_header
from importer.core.records import Header, Mapped, Moment
from importer.tests.core import made

ZONE = ZoneInfo("UTC")
NO_DATES = {"StudyDate": None, "StudyTime": None}
NO_DESCRIPTION = {"StudyDescription": None}
FIRST_SIGHT = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)


def mapped(changes, zone=ZONE):
    return map_header(made.header(**changes), zone=zone)


def says(found, expected):
    """The expected fields of what was found; a moment shows its time alone."""
    values = {name: getattr(found, name) for name in expected}
    return {name: value.at if isinstance(value, Moment) else value for name, value in values.items()}


def at(*parts):
    return datetime(*parts, tzinfo=UTC)


ROWS = {
    "none": (
        {},
        {
            "subject_label": "P01",
            "session_label": "BRAIN^ROUTINE",
            "acquisition_label": "3 - t1",
            "session_uid": "1.2.3.4.1",
            "acquisition_uid": "1.2.3.4.1.1",
            "session_time": FIRST_SIGHT,
            "acquisition_time": FIRST_SIGHT,
            "modality": "MR",
            "instance_name": "1.2.3.4.1.1.1.MR.dcm",
        },
    ),
    "no StudyDescription": (NO_DESCRIPTION, {"session_label": "2020-01-02T03-04-05"}),
    "StudyDescription of spaces": ({"StudyDescription": "   "}, {"session_label": "2020-01-02T03-04-05"}),
    "no StudyDescription, no StudyTime": (
        NO_DESCRIPTION | {"StudyTime": None},
        {"session_label": "2020-01-02T12-00-00", "session_time": at(2020, 1, 2, 12)},
    ),
    "no StudyDescription, time with a fraction": (
        NO_DESCRIPTION | {"StudyTime": "030405.678900"},
        {"session_label": "2020-01-02T03-04-05", "session_time": at(2020, 1, 2, 3, 4, 5, 678000)},
    ),
    "no StudyDescription, series date only": (
        NO_DESCRIPTION | NO_DATES | {"SeriesDate": "20200103", "SeriesTime": "040506"},
        {"session_label": "2020-01-03T04-05-06"},
    ),
    "no StudyDescription, no dates": (
        NO_DESCRIPTION | NO_DATES,
        {"session_label": "1.2.3.4.1", "session_time": None, "acquisition_time": None},
    ),
    "no StudyDescription, time in StudyUID": (
        NO_DESCRIPTION | NO_DATES | {"StudyInstanceUID": "1.3.12.2.1107.5.2.20200405060708123.0"},
        {"session_label": "2020-04-05T06-07-08"},
    ),
    "only AcquisitionDateTime": (
        NO_DESCRIPTION | NO_DATES | {"AcquisitionDateTime": "20200109101112.5"},
        {"session_label": "2020-01-09T10-11-12", "acquisition_time": at(2020, 1, 9, 10, 11, 12, 500000)},
    ),
    "bad StudyDate 20201399, no description": (
        NO_DESCRIPTION | {"StudyDate": "20201399"},
        {"session_label": "1.2.3.4.1", "session_time": None},
    ),
    "bad StudyDate 2020.01.02, no description": (
        NO_DESCRIPTION | {"StudyDate": "2020.01.02"},
        {"session_label": "1.2.3.4.1", "session_time": None},
    ),
    "no SeriesDescription, ProtocolName": (
        {"SeriesDescription": None, "ProtocolName": "prot"},
        {"acquisition_label": "3 - prot"},
    ),
    "no SeriesDescription, no ProtocolName": (
        {"SeriesDescription": None},
        {"acquisition_label": "3 - 2020-01-02T03-04-05"},
    ),
    "SeriesDescription and ProtocolName of spaces": (
        {"SeriesDescription": "  ", "ProtocolName": "  "},
        {"acquisition_label": "3 - 2020-01-02T03-04-05"},
    ),
    "no SeriesDescription, ProtocolName, dates": (
        NO_DATES | {"SeriesDescription": None},
        {"acquisition_label": "3 - 1.2.3.4.1.1"},
    ),
    "no SeriesNumber": ({"SeriesNumber": None}, {"acquisition_label": "t1"}),
    "empty SeriesNumber": ({"SeriesNumber": ""}, {"acquisition_label": "t1"}),
    "SeriesNumber 0": ({"SeriesNumber": "0"}, {"acquisition_label": "t1"}),
    "no PatientID": ({"PatientID": None}, {"subject_label": ""}),
    "empty PatientID": ({"PatientID": ""}, {"subject_label": ""}),
    "PatientID A/B": ({"PatientID": "A/B"}, {"subject_label": "A_B"}),
    "PatientID A/B\\C": ({"PatientID": "A/B\\C"}, {"subject_label": "A_B_C"}),
    "PatientID with outer spaces": ({"PatientID": "  P01  "}, {"subject_label": "P01"}),
    "SeriesDescription with odd characters": (
        {"SeriesDescription": "T2* axial <a>:b?"},
        {"acquisition_label": "3 - T2star axial _a_b_"},
    ),
    "SeriesDescription with a backslash": ({"SeriesDescription": "ax\\t2"}, {"acquisition_label": "3 - ax_t2"}),
    "long descriptions": (
        {"StudyDescription": "x" * 100, "SeriesDescription": "y" * 200},
        {"session_label": "x" * 64, "acquisition_label": "3 - " + "y" * 124},
    ),
    "trailing dots": (
        {"StudyDescription": "a..", "SeriesDescription": "b..."},
        {"session_label": "a", "acquisition_label": "3 - b"},
    ),
    "StudyDescription ???": ({"StudyDescription": "???"}, {"session_label": "_"}),
    "UTF-8 names": (
        {"PatientID": "Zoë山", "StudyDescription": "Kopf Übersicht"},
        {"subject_label": "Zoë山", "session_label": "Kopf Übersicht"},
    ),
    "PatientName DOE^JANE^M": ({"PatientName": "DOE^JANE^M"}, {"firstname": "Jane^M", "lastname": "Doe"}),
    "PatientName Jane van Doe": ({"PatientName": "Jane van Doe"}, {"firstname": "Jane Van", "lastname": "Doe"}),
    "PatientName anon": ({"PatientName": "anon"}, {"firstname": "", "lastname": "Anon"}),
    "PatientSex M": ({"PatientSex": "M"}, {"sex": "male"}),
    "PatientSex F": ({"PatientSex": "F"}, {"sex": "female"}),
    "PatientSex O": ({"PatientSex": "O"}, {"sex": "other"}),
    "PatientSex X": ({"PatientSex": "X"}, {"sex": ""}),
    "PatientSex empty": ({"PatientSex": ""}, {"sex": ""}),
    "PatientAge 060Y": ({"PatientAge": "060Y"}, {"age_seconds": 1893456000}),
    "PatientAge 006M": ({"PatientAge": "006M"}, {"age_seconds": 15552000}),
    "PatientAge 010W": ({"PatientAge": "010W"}, {"age_seconds": 6048000}),
    "PatientAge 010D": ({"PatientAge": "010D"}, {"age_seconds": 864000}),
    "PatientAge 60": ({"PatientAge": "60"}, {"age_seconds": 1893456000}),
    "PatientAge 000Y and a birth date": ({"PatientAge": "000Y", "PatientBirthDate": "19800101"}, {"age_seconds": 0}),
    "no age, a birth date": (
        {"PatientBirthDate": "19800101", "AcquisitionDate": "20200102"},
        {"age_seconds": 1262390400},
    ),
    "OperatorsName, two": ({"OperatorsName": ["DOE^JANE", "ROE^JOHN"]}, {"operator": "Jane Doe, John Roe"}),
    "OperatorsName, one": ({"OperatorsName": "DOE^JANE"}, {"operator": "DOE^JANE"}),
    "TimezoneOffsetFromUTC -0500": (
        {"TimezoneOffsetFromUTC": "-0500"},
        {"session_time": at(2020, 1, 2, 8, 4, 5), "acquisition_time": at(2020, 1, 2, 8, 4, 5)},
    ),
    "TimezoneOffsetFromUTC 0200": ({"TimezoneOffsetFromUTC": "0200"}, {"session_time": at(2020, 1, 2, 1, 4, 5)}),
    "acquisition and series times": (
        {
            "AcquisitionDate": "20200102",
            "AcquisitionTime": "050607",
            "SeriesDate": "20200102",
            "SeriesTime": "040506",
        },
        {"session_time": FIRST_SIGHT, "acquisition_time": at(2020, 1, 2, 5, 6, 7)},
    ),
    "no Modality": ({"Modality": None}, {"instance_name": "1.2.3.4.1.1.1.NA.dcm", "modality": ""}),
}


@pytest.mark.parametrize(("changes", "expected"), ROWS.values(), ids=ROWS)
def test_a_header_maps_as_the_table_says(changes, expected):
    assert says(mapped(changes), expected) == expected


def test_without_series_uid_description_and_dates_there_is_no_acquisition_label():
    tags = {"PatientID": "P01", "SeriesNumber": "3", "SOPInstanceUID": "1.2", "StudyInstanceUID": "1.3"}
    assert map_header(Header(tags, "", None), zone=ZONE).acquisition_label == ""


MORE = {
    "the session's own label is no time": ({}, {"session_label_is_time": False, "acquisition_label_is_time": False}),
    "labels made of a time say so": (
        NO_DESCRIPTION | {"SeriesDescription": None},
        {"session_label_is_time": True, "acquisition_label_is_time": True},
    ),
    "labels made of a UID are no times": (
        NO_DESCRIPTION | NO_DATES | {"SeriesDescription": None},
        {"session_label_is_time": False, "acquisition_label_is_time": False},
    ),
    "a label of dots is missing and the next in line takes its place": (
        {"SeriesDescription": "...", "ProtocolName": "prot", "StudyDescription": ".."},
        {"acquisition_label": "3 - prot", "session_label": "2020-01-02T03-04-05"},
    ),
    "a subject called dots has no label": ({"PatientID": ".."}, {"subject_label": ""}),
    "spaces inside the prefix are trimmed": ({"SeriesDescription": "  t1 "}, {"acquisition_label": "3 - t1"}),
    "leading zeros of a SeriesNumber": ({"SeriesNumber": "003"}, {"acquisition_label": "3 - t1"}),
    "a negative SeriesNumber": ({"SeriesNumber": "-2"}, {"acquisition_label": "-2 - t1"}),
    "the study's own date beats a time in its UID": (
        {"StudyInstanceUID": "1.2.20190405060708.1"},
        {"session_time": FIRST_SIGHT},
    ),
    "thirteen digits in a UID are no time": (
        NO_DATES | {"StudyInstanceUID": "1.2.2020040506070"},
        {"session_time": None},
    ),
    "a UID's digits that are no time are passed over for the next": (
        NO_DATES | {"StudyInstanceUID": "1.2.20209999999999.20200405060708"},
        {"session_time": at(2020, 4, 5, 6, 7, 8)},
    ),
    "a time in SeriesUID comes before the study's for an acquisition": (
        {"SeriesInstanceUID": "1.2.20200405060708"},
        {"acquisition_time": at(2020, 4, 5, 6, 7, 8), "session_time": FIRST_SIGHT},
    ),
    "AcquisitionDateTime with an offset of its own": (
        {"AcquisitionDateTime": "20200109101112-0300", "TimezoneOffsetFromUTC": "+0500"},
        {"acquisition_time": at(2020, 1, 9, 13, 11, 12)},
    ),
    "AcquisitionDateTime of a day alone": (
        {"AcquisitionDateTime": "20200109"},
        {"acquisition_time": at(2020, 1, 9, 12)},
    ),
    "hours and minutes alone": ({"StudyTime": "0304"}, {"session_time": at(2020, 1, 2, 3, 4)}),
    "a leap second": ({"StudyTime": "235960"}, {"session_time": at(2020, 1, 2, 23, 59, 59)}),
    "a filler date": ({"StudyDate": "00010101"}, {"session_time": None}),
    "a day and a month of two digits": (
        {"StudyDate": "20191123", "StudyTime": "214536"},
        {"session_time": at(2019, 11, 23, 21, 45, 36)},
    ),
    "born on the day of the image": ({"PatientBirthDate": "20200102"}, {"age_seconds": 0}),
    "the first year of the ray": ({"StudyDate": "18950101"}, {"session_time": at(1895, 1, 1, 3, 4, 5)}),
    "the year before the ray": ({"StudyDate": "18941231"}, {"session_time": None}),
    "a broken time": ({"StudyTime": "99"}, {"session_time": None}),
    "an offset beyond the earth is passed over": ({"TimezoneOffsetFromUTC": "+9900"}, {"session_time": FIRST_SIGHT}),
    "the farthest offset on earth": ({"TimezoneOffsetFromUTC": "+1400"}, {"session_time": at(2020, 1, 1, 13, 4, 5)}),
    "a minute farther": ({"TimezoneOffsetFromUTC": "+1401"}, {"session_time": FIRST_SIGHT}),
    "an offset with minutes": ({"TimezoneOffsetFromUTC": "-0330"}, {"session_time": at(2020, 1, 2, 6, 34, 5)}),
    "a birth after the acquisition": ({"PatientBirthDate": "20300101"}, {"age_seconds": None}),
    "an age that is none, and no birth date": ({"PatientAge": "old"}, {"age_seconds": None}),
    "PatientWeight": ({"PatientWeight": "70.5"}, {"weight_kg": 70.5}),
    "AccessionNumber": ({"AccessionNumber": " A-17 "}, {"accession_number": "A-17"}),
    "no operator": ({"OperatorsName": ""}, {"operator": ""}),
    "PatientName in two ways of writing": (
        {"PatientName": "Yamada^Tarou=山田^太郎"},
        {"firstname": "Tarou", "lastname": "Yamada"},
    ),
    "PatientName with empty parts": ({"PatientName": "DOE^JANE^^^"}, {"firstname": "Jane", "lastname": "Doe"}),
    "a hostile Modality": ({"Modality": "../M"}, {"modality": ".._M", "instance_name": "1.2.3.4.1.1.1..._M.dcm"}),
}


@pytest.mark.parametrize(("changes", "expected"), MORE.values(), ids=MORE)
def test_what_the_table_leaves_open(changes, expected):
    assert says(mapped(changes), expected) == expected


def test_what_is_too_long_for_its_column_is_cut():
    long = {"PatientName": "y" * 700 + "^" + "x" * 700, "AccessionNumber": "a" * 70, "Modality": "M" * 20}
    found = map_header(Header(long | {"StudyInstanceUID": "1" * 70}, "", None, ("o" * 2000,)), zone=ZONE)
    lengths = [len(found.lastname), len(found.accession_number), len(found.modality), len(found.session_uid)]
    assert lengths == [255, 64, 16, 64]
    assert len(found.operator) == 1024


@pytest.mark.parametrize("text", ["heavy", "nan", "inf", "-3", "1_0", "70,5", ""])
def test_a_weight_that_is_no_number_is_unknown(text):
    assert map_header(Header({"PatientWeight": text}, "", None), zone=ZONE).weight_kg is None


def test_a_time_without_an_offset_is_of_the_imports_zone():
    moment = mapped({}, zone=ZoneInfo("Europe/Berlin")).session_time
    assert (moment.at, moment.zone) == (at(2020, 1, 2, 2, 4, 5), "Europe/Berlin")


def test_a_bare_offset_names_itself():
    assert mapped({"TimezoneOffsetFromUTC": "-0500"}).session_time.zone == "UTC-05:00"


def test_a_label_made_of_a_time_shows_the_time_where_it_was_recorded():
    found = mapped({"StudyDescription": None, "TimezoneOffsetFromUTC": "-0500"})
    assert found.session_label == "2020-01-02T03-04-05"


TEXTS = st.one_of(
    st.text(max_size=80),
    st.text(alphabet="0123456789.-+:^=\\ YMWDTZ", max_size=30),
    st.dates().map(lambda day: day.strftime("%Y%m%d")),
)
HEADERS = st.builds(
    Header,
    tags=st.dictionaries(st.sampled_from(sorted(MAPPED_TAGS | set(UIDS))), TEXTS),
    transfer_syntax=st.just(""),
    pixels=st.none(),
    operators=st.lists(TEXTS, max_size=3).map(tuple),
)


@given(HEADERS, st.sampled_from(["UTC", "Europe/Amsterdam", "Pacific/Apia", "America/St_Johns"]))
def test_whatever_the_tags_say_a_header_maps(header, zone):
    found = map_header(header, zone=ZoneInfo(zone))
    assert isinstance(found, Mapped)
    assert max(len(found.subject_label), len(found.session_label), len(found.session_uid)) <= 64
    assert len(found.acquisition_label) <= 128
    assert len(found.modality) <= 16
    assert len(found.operator) <= 1024


@given(HEADERS)
def test_whatever_the_tags_say_nothing_mapped_breaks_a_database(header):
    found = map_header(header, zone=ZONE)
    texts = [value for name in Mapped.__slots__ if isinstance(value := getattr(found, name), str)]
    assert not any("\0" in text or "\n" in text for text in texts)
    "".join(texts).encode()
