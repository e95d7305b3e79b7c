"""Credentials: encrypted where they lie, shown to nobody, and kept out of every text that is made of a value."""

import json
from collections.abc import Iterable, Mapping
from typing import NoReturn

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

MASK = "***"
# Shorter values are found in ordinary words, too: nothing is made safer by masking every "a".
SHORTEST_MASKED = 4


class KeyMissing(Exception):
    """There is no key, or not the one that something was encrypted with. The text says what to do."""


class Secret:
    """Named values that only `reveal` tells. No text, no log, no task and no copy by value is ever made of it."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = {name: value for name, value in (values or {}).items() if value}

    def reveal(self, name: str) -> str:
        """The value of that name, empty where there is none: for the client that signs with it, and nobody else."""
        return self._values.get(name, "")

    def names(self) -> frozenset[str]:
        """What there is a value of."""
        return frozenset(self._values)

    def masked(self, text: str) -> str:
        """The text without any of the values: a library's error may quote what it was given."""
        for value in sorted(self._values.values(), key=len, reverse=True):
            if len(value) >= SHORTEST_MASKED:
                text = text.replace(value, MASK)
        return text

    def sealed(self) -> bytes:
        """Encrypted with the first of the keys; `opened` reads it again. Raises KeyMissing."""
        return _cipher().encrypt(json.dumps(self._values).encode())

    def __bool__(self) -> bool:
        return bool(self._values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._values == other._values

    __hash__ = None  # type: ignore[assignment]  # a hash of it could be tried out

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return MASK

    def __reduce__(self) -> NoReturn:
        raise TypeError("A secret is not pickled: it would travel in the clear.")


def opened(sealed: bytes | memoryview | None) -> Secret:
    """What `Secret.sealed` made, with whichever of the keys fits; nothing is an empty one. Raises KeyMissing."""
    if not sealed:
        return Secret()
    try:
        return Secret(json.loads(_cipher().decrypt(bytes(sealed))))
    except InvalidToken as error:
        raise KeyMissing(
            "The saved credentials cannot be read: the key that they were encrypted with is not among "
            "PRATIQUE_SECRET_KEYS. Put it back there, or enter the credentials again."
        ) from error


def resealed(sealed: bytes | memoryview) -> bytes:
    """The same, encrypted with the first key. Raises KeyMissing."""
    return opened(sealed).sealed()


def _cipher() -> MultiFernet:
    keys: Iterable[str] = settings.PRATIQUE_SECRET_KEYS
    if not keys:
        raise KeyMissing(
            "Credentials cannot be kept: there is no key to encrypt them with. Ask the operator to set "
            "PRATIQUE_SECRET_KEYS (manage.py rotate_secrets --new-key makes a key)."
        )
    return MultiFernet([Fernet(key) for key in keys])
