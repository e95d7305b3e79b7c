"""A batch's page leads to a preview or a new import of its delivery: for who may upload, as long as it lies there."""

import re

import pytest
from django.urls import reverse
from django.utils import timezone

from importer.models import ImportJob
from importer.tests.factories import make_job
from watcher.models import Batch
from watcher.tests.factories import make_batch, make_drop_folder

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch(project, places, tmp_path):
    (tmp_path / "drop" / "ST-000001").mkdir(parents=True)
    folder = make_drop_folder(project=project, path=str(tmp_path / "drop"))
    job = make_job(project)
    return make_batch(
        folder, name="ST-000001", label="ST-000001", job=job, status="imported", finished_at=timezone.now()
    )


def link(client, batch):
    page = client.get(reverse("batch", args=[batch.pk])).content.decode()
    found = re.search(r'href="(/imports/new\?source=[^"]*)"', page)
    return found and found[1]


def test_an_uploader_previews_the_delivery(client, people, batch, project):
    client.force_login(people.uploader)
    answer = client.post(link(client, batch), {"project": project.pk, "what": "preview"})
    job = ImportJob.objects.latest("id")
    assert answer["Location"] == reverse("import", args=[job.pk])
    assert (job.label, job.source_root, job.dry_run) == ("ST-000001", f"{batch.drop_folder.path}/ST-000001", True)


def test_a_viewer_has_no_such_link(client, people, batch):
    client.force_login(people.viewer)
    assert link(client, batch) is None


def test_what_has_left_its_drop_folder_cannot_be_imported_again(client, people, batch):
    Batch.objects.update(left_at=timezone.now())
    client.force_login(people.uploader)
    assert link(client, batch) is None
