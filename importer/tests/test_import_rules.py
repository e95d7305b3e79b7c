"""The rules that an import is stamped with: by name, as a text of its own, or those of the run before."""

import os

import pytest
from django.utils import timezone

from hierarchy.errors import Refused
from importer import rule_sets
from importer.core.rules.builtin import BUILT_IN
from importer.core.states import SourceKind
from importer.models import ImportJob
from importer.rule_sets import BadRules
from importer.services import ImportRequest, rerun_import, start_import
from importer.tests.factories import make_job
from importer.tests.pipeline.drive import put
from importer.tests.rule_sets import BAD, OTHER, TEXT, by, make_rule_set

pytestmark = pytest.mark.django_db
STRICT = "conflict_strategy: skip\nuid_scope: site\nmissing_meta: fail\nrules:\n- type: dicom\n"


@pytest.fixture
def source(tmp_path, places):
    return put(tmp_path / "in" / "x.txt").parent


def start(project, source, **changes):
    fields = {"source_kind": SourceKind.FOLDER, "source_root": os.fsencode(source), "label": "L", "who": "system"}
    request = ImportRequest(project=project, **fields | changes)
    return start_import(request, actor=None, now=timezone.now(), enqueue=False)


def again(job):
    ImportJob.objects.filter(pk=job.pk).update(status="planned")
    return rerun_import(job.pk, actor=None, who="system", now=timezone.now(), only_failed=False, enqueue=False)


def stamp(job):
    job.refresh_from_db()
    return (job.rules, job.rules_text, job.rules_version)


def test_without_a_word_the_nearest_default_runs(project, source):
    assert stamp(start(project, source)) == ("standard", BUILT_IN["standard"].text, None)
    made = make_rule_set(project=project, is_default=True)
    assert stamp(start(project, source)) == ("weekly", TEXT, made.versions.get())


def test_a_named_set_is_stamped_with_its_newest_version(project, source):
    made = make_rule_set(project=project)
    newest = rule_sets.edit(made.pk, OTHER, base=1, **by())
    assert stamp(start(project, source, rules="weekly")) == ("weekly", OTHER, newest)
    assert stamp(start(project, source, rules="bids")) == ("bids", BUILT_IN["bids"].text, None)


@pytest.mark.parametrize(
    ("text", "name", "called"),
    [
        (TEXT, None, "own rules"),
        (TEXT, "from the shell", "from the shell"),
        (f"name: A\nrules:\n{TEXT}", None, "A"),
        (TEXT, "standard", "standard (changed)"),
        (BUILT_IN["standard"].text, None, "standard"),
    ],
)
def test_rules_may_come_with_the_import(project, source, text, name, called):
    make_rule_set(project=project, is_default=True)
    assert stamp(start(project, source, rules=name, rules_text=text)) == (called, text, None)


def test_what_is_wrong_is_refused_with_every_place_and_leaves_no_import(project, source):
    with pytest.raises(BadRules) as refusal:
        start(project, source, rules_text=BAD)
    assert [one.line for one in refusal.value.problems] == [1, 2]
    make_rule_set("gone", project=project, archived=True)
    for name in ("mine", "gone"):
        with pytest.raises(Refused, match=name):
            start(project, source, rules=name)
    assert not ImportJob.objects.exists()


def options(job):
    return (job.strategy, job.uid_scope, job.missing_meta)


def test_what_the_caller_says_goes_before_the_rules_and_they_before_project_and_site(project, source, settings):
    assert options(start(project, source)) == ("review", "project", "hold")
    settings.PRATIQUE_UID_SCOPE = "none"
    assert options(start(project, source)) == ("review", "none", "hold")
    project.uid_scope = "group"
    assert options(start(project, source)) == ("review", "group", "hold")
    assert options(start(project, source, rules_text=STRICT)) == ("skip", "site", "fail")
    said = {"strategy": "update", "uid_scope": "project", "missing_meta": "skip"}
    assert options(start(project, source, rules_text=STRICT, **said)) == ("update", "project", "skip")


def test_a_run_again_has_exactly_the_rules_of_the_first(project, source):
    made = make_rule_set(project=project)
    first = start(project, source, rules="weekly")
    rule_sets.edit(made.pk, OTHER, base=1, **by())
    rule_sets.archive(made.pk, **by())
    second = again(first)
    assert stamp(second) == ("weekly", TEXT, made.versions.get(number=1))
    assert stamp(again(start(project, source, rules_text=STRICT))) == ("own rules", STRICT, None)


def test_a_run_again_of_an_import_from_before_rules_were_kept_runs_the_built_in_ones(project, source):
    make_rule_set(project=project, is_default=True)
    old = make_job(project, status="planned", source_root=str(source))
    assert stamp(again(old)) == ("standard", BUILT_IN["standard"].text, None)
