"""Members of archives as files of their own, however hostile the archive."""

import io
import os
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from importer.core import archives
from importer.core.folder import Opener, Vanished
from importer.core.members import Archive, NoArchive, NoRoom, Spoiled
from importer.core.records import EntryKind
from importer.tests.core.zips import claiming, encrypted, linking, overlapping, spoiled, zipped


@pytest.fixture
def archive(tmp_path):
    """Opens these bytes as an archive."""
    opened = []

    def of(data):
        path = tmp_path / "a.zip"
        path.write_bytes(data)
        opened.append(Archive.of_handle(os.open(path, os.O_RDONLY)))
        return opened[-1]

    yield of
    for one in opened:
        one.close()


def listed(found, **options):
    return [(entry.path.removeprefix("a.zip::"), entry.kind.value) for entry in found.entries("a.zip", **options)]


def content(found, name):
    with os.fdopen(found.open(name), "rb") as stream:
        return stream.read()


def test_members_come_as_a_folder_would_be_walked(archive):
    found = archive(zipped({"b/1": b"", "b.c": b"x", "b/": b"", "a": b"y", "B": b""}))
    assert [name for name, _ in listed(found)] == ["B", "a", "b/1", "b.c"]


def test_a_listing_goes_on_behind_a_member(archive):
    found = archive(zipped({"b/1": b"", "b.c": b"x", "a": b"y", "B": b""}))
    assert [name for name, _ in listed(found, after="a")] == ["b/1", "b.c"]
    assert [name for name, _ in listed(found, after="az")] == ["b/1", "b.c"]
    assert listed(found, after="b.c") == []


def test_a_member_has_its_own_size_and_the_archives_times(archive, tmp_path):
    found = archive(zipped({"a": b"12345"}))
    [entry] = found.entries("x/a.zip")
    known = (tmp_path / "a.zip").stat()
    assert (entry.path, entry.kind, entry.size) == ("x/a.zip::a", EntryKind.MEMBER, 5)
    assert (entry.mtime_ns, entry.ctime_ns) == (known.st_mtime_ns, known.st_ctime_ns)
    assert entry.inode == f"{known.st_dev:x}:{known.st_ino:x}"


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_members_bytes_are_read_like_a_files(archive, method):
    data = os.urandom(3_000_000)
    found = archive(zipped({"in/a": data, "b": b"other"}, method=method))
    handle = found.open("in/a")
    try:
        assert os.pread(handle, 10, 2_999_990) == data[-10:]
        assert os.read(handle, 10) == data[:10]
        assert os.fstat(handle).st_size == len(data)
        assert os.fstat(handle).st_nlink == 0
    finally:
        os.close(handle)
    assert content(found, "b") == b"other"


@pytest.mark.parametrize(
    ("stored", "printed"),
    [
        (b"caf\xc3\xa9", "café"),
        (b"caf\x82", "café"),
        (b"a::b", r"a\x3a:b"),
        (b":a", r"\x3aa"),
        (b"./x//y", "x/y"),
        (b"a\nb", "a\nb"),
        (rb"x\y", r"x\y"),
    ],
)
def test_names_are_printable_and_lead_back(archive, stored, printed):
    info = zipfile.ZipInfo("n" * len(stored))
    found = archive(zipped([(info, b"this one")]).replace(b"n" * len(stored), stored))
    assert listed(found) == [(printed, "member")]
    assert content(found, printed) == b"this one"


@pytest.mark.parametrize(
    "name", ["../a", "a/../../b", "/etc/passwd", "//host/x", "\\\\host\\x", "a\\..\\..\\b", "..", "."]
)
def test_a_name_that_leads_out_is_refused(archive, name):
    found = archive(zipped({name: b"root"}))
    [(printed, kind)] = listed(found)
    assert kind == EntryKind.OUTSIDE
    with pytest.raises(Spoiled, match="leads out"):
        found.open(printed)


HOSTILE = {
    "encrypted": (encrypted(zipped({"a": b"x"})), EntryKind.ENCRYPTED),
    "bzip2": (zipped({"a": b"x"}, method=zipfile.ZIP_BZIP2), EntryKind.COMPRESSION),
    "lzma": (zipped({"a": b"x"}, method=zipfile.ZIP_LZMA), EntryKind.COMPRESSION),
    "a bomb": (zipped({"a": bytes(70_000_000)}), EntryKind.BOMB),
    "a bomb's claim": (claiming(zipped({"a": b"x" * 99}), 3_000_000_000), EntryKind.BOMB),
    "a name twice": (zipped([("a", b"x"), ("a", b"y")]), EntryKind.TWICE),
    "one name in two spellings": (zipped([("a", b"x"), ("./a", b"y")]), EntryKind.TWICE),
    "a link": (linking("/etc/passwd"), EntryKind.SYMLINK),
    "deep": (zipped({"d/" * 70 + "a": b"x"}), EntryKind.TOO_DEEP),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_odd_about_a_member_is_its_kind(archive, name):
    data, kind = HOSTILE[name]
    [entry] = archive(data).entries("a.zip")
    assert (entry.kind, entry.size) == (kind, 0)


@pytest.mark.parametrize("name", sorted(set(HOSTILE) - {"deep"}))
def test_a_refused_member_is_not_opened_either(archive, name):
    found = archive(HOSTILE[name][0])
    [(printed, _)] = listed(found)
    with pytest.raises(Spoiled):
        found.open(printed)


@pytest.mark.parametrize("claim", [0, 5, 4000])
def test_a_size_that_is_a_lie_spoils_the_member(archive, claim):
    found = archive(claiming(zipped({"a": b"x" * 99}), claim))
    with pytest.raises(Spoiled, match="broken in its archive"):
        found.open("a")


def test_a_broken_member_spoils_no_other(archive):
    found = archive(spoiled(zipped({"a": b"first bytes", "b": b"other"}, method=zipfile.ZIP_STORED), b"first bytes"))
    with pytest.raises(Spoiled, match="broken in its archive"):
        found.open("a")
    assert content(found, "b") == b"other"


@pytest.mark.parametrize("data", [b"", b"no zip", zipped({"a": b"x"})[:-30], overlapping()], ids="0123")
def test_what_is_no_archive_says_so(archive, data):
    with pytest.raises(NoArchive):
        archive(data)


def test_a_directory_beyond_the_bound_is_not_read(archive, monkeypatch):
    monkeypatch.setattr(archives, "MOST_DIRECTORY", 10_000)
    assert len(listed(archive(zipped({f"{n:04}": b"" for n in range(150)})))) == 150
    with pytest.raises(NoArchive):
        archive(zipped({f"{n:04}": b"" for n in range(250)}))


def test_a_full_disk_is_not_the_members_fault(archive, monkeypatch):
    found = archive(zipped({"a": b"x"}))

    class Full(io.FileIO):
        def __init__(self):
            super().__init__("/dev/full", "wb")

    monkeypatch.setattr("importer.core.members.tempfile.TemporaryFile", Full)
    with pytest.raises(NoRoom):
        found.open("a")


def test_an_opener_opens_members_and_knows_when_the_archive_changed(tmp_path):
    path = tmp_path / "x" / "a.zip"
    path.parent.mkdir()
    path.write_bytes(zipped({"in/b": b"bytes"}))
    with Opener(os.fsencode(tmp_path)) as opener:
        [entry] = opener.archive("x/a.zip").entries("x/a.zip")
        stat = {"size": entry.size, "mtime_ns": entry.mtime_ns, "inode": entry.inode}
        handle = opener.open("x/a.zip::in/b")
        assert os.read(handle, 99) == b"bytes"
        assert opener.unchanged(handle, entry.path, **stat)
        assert not opener.unchanged(handle, entry.path, **stat | {"size": 4})
        os.utime(path, (1, 1))
        assert not opener.unchanged(handle, entry.path, **stat)
        os.close(handle)
        with pytest.raises(Vanished):
            opener.open("x/a.zip::in/c")
        with pytest.raises(Vanished):
            opener.open("x/none.zip::in/b")
        (tmp_path / "text.zip").write_bytes(b"text")
        with pytest.raises(Spoiled, match="not a zip archive"):
            opener.open("text.zip::in/b")


def test_no_handle_is_left_open(tmp_path):
    (tmp_path / "a.zip").write_bytes(zipped({"b": b"bytes"}))
    (tmp_path / "b.zip").write_bytes(b"text")
    before = len(os.listdir("/proc/self/fd"))
    with Opener(os.fsencode(tmp_path)) as opener:
        for path in ["a.zip::b", "b.zip::b", "a.zip::c", "a.zip::b"]:
            try:
                os.close(opener.open(path))
            except (Spoiled, Vanished):
                continue
    assert len(os.listdir("/proc/self/fd")) == before


GOOD = zipped({"a.dcm": b"first member" * 9, "in/b.dcm": b"second" * 9})


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_an_archive_with_any_bytes_changed_never_raises_anything_else(tmp_path_factory, changes):
    data = bytearray(GOOD)
    for place, value in changes:
        data[place] = value
    path = tmp_path_factory.mktemp("zip") / "a.zip"
    path.write_bytes(data)
    try:
        with Archive.of_handle(os.open(path, os.O_RDONLY)) as found:
            for entry in found.entries("a.zip"):
                _, _, name = entry.path.partition("::")
                assert name
                try:
                    handle = found.open(name)
                except Spoiled:
                    continue
                assert os.fstat(handle).st_size == entry.size
                os.close(handle)
    except NoArchive:
        pass
