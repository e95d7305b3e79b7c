"""Which rules an import runs: by name from near to far, or the nearest default."""

import pytest

from hierarchy.errors import Refused
from hierarchy.tests.factories import make_project
from importer import rule_sets
from importer.core.rules.builtin import BUILT_IN
from importer.rule_choice import resolve
from importer.tests.rule_sets import OTHER, TEXT, by, make_rule_set

pytestmark = pytest.mark.django_db
SITE, GROUP, PROJECT = (f"- name: of the {scope}\n" for scope in ("site", "group", "project"))


def test_a_name_is_looked_for_in_the_project_then_its_group_then_the_site(project):
    for text, where in ((SITE, {}), (GROUP, {"group": project.group}), (PROJECT, {"project": project})):
        made = make_rule_set("weekly", text, **where)
        chosen = resolve(project, "weekly")
        assert (chosen.name, chosen.text, chosen.version) == ("weekly", text, made.versions.get())


def test_the_default_is_the_nearest_and_without_any_it_is_standard(project):
    chosen = resolve(project)
    assert (chosen.name, chosen.text, chosen.version) == ("standard", BUILT_IN["standard"].text, None)
    for text, where in ((SITE, {}), (GROUP, {"group": project.group}), (PROJECT, {"project": project})):
        make_rule_set("mine", text, is_default=True, **where)
        assert resolve(project).text == text
        assert resolve(project, "").text == text


def test_a_set_that_is_not_the_default_is_chosen_by_name_alone(project):
    make_rule_set("weekly", project=project)
    assert resolve(project).name == "standard"


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_one_is_found_by_its_name(project, name):
    assert resolve(project, name).text == BUILT_IN[name].text


def test_the_newest_version_is_what_runs(project):
    made = make_rule_set(project=project)
    rule_sets.edit(made.pk, OTHER, base=1, **by())
    assert (resolve(project, "weekly").version.number, resolve(project, "weekly").text) == (2, OTHER)


def test_sets_of_other_projects_and_groups_are_not_there(project):
    make_rule_set("theirs", project=make_project(group=project.group), is_default=True)
    make_rule_set("foreign", group=make_project().group, is_default=True)
    assert resolve(project).name == "standard"
    for name in ("theirs", "foreign"):
        with pytest.raises(Refused, match=f"There is no rule set {name} for lab/Brain"):
            resolve(project, name)


def test_an_archived_one_is_refused_with_what_to_do_also_before_a_farther_one(project):
    make_rule_set("weekly")
    make_rule_set("weekly", project=project, archived=True)
    with pytest.raises(Refused, match="weekly is archived: restore it"):
        resolve(project, "weekly")


def test_a_word_that_is_nearly_a_name_is_named(project, people):
    make_rule_set("Weekly MR", TEXT, project=project)
    with pytest.raises(Refused, match="Did you mean Weekly MR"):
        resolve(project, "weekly-mr", actor=people.uploader)
    with pytest.raises(Refused, match="Did you mean standard"):
        resolve(project, "standart", actor=people.stranger)
    with pytest.raises(Refused, match="Built in are standard, dicom-only, by-path, bids"):
        resolve(project, "zzz")
