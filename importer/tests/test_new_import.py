"""The page that starts an import by hand: who may name a folder, errors at their fields, preview or at once."""

import re

import pytest
from django.core import signing
from django.urls import reverse

from hierarchy.models import Group, Membership, Project
from importer.core.states import SourceKind
from importer.models import ImportJob
from importer.sources import SALT, Source, signed_source
from importer.tests.factories import make_job
from importer.tests.pipeline.drive import put_series, run

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "/imports/new"


@pytest.fixture
def source(project, places, tmp_path):
    put_series(tmp_path / "ST-000007", 2)
    return tmp_path / "ST-000007"


def token(source, project, user):
    found = Source(root=str(source).encode(), label="ST-000007", kind=SourceKind.DROP_FOLDER, project_id=project.pk)
    return signed_source(found, actor=user)


def text(response):
    return response.content.decode()


def errors(response):
    """Field → what is said at it."""
    fields = re.findall(r'<div class="field"><label for="id_(\w+)">.*?</div>', text(response), re.DOTALL)
    blocks = re.findall(r'<div class="field"><label .*?</div>', text(response), re.DOTALL)
    said = {name: re.findall(r"<li>(.*?)</li>", block) for name, block in zip(fields, blocks, strict=True)}
    return {name: found[0] for name, found in said.items() if found}


def ask(client, path="", **said):
    return client.post(PAGE, {"path": str(path), "what": "preview", **said})


def test_the_list_of_imports_leads_to_it(client, people):
    client.force_login(people.viewer)
    assert reverse("import-new") == PAGE
    assert f'href="{PAGE}"' in text(client.get(reverse("imports")))


def test_a_site_admin_previews_a_folder_by_its_path(client, people, project, source):
    client.force_login(people.site_admin)
    assert 'name="path"' in text(client.get(PAGE))
    answer = ask(client, source, project=project.pk, label="by hand", strategy="skip", limit="1", rules="dicom-only")
    job = ImportJob.objects.get()
    assert answer["Location"] == reverse("import", args=[job.pk])
    assert (job.dry_run, job.label, job.strategy, job.limit, job.rules) == (True, "by hand", "skip", 1, "dicom-only")
    assert (job.who, job.source_kind) == ("user site-admin@example.org", "folder")
    assert run(job).status == "planned"


def test_or_imports_it_at_once(client, people, project, source):
    client.force_login(people.site_admin)
    ask(client, source, project=project.pk, what="import")
    job = ImportJob.objects.get()
    assert (job.dry_run, job.label, job.rules, job.strategy) == (False, "ST-000007", "standard", "review")
    assert run(job).imported == 2


@pytest.mark.parametrize(
    "case",
    [
        ({"path": "/nowhere/at/all"}, "path", "The source cannot be opened"),
        ({"path": "relative"}, "path", "Write the whole path"),
        ({"path": "/etc"}, "path", "outside PRATIQUE_LOCAL_ROOTS"),
        ({"path": ""}, "path", "This field is required"),
        ({"project": ""}, "project", "This field is required"),
        ({"limit": "0"}, "limit", "greater than or equal to 1"),
        ({"rules": "no such"}, "rules", "Select a valid choice"),
        ({"strategy": "burn"}, "strategy", "Select a valid choice"),
    ],
)
def test_an_error_stands_at_its_field_and_what_was_typed_stays(client, people, source, settings, case):
    said, field, words = case
    project = Project.objects.get()
    settings.PRATIQUE_LOCAL_ROOTS = [source.parent]
    client.force_login(people.site_admin)
    answer = ask(client, **{"path": str(source), "project": project.pk, "description": "typed before", **said})
    assert answer.status_code == 400
    assert set(errors(answer)) == {field}
    assert words in errors(answer)[field]
    assert "typed before" in text(answer)
    assert not ImportJob.objects.exists()


def test_an_uploader_names_no_path_and_is_told_where_to_begin(client, people, project, source):
    client.force_login(people.uploader)
    assert "Begin at a batch" in text(client.get(PAGE))
    assert 'name="path"' not in text(ask(client, source, project=project.pk))
    assert not ImportJob.objects.exists()


def test_a_viewer_is_told_what_is_missing(client, people):
    client.force_login(people.viewer)
    assert "you need the role uploader" in text(client.get(PAGE))


def test_a_link_to_a_delivery_brings_its_folder_label_and_project(client, people, project, source):
    client.force_login(people.uploader)
    address = f"{PAGE}?source={token(source, project, people.uploader)}"
    page = text(client.get(address))
    assert str(source) in page
    assert 'value="ST-000007"' in page
    assert re.search(rf'<option value="{project.pk}" selected>lab/Brain', page)
    client.post(address, {"project": project.pk, "what": "preview"})
    job = ImportJob.objects.get()
    assert (job.label, job.source_kind, job.source_root, job.dry_run) == ("ST-000007", "drop_folder", str(source), True)


def test_a_link_goes_to_its_own_project_only(client, people, project, source):
    other = Project.objects.create(group=Group.objects.get(), label="Other")
    Membership.objects.create(user=people.uploader, project=other, role="uploader")
    client.force_login(people.uploader)
    address = f"{PAGE}?source={token(source, project, people.uploader)}"
    assert "lab/Other" not in text(client.get(address))
    answer = client.post(address, {"project": other.pk})
    assert "Select a valid choice" in errors(answer)["project"]
    assert not ImportJob.objects.exists()


@pytest.mark.parametrize("how", ["forged", "somebody else's", "old"])
def test_a_link_that_does_not_hold_is_refused_in_words(client, people, source, how, monkeypatch):
    project = Project.objects.get()
    client.force_login(people.uploader)
    link = token(source, project, people.uploader if how != "somebody else's" else people.admin)
    if how == "forged":
        link = signing.dumps(["/etc", "x", "folder", None, people.uploader.pk], salt=SALT, key="another key")
    if how == "old":
        monkeypatch.setattr("importer.sources.LINK_SECONDS", -1)
    answer = client.get(f"{PAGE}?source={link}", follow=True)
    said = {"forged": "is broken", "somebody else's": "somebody else", "old": "more than a day old"}[how]
    assert said in text(answer)


def test_a_viewer_with_a_link_starts_nothing(client, people, project, source):
    client.force_login(people.viewer)
    answer = client.post(f"{PAGE}?source={token(source, project, people.viewer)}", {"project": project.pk})
    assert not ImportJob.objects.exists()
    assert "you need the role uploader" in text(client.get(PAGE))
    assert answer.status_code in {200, 400}


def test_hostile_names_come_out_escaped(client, people, project, tmp_path, places):
    folder = tmp_path / "<script>alert(1)</script>"
    folder.mkdir(parents=True)
    client.force_login(people.uploader)
    found = Source(root=str(folder).encode(), label="<script>alert(1)</script>", project_id=project.pk)
    page = text(client.get(f"{PAGE}?source={signed_source(found, actor=people.uploader)}"))
    assert "<script>alert(1)" not in page


def test_the_number_of_queries_does_not_grow(client, people, project, django_assert_max_num_queries):
    for number in range(30):
        make_job(Project.objects.create(group=Group.objects.get(), label=f"P{number}"))
    client.force_login(people.site_admin)
    with django_assert_max_num_queries(12):
        client.get(PAGE)
