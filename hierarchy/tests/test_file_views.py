"""Pages of one stored file: what they tell, what they draw, what they send."""

import pytest

from hierarchy.downloads import Part
from hierarchy.tests.browsing import addresses, body, text
from hierarchy.tests.factories import make_file
from hierarchy.tests.stored import packed_lines, series, shipped, store_file, store_series

pytestmark = pytest.mark.django_db


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
