"""Trying rules on what lies in a drop folder, or on one delivery."""

import pytest
from django.urls import reverse

from importer.models import RuleSample
from importer.tests.core.made import dataset, file_of
from importer.tests.factories import make_job
from watcher.tests.factories import make_batch, make_drop_folder

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(project, tmp_path):
    delivery = tmp_path / "drop" / "ST-1"
    delivery.mkdir(parents=True)
    (delivery / "1.dcm").write_bytes(file_of(dataset()))
    return make_drop_folder(name="scanner", path=str(tmp_path / "drop"), project=project)


@pytest.fixture
def batch(folder, project):
    return make_batch(folder, name="ST-1", label="ST-1", job=make_job(project))


@pytest.fixture
def uploader(client, people):
    client.force_login(people.uploader)
    return client


def addresses(folder, batch):
    return reverse("drop-folder-sample", args=[folder.pk]), reverse("batch-sample", args=[batch.pk])


def test_the_files_of_either_are_tried_with_the_rules_that_they_would_run(uploader, folder, batch):
    for address in addresses(folder, batch):
        response = uploader.post(address, follow=True)
        assert response.context["draft"].sample.owner.username == "uploader"
        assert "P01" in response.content.decode()
        assert "name: standard" in response.context["draft"].text


def test_a_viewer_gets_no_headers_and_no_button(client, people, folder, batch):
    client.force_login(people.viewer)
    for address in addresses(folder, batch):
        assert client.post(address).status_code == 403
        assert address not in client.get(address.removesuffix("sample")).content.decode()
    assert not RuleSample.objects.exists()


def test_a_stranger_finds_nothing(client, people, folder, batch):
    client.force_login(people.stranger)
    assert {client.post(address).status_code for address in addresses(folder, batch)} == {404}


def test_an_uploader_has_the_button(uploader, folder, batch):
    for address in addresses(folder, batch):
        assert address in uploader.get(address.removesuffix("sample")).content.decode()


def test_a_delivery_that_is_gone_says_so(uploader, folder, batch, tmp_path):
    (tmp_path / "drop" / "ST-1" / "1.dcm").unlink()
    (tmp_path / "drop" / "ST-1").rmdir()
    response = uploader.post(addresses(folder, batch)[1], follow=True)
    assert "There are no files here to try rules on." in response.content.decode()


def test_it_is_asked_for_by_a_form_alone(uploader, folder, batch):
    assert {uploader.get(address).status_code for address in addresses(folder, batch)} == {405}
