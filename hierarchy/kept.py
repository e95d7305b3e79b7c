"""Bytes that can be made again, kept on disk within a bound: the least recently used go first.

They lie under `PRATIQUE_HOME/cache`, readable by their owner alone. Losing all of them loses nothing, and a disk that
refuses them costs only time.
"""

import itertools
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Writes between two looks at the whole.
LOOK_EVERY = 100


@dataclass(frozen=True, slots=True)
class Kept:
    """A folder of at most about `limit` bytes. Names are made by us, never from outside."""

    root: Path
    limit: int

    def read(self, name: str) -> bytes | None:
        """None where it is not kept (any more). Reading counts as use."""
        path = self.root / name
        try:
            content = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        return content

    def write(self, name: str, content: bytes) -> None:
        """Whole or not at all: a reader never meets half of it."""
        path = self.root / name
        temporary = path.with_name(f".{uuid.uuid4().hex}")
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(content)
            temporary.rename(path)
        except OSError:
            _gone(temporary)
        if next(_writes) % LOOK_EVERY == 0:
            self.shrink()

    def shrink(self) -> None:
        """Down to three quarters of the limit, once it is passed."""
        found = sorted(self._files(), key=lambda one: one[1])
        total = sum(size for _, _, size in found)
        if total <= self.limit:
            return
        for path, _, size in found:
            _gone(path)
            total -= size
            if total <= self.limit * 3 // 4:
                return

    def _files(self) -> Iterator[tuple[Path, float, int]]:
        for folder, _, names in os.walk(self.root):
            for name in names:
                path = Path(folder, name)
                try:
                    stat = path.stat()
                except OSError:
                    continue  # Another process was quicker.
                yield path, stat.st_mtime, stat.st_size


_writes = itertools.count(1)


def _gone(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return
