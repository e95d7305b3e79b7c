"""Manifests of real folders."""

import os
import socket
import time
import tracemalloc

import pytest

from watcher import manifest


def read(path, **options):
    with manifest.opened(os.fsencode(path)) as handle:
        return manifest.read(handle, **options)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "ST" / "series").mkdir(parents=True)
    (tmp_path / "ST" / "a").write_bytes(b"one")
    (tmp_path / "ST" / "series" / "b").write_bytes(b"three")
    return tmp_path / "ST"


def test_files_and_bytes_are_counted_through_all_levels(folder):
    found = read(folder)
    assert (found.files, found.size, found.others, found.unreadable) == (2, 8, 0, 0)


def test_two_walks_over_the_same_folder_agree(folder):
    assert read(folder) == read(folder)


def test_the_fingerprint_does_not_depend_on_where_the_folder_lies_or_on_its_inodes(folder, tmp_path):
    os.system(f"cp -a {folder} {tmp_path}/copy")
    assert read(folder).fingerprint == read(tmp_path / "copy").fingerprint
    assert read(folder).stillness != read(tmp_path / "copy").stillness


def test_an_append_with_its_old_mtime_restored_is_no_stillness(folder):
    before, stat = read(folder), os.stat(folder / "a")
    with (folder / "a").open("r+b") as stream:
        stream.write(b"two")
    os.utime(folder / "a", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert read(folder).stillness != before.stillness


def test_a_chmod_changes_the_stillness_and_not_the_fingerprint(folder):
    before = read(folder)
    time.sleep(0.02)
    (folder / "a").chmod(0o600)
    assert read(folder).stillness != before.stillness
    assert read(folder).fingerprint == before.fingerprint


@pytest.mark.parametrize("change", ["grow", "new", "gone", "rename", "touch"])
def test_any_change_of_content_changes_the_fingerprint(folder, change):
    before = read(folder).fingerprint
    match change:
        case "grow":
            (folder / "series" / "b").write_bytes(b"longer than it was")
        case "new":
            (folder / "series" / "c").write_bytes(b"")
        case "gone":
            (folder / "a").unlink()
        case "rename":
            (folder / "a").rename(folder / "c")
        case "touch":
            os.utime(folder / "a", (1, 1))
    assert read(folder).fingerprint != before


def test_what_storage_boxes_write_into_a_finished_folder_is_no_change(folder):
    before = read(folder)
    (folder / "@eaDir").mkdir()
    (folder / "@eaDir" / "thumb.tmp1").write_bytes(b"x")
    (folder / ".DS_Store").write_bytes(b"x")
    after = read(folder)
    assert (after.fingerprint, after.stillness, after.temporary) == (before.fingerprint, before.stillness, b"")


def test_two_files_that_swap_their_names_are_a_change(folder):
    os.utime(folder / "series" / "b", (5, 5))
    before = read(folder).fingerprint
    (folder / "a").rename(folder / "x")
    (folder / "series" / "b").rename(folder / "a")
    (folder / "x").rename(folder / "series" / "b")
    assert read(folder).fingerprint != before


@pytest.mark.parametrize("name", ["a.dcm.part", "series1.tmp9"])
def test_a_nested_temporary_name_is_found(folder, name):
    (folder / "series" / name).mkdir()
    assert read(folder).temporary == b"series/" + name.encode()


def test_links_are_counted_and_never_followed(folder, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"x" * 1000)
    (folder / "file").symlink_to(outside / "secret")
    (folder / "folder").symlink_to(outside)
    (folder / "root").symlink_to(folder)
    (folder / "dangling").symlink_to(tmp_path / "nowhere")
    (folder / "one").symlink_to(folder / "two")
    (folder / "two").symlink_to(folder / "one")
    found = read(folder)
    assert (found.files, found.size, found.others) == (2, 8, 6)


def test_a_fifo_and_a_socket_neither_block_nor_count_as_files(folder):
    os.mkfifo(folder / "fifo")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "socket"))
    found = read(folder)
    listener.close()
    assert (found.files, found.others) == (2, 2)


def test_a_link_in_place_of_the_folder_is_refused(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
        read(tmp_path / "link")


def test_names_of_any_bytes_are_read(folder):
    for name in (b"\xff\xfe", b"two\nlines", b"-rf", "\u202eabc".encode(), b"n" * 255):
        (folder / os.fsdecode(name)).write_bytes(b"x")
    assert read(folder).files == 7


def test_forty_levels_are_read(folder):
    deep = folder
    for level in range(40):
        deep = deep / f"{level:02}{'d' * 80}"
        deep.mkdir()
    (deep / "slice").write_bytes(b"x")
    assert read(folder).files == 3


def test_levels_without_end_are_noted_and_left(folder):
    handle = os.open(folder, os.O_RDONLY)
    for _ in range(200):
        os.mkdir("deeper", dir_fd=handle)
        below = os.open("deeper", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = below
    os.close(handle)
    assert read(folder).unreadable == 1


def test_a_folder_of_folders_is_empty(tmp_path):
    (tmp_path / "ST" / "a" / "b").mkdir(parents=True)
    assert read(tmp_path / "ST").empty


def test_ten_thousand_files_are_read_within_a_second_and_little_memory(tmp_path):
    for number in range(10_000):
        (tmp_path / f"IM{number:05}.dcm").write_bytes(b"")
    started = time.perf_counter()
    assert read(tmp_path).files == 10_000
    assert time.perf_counter() - started < 1
    tracemalloc.start()
    read(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200_000


def test_a_walk_ends_when_the_watcher_is_asked_to_stop(folder):
    with pytest.raises(manifest.Stopped):
        read(folder, stopping=lambda: True)


def test_a_folder_is_recognised_after_a_rename_by_the_names_in_it(folder, tmp_path):
    with manifest.opened(os.fsencode(folder)) as handle:
        marks = manifest.marks(handle)
    folder.rename(tmp_path / "renamed")
    (tmp_path / "renamed" / "late").write_bytes(b"x")
    assert read(tmp_path / "renamed", sought=marks).marks_found == marks
