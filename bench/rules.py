"""Placing alone: generated paths against 20 rules, beside a bare loop over the same paths. How to read it: README.md.

python bench/rules.py [--paths N] [--profile]
"""

import argparse
import cProfile
import gc
import pstats
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from importer.core.records import Bad, Header
from importer.core.rules.model import RuleSet, SourceFile, Taken
from importer.core.rules.parsing import parse
from importer.core.rules.placing import place

ZONE = ZoneInfo("UTC")
STEP = 100_000
KINDS = ("T1", "T2", "FLAIR", "DWI", "bold", "asl")
ENDINGS = ("nii.gz", "json", "bval", "dat", "txt", "csv")

# 16 rules that each look for a kind of their own and take little, then what most files come to.
RULES = (
    "".join(
        f"""
- name: kind {number}
  include: ["path=~*/kind{number}/*", "name=~^k{number}_*.raw$"]
  exclude: ["size<1", "name=~.tmp$"]
  mappings: ["path={{sub}}/{{ses}}/{{acq}}/**/*"]"""
        for number in range(16)
    )
    + """
- name: names say all
  include: ["name=~^S[0-9]+_V[0-9]+_!r"]
  mappings: ["name={sub}_{ses}_{acq}.*"]
- name: BIDS
  include: ["path=~(^|/)sub-[^/]+/ses-[^/]+/!r"]
  mappings: ["path=**/sub-{sub}/ses-{ses}/{acq}/*"]
- name: notes
  level: session
  include: ["ext=txt", "ext=csv"]
  mappings: ["path=**/{sub}/{ses}/*/*"]
- name: anything else
  mappings: ["path=**/{sub}/{ses}/{acq}/*"]
"""
)


class Listed:
    """A file of which only the listing is known."""

    def is_dicom(self) -> bool:
        return False

    def header(self) -> Header | Bad:
        raise AssertionError("no rule asks for a header")


def paths(count: int) -> Iterator[str]:
    """Three layouts in turn, none of them held in memory."""
    for at in range(count):
        subject, visit, kind = at // 24 % 5000, at // 12 % 2, KINDS[at % 6]
        ending = ENDINGS[at // 3 % 6]
        if at % 3 == 0:
            yield f"export/S{subject:04}/V{visit}/{kind}/file{at % 97:05}.{ending}"
        elif at % 3 == 1:
            yield f"data/sub-{subject:04}/ses-{visit}/anat/sub-{subject:04}_ses-{visit}_{kind}.{ending}"
        else:
            yield f"drop/S{subject:04}_V{visit}_{kind}_{at % 89}.{ending}"


def resident() -> float:
    """MB of this process, now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def bare(count: int) -> float:
    """Seconds to make the paths and look at each."""
    started = time.process_time()
    length = 0
    for path in paths(count):
        length += len(path)
    return time.process_time() - started


def placed(rules: RuleSet, count: int) -> tuple[float, Counter[str], dict[int, float]]:
    """Seconds, how many each rule took, and MB resident after so many paths."""
    content, taken, memory = Listed(), Counter[str](), {}
    started = time.process_time()
    for number, path in enumerate(paths(count), 1):
        found = place(rules, SourceFile(path=path, size=1024), content, zone=ZONE)
        taken[found.rule.name if isinstance(found, Taken) else found.reason] += 1
        if number % STEP == 0 or number == count:
            memory[number] = resident()
    return time.process_time() - started, taken, memory


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--paths", type=int, default=1_000_000)
    parser.add_argument("--profile", action="store_true", help="where the time goes, over the first 50,000 paths")
    options = parser.parse_args()
    rules = parse(RULES)
    if options.profile:
        with cProfile.Profile() as profile:
            placed(rules, 50_000)
        pstats.Stats(profile).sort_stats("tottime").print_stats(30)
        return
    gc.collect()
    floor, (seconds, taken, memory) = bare(options.paths), placed(rules, options.paths)
    print(f"{options.paths:,} paths, {len(rules.rules)} rules")
    print(f"bare loop      {floor:8.2f} s")
    print(f"placing        {seconds:8.2f} s   {options.paths / seconds:,.0f} paths/s   {seconds / floor:.0f} x bare")
    for number, megabytes in memory.items():
        if number in {STEP, options.paths}:
            print(f"resident after {number:>9,} paths: {megabytes:.1f} MB")
    for name, count in taken.most_common():
        print(f"  {count:>9,}  {name}")


if __name__ == "__main__":
    main()
