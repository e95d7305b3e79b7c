"""A folder is walked in one order, from anywhere on, and never left by a link."""

import os
import shutil
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from importer.core import folder
from importer.core.folder import MAX_DEPTH, NotPlain, Opener, SourceAway, Special, Vanished, walk
from importer.core.names import raw
from importer.core.records import EntryKind
from importer.tests.pipeline.denied import permissions_count


@pytest.fixture
def root(tmp_path):
    found = tmp_path / "root"
    found.mkdir()
    return found


def put(path, data=b"x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def paths(root, **named):
    return [entry.path for entry in walk(os.fsencode(root), **named)]


def kinds(root):
    return {entry.path: entry.kind for entry in walk(os.fsencode(root))}


def test_names_come_in_byte_order_of_their_parts(root):
    for name in ("b", "a/z", "a/b/c", "a b", "a.txt", "A", "\u00e9", "a/b.txt"):
        put(root / name)
    assert paths(root) == ["A", "a/b/c", "a/b.txt", "a/z", "a b", "a.txt", "b", "\u00e9"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.lists(st.sampled_from(["a", "b", "ab", "a.b", "-", "~"]), min_size=1, max_size=4), min_size=1, max_size=12
    )
)
def test_a_walk_goes_on_behind_any_path_as_if_it_had_never_stopped(tmp_path, names):
    root = tmp_path / "walked"
    shutil.rmtree(root, ignore_errors=True)
    for parts in names:
        path = root.joinpath(*parts)
        if not any(above.is_file() for above in (path, *path.parents)) and not path.is_dir():
            put(path)
    whole = paths(root)
    keys = [raw(path).split(b"/") for path in whole]
    assert keys == sorted(keys)
    for at, path in enumerate(whole):
        assert paths(root, after=path) == whole[at + 1 :]


def test_a_walk_goes_on_behind_what_is_gone_by_now(root):
    for name in ("a/1", "a/2", "b/1", "c"):
        put(root / name)
    shutil.rmtree(root / "b")
    (root / "a" / "2").unlink()
    assert paths(root, after="a/2") == ["c"]
    assert paths(root, after="b/1") == ["c"]
    assert paths(root, after="zz") == []


def test_a_folder_of_many_names_is_sorted_through_the_disk(root, monkeypatch):
    monkeypatch.setattr(folder, "RUN", 7)
    for number in range(50):
        put(root / f"{(number * 37) % 50:02}")
    expected = [f"{number:02}" for number in range(50)]
    assert paths(root) == expected
    assert paths(root, after="33") == expected[34:]


def test_everything_that_is_no_folder_has_a_kind(root):
    put(root / "file", b"12345")
    (root / "link").symlink_to(root)
    (root / "dangling").symlink_to("nowhere")
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.getcwd()
        os.chdir(root)
        listening.bind("socket")
        os.chdir(here)
    (root / "empty").mkdir()
    assert kinds(root) == {
        "dangling": EntryKind.SYMLINK, "file": EntryKind.FILE, "link": EntryKind.SYMLINK,
        "pipe": EntryKind.SPECIAL, "socket": EntryKind.SPECIAL,
    }  # fmt: skip
    entry = next(entry for entry in walk(os.fsencode(root)) if entry.path == "file")
    found = (root / "file").stat()
    assert (entry.size, entry.mtime_ns) == (5, found.st_mtime_ns)
    assert entry.inode == f"{found.st_dev:x}:{found.st_ino:x}"


def test_no_deeper_than_is_sensible(root):
    put(root.joinpath(*["d"] * MAX_DEPTH, "file"))
    put(root.joinpath(*["e"] * (MAX_DEPTH + 1), "file"))
    assert kinds(root) == {
        f"{'d/' * MAX_DEPTH}file": EntryKind.FILE,
        f"{'e/' * (MAX_DEPTH + 1)}": EntryKind.TOO_DEEP,
    }


def test_what_may_not_be_looked_at_is_one_entry_each(root):
    put(root / "locked" / "a")
    put(root / "listed" / "b")
    put(root / "z")
    (root / "locked").chmod(0)
    (root / "listed").chmod(0o600)
    try:
        with permissions_count():
            found = kinds(root)
            again = paths(root, after="listed/b")
    finally:
        (root / "locked").chmod(0o700)
        (root / "listed").chmod(0o700)
    assert found == {"listed/b": EntryKind.UNREADABLE, "locked/": EntryKind.UNREADABLE, "z": EntryKind.FILE}
    assert again == ["locked/", "z"]


@pytest.mark.parametrize("what", ["missing", "a file", "locked"])
def test_a_root_that_cannot_be_opened_is_away(root, what):
    path = root / "source"
    if what == "a file":
        path.write_bytes(b"")
    if what == "locked":
        path.mkdir(0)
    with permissions_count(), pytest.raises(SourceAway):
        list(walk(os.fsencode(path)))
    with permissions_count(), pytest.raises(SourceAway):
        Opener(os.fsencode(path))


def test_no_handle_stays_open(root):
    for number in range(20):
        put(root / f"{number}" / "a" / "b" / "c")
    before = len(os.listdir("/proc/self/fd"))
    list(walk(os.fsencode(root)))
    half = walk(os.fsencode(root))
    next(half)
    half.close()
    with Opener(os.fsencode(root)) as opener:
        for number in range(20):
            os.close(opener.open(f"{number}/a/b/c"))
        with pytest.raises(Vanished):
            opener.open("1/a/x/y")
        list(opener.look("2"))
    assert len(os.listdir("/proc/self/fd")) == before


SWAPS = {
    "gone": (lambda path: path.unlink(), Vanished),
    "its folder gone": (lambda path: shutil.rmtree(path.parent), Vanished),
    "a link": (lambda path: (path.unlink(), path.symlink_to("/etc/hostname")), NotPlain),
    "its folder a link": (lambda path: (path.parent.rename(path.parent.parent / "m"),
                                        path.parent.symlink_to(path.parent.parent / "m")), NotPlain),
    "its folder a file": (lambda path: (shutil.rmtree(path.parent), path.parent.write_bytes(b"")), NotPlain),
    "a pipe": (lambda path: (path.unlink(), os.mkfifo(path)), Special),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), Special),
}  # fmt: skip


@pytest.mark.parametrize("swap", SWAPS.values(), ids=SWAPS)
def test_what_is_something_else_by_now_is_not_opened_and_blocks_nobody(root, swap):
    change, error = swap
    path = put(root / "a" / "file")
    with Opener(os.fsencode(root)) as opener:
        change(path)
        with pytest.raises(error):
            opener.open("a/file")


def test_a_source_that_is_renamed_while_it_is_read_is_read_to_the_end(root):
    for number in range(3):
        put(root / "a" / f"{number}")
    with Opener(os.fsencode(root)) as opener:
        os.close(opener.open("a/0"))
        root.rename(root.parent / "renamed")
        os.close(opener.open("a/1"))


def look(root, path):
    with Opener(os.fsencode(root)) as opener:
        return {entry.path: entry.kind for entry in opener.look(path)}


def test_a_path_is_looked_at_again_whatever_it_is_by_now(root):
    put(root / "file")
    put(root / "folder" / "sub" / "a")
    put(root / "folder" / "b")
    (root / "link").symlink_to(root / "folder")
    assert look(root, "file") == {"file": EntryKind.FILE}
    assert look(root, "folder/") == {"folder/b": EntryKind.FILE, "folder/sub/a": EntryKind.FILE}
    assert look(root, "link/") == look(root, "link") == {"link": EntryKind.SYMLINK}
    assert look(root, "link/b") == look(root, "gone") == look(root, "gone/x") == {}


def test_below_a_path_a_look_goes_on_where_it_was(root):
    for name in ("f/a/1", "f/a/2", "f/b", "g"):
        put(root / name)
    with Opener(os.fsencode(root)) as opener:
        assert [entry.path for entry in opener.go_on("f/", after="f/a/1")] == ["f/a/2", "f/b"]
        assert list(opener.go_on("gone/", after="gone/x")) == []
