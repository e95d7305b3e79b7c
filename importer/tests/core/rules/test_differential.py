"""Ours beside the published reference libraries, on generated cases. Each difference is on a list with its reason."""

import base64
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from importer.core.mapping import map_header
from importer.core.records import Bad
from importer.core.rules.model import SourceFile
from importer.core.rules.parsing import parse
from importer.core.rules.placing import place
from importer.core.rules.problems import RuleError
from importer.core.rules.values import shown
from importer.tests.core import made
from importer.tests.core.rules import differences, generated
from importer.tests.core.rules.differences import WHOLE, Case

ZONE = ZoneInfo("UTC")
REFERENCE = Path(__file__).with_name("reference.py")
FIELDS = {
    "subject.label": "subject_label",
    "subject.firstname": "firstname",
    "subject.lastname": "lastname",
    "subject.sex": "sex",
    "session.uid": "session_uid",
    "session.label": "session_label",
    "session.age": "age_seconds",
    "session.weight": "weight_kg",
    "session.operator": "operator",
    "session.timestamp": "session_time",
    "acquisition.uid": "acquisition_uid",
    "acquisition.label": "acquisition_label",
    "acquisition.timestamp": "acquisition_time",
    "file.name": "instance_name",
}


def reference(asked):
    """What the reference libraries answer, in a process of their own."""
    ran = subprocess.run(
        [sys.executable, str(REFERENCE)],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
        env={"TZ": "UTC"},
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def plain(value):
    """As JSON: nothing is None, a time is in UTC."""
    at = getattr(value, "at", value)
    if isinstance(at, datetime):
        return at.astimezone(UTC).isoformat(timespec="milliseconds")
    return None if value == "" else value


def theirs_plain(field, value):
    return plain(datetime.fromisoformat(value)) if value and field.endswith("timestamp") else plain(value)


def header_cases(header, theirs):
    found = made.read(generated.dicom_file(header))
    if isinstance(found, Bad) or "error" in theirs:
        return [Case(header, WHOLE, getattr(found, "reason", "mapped"), theirs.get("error", "mapped"))]
    mapped = map_header(found, zone=ZONE)
    both = [
        Case(header, field, plain(getattr(mapped, name)), theirs_plain(field, theirs.get(field)))
        for field, name in FIELDS.items()
    ]
    return [case for case in both if case.ours != case.theirs]


@pytest.mark.slow
def test_5000_headers_are_mapped_as_the_reference_maps_them_but_for_the_listed_differences():
    headers = generated.headers(5000)
    files = [base64.b64encode(generated.dicom_file(header)).decode() for header in headers]
    answers = reference({"headers": files})["headers"]
    cases = [case for header, theirs in zip(headers, answers, strict=True) for case in header_cases(header, theirs)]
    left, counts = differences.unlisted(cases, differences.HEADERS)
    assert left == []
    assert [what for what, count in counts.items() if not count] == []
    assert all(isinstance(answer.get("subject.label", ""), str) for answer in answers)


class Content:
    """No DICOM: only the listing is known."""

    def is_dicom(self):
        return False

    def header(self):
        raise AssertionError("nothing asks for a header")


def ours_of(rule, files):
    """The same answers as reference.rules gives."""
    try:
        rules = parse(yaml.safe_dump([rule], allow_unicode=True))
    except RuleError as error:
        return [{"refused": str(error)} for _ in files]
    return [ours_placed(rules, file) for file in files]


def ours_placed(rules, file):
    source = SourceFile(
        path=file["path"], size=file["size"], mtime_ns=file["mtime"] * 10**9, ctime_ns=file["ctime"] * 10**9
    )
    found = place(rules, source, Content(), zone=ZONE)
    if isinstance(found, Bad):
        return {"taken": False, "fields": {}}
    fields = shown(found.mapped) | ({"file.name": found.file_name} if found.file_name else {})
    return {"taken": True, "fields": fields}


def rule_cases(given, ours, theirs):
    if "refused" in ours or "refused" in theirs or "error" in theirs:
        both = [one.get("refused", one.get("error", "placed")) for one in (ours, theirs)]
        return [] if "placed" not in both and "error" not in theirs else [Case(given, WHOLE, *both)]
    if ours["taken"] != theirs["taken"]:
        return [Case(given, "taken", ours["taken"], theirs["taken"])]
    if not ours["taken"]:
        return []
    names = sorted({*ours["fields"], *theirs["fields"]} - {"session.timezone", "acquisition.timezone"})
    both = [Case(given, name, *(flat(name, one["fields"].get(name)) for one in (ours, theirs))) for name in names]
    return [case for case in both if case.ours != case.theirs]


def flat(name, value):
    return theirs_plain(name, value) if isinstance(value, str) else value or None


@pytest.mark.slow
def test_2000_pairs_of_rule_and_path_come_out_as_the_reference_says_but_for_the_listed_differences():
    asked = generated.rules(800, 5)
    answers = reference({"rules": asked})["rules"]
    pairs = [
        ((rule, file), one, other)
        for (rule, files), theirs in zip(asked, answers, strict=True)
        for file, one, other in zip(files, ours_of(rule, files), theirs, strict=True)
    ]
    assert sum("taken" in one and "taken" in other for _, one, other in pairs) >= 2000
    cases = [case for pair in pairs for case in rule_cases(*pair)]
    left, counts = differences.unlisted(cases, differences.RULES)
    assert left == []
    assert [what for what, count in counts.items() if not count] == []
