import pytest
from django.contrib import admin
from django.urls import reverse

from importer.admin.base import COUNTED, BoundedPaginator
from importer.models import (
    Alias,
    Chunk,
    Conflict,
    Decision,
    Event,
    ImportJob,
    ImportSchedule,
    Item,
    Placement,
    Resolution,
    RuleSet,
    RuleSetVersion,
    StandingRule,
)
from importer.tests.factories import START, make_conflict, make_event, make_item, make_job, make_placement
from importer.tests.rule_sets import make_rule_set
from storages.tests.rows import make_storage

pytestmark = pytest.mark.django_db

DECIDING = [Alias, Decision, Resolution, StandingRule]
MODELS = [ImportJob, ImportSchedule, Chunk, Placement, Item, Conflict, Event, RuleSet, RuleSetVersion]


def address(model, view="changelist", *args) -> str:
    return reverse(f"admin:importer_{model._meta.model_name}_{view}", args=args)


def make_rows(project, *, jobs: int) -> None:
    for _ in range(jobs):
        job = make_job(project, imported=1)
        make_item(job, placement=make_placement(job))
        make_event(job)
        make_conflict(job)
        Chunk.objects.create(job=job, work="extract", first_seq=0, count=1, entries=b"x" * 100)
        make_rule_set(f"rules of {job.pk}", project=project)
        storage = make_storage(label=f"storage {job.pk}")
        ImportSchedule.objects.create(
            name=f"schedule {job.pk}", project=project, storage=storage, cron="0 3 * * *", created_at=START,
            active=False, system=True,
        )  # fmt: skip


@pytest.fixture
def site_admin(client, people):
    client.force_login(people.site_admin)
    return client


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("jobs", [1, 40])
def test_a_list_asks_the_database_a_fixed_number_of_times(
    site_admin, project, model, jobs, django_assert_max_num_queries
):
    make_rows(project, jobs=jobs)
    with django_assert_max_num_queries(10):
        assert site_admin.get(address(model)).status_code == 200


@pytest.mark.parametrize("model", MODELS)
def test_a_row_is_shown_and_cannot_be_changed(site_admin, project, model):
    make_rows(project, jobs=1)
    row = model.objects.latest("pk")
    before = list(model.objects.values().filter(pk=row.pk))
    page = site_admin.get(address(model, "change", row.pk))
    assert page.status_code == 200
    assert b'name="_save"' not in page.content
    assert site_admin.post(address(model, "change", row.pk), {"status": "completed"}).status_code == 403
    assert list(model.objects.values().filter(pk=row.pk)) == before


@pytest.mark.parametrize("model", MODELS)
def test_no_row_is_added_or_deleted(site_admin, project, model):
    make_rows(project, jobs=1)
    assert site_admin.get(address(model, "add")).status_code == 403
    assert site_admin.post(address(model, "delete", model.objects.latest("pk").pk), {"post": "yes"}).status_code == 403
    assert model.objects.exists()


@pytest.mark.parametrize("model", MODELS)
def test_a_list_can_be_searched(site_admin, project, model):
    make_rows(project, jobs=2)
    assert site_admin.get(address(model), {"q": str(ImportJob.objects.latest("pk").pk)}).status_code == 200


@pytest.mark.parametrize("model", MODELS)
def test_no_list_counts_all_rows_or_fetches_compressed_bytes(site_admin, project, model, django_assert_max_num_queries):
    make_rows(project, jobs=1)
    with django_assert_max_num_queries(10) as asked:
        site_admin.get(address(model))
    counting = [query["sql"] for query in asked.captured_queries if "COUNT(*)" in query["sql"]]
    assert all(f"LIMIT {COUNTED}" in sql for sql in counting)
    left = ('"entries"', '"manifest"', '"importer_rulesetversion"."text"')
    assert not any(column in query["sql"] for query in asked.captured_queries for column in left)


def test_pages_are_counted_to_a_bound(db, project, monkeypatch):
    monkeypatch.setattr("importer.admin.base.COUNTED", 3)
    for _ in range(5):
        make_job(project)
    assert BoundedPaginator(ImportJob.objects.order_by("-id"), 2).count == 3


def test_control_characters_of_names_are_spelled_out(site_admin, project):
    make_item(make_job(project, label="a\u202eb"), path="c\nd", outcome="failed", reason="e\x07f")
    page = site_admin.get(address(Item)).content.decode()
    assert "c\\nd" in page
    assert "e\\x07f" in page
    assert "a\\u202eb" in site_admin.get(address(ImportJob)).content.decode()


def test_every_table_of_the_importer_has_its_page():
    assert {model for model in admin.site._registry if model._meta.app_label == "importer"} == {*MODELS, *DECIDING}
