"""A folder's names in order. A folder of a million names is sorted outside memory."""

import heapq
import os
import pickle
import tempfile
from collections.abc import Iterator
from typing import BinaryIO

# So many names of one folder are sorted in memory; more go through sorted runs on disk.
RUN = 100_000


def names_in_order(handle: int) -> Iterator[bytes]:
    """Names of an opened folder, those of folders with a `/` at their end, in the order of the keys below them.

    Raises OSError. The handle stays the caller's.
    """
    runs: list[BinaryIO] = []
    names: list[bytes] = []
    with os.scandir(handle) as found:
        for entry in found:
            names.append(os.fsencode(entry.name) + (b"/" if entry.is_dir(follow_symlinks=False) else b""))
            if len(names) >= RUN:
                runs.append(_spilled(sorted(names)))
                names = []
    names.sort()
    return heapq.merge(*map(_read_back, runs), names) if runs else iter(names)


def _spilled(names: list[bytes]) -> BinaryIO:
    run = tempfile.TemporaryFile()  # noqa: SIM115  closed by whoever reads it back
    for start in range(0, len(names), 1000):
        pickle.dump(names[start : start + 1000], run)
    run.seek(0)
    return run


def _read_back(run: BinaryIO) -> Iterator[bytes]:
    with run:
        while True:
            try:
                yield from pickle.load(run)  # noqa: S301  our own temporary file, never named
            except EOFError:
                return
