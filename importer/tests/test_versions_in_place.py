"""What stays where it came from: downloaded as the archive that we would have stored, shown, and held to its listing."""

import hashlib
import io
import os
import zipfile
from pathlib import Path

import pytest
from django.urls import reverse

from hierarchy import manifests, references, zipping
from hierarchy.decode.why import NoPicture, Why
from hierarchy.models import FileVersion, Manifest
from hierarchy.pictures import header_rows, slice_header, slice_picture, slices
from hierarchy.references import Reference, reference_of
from hierarchy.tests.conftest import home, member, stranger, tree
from hierarchy.tests.factories import make_acquisition, make_session, make_subject
from hierarchy.tests.stored import local_storage, refer_file, refer_series, series, shipped, store_series
from importer.core import manifest
from importer.core.manifest import Member
from importer.pipeline.packing import member_info
from storages.stores import Changed, Missing, StoreAway

# Fixtures of the app below.
__all__ = ["home", "member", "stranger", "tree"]

pytestmark = pytest.mark.django_db
FOLDER = "98892003/MR700"


@pytest.fixture
def at(project):
    return make_acquisition(session=make_session(subject=make_subject(project=project)))


@pytest.fixture
def storage(tmp_path):
    return local_storage(tmp_path / "scans")


@pytest.fixture
def stays(storage, at, places, home):
    return refer_series(series(FOLDER), storage=storage, acquisition=at)


@pytest.fixture
def single(storage, at, places, home):
    path = Path(storage.bucket) / "one.dcm"
    path.write_bytes(shipped("CT_small.dcm"))
    return refer_file(path, storage=storage, acquisition=at)


def stored_by_us(instances_by_name):
    """As `importer.pipeline.packing` writes it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as target:
        for name in sorted(instances_by_name):
            target.writestr(member_info(name), instances_by_name[name])
    return out.getvalue()


def contents(version):
    root = Path(version.storage.bucket)
    return {m.name: (root / m.key).read_bytes() for m in reference_of(version).members}


def fetched(client, version, **headers):
    return client.get(reverse("file-download", args=[version.file_id]), headers=headers)


def first_file(version):
    return Path(version.storage.bucket, reference_of(version).members[0].key)


def test_a_series_is_downloaded_as_the_very_archive_that_we_would_have_stored(member, stays):
    answer = fetched(member, stays)
    assert answer.status_code == 200
    got = answer.getvalue()
    assert got == stored_by_us(contents(stays))
    assert int(answer["Content-Length"]) == len(got)
    assert answer["Content-Disposition"] == 'attachment; filename="T1w.dicom.zip"'


def test_large_members_are_sent_as_they_are_read_and_every_reader_opens_the_archive(member, stays, monkeypatch):
    monkeypatch.setattr(zipping, "SMALL", 100)
    answer = fetched(member, stays)
    got = answer.getvalue()
    assert int(answer["Content-Length"]) == len(got)
    with zipfile.ZipFile(io.BytesIO(got)) as opened:
        assert opened.testzip() is None
        assert {name: opened.read(name) for name in opened.namelist()} == contents(stays)


def test_an_archive_beyond_32_bits_says_so_in_its_list(member, stays, monkeypatch):
    """As if a file of 300 bytes were one of 3 GB: what is written differs in form only."""
    monkeypatch.setattr(zipping, "SMALL", 100)
    monkeypatch.setattr(zipping, "ZIP64", 300)
    answer = fetched(member, stays)
    got = answer.getvalue()
    assert int(answer["Content-Length"]) == len(got)
    assert b"PK\x06\x06" in got
    with zipfile.ZipFile(io.BytesIO(got)) as opened:
        assert opened.testzip() is None
        assert {name: opened.read(name) for name in opened.namelist()} == contents(stays)


def test_what_is_read_for_the_first_time_keeps_its_digests(member, stays):
    whole = contents(stays)
    fetched(member, stays).getvalue()
    stays.refresh_from_db()
    known = [Member(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in whole.items()]
    assert (stays.digest_of, stays.digest) == ("manifest", manifest.digest(known))
    kept = Manifest.objects.get(version=stays)
    assert {m.name: m.sha256 for m in manifests.from_lines(kept.lines)} == {m.name: m.sha256 for m in known}


def test_both_readers_of_manifests_mean_the_same(stays):
    lines = Manifest.objects.get(version=stays).lines
    ours, theirs = list(manifests.from_lines(lines)), list(manifest.from_lines(lines))
    told = [(m.name, m.size, m.sha256, m.source, m.mtime_ns, m.etag) for m in theirs]
    assert told == [(m.name, m.size, m.sha256, m.key, m.mtime_ns, m.etag) for m in ours]
    assert manifest.to_lines(theirs) == manifests.to_lines(ours)
    assert manifest.digest(theirs) == manifests.digest(ours)


def test_a_single_file_is_streamed_and_keeps_its_digest(member, single):
    answer = fetched(member, single)
    assert answer.getvalue() == shipped("CT_small.dcm")
    assert answer["Content-Length"] == str(single.size)
    single.refresh_from_db()
    assert (single.digest_of, single.digest) == ("content", hashlib.sha256(shipped("CT_small.dcm")).hexdigest())


@pytest.mark.parametrize("asked", ["bytes=0-99", "bytes=100-20000", "bytes=-50", "bytes=5000-"])
@pytest.mark.parametrize("which", ["stays", "single"])
def test_a_broken_download_goes_on_where_it_broke(member, request, which, asked):
    version = request.getfixturevalue(which)
    whole = stored_by_us(contents(version)) if which == "stays" else shipped("CT_small.dcm")
    answer = fetched(member, version, range=asked)
    assert answer.status_code == 206
    first, last = answer["Content-Range"].removeprefix("bytes ").partition("/")[0].split("-")
    assert answer.getvalue() == whole[int(first) : int(last) + 1]
    assert answer["Content-Range"].endswith(f"/{len(whole)}")


def test_a_part_that_there_is_not_is_refused(member, stays):
    assert fetched(member, stays, range="bytes=999999999-").status_code == 416


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda path: path.unlink(), "not at its source any more"),
        (lambda path: path.write_bytes(b"other"), "not what was imported"),
        (lambda path: path.parent.rename(path.parent.with_name("away")), "not at its source any more"),
    ],
    ids=["gone", "changed", "folder gone"],
)
@pytest.mark.parametrize("which", ["stays", "single"])
def test_what_is_not_there_as_it_was_is_refused_with_words(member, request, which, harm, words):
    version = request.getfixturevalue(which)
    if which == "single" and "folder" in request.node.callspec.id:
        first_file(version).unlink()
    else:
        harm(first_file(version))
    answer = fetched(member, version)
    assert answer.status_code == 409
    assert words in answer.content.decode()


@pytest.mark.parametrize("off", [True, False], ids=["switched off", "root away"])
def test_a_storage_that_is_away_is_not_a_file_that_is_gone(member, stays, off):
    if off:
        type(stays.storage).objects.update(enabled=False)
    else:
        Path(stays.storage.bucket).rename(f"{stays.storage.bucket}-away")
    answer = fetched(member, stays)
    assert answer.status_code == 409
    assert "cannot be reached" in answer.content.decode()


def test_content_that_changed_behind_size_and_time_breaks_off_before_its_end(member, single, stays):
    for version in (single, stays):
        fetched(member, version).getvalue()
        path = first_file(version)
        before = path.stat()
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)

        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        answer = fetched(member, version)
        sent = []
        with pytest.raises(Changed):
            sent.extend(answer.streaming_content)
        assert len(b"".join(sent)) < int(answer["Content-Length"])


def test_pictures_and_headers_come_from_the_members(stays, places, home):
    own = store_series(series(FOLDER), name="own.dicom.zip")
    assert slices(stays).members == slices(own).members
    assert not slices(stays).approximate
    for index in (0, len(slices(own)) - 1):
        assert slice_picture(stays, index=index) == slice_picture(own, index=index)
    assert slice_header(stays) == slice_header(own)


def test_a_header_longer_than_what_is_looked_at_first_still_has_its_picture(stays, monkeypatch):
    monkeypatch.setattr("hierarchy.spooled.HEAD", 400)
    assert len(slices(stays)) == len(reference_of(stays).members)
    assert slice_picture(stays, index=0).startswith(b"\x89PNG")


def test_pictures_and_headers_of_one_file_come_from_where_it_lies(single):
    assert slice_picture(single).startswith(b"\x89PNG")
    assert slice_header(single) == header_rows(io.BytesIO(shipped("CT_small.dcm")))


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (lambda path: path.unlink(), Why.MISSING),
        (lambda path: path.write_bytes(b"other"), Why.OTHER),
        (lambda path: path.parent.parent.rename(path.parent.parent.with_name("away")), Why.AWAY),
    ],
    ids=["gone", "changed", "away"],
)
def test_a_picture_that_cannot_be_had_says_why_and_comes_back(stays, harm, why):
    path = first_file(stays)
    data, before = path.read_bytes(), path.stat()
    harm(path)
    with pytest.raises(NoPicture) as without:
        slice_picture(stays, index=0)
    assert without.value.why == why
    if why is Why.MISSING:
        path.write_bytes(data)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert slice_picture(stays, index=0).startswith(b"\x89PNG")


def test_reading_changes_nothing_at_the_source(member, stays):
    def told(path):
        found = path.stat()
        return found.st_mtime_ns, found.st_ctime_ns, found.st_mode, found.st_nlink

    files = sorted(Path(stays.storage.bucket).rglob("*"))
    before = [told(path) for path in files]
    fetched(member, stays).getvalue()
    slice_picture(stays, index=0)
    assert [told(path) for path in sorted(Path(stays.storage.bucket).rglob("*"))] == before


def test_digests_are_kept_as_members_are_read_and_never_changed(stays):
    names = [m.name for m in reference_of(stays).members]
    references.record(stays, {names[0]: "aa" * 32})
    assert FileVersion.objects.get(pk=stays.pk).digest_of == "unread"
    references.record(stays, {names[0]: "bb" * 32, **dict.fromkeys(names[1:], "cc" * 32)})
    kept = {m.name: m.sha256 for m in reference_of(FileVersion.objects.get(pk=stays.pk)).members}
    assert kept == {names[0]: "aa" * 32, **dict.fromkeys(names[1:], "cc" * 32)}
    assert FileVersion.objects.get(pk=stays.pk).digest_of == "manifest"


def test_a_look_says_which_way_it_is_wrong(stays):
    reference = reference_of(stays)
    references.still_there(reference)
    path = first_file(stays)
    path.write_bytes(b"x")
    with pytest.raises(Changed):
        references.still_there(reference)
    path.unlink()
    with pytest.raises(Missing):
        references.still_there(reference)
    Path(stays.storage.bucket).rename(f"{stays.storage.bucket}-away")
    with pytest.raises(StoreAway):
        references.still_there(Reference(stays.storage, reference.members, packed=True))


def test_the_page_says_where_it_lies_and_that_nobody_has_read_it(member, stays, single):
    page = member.get(reverse("file", args=[stays.file_id])).content.decode()
    assert f"{stays.storage.bucket}/series/" in page
    assert "Its instances stay in the storage scans" in page
    assert "Nobody has read all of them yet" in page
    assert "not yet read" in page
    fetched(member, single).getvalue()
    page = member.get(reverse("file", args=[single.file_id])).content.decode()
    assert f"{single.storage.bucket}/one.dcm" in page
    assert "It stays in the storage scans" in page
    assert "Nobody has read" not in page
