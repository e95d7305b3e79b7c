"""The options of import_folder that say which rules run."""

import pytest
from django.core.management import CommandError, call_command

from importer.models import ImportJob
from importer.tests.pipeline.drive import put, put_series, tree
from importer.tests.rule_sets import BAD, make_rule_set

pytestmark = pytest.mark.django_db(transaction=True)
PATHS = "- name: by folders\n  mappings: 'path={sub}/{ses}/{acq}/{file}'\n"


@pytest.fixture
def source(project, places, tmp_path):
    put(tmp_path / "in" / "P01" / "V1" / "notes" / "a.txt")
    put(tmp_path / "in" / "P01" / "V1" / "notes" / "b.csv")
    return tmp_path / "in"


def run(*words):
    try:
        call_command("import_folder", *map(str, words), "--project", "lab/Brain", "--workers", "1")
    except SystemExit as end:
        return end.code
    return 0


def refused(*words):
    with pytest.raises(CommandError) as refusal:
        call_command("import_folder", *map(str, words), "--project", "lab/Brain")
    assert refusal.value.returncode == 2
    assert not ImportJob.objects.exists()
    return str(refusal.value)


def written(tmp_path, text, name="mine.rules.yaml"):
    (tmp_path / name).write_text(text)
    return tmp_path / name


def job():
    return ImportJob.objects.get()


def test_a_file_of_rules_runs_and_is_called_like_it(source, tmp_path, project):
    assert run(source, "--rules", written(tmp_path, PATHS)) == 0
    assert (job().rules, job().rules_text, job().rules_version) == ("mine", PATHS, None)
    assert (job().imported, job().skipped) == (2, 0)


def test_a_named_set_runs_and_is_stamped(source, project):
    made = make_rule_set("weekly", PATHS, project=project)
    assert run(source, "--rule-set", "weekly") == 0
    assert (job().rules, job().rules_version) == ("weekly", made.versions.get())


def test_options_are_put_into_the_text_that_runs(source, project):
    words = ["--rule-set", "by-path", "--level", "session", "--include", "ext=txt", "--include", "ext=csv"]
    words += ["--exclude", "name=b.csv", "--mapping", "path={sub}/{@v}/*/*", "--mapping", "session.label=Visit {!@v}"]
    words += ["--default", "session.info.site=A", "--override", "subject.sex=female"]
    assert run(source, *words) == 0
    assert (job().rules, job().rules_version, job().imported, job().skipped) == ("by-path + options", None, 1, 1)
    assert list(tree(project)) == ["P01/Visit V1/a.txt"]
    subject = project.subjects.get()
    assert (subject.sex, subject.sessions.get().info) == ("female", {"site": "A"})


def test_an_option_alone_adds_to_the_default_of_the_project(source, project):
    make_rule_set("weekly", PATHS, project=project, is_default=True)
    assert run(source, "--exclude", "ext=csv") == 0
    assert (job().rules, job().imported, job().skipped) == ("weekly + options", 1, 1)


def test_what_the_options_say_goes_before_what_the_rules_say(project, places, tmp_path):
    put_series(tmp_path / "in", 1)
    file = written(tmp_path, "conflict_strategy: skip\nmissing_meta: fail\nuid_scope: site\nrules: [{type: dicom}]\n")
    assert run(tmp_path / "in", "--rules", file, "--missing-meta", "skip") == 0
    assert (job().strategy, job().missing_meta, job().uid_scope) == ("skip", "skip", "site")


def test_two_sources_of_rules_are_refused(source):
    with pytest.raises(CommandError, match="not allowed with argument --rules"):
        call_command("import_folder", str(source), "--rules", "f", "--rule-set", "bids", "--project", "lab/Brain")
    assert not ImportJob.objects.exists()


def test_what_is_wrong_in_a_file_is_told_by_file_line_and_column(source, tmp_path):
    file = written(tmp_path, BAD)
    first, second = refused(source, "--rules", file).splitlines()
    assert first.startswith(f"{file}:1:10: sesion is none of")
    assert second.startswith(f"{file}:2:")


@pytest.mark.parametrize("data", [b"- \xff", b""])
def test_a_file_that_is_no_text_of_rules_is_refused_by_its_name(source, tmp_path, data):
    (tmp_path / "odd.yaml").write_bytes(data)
    assert str(tmp_path / "odd.yaml") in refused(source, "--rules", tmp_path / "odd.yaml")


@pytest.mark.parametrize(
    ("option", "line", "said"),
    [
        ("--include", "colour=red", "colour"),
        ("--exclude", "size=~1", "size"),
        ("--mapping", "path={sub", "path"),
        ("--mapping", "nothing", "template=pattern"),
        ("--default", "subject.label", "field=value"),
        ("--override", "subject.colour=red", "colour"),
    ],
)
def test_a_wrong_option_is_named_with_its_line(source, option, line, said):
    words = refused(source, option, line)
    assert words.startswith(f"{option} {line}: ")
    assert said in words


def test_the_second_of_two_lines_may_use_what_the_first_took(source):
    assert "--mapping session.label=Visit {!@v}: " in refused(source, "--mapping", "session.label=Visit {!@v}")


def test_options_that_do_not_go_with_the_rules_are_refused(source, tmp_path):
    file = written(tmp_path, "include: ext=txt\nrules: [{level: session}]\n")
    assert "do not go together" in refused(source, "--rules", file, "--include", "ext=csv")
