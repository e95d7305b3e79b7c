"""Pages of the tree: strangers find nothing, members find their way, and no page grows with what is stored."""

import re

import pytest
from django.urls import reverse

from hierarchy.downloads import Part
from hierarchy.tests.factories import (
    NOW,
    make_acquisition,
    make_file,
    make_member,
    make_project,
    make_session,
    make_subject,
    make_version,
)
from hierarchy.tests.stored import packed_lines, series, shipped, store_file, store_series

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def home(tmp_path, settings):
    settings.PRATIQUE_HOME = tmp_path / "home"


@pytest.fixture
def tree(project, places):
    """One stored series in lab/Brain, and everything above it."""
    subject = make_subject(project=project, label="S-01", firstname="Ann", lastname="Doe", sex="female")
    session = make_session(
        subject=subject, label="Visit 1", uid="1.2.3", accession_number="ACC-7", age_seconds=40 * 31_557_600,
        timestamp=NOW, timestamp_offset=-300, timestamp_zone="America/New_York",
    )  # fmt: skip
    acquisition = make_acquisition(session=session, label="3 - T1w", uid="1.2.3.4")
    return store_series(series("98892003/MR700"), acquisition=acquisition, name="3 - T1w.dicom.zip")


def addresses(version):
    file = version.file
    acquisition = file.acquisition
    return {
        "project": reverse("project", args=[acquisition.session.subject.project_id]),
        "subject": reverse("subject", args=[acquisition.session.subject_id]),
        "session": reverse("session", args=[acquisition.session_id]),
        "acquisition": reverse("acquisition", args=[acquisition.pk]),
        "file": reverse("file", args=[file.pk]),
        "file-header": reverse("file-header", args=[file.pk]),
        "file-picture": reverse("file-picture", args=[file.pk]),
        "file-download": reverse("file-download", args=[file.pk]),
    }


PAGES = ["project", "subject", "session", "acquisition", "file", "file-header", "file-picture", "file-download"]


@pytest.fixture
def member(client, people):
    client.force_login(people.viewer)
    return client


@pytest.fixture
def stranger(client, people):
    client.force_login(people.stranger)
    return client


def body(response):
    return b"".join(response.streaming_content)


def read(response):
    """To the end: an answer that streams holds its file open until then."""
    return body(response) if response.streaming else response.content


def text(response):
    return re.sub(r"\s+", " ", response.content.decode())


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
    for number in range(120):
        make_subject(project=project, label=f"T-{number:03}")
    make_subject(project=project, label="T-049", copy=1)
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


def test_a_file_tells_where_it_lies_and_where_it_came_from(member, tree, places):
    tree.file.versions.update(import_id=41, source_path="ST-7/in\ncoming")
    page = text(member.get(addresses(tree)["file"]))
    assert f"{places.archive}/{tree.path}" in page
    assert tree.digest in page
    assert r"ST-7/in\ncoming" in page
    assert 'href="/imports/41/"' in page


def test_a_file_lists_its_members_page_by_page(member, tree):
    lines = [[f"1.2.{n}.MR.dcm", n, "ab" * 32, f"in/{n}"] for n in range(120)]
    tree.manifest.lines = packed_lines(lines)
    tree.manifest.save()
    page = text(member.get(addresses(tree)["file"]))
    assert "An archive of 120 instances" in page
    assert "1.2.49.MR.dcm" in page
    assert "1.2.50.MR.dcm" not in page
    assert "1.2.119.MR.dcm" in text(member.get(addresses(tree)["file"], {"members": "100"}))


def test_an_older_version_says_so_and_is_still_there(member, tree, places):
    newer = store_series(series("98892003/MR700")[:3], file=tree.file, number=2, name="3 - T1w.dicom.zip")
    tree.file.version = 2
    tree.file.save()
    page = text(member.get(addresses(tree)["file"], {"version": "1"}))
    assert "This is an older version" in page
    assert "An archive of 7 instances" in page
    assert "An archive of 3 instances" in text(member.get(addresses(newer)["file"]))
    assert member.get(addresses(tree)["file"], {"version": "3"}).status_code == 404


def test_a_header_is_a_table_that_can_be_searched_without_script(member, tree):
    page = text(member.get(addresses(tree)["file-header"]))
    assert "SeriesInstanceUID" in page
    found = text(member.get(addresses(tree)["file-header"], {"q": "series nowhere"}))
    assert "No such element" in found
    found = text(member.get(addresses(tree)["file-header"], {"q": "SERIESinstance 0020"}))
    assert "SeriesInstanceUID" in found
    assert "PatientID" not in found


def test_a_file_without_a_header_says_so(member, tree, places):
    plain = store_file(b"hello", name="notes.dcm", acquisition=tree.file.acquisition)
    assert "No header to show" in text(member.get(addresses(plain)["file-header"]))


def test_a_picture_is_a_png_and_not_sent_again_unchanged(member, tree):
    address = addresses(tree)["file-picture"]
    first = member.get(address, {"slice": "1", "width": "256"})
    assert first["Content-Type"] == "image/png"
    assert first.content.startswith(b"\x89PNG")
    assert "private" in first["Cache-Control"]
    again = member.get(address, {"slice": "1", "width": "256"}, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("query", [{"slice": "7"}, {"slice": "999999999999999999999"}])
def test_no_picture_is_words_and_never_an_error(member, tree, query):
    answer = member.get(addresses(tree)["file-picture"], query)
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/svg+xml")
    assert b"no such slice" in answer.content
    assert answer["Cache-Control"] == "no-store"


def test_an_odd_slice_means_the_middle(member, tree):
    address = addresses(tree)["file-picture"]
    assert member.get(address, {"slice": "x"}).content == member.get(address, {"slice": "3"}).content


def test_a_download_is_the_stored_bytes_under_the_files_name(member, tree, places):
    answer = member.get(addresses(tree)["file-download"])
    assert body(answer) == (places.archive / tree.path).read_bytes()
    assert answer["Content-Disposition"] == 'attachment; filename="3 - T1w.dicom.zip"'
    assert answer["Content-Type"] == "application/zip"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Length"] == str(tree.size)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Größe.dcm", "attachment; filename*=utf-8''Gr%C3%B6%C3%9Fe.dcm"),
        ("a\nb\u202ec.dcm", 'attachment; filename="a_b_c.dcm"'),
        ('a"b.dcm', 'attachment; filename="a\\"b.dcm"'),
        ("..\\x2f.dcm", 'attachment; filename=".._x2f.dcm"'),
    ],
)
def test_any_name_makes_a_sound_header(member, tree, places, name, said):
    file = make_file(name=name, type="dicom", acquisition=tree.file.acquisition)
    version = store_file(shipped("CT_small.dcm"), name="scan.dcm", file=file)
    answer = member.get(addresses(version)["file-download"])
    assert answer["Content-Disposition"] == said
    assert answer["Content-Type"] == "application/dicom"
    assert len(body(answer)) == version.size


@pytest.mark.parametrize(
    ("asked", "span"),
    [("bytes=0-9", (0, 10)), ("bytes=10-", (10, None)), ("bytes=-5", (-5, None)), ("bytes=5-99999999", (5, None))],
)
def test_a_broken_download_goes_on_where_it_stopped(member, tree, places, asked, span):
    whole = (places.archive / tree.path).read_bytes()
    answer = member.get(addresses(tree)["file-download"], headers={"Range": asked})
    assert answer.status_code == 206
    assert body(answer) == whole[span[0] : span[1]]
    assert answer["Content-Range"].endswith(f"/{len(whole)}")
    assert answer["Content-Length"] == str(len(whole[span[0] : span[1]]))


@pytest.mark.parametrize("asked", ["bytes=9999999-", "bytes=5-2", "bytes=-", "lines=1-2", "bytes=0-1,4-5", "bytes=-0"])
def test_a_range_that_cannot_be_is_refused_with_the_size(member, tree, asked):
    answer = member.get(addresses(tree)["file-download"], headers={"Range": asked})
    assert (answer.status_code, answer["Content-Range"]) == (416, f"bytes */{tree.size}")


def test_a_part_that_is_never_read_is_closed_all_the_same(tree, places):
    stream = (places.archive / tree.path).open("rb")
    Part(stream, 0, 9).close()
    assert stream.closed


def test_a_range_of_another_version_brings_the_whole(member, tree):
    answer = member.get(addresses(tree)["file-download"], headers={"Range": "bytes=0-9", "If-Range": '"other"'})
    assert answer.status_code == 200
    assert len(body(answer)) == tree.size


def test_missing_bytes_are_a_sentence(member, tree, places):
    (places.archive / tree.path).unlink()
    answer = member.get(addresses(tree)["file-download"])
    assert answer.status_code == 409
    assert "cannot be read where they were stored" in text(answer)
    assert "not where they were stored" in member.get(addresses(tree)["file-picture"]).content.decode()


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
