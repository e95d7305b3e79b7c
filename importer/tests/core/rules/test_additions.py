"""What a command line adds to a rule set."""

import pytest

from importer.core.rules.additions import Additions, merged
from importer.core.rules.builtin import BUILT_IN
from importer.core.rules.parsing import parse
from importer.core.rules.problems import RuleError
from importer.core.states import Level

STANDARD = BUILT_IN["standard"].text


def test_without_additions_the_text_is_the_same():
    assert merged(STANDARD, Additions()) == STANDARD


def test_filters_narrow_the_whole_set():
    rules = parse(merged(STANDARD, Additions(include=("path=~x", "path=~y"), exclude=("name=z",))))
    assert [one.text for one in rules.include] == ["path=~x", "path=~y"]
    assert [one.text for one in rules.exclude] == ["name=z"]


def test_include_does_not_widen_a_set_that_narrows_itself():
    with pytest.raises(RuleError, match="change it there"):
        merged("include: [name=a]\nrules: [{type: dicom}]\n", Additions(include=("name=b",)))


def test_a_mapping_goes_to_the_rules_that_can_read_it():
    rules = parse(merged(STANDARD, Additions(mappings=("PatientName=subject", "path={sub}/*")))).rules
    assert [line.text for line in rules[0].mappings] == ["PatientName=subject", "path={sub}/*"]
    assert [line.text for line in rules[1].mappings] == ["path={sub}/*"]
    assert not rules[1].beside_dicom


def test_a_rule_that_gets_nothing_new_stays_beside_the_dicom():
    assert parse(merged(STANDARD, Additions(mappings=("PatientName=subject",)))).rules[1].beside_dicom


def test_values_win_over_those_of_the_rules_and_mappings_come_first():
    text = "- mappings: ['name={acq}']\n  defaults: {session.label: 01, subject: s}\n"
    one = parse(
        merged(text, Additions(mappings=("path={sub}/*",), defaults=("session=b",), overrides=("acq=c",)))
    ).rules[0]
    assert [line.text for line in one.mappings] == ["path={sub}/*", "name={acq}"]
    assert dict(one.defaults) == {"subject.label": "s", "session.label": "b"}
    assert one.overrides == (("acquisition.label", "c"),)


def test_the_level_is_that_of_every_rule():
    rules = parse(merged(STANDARD, Additions(level=Level.SESSION))).rules
    assert {one.level for one in rules} == {Level.SESSION}


def test_a_mapping_may_use_what_those_before_it_took_also_where_only_dicom_has_it():
    lines = ("path={@v}/*", "subject=S {!@v}", "PatientID={@p}", "session={!@p}")
    image, other = parse(merged("- type: dicom\n- level: session\n", Additions(mappings=lines))).rules
    assert [line.text for line in image.mappings] == list(lines)
    assert [line.text for line in other.mappings] == list(lines[:2])
    with pytest.raises(RuleError, match="@v"):
        merged(STANDARD, Additions(mappings=("subject=S {!@v}", "path={@v}/*")))


@pytest.mark.parametrize(
    "wrong",
    [Additions(include=("foo=1",)), Additions(mappings=("path={nope}",)), Additions(defaults=("session",))],
)
def test_what_is_wrong_with_an_addition_is_said(wrong):
    with pytest.raises(RuleError):
        merged(STANDARD, wrong)


def test_values_stay_as_they_are_written():
    text = "- defaults: {session: 01, acq: 2020-01-02}\n  zip: true\n"
    one = parse(merged(text, Additions(exclude=("name=x",)))).rules[0]
    assert one.defaults == (("session.label", "01"), ("acquisition.label", "2020-01-02"))
    assert one.zip is True


def test_what_lies_beside_dicom_takes_no_label_of_an_addition_but_the_rest():
    image, other = parse(merged(STANDARD, Additions(overrides=("ses=V9", "session.info.site=x")))).rules
    assert image.overrides == (("session.label", "V9"), ("session.info.site", "x"))
    assert (other.beside_dicom, other.overrides) == (True, (("session.info.site", "x"),))
