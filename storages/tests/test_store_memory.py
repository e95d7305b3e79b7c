"""A large object goes through in both directions, and memory stays as it was."""

import hashlib
import io
import threading
import tracemalloc
from pathlib import Path

import pytest

from storages.stores import writing

pytestmark = [pytest.mark.service, pytest.mark.slow]
MB = 1024 * 1024
# The emulators of Azure and Google take their time.
SIZES = {"local": 200 * MB, "strict-s3": 200 * MB, "azure": 150 * MB, "google": 150 * MB}
BLOCK = hashlib.sha256(b"block").digest() * 2**15
# Parts under way, blocks, and what the client holds of them.
MOST = 96 * MB


class Endless(io.RawIOBase):
    """Many bytes that nobody keeps."""

    def __init__(self, size):
        self.left = size

    def read(self, length=-1):
        length = min(self.left, length if length >= 0 else self.left)
        self.left -= length
        return (BLOCK * (length // len(BLOCK) + 1))[:length]


class Peak:
    """The most that Python holds, and by how much the process grew, while it is entered. Bytes."""

    def __enter__(self):
        tracemalloc.start()
        self.before, self.grown, self.over = _resident(), 0, threading.Event()
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()
        return self

    def _watch(self):
        while not self.over.wait(0.05):
            self.grown = max(self.grown, _resident() - self.before)

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()


def _resident():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


@pytest.mark.parametrize("spot", SIZES, indirect=True)
def test_a_large_object_streams_in_both_directions(spot):
    size = SIZES[spot.name]
    with Peak() as up:
        made = spot.store.put("large", Endless(size), size=size)
    assert made.size == size
    with Peak() as down, spot.store.open("large") as stream:
        there = digest(stream)
    assert there == digest(Endless(size))
    for peak in (up, down):
        assert peak.held < MOST
        assert peak.grown < MOST


def digest(stream):
    found = hashlib.sha256()
    while block := stream.read(writing.BLOCK):
        found.update(block)
    return found.hexdigest()
