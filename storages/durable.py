"""What survives a power cut, and when: after these return, the data is on the disk."""

import ctypes
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

# From this many files on, one flush of the file system is cheaper than one per file (bench/README.md).
MANY = 8

_libc = ctypes.CDLL(None, use_errno=True)


def flush_files(paths: Sequence[Path]) -> None:
    """One fsync each, or for many one syncfs of the file system that they lie on. OSError when the disk refuses."""
    if len(paths) >= MANY:
        _flush_file_system(paths[0])
        return
    for path in paths:
        _fsync(path)


def flush_folders(folders: Iterable[Path]) -> None:
    """A name is on the disk when its folder is."""
    found = list(folders)
    if len(found) >= MANY:
        _flush_file_system(found[0])
        return
    for folder in found:
        _fsync(folder)


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _flush_file_system(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        if _libc.syncfs(handle) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(handle)
