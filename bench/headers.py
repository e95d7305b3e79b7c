"""Reading headers alone, one process: ours and pydicom's on the same files. Prints JSON.

python bench/headers.py TREE COUNT
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pydicom import dcmread

from importer.core.header import MAPPED_TAGS, UIDS, read_header, truncation
from importer.core.mapping import map_header
from importer.core.records import Bad, Header, Mapped

ZONE = ZoneInfo("UTC")


def ours(path: str) -> Header:
    """As EXTRACT does it: the header, and whether all pixels are there."""
    handle = os.open(path, os.O_RDONLY)
    try:
        size = os.fstat(handle).st_size

        def read_at(offset: int, length: int) -> bytes:
            return os.pread(handle, length, offset)

        header = read_header(read_at, size=size)
        if isinstance(header, Bad) or truncation(header, read_at, size):
            raise ValueError(path)
        return header
    finally:
        os.close(handle)


def pydicoms(path: str) -> dict[str, str]:
    found = dcmread(path, stop_before_pixels=True)
    return {keyword: str(found.get(keyword, "")) for keyword in (*MAPPED_TAGS, *UIDS)}


def mapped(header: Header) -> Mapped:
    return map_header(header, zone=ZONE)


def timed(work: Callable[[Any], Any], over: list[Any]) -> tuple[float, list[Any]]:
    """Microseconds for one, and what came of all."""
    start = time.perf_counter()
    found = [work(one) for one in over]
    return (time.perf_counter() - start) / len(over) * 1e6, found


def main() -> None:
    tree, count = Path(sys.argv[1]), int(sys.argv[2])
    paths = sorted(str(path) for path in tree.rglob("*.dcm"))
    paths = paths[:: max(1, len(paths) // count)][:count]
    by_us, headers = timed(ours, paths)
    by_pydicom, theirs = timed(pydicoms, paths)
    by_mapping, _ = timed(mapped, headers)
    same = all(one.get(key) == other[key] for one, other in zip(headers, theirs, strict=True) for key in UIDS)
    print(json.dumps({"files": len(paths), "ours": by_us, "pydicom": by_pydicom, "mapping": by_mapping, "same": same}))


if __name__ == "__main__":
    main()
