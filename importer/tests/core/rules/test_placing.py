"""Which rule takes a file, what it gets from it, and why the others did not."""

from zoneinfo import ZoneInfo

import pytest

from importer.core.records import Bad, Header
from importer.core.rules.builtin import BUILT_IN
from importer.core.rules.model import SourceFile, Taken, Way
from importer.core.rules.parsing import parse
from importer.core.rules.placing import explain, place
from importer.core.states import Level

UTC = ZoneInfo("UTC")
TAGS = {
    "PatientID": "P01",
    "StudyInstanceUID": "1.2.3",
    "SeriesInstanceUID": "1.2.3.4",
    "SOPInstanceUID": "1.2.3.4.5",
    "Modality": "MR",
    "StudyDescription": "BRAIN",
    "StudyDate": "20200102",
    "SeriesNumber": "3",
    "SeriesDescription": "t1",
    "ImageType": "ORIGINAL\\PRIMARY",
}


class Content:
    """What a rule may ask; counts how often the header was read."""

    def __init__(self, header=None):
        self.found, self.reads = header, 0

    def is_dicom(self):
        return self.found is not None

    def header(self):
        self.reads += 1
        return self.found


def dicom(**tags):
    return Content(Header(tags={**TAGS, **tags}, transfer_syntax="1.2.840.10008.1.2.1", pixels=None))


def placed(text, path="a/b/c/d.txt", content=None, **facts):
    return place(parse(text), SourceFile(path=path, size=1, **facts), content or Content(), zone=UTC)


def labels(taken):
    assert isinstance(taken, Taken), taken
    return taken.mapped.subject_label, taken.mapped.session_label, taken.mapped.acquisition_label


@pytest.mark.parametrize(("field", "path", "kept"), [
    ("session.tags", "x,y/z/S/V", ["x", "y"]),
    ("session.info.n", "[1]/[2]/S/V", [1]),
    ("session.info.n", '{"a": 1}/2/S/V', {"a": 1}),
])  # fmt: skip
def test_of_two_lines_for_a_list_the_first_wins(field, path, kept):
    lines = [f"path={{{field}}}/**", f"path=*/{{{field}}}/*/*", "path=*/*/{sub}/{ses}"]
    found = placed(f"- level: session\n  mappings: {lines}\n", path)
    assert labels(found)[:2] == ("S", "V")
    assert found.mapped.extra == {field: kept}


def test_what_lies_beside_dicom_has_the_type_and_the_name_that_its_rule_gives():
    text = "- beside_dicom: true\n  type: bruker\n  defaults: [file.info.n=1]\n  overrides: [file.name=acqp.txt]\n"
    found = placed(text)
    assert (found.way, found.file_name) == (Way.BESIDE, "acqp.txt")
    assert found.mapped.extra == {"file.type": "bruker", "file.info.n": 1, "file.name": "acqp.txt"}


def test_a_time_that_has_no_place_in_utc_is_none():
    text = "- level: session\n  mappings: ['path={sub}/{ses}/{session.timestamp}']\n"
    assert placed(text, "S/V/9999-12-31T23:59:59-2359").mapped.session_time is None
    assert placed(text, "S/V/9999-12-31T23:59:59Z").mapped.session_time is not None


def test_the_first_rule_that_matches_takes_the_file():
    text = "- exclude: [name=d.txt]\n- include: [depth=4]\n- {}\n"
    assert placed(text).rule.number == 2


def test_exclude_wins_over_include_and_a_later_rule_may_still_take_it():
    text = "- include: ['path=~*.txt']\n  exclude: ['path=~^a/']\n- level: project\n"
    taken = placed(text)
    assert (taken.rule.number, taken.missing) == (2, None)


def test_no_file_vanishes():
    assert placed("- include: [name=x]\n") == Bad("skipped", "No rule matched")


def test_a_file_that_is_no_dicom_is_said_to_be_none_where_a_rule_asks():
    found = placed(BUILT_IN["dicom-only"].text)
    assert found.outcome == "skipped"
    assert found.reason.startswith("Not DICOM")


def test_a_rule_whose_filters_do_not_match_does_not_ask_for_dicom():
    assert placed("- type: dicom\n  include: [name=x]\n").reason == "No rule matched"


def test_a_broken_header_is_the_files_own_fault():
    bad = Bad("failed", "Unreadable: x")
    assert placed(BUILT_IN["standard"].text, content=Content(bad)) is bad


def test_a_header_is_not_read_for_rules_that_cannot_take_the_file():
    content = dicom()
    assert placed("- type: dicom\n  include: [name=x]\n- {}\n", content=content).way is Way.PATH
    assert content.reads == 0


@pytest.mark.parametrize(
    ("filters", "takes"),
    [
        ("include: [Modality=mr]", True),
        ("include: [Modality=CT]", False),
        ("include: [Modality=CT, name=d.txt]", True),
        ("exclude: [Modality=MR]", False),
        ("include: ['SeriesNumber<10']", True),
        ("include: ['SeriesNumber>=10']", False),
        ("include: ['StudyDate>=2020-01-02']", True),
        ("include: ['StudyDate>2020']", False),
        ("include: ['ImageType=PRIMARY']", True),
        ("include: ['ImageType!=PRIMARY']", False),
        ("include: ['ImageType!=DERIVED']", True),
        ("include: ['ImageType=~^orig']", True),
        ("include: ['EchoTime!=3']", False),
        ("include: ['StudyComments!=x']", False),
        ("include: ['0008,0060=MR']", True),
    ],
)
def test_files_are_chosen_by_their_header(filters, takes):
    found = placed(f"- type: dicom\n  {filters}\n", content=dicom())
    assert isinstance(found, Taken) is takes


def test_mappings_come_before_the_header_and_overrides_after_all():
    text = """
- type: dicom
  mappings: ["{StudyDate:%Y-%m}=session", "{SeriesNumber:03d}_{SeriesDescription/t(.)/T\\\\1}=acquisition"]
  defaults: [session.label=nobody, subject.species=mouse]
  overrides: [subject.label=S]
"""
    taken = placed(text, content=dicom())
    assert labels(taken) == ("S", "2020-01", "003_T1")
    assert taken.mapped.session_uid == "1.2.3"
    assert taken.mapped.extra == {"subject.species": "mouse"}


def test_the_header_says_more_than_defaults():
    assert labels(placed("- type: dicom\n  defaults: [session=x]\n", content=dicom()))[1] == "BRAIN"


def test_an_empty_override_deletes_a_field():
    taken = placed("- type: dicom\n  overrides: [session.label=]\n", content=dicom())
    assert taken.missing is Level.SESSION


def test_defaults_beat_folder_names():
    """The published readers have it the other way round, and document it as a trap."""
    assert labels(placed("- defaults: [session=base]\n")) == ("a", "base", "c")


def test_a_rule_that_reads_the_path_gets_no_folder_names():
    taken = placed("- mappings: ['path={sub}/*/{acq}/*']\n")
    assert labels(taken) == ("a", "", "c")
    assert taken.missing is Level.SESSION


@pytest.mark.parametrize(
    ("level", "found", "missing"),
    [
        ("acquisition", ("a", "b", "c"), None),
        ("session", ("b", "c", ""), None),
        ("subject", ("c", "", ""), None),
        ("project", ("", "", ""), None),
    ],
)
def test_folders_are_counted_upwards_from_the_level(level, found, missing):
    taken = placed(f"- level: {level}\n")
    assert (labels(taken), taken.missing) == (found, missing)


def test_what_is_packed_together_is_told_apart_by_its_group():
    text = "- type: dicom\n  dicom_group_by: [StudyInstanceUID]\n  group_by: [dir, AcquisitionNumber]\n"
    assert placed(text, content=dicom(AcquisitionNumber="7")).group == ("1.2.3", "a/b/c", "7")
    assert placed("- zip: true\n").group == ("a/b/c",)
    assert placed("- {}\n").group == ()


def test_a_member_is_called_as_the_rule_says():
    text = "- type: dicom\n  dicom_instance_name: '{SeriesNumber:03}-{InstanceNumber|none}/x.dcm'\n"
    assert placed(text, content=dicom()).member == "003-none_x.dcm"


def test_a_times_format_reads_what_it_is_given():
    """Documented by the published library, and broken in it."""
    taken = placed(
        "- mappings: ['name={acquisition.timestamp:%Y%m%d_%H%M%S}_{sub}.log']\n", path="20200102_030405_P.log"
    )
    assert taken.mapped.acquisition_time.at.isoformat() == "2020-01-02T03:04:05+00:00"
    assert taken.mapped.subject_label == "P"


def test_a_members_name_is_its_own_and_its_path_the_whole():
    text = "- include: ['path=~a.zip::*.dcm']\n  mappings: ['path={sub}/a.zip::{acq}/*']\n  defaults: [session=x]\n"
    taken = placed(text, path="S/a.zip::T1/1.dcm")
    assert labels(taken) == ("S", "x", "T1")
    assert placed(text, path="S/b.zip::T1/1.dcm") == Bad("skipped", "No rule matched")


def test_every_rule_says_why_it_did_not_take_the_file():
    text = """
- {name: scans, type: dicom}
- {name: small, include: ["size<1"]}
- {name: not here, exclude: ["path=~^a/"]}
- {name: folders}
- {name: rest}
"""
    found = explain(parse(text), SourceFile(path="a/b/c/d.txt", size=1), Content(), zone=UTC)
    assert [(one.name, one.taken, one.said) for one in found.rules] == [
        ("scans", False, "it is no DICOM"),
        ("small", False, "not included by size<1"),
        ("not here", False, "excluded by path=~^a/"),
        ("folders", True, "takes the file"),
        ("rest", False, "rule 4 comes first"),
    ]
    assert found.fields == {"subject.label": "a", "session.label": "b", "acquisition.label": "c"}


def test_a_file_outside_the_whole_set_is_said_to_be_outside():
    rules = parse("exclude: [name=d.txt]\nrules:\n  - {}\n")
    found = explain(rules, SourceFile(path="a/b/c/d.txt", size=1), Content(), zone=UTC)
    assert found.result == Bad("skipped", "No rule matched")
    assert found.rules[0].said == "outside the rule set: excluded by name=d.txt"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("sub-01/ses-02/anat/sub-01_T1w.nii.gz", ("01", "02", "anat", "sub-01_T1w.nii.gz", Level.ACQUISITION)),
        ("sub-01/ses-02/meg/x.ds/data", ("01", "02", "meg", "x.ds_data", Level.ACQUISITION)),
        ("sub-01/ses-02/scans.tsv", ("01", "02", "", "scans.tsv", Level.SESSION)),
        ("sub-01/anat/x.nii.gz", ("01", "01", "anat", "x.nii.gz", Level.ACQUISITION)),
        ("sub-01/sessions.tsv", ("01", "", "", "sessions.tsv", Level.SUBJECT)),
        ("participants.tsv", ("", "", "", "participants.tsv", Level.PROJECT)),
        ("code/run.py", ("", "", "", "code_run.py", Level.PROJECT)),
    ],
)
def test_a_bids_dataset_is_placed(path, expected):
    taken = placed(BUILT_IN["bids"].text, path=path)
    assert (*labels(taken), taken.file_name, taken.rule.level) == expected
    assert taken.missing is None


def test_behind_a_broken_header_it_is_said_which_rule_came_first():
    broken = Content(Bad("failed", "Truncated: 5 of 9 bytes"))
    text = "- include: [ext=nii]\n- type: dicom\n- type: dicom\n- beside_dicom: true\n"
    said = explain(parse(text), SourceFile(path="a.dcm", size=1), broken, zone=UTC).rules
    assert [(one.taken, one.said) for one in said] == [
        (False, "not included by ext=nii"),
        (False, "Truncated: 5 of 9 bytes"),
        (False, "Truncated: 5 of 9 bytes"),
        (False, "rule 2 comes first"),
    ]
