import pytest
from django.contrib import admin
from django.urls import reverse

from hierarchy.models import Acquisition, File, FileVersion, Group, Membership, Project, Session, Subject
from hierarchy.tests.factories import NOW, make_file, make_member, make_project, make_session, make_version

pytestmark = pytest.mark.django_db
MODELS = [Group, Project, Subject, Session, Acquisition, File, FileVersion, Membership]


@pytest.fixture
def site(client, people):
    client.force_login(people.site_admin)
    return client


@pytest.fixture
def filled():
    for _ in range(12):
        make_version()
        make_member(project=make_project())
        make_file(subject=make_session(timestamp=NOW, timestamp_offset=0).subject)


def listing(model):
    return reverse(f"admin:hierarchy_{model._meta.model_name}_changelist")


def page_of(one):
    return reverse(f"admin:hierarchy_{one._meta.model_name}_change", args=[one.pk])


@pytest.mark.parametrize("model", MODELS)
def test_every_list_opens_and_searches(site, filled, model):
    assert site.get(listing(model)).status_code == 200
    assert site.get(listing(model), {"q": "1"}).status_code == 200


@pytest.mark.parametrize("model", MODELS)
def test_no_list_asks_once_per_row(site, filled, django_assert_max_num_queries, model):
    assert model.objects.count() >= 12
    with django_assert_max_num_queries(10):
        site.get(listing(model))


@pytest.mark.parametrize("model", MODELS)
def test_every_row_opens(site, filled, model):
    assert site.get(page_of(model.objects.first())).status_code == 200


@pytest.mark.parametrize("model", [Subject, Session, Acquisition, File, FileVersion])
def test_the_big_tables_are_not_counted_whole(model):
    assert not admin.site.get_model_admin(model).show_full_result_count


def test_a_version_cannot_be_made_changed_or_deleted(site, filled):
    version = FileVersion.objects.first()
    assert site.get(reverse("admin:hierarchy_fileversion_add")).status_code == 403
    assert site.post(page_of(version), {"size": 1}).status_code == 403
    assert (
        site.post(reverse("admin:hierarchy_fileversion_delete", args=[version.pk]), {"post": "yes"}).status_code == 403
    )
    site.post(listing(FileVersion), {"action": "delete_selected", "_selected_action": [str(version.pk)], "post": "yes"})
    version.refresh_from_db()
    assert version.size == 3


def test_a_file_can_be_renamed_and_nothing_else(site, filled):
    file = File.objects.filter(acquisition__isnull=False).first()
    other = make_session()
    answer = site.post(
        page_of(file),
        {
            "name": "renamed.bin", "type": "dicom", "modality": "MR", "version": 9, "session": other.pk,
            "versions-TOTAL_FORMS": 1, "versions-INITIAL_FORMS": 1, "versions-0-id": file.versions.get().pk,
            "versions-0-file": file.pk, "versions-0-size": 99, "versions-0-DELETE": "on",
        },
    )  # fmt: skip
    assert answer.status_code == 302
    kept = File.objects.get(pk=file.pk)
    assert (kept.name, kept.version, kept.session_id, kept.acquisition_id) == (
        "renamed.bin",
        1,
        None,
        file.acquisition_id,
    )
    assert kept.versions.get().size == 3


def test_a_membership_is_given_by_choosing_from_what_is_found(site, people):
    found = site.get(
        reverse("admin:autocomplete"),
        {"term": "bra", "app_label": "hierarchy", "model_name": "membership", "field_name": "project"},
    )
    assert [row["text"] for row in found.json()["results"]] == ["lab/Brain"]


def test_who_is_no_site_admin_does_not_get_in(client, people):
    client.force_login(people.admin)
    assert client.get(listing(Subject)).status_code == 302
