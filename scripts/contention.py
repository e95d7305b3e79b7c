"""Two imports at once for the same places: each place holds exactly one first version, everything else is a conflict
or a skip, and the sums hold. On a private PostgreSQL, with real processes.

    .venv/bin/python scripts/contention.py --rounds 20 --files 2000 --places 500
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts.private_services import postgres  # noqa: E402


def make(folder: pathlib.Path, *, who: str, files: int, places: int) -> None:
    """`files` files for `places` names: each name several times in folders of its own, with content of its own."""
    for number in range(files):
        place, turn = number % places, number // places
        path = folder / f"{turn:03}" / f"S{place % 20:02}" / "V" / "A" / f"{place:05}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{who} {number}" if turn else f"same {place}" if place % 2 else f"{who} first {place}")


def asked(environment: dict[str, str], *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    return done.stdout


PROJECT = "from hierarchy.services import ensure_project; ensure_project('lab/Contended', actor=None)"
CHECK = """
from hierarchy.models import File, FileVersion
from importer.models import ImportJob, Conflict
jobs = list(ImportJob.objects.order_by("id"))
assert [job.status for job in jobs if job.status not in ("completed", "needs_review")] == [], jobs
assert File.objects.count() == {places}, File.objects.count()
assert FileVersion.objects.count() == {places}
sums = [sum(getattr(job, name) for name in ("imported", "skipped", "conflict", "failed")) for job in jobs]
assert sums == [{files}, {files}], sums
assert sum(job.imported for job in jobs) == {places}
assert sum(job.failed for job in jobs) == 0
print("imported", [j.imported for j in jobs], "skipped", [j.skipped for j in jobs], "held", Conflict.objects.count())
"""


def once(number: int, *, files: int, places: int, url: str) -> None:
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"PRATIQUE_HOME": home, "DATABASE_URL": url, "SECRET_KEY": "x"}
        environment.pop("DJANGO_SETTINGS_MODULE", None)
        for who in ("one", "two"):
            make(pathlib.Path(home) / "source" / who, who=who, files=files, places=places)
        asked(environment, "migrate", "-v0")
        asked(environment, "flush", "--no-input")
        words = ["--project", "lab/Contended", "--workers", "2"]
        asked(environment, "shell", "-c", PROJECT)
        both = [
            subprocess.Popen(
                [sys.executable, "manage.py", "import_folder", f"{home}/source/{who}", *words],
                cwd=ROOT, env=environment, stdout=subprocess.DEVNULL,
            )
            for who in ("one", "two")
        ]  # fmt: skip
        for process in both:
            process.wait()
        said = subprocess.run(
            [sys.executable, "manage.py", "shell", "-v0", "-c", CHECK.format(files=files, places=places)],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        verified = subprocess.run(
            [sys.executable, "manage.py", "verify"], cwd=ROOT, env=environment, capture_output=True, check=False
        )
        print(f"round {number}: {said.stdout.strip()} verify {verified.returncode}", flush=True)
        if said.returncode or verified.returncode:
            sys.exit(said.stderr[-3000:] or verified.stdout.decode()[-3000:])


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--rounds", type=int, default=20)
    words.add_argument("--files", type=int, default=2000)
    words.add_argument("--places", type=int, default=500)
    given = words.parse_args()
    with postgres() as url:
        for number in range(1, given.rounds + 1):
            once(number, files=given.files, places=given.places, url=url)
    print(f"{given.rounds} rounds: every place once, every sum right.")


if __name__ == "__main__":
    main()
