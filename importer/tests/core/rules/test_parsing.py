"""A rules file: what is understood, and where what is wrong stands."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from importer.core.rules.builtin import BUILT_IN
from importer.core.rules.parsing import MOST_CHARACTERS, MOST_RULES, RULE_KEYS, SET_KEYS, parse
from importer.core.rules.problems import RuleError
from importer.core.rules.schema import schema
from importer.core.states import Level, MissingMeta, Strategy, UidScope


def problems(text):
    with pytest.raises(RuleError) as caught:
        parse(text)
    return [(one.line, one.column, one.said) for one in caught.value.problems]


def only(text):
    found = problems(text)
    assert len(found) == 1, found
    return found[0]


def test_a_list_of_rules_is_a_rule_set():
    rules = parse("- type: dicom\n- level: session\n  zip: true\n")
    assert [(one.number, one.line, one.is_dicom, one.level, one.zips) for one in rules.rules] == [
        (1, 1, True, Level.ACQUISITION, True),
        (2, 2, False, Level.SESSION, True),
    ]


def test_a_rule_set_says_what_an_import_does_by_itself():
    text = "type: import\nlabel: weekly\ndescription: d\nconflict_strategy: skip\nuid_scope: site\nmissing_meta: fail\n"
    rules = parse(text + "rules:\n  - type: dicom\n")
    assert (rules.name, rules.description) == ("weekly", "d")
    assert (rules.strategy, rules.uid_scope, rules.missing_meta) == (Strategy.SKIP, UidScope.SITE, MissingMeta.FAIL)


def test_singular_words_are_understood():
    one = parse("- mapping: path={sub}/*\n  default: session=x\n  override: acq=y\n").rules[0]
    assert [line.text for line in one.mappings] == ["path={sub}/*"]
    assert one.defaults == (("session.label", "x"),)
    assert one.overrides == (("acquisition.label", "y"),)


def test_mappings_and_values_may_be_written_as_a_mapping():
    one = parse(
        "- mappings: {path: '{sub}/*'}\n  defaults: {session: 01, info.n: 3}\n  overrides: {file.type:}\n"
    ).rules[0]
    assert one.mappings[0].text == "path={sub}/*"
    assert one.defaults == (("session.label", "01"), ("file.info.n", "3"))
    assert one.overrides == (("file.type", ""),)


def test_the_headers_that_rules_read_are_known_beforehand():
    text = (
        "- type: dicom\n  include: [Modality=MR]\n  mappings: ['{StudyID}=session']\n  dicom_group_by: ['0020,0012']\n"
    )
    text += "  dicom_instance_name: '{InstanceNumber}.dcm'\n  group_by: [EchoTime]\n"
    assert parse(text).keywords == {"Modality", "StudyID", "AcquisitionNumber", "InstanceNumber", "EchoTime"}


@pytest.mark.parametrize(
    ("text", "place", "part"),
    [
        ("", (1, 1), "There are no rules"),
        ("just words", (1, 1), "list of rules"),
        ("name: x\n", (1, 1), "There are no rules"),
        ("- typ: dicom\n", (1, 3), "Did you mean type?"),
        ("- type: dicom\n  type: x\n", (2, 3), "stands twice"),
        ("- level: sesion\n", (1, 10), "Did you mean session?"),
        ("- level: group\n", (1, 10), "none of acquisition, session, subject, project"),
        ("- zip: maybe\n", (1, 8), "true or false"),
        ("- include: [path]\n", (1, 13), "operator"),
        ("- include:\n    - size=~1\n", (2, 11), "not with =~"),
        ("- include:\n    - 'path=~('\n", (2, 14), "no regular expression"),
        ("- include: [Modality=MR]\n", (1, 13), "add `type: dicom`"),
        ("- mappings:\n    - path={subjct}/*\n", (2, 13), "Did you mean subject?"),
        ("- mappings:\n    - patth={sub}\n", (2, 7), "Did you mean path?"),
        ("- mappings:\n    - {path}={sub}\n", (2, 13), "needs quotes"),
        ("- defaults: [session]\n", (1, 14), "field=value"),
        ("- defaults: ['session=']\n", (1, 23), "empty"),
        ("- dicom_split_localizer: true\n", (1, 26), "needs type: dicom"),
        ("- group_by: dir\n", (1, 13), "add zip: true"),
        ("- type: dicom\n  dicom_group_by: [SeriesUID]\n", (2, 20), "no DICOM keyword"),
        ("- beside_dicom: true\n  level: session\n", (2, 10), "leave out level"),
        ("rules: 3\n", (1, 8), "begin each rule with a dash"),
        ("fail_fast: 3\nrules:\n  - type: dicom\n", (1, 1), "There is no key fail_fast"),
        ("a: [", (1, 5), "not YAML"),
        ("- type: \x07\n", (1, 9), "character"),
        ("- zip: !!bool maybe\n", (1, 8), "true or false"),
        ("- type: DICOM\n", (1, 9), "small letters"),
        ("- mappings: {path: [a, b]}\n", (1, 20), "no text"),
        ("- mappings: {[a]: b}\n", (1, 14), "no text"),
        ("- defaults: ['sub=...']\n", (1, 19), "Nothing is left"),
        ("- overrides: {ses: ' . '}\n", (1, 19), "Nothing is left"),
        ("- overrides: [acq.uid=...]\n", (1, 23), "Nothing is left"),
        ("- beside_dicom: true\n  overrides: [acq=x]\n", (2, 15), "leave out acquisition.label"),
        ("- mappings: ['path={session.timestamp:%d%d}']\n", (1, 41), "stands twice"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(text, place, part):
    line, column, said = only(text)
    assert (line, column) == place, said
    assert part in said


def test_everything_that_is_wrong_is_found_at_once_in_order():
    found = problems("- typ: x\n  include: [foo=1, size>x]\n- level: y\n")
    assert [line for line, _, _ in found] == [1, 2, 2, 3]


def test_what_is_too_much_is_refused():
    assert "longer" in only("#" * (MOST_CHARACTERS + 1))[2]
    assert "more than" in only("- type: dicom\n" * (MOST_RULES + 1))[2]
    assert problems("&a [" + "*a, " * 10 + "*a]")
    assert problems("[" * 5000)


def test_no_tag_of_yaml_makes_an_object():
    assert only("!!python/object/apply:os.system ['true']")[0] == 1


def test_the_schema_and_the_parser_know_the_same_keys():
    rules, whole = schema()["anyOf"]
    singular = {"mapping", "default", "override"}
    assert set(rules["items"]["properties"]) - singular == set(RULE_KEYS)
    assert set(whole["properties"]) - {"label"} == set(SET_KEYS)


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_sets_parse_and_fit_the_schema(name):
    assert parse(BUILT_IN[name].text).name == name
    jsonschema.validate(yaml.safe_load(BUILT_IN[name].text), schema())


def test_the_schema_refuses_what_the_parser_refuses():
    jsonschema.Draft202012Validator.check_schema(schema())
    for text in ("- typ: x", "- level: group", "rules: 3", "- zip: maybe", "- mappings: {path: [a, b]}"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(yaml.safe_load(text), schema())
        assert problems(text)
    assert json.loads(json.dumps(schema())) == schema()


def test_nothing_but_re2_matches_in_rules():
    """`re` may look at short pieces of a rule's own text, never at what a person's expression says."""
    folder = Path(__file__).parents[3] / "core" / "rules"
    compiled = [path.name for path in folder.glob("*.py") if "regexes.compiled" in path.read_text()]
    assert set(compiled) >= {"filters.py", "patterns.py", "templates.py"}
    assert "import re\n" not in (folder / "regexes.py").read_text()
