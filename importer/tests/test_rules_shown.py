"""The rules that an import ran, on its page and in the list."""

import pytest
from django.urls import reverse

from importer.core.rules.builtin import BUILT_IN
from importer.tests.factories import make_job
from importer.tests.rule_sets import TEXT, make_rule_set

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer(client, people):
    client.force_login(people.viewer)
    return client


def pages(viewer, job):
    addresses = [reverse("import", args=[job.pk]), reverse("imports")]
    return [viewer.get(address).content.decode() for address in addresses]


def test_a_set_that_people_keep_is_named_with_its_version(viewer, project):
    version = make_rule_set(project=project).versions.get()
    job = make_job(project, rules="weekly", rules_text=TEXT, rules_version=version)
    for page in pages(viewer, job):
        assert "weekly" in page
        assert "version 1" in page


def test_rules_that_came_with_an_import_say_so_and_are_shown_escaped(viewer, project):
    job = make_job(project, rules="mine", rules_text="- name: <script>\n- name: \u202egpj\n")
    for page in pages(viewer, job):
        assert "given with the import" in page
    page = pages(viewer, job)[0]
    assert "- name: &lt;script&gt;\n- name: \\u202egpj</pre>" in page


def test_a_built_in_set_is_named_alone(viewer, project):
    for page in pages(viewer, make_job(project, rules="bids", rules_text=BUILT_IN["bids"].text)):
        assert "bids" in page
        assert "given with the import" not in page


@pytest.mark.parametrize("jobs", [1, 30])
def test_the_list_asks_as_often_for_one_as_for_many_and_reads_no_texts(
    viewer, project, jobs, django_assert_max_num_queries
):
    version = make_rule_set(project=project).versions.get()
    for _ in range(jobs):
        make_job(project, rules="weekly", rules_text=TEXT, rules_version=version)
    with django_assert_max_num_queries(12) as seen:
        viewer.get(reverse("imports"))
    assert not any("rules_text" in query["sql"] for query in seen.captured_queries)
