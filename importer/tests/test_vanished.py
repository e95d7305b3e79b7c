"""What an import did not find any more: on its page, as CSV, over REST."""

import csv
import io
import os
from html import unescape

import pytest
from django.urls import reverse
from django.utils import timezone

from hierarchy.models import File
from importer.core.states import SourceKind
from importer.services import ImportRequest, start_import
from importer.tests.factories import make_job
from importer.tests.pipeline.drive import put_series, run
from importer.tests.storages import make, new_local

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def folder(tmp_path, places):
    for path in [
        *put_series(tmp_path / "pacs" / "=P01", 7, patient="P01"),
        *put_series(tmp_path / "pacs" / "P02", 1, patient="P02", study=2),
    ]:
        os.utime(path, (1_700_000_000, 1_700_000_000))
    return tmp_path / "pacs"


@pytest.fixture
def imported(project, folder):
    """Twice from one storage; all of a patient is gone the second time."""
    storage = make(new_local(folder))
    first = once(project, storage)
    (folder / "=P01").rename(folder.parent / "elsewhere")
    return first, once(project, storage)


def once(project, storage):
    asked = ImportRequest(project=project, source_kind=SourceKind.STORAGE, storage=storage, label="again", who="system")
    return run(start_import(asked, actor=None, now=timezone.now(), enqueue=False))


def page(client, name, job, **query) -> str:
    answer = client.get(reverse(name, args=[job.pk]), query)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def rows(answer):
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))


def test_the_page_of_the_import_begins_the_list_and_leads_to_all_of_it(client, people, imported):
    first, second = imported
    client.force_login(people.viewer)
    assert (first.vanished, second.vanished) == (0, 7)
    shown = page(client, "import", second)
    assert shown.count('mono">=P01/') == 5
    assert reverse("import-vanished", args=[second.pk]) in shown
    assert "Vanished" not in page(client, "import", first)
    whole = page(client, "import-vanished", second)
    assert whole.count('mono">=P01/') == 7
    assert reverse("file", args=[File.objects.get(acquisition__session__subject__label="P01").pk]) in whole


def test_as_csv_with_what_it_became_and_no_formula(client, people, imported):
    client.force_login(people.viewer)
    for address in (
        reverse("import-vanished", args=[imported[1].pk]) + "?format=csv",
        f"/api/v1/imports/{imported[1].pk}/vanished/",
    ):
        found = rows(client.get(address))
        assert [row["src_path"] for row in found] == [f"'=P01/{number:04}.dcm" for number in range(1, 8)]
        assert {row["became"] for row in found} == {"version"}
        assert {row["modified"] for row in found} == {"2023-11-14T22:13:20+00:00"}
        assert len({row["file_id"] for row in found} - {""}) == 1


def test_what_came_back_is_no_longer_listed(client, people, project, imported, folder):
    (folder.parent / "elsewhere").rename(folder / "=P01")
    once(project, imported[1].storage)
    client.force_login(people.viewer)
    assert "come back since" in page(client, "import", imported[1])
    assert "has come back since" in page(client, "import-vanished", imported[1])


def test_who_may_not_see_the_project_finds_nothing(client, people, imported):
    client.force_login(people.stranger)
    assert client.get(reverse("import-vanished", args=[imported[1].pk])).status_code == 404
    assert client.get(f"/api/v1/imports/{imported[1].pk}/vanished/").status_code == 404


def test_of_a_folder_nothing_vanishes(client, people, project):
    client.force_login(people.viewer)
    assert "Nothing is missing" in page(client, "import-vanished", make_job(project))
    assert client.get(reverse("import-vanished", args=[make_job(project).pk]), {"format": "xml"}).status_code == 404
