"""What the machine can do: read, digest and pack every series with two processes, and list the tree. Prints JSON.

    python bench/limit.py pack|list TREE [TARGET]

No header is read, no database is told. Every archive is flushed to the disk once, before it counts as done.
"""

import hashlib
import json
import multiprocessing
import os
import resource
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

WORKERS = 2


def pack(tree: Path, target: Path) -> dict[str, Any]:
    """Every folder that holds files is a series: one stored zip each."""
    folders = [folder for folder, _, files in os.walk(tree) if files]
    target.mkdir(parents=True)
    jobs = [(folder, str(target / f"{number:06d}.zip")) for number, folder in enumerate(sorted(folders))]
    start = time.perf_counter()
    with multiprocessing.get_context("fork").Pool(WORKERS) as pool:
        digests = [digest for found in pool.imap_unordered(_series, jobs) for digest in found]
    return {"seconds": time.perf_counter() - start, "files": len(digests), "digest": total(digests)}


def _series(job: tuple[str, str]) -> list[str]:
    folder, target = job
    digests = []
    with open(target, "xb") as stream:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
            for name in sorted(os.listdir(folder)):
                content = Path(folder, name).read_bytes()
                digests.append(hashlib.sha256(content).hexdigest())
                archive.writestr(zipfile.ZipInfo(name), content)
        stream.flush()
        os.fsync(stream.fileno())
    return digests


def total(digests: list[str]) -> str:
    """One digest over those of all files, whatever their order: who did the same work has the same."""
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()


def listing(tree: Path) -> dict[str, Any]:
    """What any importer must do first: the names, and a stat of each."""
    start = time.perf_counter()
    folders, count, size = [str(tree)], 0, 0
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    count, size = count + 1, size + entry.stat(follow_symlinks=False).st_size
    return {"seconds": time.perf_counter() - start, "files": count, "bytes": size}


def used() -> dict[str, float]:
    """Processor time of all processes of this run in seconds, and the bytes of the largest of them."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(one.ru_utime + one.ru_stime for one in both)
    return {"cpu": cpu, "resident": max(one.ru_maxrss for one in both) * 1024}


if __name__ == "__main__":
    found = pack(*map(Path, sys.argv[2:])) if sys.argv[1] == "pack" else listing(Path(sys.argv[2]))
    print(json.dumps({**found, **used()}))
