"""Measures imports beside what the machine can do, in one go: `make bench`. How to read it: bench/README.md.

python bench/run.py [--runs N] [--small] [--only sqlite|postgres] [--picture FILE.svg]
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ours
import picture
from homes import Databases
from ours import Timed

HERE = Path(__file__).resolve().parent
SAMPLE = 1000


@dataclass(frozen=True, slots=True)
class Tree:
    """`side`: of a slice in pixels; 80 gives files of 19 KB, 512 of 531 KB."""

    name: str
    side: int
    studies: int
    series: int
    instances: int

    @property
    def files(self) -> int:
        return self.studies * self.series * self.instances


FULL = [Tree("small files", 80, 20, 25, 40), Tree("large files", 512, 20, 1, 100)]
QUICK = [Tree("small files", 80, 5, 10, 40), Tree("large files", 512, 2, 1, 50)]


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement as it came. `start`: the same command with an empty folder, None for what is no command."""

    tree: str
    what: str
    files: int
    bytes: int
    timed: Timed
    start: Timed | None = None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--small", action="store_true", help="a tenth of the files, to see that it works")
    parser.add_argument("--only", choices=["sqlite", "postgres"], help="one database only")
    parser.add_argument("--picture", type=Path, help="draw the medians as SVG")
    asked = parser.parse_args()
    kinds = [asked.only] if asked.only else ["sqlite", "postgres"]
    with tempfile.TemporaryDirectory(prefix="pratique-bench-") as folder:
        found, headers = measure(Path(folder), QUICK if asked.small else FULL, kinds=kinds, runs=asked.runs)
    summary = summed(found)
    show(summary, headers)
    written = HERE / "results" / f"{datetime.now(UTC):%Y-%m-%dT%H%M%S}.json"
    written.parent.mkdir(exist_ok=True)
    rows = [asdict(row) for row in found]
    written.write_text(
        json.dumps({"machine": machine(), "summary": summary, "headers": headers, "rows": rows}, indent=1)
    )
    print(f"\n{written.relative_to(HERE.parent)}")
    if asked.picture:
        asked.picture.write_text(picture.drawn(summary))
    return 0


def measure(folder: Path, trees: list[Tree], *, kinds: list[str], runs: int) -> tuple[list[Row], list[dict[str, Any]]]:
    """All rows of every run, interleaved, so that a machine that is slow for a while is slow for all of them."""
    for tree in trees:
        _grown(folder / tree.name, tree)
    found: list[Row] = []
    headers: list[dict[str, Any]] = []
    with ours.servers(folder, kinds) as stores:
        for number in range(runs):
            for tree in trees:
                print(f"run {number + 1} of {runs}: {tree.name}", file=sys.stderr, flush=True)
                found += _run(folder, tree, stores)
                headers.append({"tree": tree.name, **_asked("headers.py", folder / tree.name, SAMPLE)})
    return found, headers


def _grown(root: Path, tree: Tree) -> None:
    """In a process of its own: what a child's memory is measured by begins with its parent's."""
    call = f"trees.plain(Path({str(root)!r}), side={tree.side}, studies={tree.studies}, series={tree.series}, "
    call += f"instances={tree.instances})"
    script = (
        f"import sys; sys.path.insert(0, {str(HERE.parent / 'scripts')!r}); import trees; from pathlib import Path; "
    )
    subprocess.run([sys.executable, "-c", script + call], check=True)


def _run(folder: Path, tree: Tree, stores: dict[str, Databases]) -> Iterator[Row]:
    root = folder / tree.name
    listed = _asked("limit.py", "list", root)
    packed = _asked("limit.py", "pack", root, folder / "packed")
    shutil.rmtree(folder / "packed")
    if {listed["files"], packed["files"]} != {tree.files}:
        raise ours.Wrong(f"{tree.name}: {listed['files']} listed, {packed['files']} packed")
    for what, told in (("list limit", listed), ("limit", packed)):
        timed = Timed(told["seconds"], told["cpu"], told["resident"])
        yield Row(tree.name, what, tree.files, listed["bytes"], timed)
    for kind, store in stores.items():
        yield from _imports(root, tree, kind, store, size=listed["bytes"], digest=packed["digest"])


def _imports(root: Path, tree: Tree, kind: str, store: Databases, *, size: int, digest: str) -> Iterator[Row]:
    with store.fresh() as home:
        empty = root.parent / "empty"
        empty.mkdir(exist_ok=True)
        start = ours.imported(home, empty, files=0, as_="imported")
        for what, outcome in (("import", "imported"), ("re-import", "skipped")):
            timed = ours.imported(home, root, files=tree.files, as_=outcome)
            yield Row(tree.name, f"{what}, {kind}", tree.files, size, timed, start)
        ours.check(home, wanted=digest)


def _asked(script: str, *words: object) -> dict[str, Any]:
    os.sync()
    command = [sys.executable, str(HERE / script), *map(str, words)]
    answer: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return answer


def summed(found: list[Row]) -> list[dict[str, Any]]:
    """Medians over the runs, in the order of the rows, without the commands' start, and beside their limits."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in found:
        groups.setdefault((row.tree, row.what), []).append(row)
    sums = [_summed(rows, _start(rows[0], found)) for rows in groups.values()]
    limits = {one["tree"]: one for one in sums if one["what"] == "limit"}
    return [
        {**one, **{f"{key}_ratio": one[key] / limits[one["tree"]][key] for key in ("seconds", "cpu")}} for one in sums
    ]


def _start(row: Row, found: list[Row]) -> tuple[float, float]:
    """Seconds and processor time, medians over all imports on the same database: an empty folder is of no tree."""
    if row.start is None:
        return 0.0, 0.0
    kind = row.what.partition(", ")[2]
    starts = [one.start for one in found if one.start is not None and one.what.endswith(kind)]
    return statistics.median(one.seconds for one in starts), statistics.median(one.cpu for one in starts)


def _summed(rows: list[Row], start: tuple[float, float]) -> dict[str, Any]:
    one = rows[0]
    times = sorted(row.timed.seconds - start[0] for row in rows)
    seconds = statistics.median(times)
    return {
        "tree": one.tree,
        "what": one.what,
        "runs": len(rows),
        "start": start[0],
        "seconds": seconds,
        "fastest": times[0],
        "slowest": times[-1],
        "cpu": statistics.median(row.timed.cpu for row in rows) - start[1],
        "files_per_second": one.files / seconds,
        "mb_per_second": one.bytes / seconds / 1e6,
        "resident": max(row.timed.resident for row in rows),
    }


def show(summary: list[dict[str, Any]], headers: list[dict[str, Any]]) -> None:
    form = "{:<12} {:<20} {:>8} {:>9} {:>15} {:>9} {:>7} {:>8} {:>7} {:>12} {:>10}"
    print(
        form.format(
            "",
            "",
            "start s",
            "seconds",
            "from .. to",
            "files/s",
            "MB/s",
            "x limit",
            "cpu s",
            "x limit's cpu",
            "memory MB",
        )
    )
    for row in summary:
        numbers = [
            f"{row['start']:.2f}" if row["start"] else "",
            f"{row['seconds']:.2f}",
            f"{row['fastest']:.2f} .. {row['slowest']:.2f}" if row["runs"] > 1 else "",
            f"{row['files_per_second']:,.0f}",
            f"{row['mb_per_second']:,.0f}",
            f"{row['seconds_ratio']:.2f}",
            f"{row['cpu']:.2f}",
            f"{row['cpu_ratio']:.2f}",
            f"{row['resident'] / 1e6:,.0f}",
        ]
        print(form.format(row["tree"], row["what"], *numbers))
    print()
    form = "{:<12} {:>16} {:>14} {:>14} {:>18}"
    print(form.format("one process", "our header µs", "pydicom µs", "x pydicom", "mapping alone µs"))
    for tree in dict.fromkeys(one["tree"] for one in headers):
        of = [one for one in headers if one["tree"] == tree]
        us, theirs, mapping = (statistics.median(one[key] for one in of) for key in ("ours", "pydicom", "mapping"))
        print(form.format(tree, f"{us:,.0f}", f"{theirs:,.0f}", f"{theirs / us:.1f}", f"{mapping:,.0f}"))


def machine() -> dict[str, Any]:
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    ]
    return {
        "processors": os.cpu_count(),
        "model": names[0] if names else platform.machine(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }


if __name__ == "__main__":
    sys.exit(main())
