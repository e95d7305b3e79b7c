"""The only place that reads the environment. Every secret `X` may come from the file that `X_FILE` names."""

import base64
import binascii
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

KEY_BYTES = 32


def envstr(name: str, default: str = "") -> str:
    """The variable's text; an empty variable counts as unset, so that compose files may pass `X=`."""
    return os.environ.get(name, "") or default


def envbool(name: str, *, default: bool) -> bool:
    """Exactly `True` or `False`: a typing mistake in a security switch must not be read as either."""
    value = envstr(name, str(default))
    if value not in {"True", "False"}:
        raise ImproperlyConfigured(f"{name} is {value!r}: write True or False.")
    return value == "True"


def envint(name: str, default: int) -> int:
    value = envstr(name, str(default))
    try:
        return int(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} is {value!r}: write a whole number.") from error


def envlist(name: str, default: list[str]) -> list[str]:
    """Comma-separated; spaces around an entry are dropped."""
    value = envstr(name)
    return [part.strip() for part in value.split(",") if part.strip()] if value else default


def envsecret(name: str, default: str = "") -> str:
    """The variable, or the content of the file that `<name>_FILE` names, without its last line break."""
    path = envstr(f"{name}_FILE")
    if not path:
        return envstr(name, default)
    try:
        return Path(path).read_text().rstrip("\n")
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE cannot be read: {error.strerror}.") from error


def encryption_keys(text: str) -> list[str]:
    """Keys of 32 bytes in URL-safe base64, between commas or blanks: the first one encrypts, all of them decrypt.

    Raises ImproperlyConfigured with the place of what is none, never with its text.
    """
    keys = re.findall(r"[^\s,]+", text)
    for number, key in enumerate(keys, 1):
        if not _is_key(key):
            raise ImproperlyConfigured(
                f"PRATIQUE_SECRET_KEYS: entry {number} is no key. Make one: manage.py rotate_secrets --new-key."
            )
    return keys


def new_encryption_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, altchars=b"-_", validate=True)) == KEY_BYTES
    except (binascii.Error, ValueError):
        return False


def kept_secret(path: Path, make: Callable[[], str] = lambda: secrets.token_urlsafe(50)) -> str:
    """A key made at first use and kept for its owner alone; of two first users, one wins and both read the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    if not path.exists():
        fresh.touch(mode=0o600)
        fresh.write_text(make())
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text()
