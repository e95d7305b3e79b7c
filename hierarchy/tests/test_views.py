"""Pages of the tree: strangers find nothing, members find their way, and no page grows with what is stored."""

import re

import pytest
from django.urls import reverse

from hierarchy.tests.browsing import addresses, read, text
from hierarchy.tests.factories import (
    make_acquisition,
    make_file,
    make_member,
    make_project,
    make_session,
    make_subject,
    make_version,
)
from hierarchy.tests.stored import shipped, store_file

pytestmark = pytest.mark.django_db


PAGES = ["project", "subject", "session", "acquisition", "file", "file-header", "file-picture", "file-download"]


@pytest.mark.parametrize("where", PAGES)
def test_who_is_not_signed_in_is_shown_the_way_in(client, tree, where):
    assert client.get(addresses(tree)[where])["Location"].startswith(reverse("sign-in"))


@pytest.mark.parametrize("where", PAGES)
def test_a_stranger_finds_nothing_at_an_address_that_exists(stranger, tree, where):
    assert stranger.get(addresses(tree)[where]).status_code == 404


@pytest.mark.parametrize("where", PAGES)
def test_a_viewer_finds_every_page(member, tree, where):
    answer = member.get(addresses(tree)[where])
    read(answer)
    assert answer.status_code == 200


@pytest.mark.parametrize("where", PAGES)
def test_what_does_not_exist_is_not_found(member, where):
    for number in (10**6, 10**30):
        assert member.get(reverse(where, args=[number])).status_code == 404


@pytest.mark.parametrize("where", PAGES)
def test_pages_are_for_reading_only(member, tree, where):
    assert member.post(addresses(tree)[where]).status_code == 405


def test_a_stranger_sees_no_project_and_is_told_how_to_get_one(stranger, tree):
    page = text(stranger.get(reverse("projects")))
    assert "Brain" not in page
    assert "Ask the admin of a project" in page


def test_the_site_admin_of_an_empty_archive_is_told_how_to_make_a_project(client, people, project):
    client.force_login(people.site_admin)
    people.viewer.memberships.all().delete()
    for membership in list(project.memberships.all()):
        membership.delete()
    project.delete()
    assert "--create" in text(client.get(reverse("projects")))


def test_a_stranger_searches_in_vain(stranger, tree):
    for words in ("S-01", "ACC-7", "1.2.3", "1.2.3.4", "Brain"):
        assert "Nothing found" in text(stranger.get(reverse("projects"), {"q": words}))


@pytest.mark.parametrize(
    ("words", "where"),
    [
        ("S-0", "subject"),
        ("s-01", "subject"),
        ("ACC-7", "session"),
        ("1.2.3", "session"),
        ("1.2.3.4", "acquisition"),
        ("brai", "project"),
    ],
)
def test_a_search_finds_by_label_accession_number_or_uid(member, tree, words, where):
    assert f'href="{addresses(tree)[where]}"' in text(member.get(reverse("projects"), {"q": words}))


def test_a_search_with_a_nul_or_a_pattern_is_only_a_search(member, tree):
    assert "Nothing found" in text(member.get(reverse("projects"), {"q": "\0%_'"}))


def test_a_project_shows_its_subjects_with_their_sessions(member, tree):
    page = text(member.get(addresses(tree)["project"]))
    assert "S-01" in page
    assert '<td data-label="Sessions" class="num">1</td>' in page


def test_a_project_searches_its_subjects(member, tree, project):
    make_subject(project=project, label="Other")
    page = text(member.get(addresses(tree)["project"], {"q": "oth"}))
    assert "Other" in page
    assert "S-01" not in page
    assert "No such subject" in text(member.get(addresses(tree)["project"], {"q": "nobody"}))


def test_subjects_are_paged_by_key_and_none_is_lost(member, tree, project):
    # The fiftieth and its twin: one page ends between two rows of one label.
    for number in range(120):
        make_subject(project=project, label=f"T-{number:03}")
    make_subject(project=project, label="T-048", copy=1)
    address, seen = addresses(tree)["project"], []
    while address:
        page = text(member.get(address))
        seen += re.findall(r'<a class="name" href="/subjects/(\d+)/">', page)
        found = re.search(r'href="([^"]+)" rel="next"', page)
        address = found and found[1].replace("&amp;", "&")
    assert len(seen) == len(set(seen)) == project.subjects.count() == 122


@pytest.mark.parametrize("odd", ["999999", "-1", "abc", "9" * 40, "\uff11"])
def test_an_odd_page_address_starts_at_the_beginning(member, tree, odd):
    assert "S-01" in text(member.get(addresses(tree)["project"], {"after": odd}))


def test_a_session_shows_when_it_was_as_it_was_recorded(member, tree):
    page = text(member.get(addresses(tree)["session"]))
    assert '14 Mar 2026, 10:09:26</span> <span class="nowrap">UTC-05:00' in page
    assert "America/New_York" in page
    assert "40 years" in page
    assert "ACC-7" in page


def test_a_session_shows_its_acquisitions_by_a_picture(member, tree):
    page = text(member.get(addresses(tree)["session"]))
    assert f"{addresses(tree)['file-picture']}?width=256" in page
    assert "7 instances, 1 file" in page


def test_acquisitions_stand_in_the_order_of_their_numbers_page_by_page(member, tree):
    session = tree.file.acquisition.session
    for number in range(1, 60):
        make_acquisition(session=session, label=f"{number} - scan")
    page = text(member.get(addresses(tree)["session"]))
    labels = re.findall(r">(\d+) - \w+</span>", page)
    assert labels == sorted(labels, key=int)
    assert len(labels) == 48
    following = re.search(r'href="([^"]+)" rel="next"', page)[1]
    assert re.findall(r">(\d+) - \w+</span>", text(member.get(following)))[-1] == "59"


def test_files_stand_on_all_four_levels(member, tree, project):
    acquisition = tree.file.acquisition
    levels = {
        "project": project,
        "subject": acquisition.session.subject,
        "session": acquisition.session,
        "acquisition": acquisition,
    }
    for level, container in levels.items():
        file = make_version(file=make_file(name=f"{level} notes.txt", **{level: container})).file
        assert f"{level} notes.txt" in text(member.get(addresses(tree)[level]))
        page = text(member.get(reverse("file", args=[file.pk])))
        assert f'<a href="{addresses(tree)[level]}">' in page


def test_a_file_in_another_project_is_not_found_on_any_level(member, tree):
    for container in (make_project(), make_subject(), make_session(), make_acquisition()):
        file = make_version(file=make_file(**{container._meta.model_name: container})).file
        assert member.get(reverse("file", args=[file.pk])).status_code == 404


def test_an_acquisition_is_leafed_through_without_script(member, tree):
    address = addresses(tree)["acquisition"]
    page = text(member.get(address))
    assert "4 of 7" in page
    assert 'href="?slice=2#picture"' in page.replace(address, "") or "slice=2#picture" in page
    first = text(member.get(address, {"slice": "0"}))
    assert 'rel="prev"' not in first
    assert "7 of 7" in text(member.get(address, {"slice": "999"}))


def test_an_acquisition_says_why_there_is_no_picture(member, tree, places):
    report = store_file(shipped("test-SR.dcm"), acquisition=make_acquisition(session=tree.file.acquisition.session))
    assert "No picture: no pixel data" in text(member.get(addresses(report)["acquisition"]))


def test_a_picture_that_cannot_be_drawn_says_why_in_its_place(member, tree, places):
    broken = store_file(shipped("MR_truncated.dcm"), acquisition=tree.file.acquisition)
    assert "truncated pixel data" in member.get(addresses(broken)["file-picture"]).content.decode()


def test_an_acquisition_without_dicom_has_no_viewer(member, tree):
    other = make_acquisition(session=tree.file.acquisition.session)
    page = text(member.get(reverse("acquisition", args=[other.pk])))
    assert "data-viewer" not in page
    assert "Nothing has been stored here" in page


def test_hostile_labels_are_spelled_out_and_escaped(member, tree, project):
    subject = make_subject(project=project, label="<script>alert(1)</script>")
    make_session(subject=subject, label="a\u202eb", operator="<img src=x>")
    page = text(member.get(reverse("subject", args=[subject.pk])))
    assert "<script>alert" not in page
    assert r"a\u202eb" in page


def grown(tree):
    acquisition = tree.file.acquisition
    for number in range(30):
        other = make_subject(project=acquisition.session.subject.project)
        make_session(subject=acquisition.session.subject)
        make_session(subject=other)
        made = make_acquisition(session=acquisition.session)
        make_version(file=make_file(acquisition=made, type="dicom", modality="MR"))
        make_version(file=make_file(acquisition=acquisition))
        make_version(file=tree.file, number=number + 2)
        make_member(project=make_project())


@pytest.mark.parametrize(
    ("where", "most"),
    [
        ("projects", 10),
        ("project", 10),
        ("subject", 10),
        ("session", 10),
        ("acquisition", 10),
        ("file", 10),
        ("file-header", 8),
        ("file-picture", 8),
        ("file-download", 8),
    ],
)
def test_the_number_of_queries_does_not_grow_with_what_is_stored(
    member, tree, django_assert_max_num_queries, where, most
):
    grown(tree)
    with django_assert_max_num_queries(most):
        read(member.get(({"projects": reverse("projects")} | addresses(tree))[where]))


def test_a_search_takes_a_bounded_number_of_queries(member, tree, django_assert_max_num_queries):
    grown(tree)
    with django_assert_max_num_queries(10):
        member.get(reverse("projects"), {"q": "1"})
