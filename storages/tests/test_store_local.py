"""What only a folder has: links, devices, rights, a disk that fills up or is not mounted."""

import errno
import io
import os
import socket
import stat
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from storages.stores import (
    BadKey,
    Changed,
    Kind,
    Missing,
    StoreAway,
    StoreConfig,
    StoreDenied,
    StoreFull,
    Taken,
    Unreadable,
    handles,
    sorting,
    store_for,
)


@pytest.fixture
def root(tmp_path):
    made = tmp_path / "root"
    made.mkdir()
    return made


@pytest.fixture
def store(root):
    return store_for(StoreConfig(Kind.LOCAL, str(root)))


@pytest.fixture
def outside(tmp_path):
    """A file that no key may reach."""
    (tmp_path / "outside").mkdir()
    secret = tmp_path / "outside" / "secret"
    secret.write_bytes(b"secret")
    return secret


def put(store, key, content=b"bytes"):
    return store.put(key, io.BytesIO(content), size=len(content))


def listed(store, **how):
    return {one.key: str(one.kind) for one in store.list(**how)}


class TestLinks:
    def test_links_are_listed_as_such_and_never_followed(self, store, root, outside):
        (root / "real").write_bytes(b"x")
        (root / "file").symlink_to(outside)
        (root / "folder").symlink_to(outside.parent)
        (root / "loop").symlink_to(root)
        (root / "dangling").symlink_to(root / "nothing")
        links = dict.fromkeys(("file", "folder", "loop", "dangling"), "symlink")
        assert listed(store) == {"real": "file", **links}
        assert listed(store, prefix="folder/") == {}
        for key in ("file", "folder", "folder/secret", "loop/real", "dangling"):
            for ask in (store.stat, store.open, lambda key: store.read_at(key, 0, 9)):
                with pytest.raises(Missing):
                    ask(key)
        assert store.folders("folder/").objects == ()
        assert [one.key for one in store.folders().objects] == ["dangling", "file", "folder", "loop", "real"]

    def test_nothing_is_written_or_deleted_through_a_link(self, store, root, outside):
        (root / "folder").symlink_to(outside.parent)
        (root / "file").symlink_to(outside)
        with pytest.raises(BadKey):
            put(store, "folder/new")
        with pytest.raises(Taken):
            put(store, "file")
        store.delete(["folder/secret", "file"])
        assert outside.read_bytes() == b"secret"
        assert sorted(os.listdir(outside.parent)) == ["secret"]
        assert not (root / "file").is_symlink(), "the link itself is ours to delete"

    def test_a_folder_that_becomes_a_link_while_it_is_listed_leads_nowhere(self, store, root, outside):
        for name in ("a", "b", "c"):
            (root / name).mkdir()
            (root / name / "inside").write_bytes(b"x")
        found = store.list()
        assert next(found).key == "a/inside"
        (root / "b" / "inside").unlink()
        (root / "b").rmdir()
        (root / "b").symlink_to(outside.parent)
        assert [one.key for one in found] == ["c/inside"]

    def test_a_prefix_that_is_a_link_leads_nowhere(self, store, root, outside):
        (root / "in").symlink_to(outside.parent)
        inner = store_for(StoreConfig(Kind.LOCAL, str(root), prefix="in"))
        assert listed(inner) == {}
        with pytest.raises(Missing):
            inner.stat("secret")

    def test_a_root_that_became_a_link_is_away(self, store, root, outside):
        root.rmdir()
        root.symlink_to(outside.parent)
        for ask in (lambda: listed(store), lambda: store.stat("secret"), store.identity, lambda: put(store, "a")):
            with pytest.raises(StoreAway):
                ask()


class TestOddThings:
    def test_devices_pipes_and_sockets_are_listed_and_block_nobody(self, store, root, monkeypatch):
        os.mkfifo(root / "pipe")
        monkeypatch.chdir(root)
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("socket")
            assert listed(store) == {"pipe": "special", "socket": "special"}
            for key in ("pipe", "socket"):
                with pytest.raises(Missing):
                    store.read_at(key, 0, 1)

    def test_too_deep_a_folder_is_said_to_be(self, store, root):
        # Longer than the kernel takes in one path.
        here = os.open(root, os.O_RDONLY)
        for _ in range(70):
            os.mkdir("d" * 100, dir_fd=here)
            there = os.open("d" * 100, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = there
        os.close(here)
        assert list(listed(store).values()) == ["too_deep"]

    def test_what_the_kernel_refuses_is_unreadable_and_the_rest_goes_on(self, store, root, monkeypatch):
        for name in ("a", "closed", "z"):
            (root / name).mkdir()
            (root / name / "file").write_bytes(b"x")
        real = os.open

        def refusing(path, *args, **how):
            if path in {b"closed", b"secret"}:
                raise PermissionError(errno.EACCES, "Permission denied")
            return real(path, *args, **how)

        (root / "secret").write_bytes(b"x")
        monkeypatch.setattr(os, "open", refusing)
        assert listed(store) == {"a/file": "file", "closed/": "unreadable", "secret": "file", "z/file": "file"}
        with pytest.raises(Unreadable):
            store.read_at("secret", 0, 1)
        with pytest.raises(Unreadable):
            store.stat("closed/file")

    def test_a_million_names_are_not_sorted_in_memory(self, store, root, monkeypatch):
        monkeypatch.setattr(sorting, "RUN", 7)
        names = [f"{number:03}" for number in range(40)] + ["a/x", "a.x", "a0"]
        for name in names:
            put(store, name)
        assert list(listed(store)) == sorted(names)
        before = len(os.listdir("/proc/self/fd"))
        found = store.list()
        next(found)
        found.close()
        assert len(os.listdir("/proc/self/fd")) == before

    def test_names_of_any_bytes_come_and_go(self, store, root):
        Path(os.fsdecode(bytes(root) + b"/\xff\n.dcm")).write_bytes(b"x")
        assert listed(store) == {"\\xff\n.dcm": "file"}
        assert store.read_at("\\xff\n.dcm", 0, 9) == b"x"
        store.delete(["\\xff\n.dcm"])
        assert listed(store) == {}

    def test_sources_keep_their_times_and_modes(self, store, root):
        (root / "a").write_bytes(b"x")
        os.utime(root / "a", ns=(1, 1))
        (root / "a").chmod(0o444)
        before = os.stat(root / "a")
        store.read_at("a", 0, 1)
        with store.open("a") as stream:
            stream.read()
        after = os.stat(root / "a")
        assert (before.st_mtime_ns, before.st_ctime_ns, before.st_mode) == (
            after.st_mtime_ns, after.st_ctime_ns, after.st_mode,
        )  # fmt: skip
        assert store.stat("a").mtime_ns == 1

    def test_a_file_that_is_written_to_while_it_is_read_is_changed(self, store, root):
        (root / "a").write_bytes(b"x" * 300_000)
        stream = store.open("a")
        stream.read(10)
        with (root / "a").open("ab") as more:
            more.write(b"y")
        with pytest.raises(Changed):
            stream.read()


class TestWriting:
    def test_nothing_is_seen_of_a_file_before_it_is_whole(self, store, root):
        seen = []

        class Watching(io.BytesIO):
            def read(self, *args):
                seen.append((listed(store), store.folders()))
                return super().read(*args)

        store.put("a/b", Watching(b"x" * 10), size=10)
        assert seen
        assert all(found == {} and level.folders == level.objects == () for found, level in seen)
        assert listed(store) == {"a/b": "file"}

    def test_what_fails_leaves_nothing_behind(self, store, root):
        class Breaking(io.BytesIO):
            def read(self, *_):
                raise Changed("gone")

        with pytest.raises(Changed):
            store.put("a/b", Breaking(), size=10)
        assert os.listdir(root / ".pratique-incoming") == []

    def test_what_a_killed_process_left_is_swept_when_it_is_old(self, store, root):
        put(store, "a")
        for name, age in (("old", 7200), ("young", 60)):
            left = root / ".pratique-incoming" / name
            left.write_bytes(b"x")
            at = timezone.now().timestamp() - age
            os.utime(left, (at, at))
        assert store.abort_leftovers(timezone.now() - timedelta(hours=1)) == 1
        assert os.listdir(root / ".pratique-incoming") == ["young"]
        assert listed(store) == {"a": "file"}

    def test_no_key_leads_to_where_files_are_put_together(self, store):
        put(store, "a")
        for key in (".pratique-incoming/x", ".pratique-incoming"):
            with pytest.raises(BadKey):
                put(store, key)
            with pytest.raises(Missing):
                store.stat(key)

    def test_a_file_and_a_folder_of_one_name_cannot_be(self, store):
        put(store, "a/b")
        with pytest.raises(BadKey):
            put(store, "a")
        with pytest.raises(BadKey):
            put(store, "a/b/c")

    def test_a_disk_without_links_is_written_all_the_same(self, store, monkeypatch):
        def refused(*_names, **_how):
            raise OSError(errno.ENOTSUP, "no links here")

        monkeypatch.setattr(os, "link", refused)
        put(store, "a", b"first")
        with pytest.raises(Taken):
            put(store, "a", b"second")
        assert store.read_at("a", 0, 9) == b"first"

    @pytest.mark.parametrize(
        ("number", "expected"),
        [(errno.ENOSPC, StoreFull), (errno.EDQUOT, StoreFull), (errno.EROFS, StoreDenied), (errno.EIO, StoreAway)],
    )
    def test_what_the_disk_says_is_said_in_words(self, store, root, monkeypatch, number, expected):
        def refused(_handle):
            raise OSError(number, os.strerror(number))

        put(store, "there")
        monkeypatch.setattr(os, "fsync", refused)
        with pytest.raises(expected):
            put(store, "a")
        monkeypatch.undo()
        assert listed(store) == {"there": "file"}
        assert os.listdir(root / ".pratique-incoming") == []

    def test_of_sixteen_who_want_one_name_one_gets_it(self, store):
        won, start = [], threading.Barrier(16)

        def run(number):
            start.wait()
            try:
                put(store, "a/b", bytes([number]) * 9)
            except Taken:
                return
            won.append(number)

        threads = [threading.Thread(target=run, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        assert store.read_at("a/b", 0, 99) == bytes(won) * 9

    def test_a_missing_root_is_never_made(self, store, root):
        root.rmdir()
        with pytest.raises(StoreAway):
            put(store, "a")
        assert not root.exists()

    def test_files_get_the_rights_that_the_installation_gives(self, store, root):
        before = os.umask(0o027)
        try:
            put(store, "a/b")
        finally:
            os.umask(before)
        assert stat.S_IMODE(os.stat(root / "a" / "b").st_mode) == 0o640


def test_no_handle_stays_open(store, root):
    put(store, "a/b")
    before = len(os.listdir("/proc/self/fd"))
    listed(store)
    store.folders("a/")
    store.stat("a/b")
    store.read_at("a/b", 0, 1)
    store.open("a/b").close()
    store.delete(["nothing/here", "a/nothing"])
    for key in ("nothing", "a/b/c", "../x"):
        with pytest.raises(Missing):
            store.stat(key)
    with pytest.raises(Taken):
        put(store, "a/b")
    assert len(os.listdir("/proc/self/fd")) == before


def test_another_disk_under_the_same_path_is_another_store(store, root):
    mine = store.identity()
    put(store, "a")
    assert store.identity() == mine
    root.rename(root.with_name("moved"))
    root.mkdir()
    assert store.identity() != mine
    assert store_for(replace(StoreConfig(Kind.LOCAL, ""), bucket=str(root.with_name("moved")))).identity() == mine


def test_a_reserved_name_deeper_down_is_a_name(store):
    put(store, "x/.pratique-incoming/a")
    assert listed(store) == {"x/.pratique-incoming/a": "file"}
    assert handles.INCOMING == b".pratique-incoming"
