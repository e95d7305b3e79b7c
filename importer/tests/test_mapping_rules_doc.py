"""docs/mapping-rules.md is true: its rules parse, its tables are what they give, its commands run."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command

from importer.core.recognise import claims_dicom
from importer.core.records import Header
from importer.core.rules.builtin import BUILT_IN
from importer.core.rules.model import SourceFile, Taken, Way
from importer.core.rules.parsing import parse
from importer.core.rules.placing import place
from importer.core.rules.schema import schema
from importer.core.rules.values import shown
from importer.core.states import Level
from importer.models import ImportJob

ROOT = Path(__file__).resolve().parents[2]
DOC = (ROOT / "docs" / "mapping-rules.md").read_text()
ZONE = ZoneInfo("UTC")
IDS = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.4", "SOPInstanceUID": "1.2.3.4.5"}
LEVELS = {Level.PROJECT: 0, Level.SUBJECT: 1, Level.SESSION: 2, Level.ACQUISITION: 3}
CELL = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True)
class Example:
    """A block of rules and the rows of the table below it, each as {column: text}."""

    text: str
    rows: tuple[dict[str, str], ...]


def examples():
    parts = re.split(r"```yaml\n(.*?)```\n", DOC, flags=re.DOTALL)
    return [Example(text, tuple(rows(after))) for text, after in zip(parts[1::2], parts[2::2], strict=True)]


def rows(after):
    """Of the table that follows at once, if its first column is the path."""
    table = []
    for line in after.lstrip("\n").splitlines():
        if not line.startswith("| "):
            if not line.startswith("|"):
                break
            continue
        table.append([cell.strip() for cell in CELL.split(line)[1:-1]])
    if not table or table[0][0] != "path":
        return []
    return [dict(zip(table[0], cells, strict=True)) for cells in table[1:]]


EXAMPLES = examples()
ROWS = [(example.text, row) for example in EXAMPLES for row in example.rows]


class Content:
    def __init__(self, path, header):
        self.is_header = bool(header) or claims_dicom(path)
        pairs = (pair.split("=", 1) for pair in header.split(", ")) if header else ()
        self.tags = IDS | dict(pairs)

    def is_dicom(self):
        return self.is_header

    def header(self):
        return Header(tags=self.tags, transfer_syntax="", pixels=None)


def result(text, row):
    """As the tables write it."""
    path, wanted = row["path"].strip("`"), row["result"]
    found = place(parse(text), SourceFile(path=path, size=4096), Content(path, row.get("header", "")), zone=ZONE)
    if not isinstance(found, Taken):
        return f"{found.outcome}: {found.reason}"
    if found.way is Way.BESIDE:
        return "beside the DICOM around it"
    if found.missing:
        return f"missing: {found.missing}"
    mapped, depth = found.mapped, LEVELS[found.rule.level]
    labels = [mapped.subject_label, mapped.session_label, mapped.acquisition_label][:depth]
    fields = {name: str(value) for name, value in shown(mapped).items()}
    extra = "".join(f"; {name}={fields.get(name)}" for name in re.findall(r"; ([\w.]+)=", wanted))
    number = f" (rule {found.rule.number})" if "(rule" in wanted else ""
    return (" / ".join(labels) or "project") + extra + number


def test_there_are_many_examples():
    assert len(EXAMPLES) > 20
    assert len(ROWS) > 40


@pytest.mark.parametrize("text", [example.text for example in EXAMPLES])
def test_an_example_parses(text):
    assert parse(text).rules


@pytest.mark.parametrize(("text", "row"), ROWS, ids=[f"{number} {row['path']}" for number, (_, row) in enumerate(ROWS)])
def test_a_row_is_what_the_rules_give(text, row):
    assert result(text, row) == row["result"]


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_set_is_shown_as_it_is(name):
    assert f"**`{name}`**" in DOC
    assert BUILT_IN[name].text in [example.text for example in EXAMPLES]


def test_every_key_is_told_about():
    whole = schema()["anyOf"][1]["properties"]
    for key in (*whole, *whole["rules"]["items"]["properties"]):
        assert re.search(rf"`{key}`|^ *-? ?{key}:", DOC, re.MULTILINE), key


def test_links_inside_lead_somewhere():
    heads = {
        re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in re.findall(r"^#+ (.*)$", DOC, re.MULTILINE)
    }
    assert set(re.findall(r"\(#([\w-]+)\)", DOC)) <= heads
    for name in re.findall(r"\]\(([\w-]+\.md)\)", DOC):
        assert (ROOT / "docs" / name).is_file()
    assert "docs/mapping-rules.md" in (ROOT / "README.md").read_text()


def exit_status(*words):
    try:
        call_command(*words)
    except SystemExit as end:
        return end.code or 0
    return 0


COMMANDS = re.findall(r"^\$ manage\.py (.*)$", DOC, re.MULTILINE)


@pytest.mark.django_db(transaction=True)
def test_commands_run_in_their_order(project, places, tmp_path, monkeypatch):
    file = tmp_path / "in" / "S001" / "V1" / "T1" / "scan.nii.gz"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"not much of a scan")
    (tmp_path / "study.rules.yaml").write_text(EXAMPLES[0].text)
    monkeypatch.chdir(tmp_path)
    for command in COMMANDS:
        words = shlex.split(command)
        if words[0] == "approve_import":
            words[1] = str(ImportJob.objects.latest("pk").pk)
        assert exit_status(*words) == 0, command
    last = ImportJob.objects.latest("pk")
    assert (last.status, last.imported) == ("completed", 1)
