"""check_rules and rule_set: what scripts and editors rely on."""

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from hierarchy.tests.factories import make_project
from importer import rule_sets
from importer.core.rules.builtin import BUILT_IN
from importer.models import RuleSet
from importer.tests.pipeline.drive import instance, put
from importer.tests.rule_sets import BAD, OTHER, TEXT, by, make_rule_set

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.django_db


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def shell(capsys):
    """Exit status and standard output of a command in this process."""

    def run(*words):
        capsys.readouterr()
        status = 0
        try:
            call_command(*map(str, words))
        except SystemExit as end:
            status = end.code
        return status, capsys.readouterr().out

    return run


def refused(*words):
    with pytest.raises(CommandError) as refusal:
        call_command(*map(str, words))
    assert refusal.value.returncode == 2
    return str(refusal.value)


def listed(shell, *words):
    return json.loads(shell("rule_set", "list", "--json", *words)[1])


# check_rules


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_set_is_fine(shell, here, name):
    status, said = shell("check_rules", name)
    assert status == 0
    assert said.endswith(("rule, fine\n", "rules, fine\n"))
    assert said.startswith(f"{name}: ")


def test_a_file_and_a_set_that_somebody_keeps_are_checked_alike(shell, here, project):
    (here / "mine.yaml").write_text(OTHER)
    make_rule_set("weekly", TEXT, project=project)
    assert shell("check_rules", "mine.yaml") == (0, "mine.yaml: 2 rules, fine\n")
    assert shell("check_rules", "weekly") == (0, "weekly: 1 rule, fine\n")
    assert shell("check_rules", "weekly", "--project", "lab/Brain") == (0, "weekly: 1 rule, fine\n")
    assert json.loads(shell("check_rules", "mine.yaml", "--json")[1]) == {
        "rules": "mine.yaml", "count": 2, "problems": [], "samples": [],
    }  # fmt: skip


def test_every_problem_has_a_line_as_editors_read_it(shell, here):
    (here / "bad.yaml").write_text(BAD)
    status, said = shell("check_rules", "bad.yaml", "no-such-sample")
    first, second = said.splitlines()
    assert status == 2
    assert first == "bad.yaml:1:10: sesion is none of acquisition, session, subject, project. Did you mean session?"
    assert second.startswith("bad.yaml:2:")
    status, said = shell("check_rules", "bad.yaml", "--json")
    assert (status, [one["line"] for one in json.loads(said)["problems"]]) == (2, [1, 2])


def test_a_word_that_is_neither_file_nor_set_is_refused(here, project):
    assert refused("check_rules", "bidz").startswith("There is no file bidz.")
    assert "Did you mean bids" in refused("check_rules", "bidz", "--project", "lab/Brain")
    assert "no project" in refused("check_rules", "bids", "--project", "lab/Nowhere")
    (here / "odd.yaml").write_bytes(b"\xff")
    assert "UTF-8" in refused("check_rules", "odd.yaml")


def test_a_name_is_found_for_its_project_and_for_who_may_see_it(shell, here, project, people):
    make_rule_set("weekly", TEXT, project=project)
    make_rule_set("weekly", OTHER, project=make_project())
    assert "several rule sets weekly" in refused("check_rules", "weekly")
    assert shell("check_rules", "weekly", "--project", "lab/Brain")[1] == "weekly: 1 rule, fine\n"
    assert shell("check_rules", "weekly", "--as", people.viewer.username)[1] == "weekly: 1 rule, fine\n"
    assert "There is no rule set weekly" in refused("check_rules", "weekly", "--as", people.stranger.username)


def test_samples_are_read_and_told_with_place_rule_fields_and_the_reasons_of_the_others(shell, here):
    put(here / "in" / "1.dcm", instance(1))
    put(here / "in" / "notes.txt")
    status, said = shell("check_rules", "standard", "in")
    image, rest = said.split("notes.txt\n", 1)
    assert status == 0
    assert image.startswith("1.dcm\n  taken     P01 / ")
    assert "by rule 1 (DICOM by header)" in image
    assert "    subject.label " in image
    assert "    not rule 2 (other files beside it): rule 1 comes first" in image
    assert rest.startswith("  beside    P01 / ")
    assert "not rule 1 (DICOM by header): it is no DICOM" in rest
    assert said.endswith("2 of 2 taken\n")


def test_a_sample_that_no_rule_takes_exits_with_one_and_says_why(shell, here):
    put(here / "in" / "a" / "x.txt")
    put(here / "in" / "b.dcm", b"no image")
    put(here / "in" / "empty", b"")
    put(here / "in" / ".DS_Store")
    status, said = shell("check_rules", "dicom-only", "in", "--json")
    found = {one["path"]: (one["taken"], one["result"], one["reason"]) for one in json.loads(said)["samples"]}
    assert status == 1
    assert {path: one[:2] for path, one in found.items()} == {
        ".DS_Store": (False, "skipped"), "a/x.txt": (False, "skipped"),
        "b.dcm": (False, "failed"), "empty": (False, "skipped"),
    }  # fmt: skip
    assert found["empty"][2] == "Zero-byte file"
    assert found["a/x.txt"][2].startswith("Not DICOM")
    assert found["b.dcm"][2].startswith("Unreadable")


def test_what_lacks_a_label_is_not_taken(shell, here):
    put(here / "in" / "T1" / "a.txt")
    status, said = shell("check_rules", "by-path", "in")
    assert (status, "Missing label: subject" in said) == (1, True)


def paths(shell, *words):
    return [one["path"] for one in json.loads(shell("check_rules", "by-path", *words, "--json")[1])["samples"]]


def test_paths_count_from_the_folder_the_current_folder_or_the_root_that_is_named(shell, here, monkeypatch):
    file = put(here / "in" / "P01" / "V1" / "T1" / "a.txt")
    assert paths(shell, "in") == ["P01/V1/T1/a.txt"]
    assert paths(shell, "in/P01") == ["V1/T1/a.txt"]
    assert paths(shell, "in/P01", "--root", "in") == ["P01/V1/T1/a.txt"]
    assert paths(shell, "in/P01/V1/T1/a.txt") == ["in/P01/V1/T1/a.txt"]
    assert paths(shell, file, "--root", here / "in") == ["P01/V1/T1/a.txt"]
    monkeypatch.chdir(here / "in" / "P01")
    assert paths(shell, "../P01/V1/T1/a.txt") == ["V1/T1/a.txt"]
    assert paths(shell, ".") == ["V1/T1/a.txt"]
    monkeypatch.chdir("/usr")
    assert paths(shell, file) == [str(file.resolve()).removeprefix("/")]
    assert "does not lie in" in refused("check_rules", "bids", file, "--root", "/usr")


def test_what_another_program_writes_is_checked_and_what_never_ends_is_too_long(here, shell, project):
    program = [sys.executable, "-c", "print('- type: dicom')"]
    with subprocess.Popen(program, stdout=subprocess.PIPE) as writer:
        code, said = shell("check_rules", f"/dev/fd/{writer.stdout.fileno()}")
    assert (code, said.endswith(": 1 rule, fine\n")) == (0, True)
    for words in (["check_rules"], ["rule_set", "create", "x"]):
        assert "64 KiB" in told(shell, *words, "/dev/zero")


def told(shell, *words):
    """What is said of it, on either stream."""
    try:
        code, said = shell(*words)
    except CommandError as error:
        code, said = error.returncode, str(error)
    assert code == 2
    return said


def test_a_sample_that_is_not_there_and_a_folder_without_files_are_refused(here):
    (here / "empty").mkdir()
    assert "There is no file or folder nowhere" in refused("check_rules", "bids", "nowhere")
    assert "There are no files" in refused("check_rules", "bids", "empty")


def test_a_link_is_not_followed(shell, here):
    put(here / "secret")
    (here / "in").mkdir()
    (here / "in" / "link").symlink_to(here / "secret")
    for sample in ("in", "in/link"):
        (one,) = json.loads(shell("check_rules", "standard", sample, "--json")[1])["samples"]
        assert (one["taken"], one["result"]) == (False, "skipped")


def test_members_of_an_archive_that_a_rule_asks_for_are_samples_of_their_own(shell, here):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("x/1.dcm", instance(1))
        archive.writestr("notes.txt", b"hello")
    put(here / "in" / "a.zip", data.getvalue())
    (here / "zip.yaml").write_text("- {include: 'path=~a.zip::*.dcm', type: dicom}\n")
    status, said = shell("check_rules", "zip.yaml", "in", "--json")
    found = {one["path"]: one["taken"] for one in json.loads(said)["samples"]}
    assert (status, found) == (1, {"a.zip::notes.txt": False, "a.zip::x/1.dcm": True})


def test_control_characters_of_names_and_tags_are_spelled_out(shell, here):
    put(here / "in" / "a" / "b" / "two\nlines\u202egpj" / "x.txt")
    said = shell("check_rules", "by-path", "in")[1]
    assert r"a/b/two\nlines\u202egpj/x.txt" in said
    assert "\u202e" not in said


# rule_set


def test_a_set_is_kept_changed_shown_and_taken_out(shell, here, project):
    (here / "one.yaml").write_text(f"name: x\ndescription: Mondays\nrules:\n{TEXT}")
    (here / "two.yaml").write_text(OTHER)
    assert shell("rule_set", "create", "weekly", "one.yaml", "--project", "lab/Brain", "--default")[0] == 0
    made = RuleSet.objects.get()
    assert (made.name, made.description, made.project, made.is_default) == ("weekly", "Mondays", project, True)
    assert "version 2 now" in shell("rule_set", "update", "weekly", "two.yaml", "--description", "Tuesdays")[1]
    said = shell("rule_set", "show", "weekly")[1]
    assert said.splitlines()[0] == f"{made.pk}\tweekly\tproject\tlab/Brain\tv2\tdefault"
    assert "Tuesdays\nversion 2\t" in said
    assert said.endswith(f"\n\n{OTHER}")
    assert "+- level: session" in shell("rule_set", "show", "weekly", "--diff", 1, 2)[1]
    assert shell("rule_set", "show", "weekly", "--diff", 2, 2)[1] == "They are the same.\n"
    assert shell("rule_set", "export", "weekly")[1] == OTHER
    shell("rule_set", "export", made.pk, "--version", 1, "--output", "out.yaml")
    assert (here / "out.yaml").read_text() == (here / "one.yaml").read_text()
    assert [version.who for version in made.versions.all()] == ["system", "system"]


def test_a_set_is_archived_restored_and_made_the_default(shell, project):
    made = make_rule_set(project=project)
    assert "is the default of lab/Brain" in shell("rule_set", "default", "weekly")[1]
    assert "take that away first" in refused("rule_set", "archive", "weekly")
    assert "is not the default of lab/Brain" in shell("rule_set", "default", "weekly", "--off")[1]
    assert "is archived" in shell("rule_set", "archive", made.pk)[1]
    assert [row["name"] for row in listed(shell)] == list(BUILT_IN)
    assert listed(shell, "--archived")[-1]["archived"] is True
    assert "can be chosen again" in shell("rule_set", "restore", "weekly", "--project", "lab/Brain")[1]


def test_a_copy_of_a_built_in_one_is_one_s_own(shell, project):
    shell("rule_set", "create", "ours", "--from", "bids", "--group", "lab", "--description", "D")
    made = RuleSet.objects.get()
    assert (made.group, made.versions.get().text, made.description) == (project.group, BUILT_IN["bids"].text, "D")


def test_rules_come_from_standard_input(shell, db, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    shell("rule_set", "create", "piped", "-")
    assert RuleSet.objects.get().versions.get().text == TEXT


def test_a_description_alone_is_no_version(shell, project):
    make_rule_set(project=project)
    assert "still version 1" in shell("rule_set", "update", "weekly", "--description", "D")[1]
    assert "Say what is new" in refused("rule_set", "update", "weekly")


def test_the_list_is_newest_first_filtered_sorted_and_paged(shell, project):
    made = [make_rule_set(f"set {number}", project=project).pk for number in range(5)]
    make_rule_set("other", group=project.group)
    assert [row["name"] for row in listed(shell)] == [*BUILT_IN, "other", *(f"set {n}" for n in (4, 3, 2, 1, 0))]
    assert [row["id"] for row in listed(shell, "--filter", "name~SET", "--limit", 2)] == made[:2:-1]
    assert [row["id"] for row in listed(shell, "--after-id", made[2])] == [made[1], made[0]]
    assert [row["id"] for row in listed(shell, "--after-id", made[2], "--sort", "id")][:2] == made[3:]
    assert [row["name"] for row in listed(shell, "--filter", "group=lab")] == ["other"]
    assert [row["name"] for row in listed(shell, "--filter", "default=true")] == []
    assert listed(shell, "--sort", "name", "--filter", "project=Brain")[0]["name"] == "set 0"
    assert shell("rule_set", "list")[1].splitlines()[0] == "-\tstandard\tbuilt-in"
    for words in (["--filter", "colour=red"], ["--filter", "id=x"], ["--sort", "colour"], ["--limit", "0"]):
        refused("rule_set", "list", *words)


def test_what_is_wrong_is_refused_with_its_file_and_place(here, project):
    (here / "bad.yaml").write_text(BAD)
    made = make_rule_set(project=project)
    for words in (["create", "x", "bad.yaml"], ["update", "weekly", "bad.yaml"]):
        assert refused("rule_set", *words).startswith("bad.yaml:1:10: ")
    assert "cannot be read" in refused("rule_set", "create", "x", "nowhere.yaml")
    assert "cannot be written" in refused("rule_set", "export", "weekly", "--output", "no/such/folder")
    for verb in ("archive", "restore", "default"):
        assert "is built in: copy it" in refused("rule_set", verb, "bids")
    (here / "good.yaml").write_text(OTHER)
    rule_sets.edit(made.pk, OTHER, base=1, **by())
    assert "saved version 2" in refused("rule_set", "update", "weekly", "good.yaml", "--base", 1)
    assert RuleSet.objects.get().version == 2


def test_as_somebody_it_has_their_rights(shell, here, people, project):
    (here / "a.yaml").write_text(TEXT)
    made = make_rule_set("site")
    words = ["create", "x", "a.yaml", "--project", "lab/Brain", "--as"]
    refused("rule_set", *words, people.viewer.username)
    assert shell("rule_set", *words, people.data_manager.email)[0] == 0
    assert RuleSet.objects.get(name="x").versions.get().who == f"user {people.data_manager.email}"
    refused("rule_set", "archive", made.pk, "--as", people.admin.username)
    refused("rule_set", "create", "y", "a.yaml", "--group", "lab", "--as", people.stranger.username)
    assert [row["name"] for row in listed(shell, "--as", people.stranger.username)] == list(BUILT_IN)


@pytest.mark.service
@pytest.mark.django_db(transaction=True)
def test_the_programs_exit_as_scripts_expect(environment, project, tmp_path):
    def ended(*words):
        done = subprocess.run(
            [sys.executable, ROOT / "manage.py", *map(str, words)],
            env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout

    (tmp_path / "bad.yaml").write_text(BAD)
    put(tmp_path / "in" / "a.txt")
    assert ended("check_rules", "standard") == (0, "standard: 2 rules, fine\n")
    assert ended("check_rules", "dicom-only", "in")[0] == 1
    status, said = ended("check_rules", "bad.yaml")
    assert (status, said.splitlines()[0].startswith("bad.yaml:1:10: ")) == (2, True)
    assert ended("rule_set", "create", "both", "bad.yaml", "--from", "bids")[0] == 2
    assert ended("import_folder", "in", "--project", "lab/Brain", "--rules", "f", "--rule-set", "bids")[0] == 2
