"""The page of a rule set names the drop folders that use it."""

from datetime import timedelta

import pytest
from django.urls import reverse

from hierarchy.models import Group, Project
from hierarchy.tests.factories import NOW
from importer import rule_sets
from importer.models import RuleSet, RuleSetVersion
from importer.tests.factories import make_job
from watcher.tests.factories import make_drop_folder

pytestmark = pytest.mark.django_db

GOOD = "- name: Images\n  type: dicom\n"


@pytest.fixture
def viewer(client, people):
    client.force_login(people.viewer)
    return client


@pytest.fixture
def kept(project, people):
    return make(people, project=project)


def make(people, name="weekly", **scope):
    new = rule_sets.NewRuleSet(name=name, text=GOOD, **scope)
    return rule_sets.create(new, actor=people.site_admin, who="user admin@example.org", now=NOW)


def next_version(kept, people, text):
    base = RuleSet.objects.get(pk=kept.pk).version
    return rule_sets.edit(
        kept.pk, text, base=base, actor=people.site_admin, who="user b@example.org", now=NOW + timedelta(days=1)
    )


def page(kept):
    return reverse("rule-set-page", args=[kept.pk])


def text(response):
    return response.content.decode()


def test_a_page_names_the_drop_folders_that_use_it(viewer, kept, project):
    make_drop_folder(name="scanner", project=project, rule_set="weekly")
    make_drop_folder(name="uses another", project=project, rule_set="daily")
    said = text(viewer.get(page(kept)))
    assert "scanner" in said
    assert "uses another" not in said


def test_a_name_means_the_rule_set_of_its_own_project(viewer, kept, project, people):
    other = Project.objects.create(group=project.group, label="Other")
    make_drop_folder(name="not this one", project=other, rule_set="weekly")
    viewer.force_login(people.site_admin)
    assert "not this one" not in text(viewer.get(page(kept)))


def test_a_page_names_only_what_the_reader_sees(viewer, people):
    kept = make(people, name="for all")
    elsewhere = Project.objects.create(group=Group.objects.create(name="other"), label="Secret")
    make_drop_folder(name="their scanner", project=elsewhere, rule_set="for all")
    make_job(elsewhere, label="ST-000666", rules="for all", rules_version=RuleSetVersion.objects.get())
    said = text(viewer.get(page(kept)))
    assert "their scanner" not in said
    assert "ST-000666" not in said


def test_a_page_asks_as_often_for_many_as_for_few(viewer, kept, people, project, django_assert_max_num_queries):
    for n in range(10):
        version = next_version(kept, people, f"{GOOD}- name: rule {n}\n")
        make_job(project, rules="weekly", rules_version=version)
        make_drop_folder(name=f"folder {n}", project=project, rule_set="weekly")
    with django_assert_max_num_queries(22):
        viewer.get(page(kept))
