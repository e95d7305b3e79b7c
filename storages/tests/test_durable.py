"""What the kernel is asked to flush. Whether a disk keeps its word is the machine's business."""

import errno
import os

import pytest

from storages import durable
from storages.durable import flush_files, flush_folders


@pytest.fixture
def asked(monkeypatch):
    """Every flush that reaches the kernel, by name; each is still carried out."""
    calls = []
    fsync, syncfs = os.fsync, durable._libc.syncfs

    def noted_fsync(handle):
        calls.append(("fsync", os.readlink(f"/proc/self/fd/{handle}")))
        fsync(handle)

    def noted_syncfs(handle):
        calls.append(("syncfs", os.readlink(f"/proc/self/fd/{handle}")))
        return syncfs(handle)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(durable._libc, "syncfs", noted_syncfs)
    return calls


def made(folder, count):
    paths = [folder / str(number) for number in range(count)]
    for path in paths:
        path.write_bytes(b"x")
    return paths


def test_a_few_files_are_flushed_one_by_one(tmp_path, asked):
    paths = made(tmp_path, 3)
    flush_files(paths)
    assert asked == [("fsync", str(path)) for path in paths]


def test_many_files_cost_one_flush(tmp_path, asked):
    paths = made(tmp_path, durable.MANY)
    flush_files(paths)
    assert asked == [("syncfs", str(paths[0]))]


def test_folders_are_flushed_too(tmp_path, asked):
    flush_folders([tmp_path])
    assert asked == [("fsync", str(tmp_path))]
    folders = [tmp_path / str(number) for number in range(durable.MANY)]
    for folder in folders:
        folder.mkdir()
    flush_folders(iter(folders))
    assert asked[1:] == [("syncfs", str(folders[0]))]


def test_nothing_to_flush_is_nothing_to_do(asked):
    flush_files([])
    flush_folders([])
    assert asked == []


def test_no_handle_stays_open(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    flush_files(made(tmp_path, 3))
    flush_files(made(tmp_path, durable.MANY))
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_file_that_is_gone_cannot_be_flushed(tmp_path):
    with pytest.raises(FileNotFoundError):
        flush_files([tmp_path / "gone"])


def test_a_flush_that_the_kernel_refuses_is_an_error_and_not_silence(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "open", lambda *_: 10**6)
    monkeypatch.setattr(os, "close", lambda _: None)
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        flush_files([tmp_path] * durable.MANY)
