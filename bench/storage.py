"""What a bucket costs: imported, imported again unchanged, and again with a few objects changed and a few removed.

python bench/storage.py [--objects N] [--workers N]

An S3 server of its own, a proxy before it that counts requests, and `manage.py import_storage` in a fresh installation.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import boto3  # noqa: E402
from homes import rows  # noqa: E402

from importer.tests.core.made import dataset, file_of  # noqa: E402
from scripts import private_stores  # noqa: E402
from storages.tests.faults import Proxy, proxy_before  # noqa: E402

SERIES = 100
BUCKET = "bench"
KEY = "YmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYmU="
MADE = """
from datetime import datetime, timezone
from storages.models import ExternalStorage
from storages.secrets import Secret
now = datetime.now(timezone.utc)
keys = Secret.of(access_key="bench", secret_key="bench-bench").sealed()
ExternalStorage.objects.create(label="bench", kind="s3", bucket="bench", endpoint={endpoint!r}, region="us-east-1",
    credentials=keys, credentials_at=now, created_at=now, next_check_at=now)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pratique-bench-")))
        endpoint = stack.enter_context(private_stores.moto())
        proxy = stack.enter_context(proxy_before(endpoint))
        keys = _planted(endpoint, asked.objects)
        run = Run(home, proxy, workers=asked.workers)
        run.manage("migrate", "--verbosity", "0")
        run.manage("shell", "-c", MADE.format(endpoint=proxy.endpoint))
        run.imported("imported", {"imported": asked.objects})
        run.imported("again, unchanged", {"skipped": asked.objects})
        _change(endpoint, keys)
        run.imported("10 changed, 10 removed", {"skipped": asked.objects - 20, "conflict": 10, "vanished": 10})
    return 0


def _instance(number: int, **said: str) -> bytes:
    series, instance = divmod(number, SERIES)
    patient = series // 10
    uids = {"StudyInstanceUID": f"1.2.3.{patient + 1}", "SeriesInstanceUID": f"1.2.3.{patient + 1}.{series + 1}"}
    uid = f"{uids['SeriesInstanceUID']}.{instance + 1}"
    return file_of(dataset(**uids, SOPInstanceUID=uid, PatientID=f"P{patient}", SeriesNumber=str(series + 1), **said))


def _planted(endpoint: str, count: int) -> list[str]:
    client = _client(endpoint)
    client.create_bucket(Bucket=BUCKET)
    keys = [f"P{n // SERIES // 10}/{n // SERIES:04}/{n:06}.dcm" for n in range(count)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: client.put_object(Bucket=BUCKET, Key=keys[n], Body=_instance(n)), range(count)))
    return keys


def _change(endpoint: str, keys: list[str]) -> None:
    client, step = _client(endpoint), len(keys) // 20
    for n in range(0, 10 * step, step):
        client.put_object(Bucket=BUCKET, Key=keys[n], Body=_instance(n, PatientComments="corrected"))
    for n in range(10 * step, 20 * step, step):
        client.delete_object(Bucket=BUCKET, Key=keys[n])


def _client(endpoint: str) -> Any:
    keys = {"aws_access_key_id": "bench", "aws_secret_access_key": "bench-bench"}
    return boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **keys)


class Run:
    """One installation, and what its imports ask of the server."""

    def __init__(self, home: Path, proxy: Proxy, *, workers: int) -> None:
        self._home, self._proxy, self._workers = home, proxy, workers
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PRATIQUE_")}
        own = {"PRATIQUE_HOME": str(home), "PRATIQUE_ALLOWED_NETWORKS": "127.0.0.0/8", "PRATIQUE_SECRET_KEYS": KEY}
        self._environment = {**kept, **own, "SECRET_KEY": "only for this run", "LOG_LEVEL": "ERROR"}
        self._environment["DATABASE_URL"] = f"sqlite:///{home}/db.sqlite3"

    def manage(self, *words: str, ends: tuple[int, ...] = (0,)) -> None:
        done = subprocess.run(
            [sys.executable, ROOT / "manage.py", *words], cwd=ROOT, env=self._environment, check=False,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode not in ends:
            raise SystemExit(f"{words[0]} ended with {done.returncode}")

    def imported(self, title: str, wanted: dict[str, int]) -> None:
        self._proxy.asked.clear()
        start = time.perf_counter()
        words = ["import_storage", "bench", "--project", "bench/Bench", "--create", "--workers", str(self._workers)]
        self.manage(*words, ends=(0, 3))
        seconds = time.perf_counter() - start
        self._check(wanted)
        lists = self._proxy.count("GET", "list-type=2")
        others = len(self._proxy.asked) - lists
        print(f"{title:24} {seconds:8.1f} s   {lists:6,} listings   {others:8,} other requests", flush=True)

    def _check(self, wanted: dict[str, int]) -> None:
        names = ("imported", "skipped", "conflict", "failed", "vanished")
        asked = f"SELECT {', '.join(names)} FROM importer_importjob ORDER BY id DESC LIMIT 1"
        found = dict(zip(names, rows(self._environment["DATABASE_URL"], asked)[0], strict=True))
        if found != dict.fromkeys(names, 0) | wanted:
            raise SystemExit(f"{found} is not {wanted}")


if __name__ == "__main__":
    sys.exit(main())
