"""The page of what was verified: coverage, places, what is wrong; and what may be done about it by whom."""

import pytest
from django.urls import reverse

from hierarchy.models import File
from importer.models import Check, Event
from importer.pipeline.verify import verify
from importer.tests.factories import make_project
from importer.tests.pipeline.drive import imported, put, put_series
from importer.verify_queries import coverage_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stored(project, places, tmp_path):
    """A series, a paper, and a paper that waits; all verified."""
    put_series(tmp_path / "one", 2)
    put(tmp_path / "one" / "notes.txt", b"some notes")
    imported(project, tmp_path / "one")
    put_series(tmp_path / "two", 2)
    put(tmp_path / "two" / "notes.txt", b"other notes")
    imported(project, tmp_path / "two")
    list(verify())
    return next(places.archive.rglob("notes*.txt"))


def page(client, who, **query):
    client.force_login(who)
    return client.get(reverse("verify", query=query)).content.decode()


def test_an_empty_archive_says_what_to_do(client, people):
    assert "python manage.py verify" in page(client, people.viewer)


def test_all_is_well_and_how_well_it_is_known(client, people, stored):
    said = page(client, people.viewer)
    assert "100% re-read in 30 days" in said
    assert "Nothing is wrong" in said
    assert "Archive" in said
    assert "Quarantine" in said


def test_what_is_wrong_is_listed_with_where_it_stands_and_can_be_repaired(client, people, stored):
    whole = stored.read_bytes()
    stored.write_bytes(b"some Notes")
    File.objects.filter(name="notes.txt").update(name="notes <b>.txt")
    list(verify())
    said = page(client, people.data_manager)
    assert "notes &lt;b&gt;.txt" in said
    assert "<b>" not in said
    assert "Its content is not what was stored." in said
    row = Check.objects.get(state="changed")
    answer = client.post(reverse("verify-repair", args=[row.pk]), {"next": reverse("verify")}, follow=True)
    assert "Repaired from the source of import" in answer.content.decode()
    assert stored.read_bytes() == whole
    assert Event.objects.get(what="repaired").who == "user data_manager@example.org"
    assert "Nothing is wrong" in page(client, people.data_manager)


def test_reading_now_finds_what_came_back_and_what_was_lost(client, people, stored):
    row = Check.objects.get(version__file__name__startswith="notes")
    aside = stored.with_name("aside")
    stored.rename(aside)
    client.force_login(people.uploader)
    answer = client.post(reverse("verify-look", args=[row.pk]), follow=True)
    assert "Missing: Not there, although its place is." in answer.content.decode()
    aside.rename(stored)
    answer = client.post(reverse("verify-look", args=[row.pk]), follow=True)
    assert "OK: There, and as it was stored." in answer.content.decode()


def test_a_place_that_is_away_is_said_and_no_file_is_called_missing(client, people, stored, places):
    places.archive.rename(places.archive.with_name("aside"))
    list(verify())
    said = page(client, people.viewer)
    assert "The archive is not there, or not the one that was used before" in said
    assert "Nothing is wrong" in said
    assert "could not be looked at" in said
    assert "Place is away" in page(client, people.viewer, state="away")
    row = Check.objects.filter(conflict=None).first()
    client.force_login(people.uploader)
    answer = client.post(reverse("verify-look", args=[row.pk]), follow=True)
    assert "Nothing is concluded" in answer.content.decode()


def test_who_may_do_what(client, people, stored):
    stored.write_bytes(b"some Notes")
    list(verify())
    row = Check.objects.get(state="changed")
    allowed = {"viewer": (403, 403), "uploader": (302, 403), "data_manager": (302, 302), "stranger": (404, 404)}
    for name, expected in allowed.items():
        client.force_login(getattr(people, name))
        got = tuple(client.post(reverse(view, args=[row.pk])).status_code for view in ("verify-look", "verify-repair"))
        assert got == expected, name
    stored.write_bytes(b"some Notes")
    list(verify())
    assert reverse("verify-repair", args=[row.pk]) in page(client, people.data_manager)
    assert reverse("verify-repair", args=[row.pk]) not in page(client, people.uploader)
    assert reverse("verify-look", args=[row.pk]) not in page(client, people.viewer)


def test_a_stranger_sees_nothing_of_it_and_others_their_projects(client, people, stored):
    stored.unlink()
    list(verify())
    assert "Nothing to verify yet" in page(client, people.stranger)
    other = make_project("other/Other")
    assert coverage_of(actor=people.stranger, now=Check.objects.first().since).total == 0
    assert coverage_of(actor=people.viewer, now=Check.objects.first().since).total == 3
    assert other.pk
    assert "notes" not in page(client, people.viewer, project=other.pk)


def test_filters_and_pages(client, people, stored):
    stored.unlink()
    list(verify())
    assert "notes" in page(client, people.viewer, state="missing")
    for query in ({"state": "changed"}, {"state": "nonsense", "place": "999"}, {"place": "x", "state": "unreadable"}):
        assert "notes" not in page(client, people.viewer, **query)
    assert "notes" in page(client, people.viewer, state="nonsense", place="x", after="99999999999999999999")


@pytest.fixture
def many_gone(project, places, tmp_path):
    for number in range(30):
        put(tmp_path / "in" / "S" / "E" / "A" / f"{number}.bin", b"x")
    imported(project, tmp_path / "in")
    list(verify())
    for path in places.archive.rglob("*.bin"):
        path.unlink()
    list(verify())


def test_the_number_of_queries_does_not_grow(client, people, many_gone, django_assert_max_num_queries):
    client.force_login(people.data_manager)
    with django_assert_max_num_queries(22):
        assert client.get(reverse("verify")).status_code == 200


def test_the_pages_of_file_session_and_acquisition_say_so(client, people, stored):
    row = Check.objects.get(version__file__name__startswith="notes")
    client.force_login(people.viewer)
    file = row.version.file
    assert "Looked at" in client.get(reverse("file", args=[file.pk])).content.decode()
    stored.unlink()
    list(verify())
    assert "It is not there." in client.get(reverse("file", args=[file.pk])).content.decode()
    at = file.acquisition or file.session
    above = at.session if file.acquisition else at
    assert "Not what was stored" in client.get(reverse("session", args=[above.pk])).content.decode()
    if file.acquisition:
        assert "Not what was stored" in client.get(reverse("acquisition", args=[at.pk])).content.decode()
