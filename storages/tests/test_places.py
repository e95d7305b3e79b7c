"""A place holds bytes whole or not at all, each under its own name, never over others, never outside."""

import errno
import multiprocessing
import os
import subprocess
import threading
from contextlib import suppress

import pytest

from storages import places
from storages.errors import PlaceAway, PlaceError, PlaceFull, explained
from storages.places import LocalPlace, archive, place, quarantine


@pytest.fixture
def here(tmp_path):
    return LocalPlace(tmp_path / "archive")


def staged(here, path, content=b"bytes"):
    one = here.stage(path)
    one.stream.write(content)
    return one


def published(here, path, content=b"bytes"):
    one = staged(here, path, content)
    here.publish([one])
    return one


def names(here):
    return sorted(name for name, _ in here.walk())


def test_what_is_published_is_read_back_with_its_size(here):
    assert published(here, "g/p/a.dcm", b"hello").size == 5
    with here.open("g/p/a.dcm") as stream:
        assert stream.read() == b"hello"
    assert here.size("g/p/a.dcm") == 5
    assert here.exists("g/p/a.dcm")


def test_nothing_stands_at_the_final_name_before_all_of_it_is_flushed(here, monkeypatch):
    seen = []
    monkeypatch.setattr(
        places, "flush_files", lambda paths: seen.append((names(here), [p.read_bytes() for p in paths]))
    )
    here.publish([staged(here, "a", b"one"), staged(here, "b", b"two")])
    assert seen == [([], [b"one", b"two"])]
    assert names(here) == ["a", "b"]


def test_names_are_flushed_after_they_are_given_with_every_folder_that_was_made(here, monkeypatch):
    published(here, "g/other")
    flushed = []
    monkeypatch.setattr(places, "flush_folders", lambda folders: flushed.append((set(folders), names(here))))
    here.publish([staged(here, "g/p/s/a")])
    root = here.root
    assert flushed == [({root / "g", root / "g/p", root / "g/p/s"}, ["g/other", "g/p/s/a"])]


def test_what_is_staged_is_neither_listed_nor_readable(here):
    one = staged(here, "a")
    assert names(here) == []
    assert not here.exists("a")
    with pytest.raises(FileNotFoundError):
        here.open("a")
    here.discard(one)


def test_a_stored_file_is_never_written_over(here):
    published(here, "a", b"first")
    with pytest.raises(PlaceError, match="never written over"):
        published(here, "a", b"second")
    with here.open("a") as stream:
        assert stream.read() == b"first"


def test_of_many_who_want_one_name_one_gets_it_and_no_byte_is_lost(here):
    everyone, won = [staged(here, "a", bytes([n]) * 9) for n in range(16)], []
    start = threading.Barrier(len(everyone))

    def run(one):
        start.wait()
        try:
            here.publish([one])
        except PlaceError:
            return
        won.append(one)

    threads = [threading.Thread(target=run, args=(one,)) for one in everyone]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert here.size("a") == 9
    assert len(list(here.leftovers())) == 15


def test_a_file_system_without_hard_links_is_written_all_the_same(here, monkeypatch):
    def refused(*_names, **_how):
        raise OSError(errno.ENOTSUP, "no links here")

    monkeypatch.setattr(os, "link", refused)
    published(here, "a", b"first")
    assert names(here) == ["a"]
    with pytest.raises(PlaceError, match="never written over"):
        published(here, "a")


def test_publishing_beside_deleting_survives_the_folders_that_come_and_go(here):
    over = threading.Event()

    def deleting():
        while not over.is_set():
            here.delete("g/p/s/x/other")

    thread = threading.Thread(target=deleting)
    thread.start()
    try:
        for number in range(200):
            published(here, f"g/p/s/x/{number}")
            here.delete(f"g/p/s/x/{number}")
    finally:
        over.set()
        thread.join()
    assert names(here) == []


@pytest.mark.parametrize(
    "path",
    ["", "/etc/passwd", "../a", "a/../../b", "a/..", "./a", "a//b", "a/", ".incoming/a", "a\0b", "."],
)
@pytest.mark.parametrize("what", ["stage", "open", "exists", "size", "delete"])
def test_no_path_leads_out_of_a_place(here, path, what):
    with pytest.raises(PlaceError):
        getattr(here, what)(path)


def test_names_that_only_look_dangerous_are_names(here):
    for name in (
        "...",
        "a..b",
        "..a",
        "-rf",
        "a b",
        "~",
        "$HOME",
        "x/.incoming",
        "é\udcff".encode("utf-8", "surrogateescape").decode("latin-1"),
    ):
        published(here, name)
        assert here.exists(name)


def test_what_is_discarded_leaves_nothing_behind(here):
    one = staged(here, "a")
    here.discard(one)
    assert one.stream.closed
    assert list(here.leftovers()) == []
    here.discard(one)


def test_what_a_killed_worker_left_is_found(here):
    child = multiprocessing.get_context("fork").Process(target=_stage_and_die, args=(here,))
    child.start()
    child.join()
    left = list(here.leftovers())
    assert len(left) == 1
    assert names(here) == []


def _stage_and_die(here):
    staged(here, "a").stream.flush()
    os._exit(1)


def test_a_place_that_was_never_used_has_no_leftovers(here):
    assert list(here.leftovers()) == []
    assert names(here) == []


def test_deleting_takes_emptied_folders_away_and_no_others(here):
    published(here, "g/p/s/a")
    published(here, "g/q/b")
    here.delete("g/p/s/a")
    assert not (here.root / "g" / "p").exists()
    assert names(here) == ["g/q/b"]
    here.delete("g/q/b")
    assert here.root.is_dir()
    here.delete("g/q/b")


def full(one):
    """The same staged file on a device that is always full: the kernel's own refusal."""
    one.stream.close()
    one.stream = open("/dev/full", "wb", buffering=1 << 20)  # noqa: SIM115
    one.stream.write(b"x" * 100)
    return one


def test_a_full_disk_is_said_to_be_full_and_nothing_is_published(here):
    good, bad = staged(here, "good"), full(here.stage("bad"))
    with pytest.raises(PlaceFull, match="No space left"):
        here.publish([good, bad])
    assert names(here) == []
    for one in (good, bad):
        here.discard(one)
    assert list(here.leftovers()) == []


def test_a_full_disk_while_writing_is_said_to_be_full():
    with pytest.raises(PlaceFull), explained("place"), open("/dev/full", "wb", buffering=0) as device:
        device.write(b"x")


@pytest.fixture
def tiny(tmp_path):
    """A file system of 1 MiB, where mounting is allowed."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=20", "tmpfs", str(folder)], check=False)
    if done.returncode:
        pytest.skip("mounting is not allowed here; /dev/full stands for it above")
    yield LocalPlace(folder)
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_file_system_that_fills_up_keeps_what_was_stored_before(tiny, settings):
    settings.PRATIQUE_MIN_FREE_BYTES = 0
    published(tiny, "first", b"x" * 600_000)
    second = tiny.stage("second")
    second.stream.write(b"y" * 600_000)
    with pytest.raises(PlaceFull):
        tiny.publish([second])
    tiny.discard(second)
    assert names(tiny) == ["first"]
    assert tiny.size("first") == 600_000
    with pytest.raises(PlaceFull):
        tiny.check(needed=600_000)


def test_a_file_system_without_inodes_is_full_too(tiny):
    tiny.discard(tiny.stage("first"))
    with suppress(OSError):
        for number in range(40):
            (tiny.root / str(number)).touch()
    with pytest.raises(PlaceFull):
        tiny.stage("one more")


def test_the_reserve_is_kept_free(here, settings):
    here.check(needed=1)
    settings.PRATIQUE_MIN_FREE_BYTES = 1 << 60
    with pytest.raises(PlaceFull, match="bytes are needed"):
        here.check()


def test_a_place_that_cannot_be_reached_is_away(tmp_path):
    (tmp_path / "file").write_text("no folder")
    away = LocalPlace(tmp_path / "file" / "archive")
    with pytest.raises(PlaceAway):
        away.stage("a")
    with pytest.raises(PlaceAway):
        away.check()


def test_the_settings_name_the_places(places):
    assert archive().root == places.archive
    assert quarantine().root == places.quarantine


def test_an_address_may_hold_spaces():
    assert str(place("file:///srv/my%20archive").root) == "/srv/my archive"


@pytest.mark.parametrize(
    "url",
    [
        "/srv/archive", "", "http://example.org/x", "s3://", "s3:///prefix", "s3://key:secret@bucket/x", "s3://b:90/x",
        "s3://bucket/x?access_key=AK", "ftp://bucket", "az:///container",
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_place_is_refused_without_its_secrets(url):
    place.cache_clear()
    with pytest.raises(PlaceAway, match="A place is") as refused:
        place(url)
    assert "secret" not in str(refused.value)
