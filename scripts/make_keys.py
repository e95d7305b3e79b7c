"""make_keys.py FOLDER: the secrets of a `docker compose` installation, made at its first start and kept from then on.

So there is no password that everybody knows, and none in a file that is committed.
"""

import base64
import secrets
import sys
from collections.abc import Callable
from pathlib import Path


def main(folder: Path) -> None:
    _keep(folder / "secret_key", lambda: secrets.token_urlsafe(50))
    _keep(folder / "secret_keys", lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
    password = _keep(folder / "postgres_password", lambda: secrets.token_urlsafe(32))
    _keep(folder / "database_url", lambda: f"postgres://pratique:{password}@postgres:5432/pratique")
    _keep(folder / "s3_password", lambda: secrets.token_urlsafe(32))


def _keep(path: Path, make: Callable[[], str]) -> str:
    """What is there stays; a key appears whole, readable for its owner alone."""
    if not path.exists():
        unfinished = path.with_suffix(".new")
        unfinished.touch(mode=0o600)
        unfinished.write_text(make())
        unfinished.rename(path)
    return path.read_text()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
