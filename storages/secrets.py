"""Credentials: encrypted where they lie, shown to nobody, and kept out of every text that is made of a value."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NoReturn, Self

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

MASK = "***"
# Shorter values are found in ordinary words, too: nothing is made safer by masking every "a".
SHORTEST_MASKED = 4


class KeyMissing(Exception):
    """There is no key, or not the one that something was encrypted with. The text says what to do."""


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """Credentials by name. Only `get` tells one: no text, no log, no task and no pickle is ever made of it.

    S3: `access_key`, `secret_key`, `session_token`. Azure: `account_key`, `sas_token` or `connection_string`.
    Google: `service_account`, the text of its JSON key.
    """

    pairs: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, **values: str) -> Self:
        """An empty value is none."""
        return cls(tuple(sorted((name, value) for name, value in values.items() if value)))

    def get(self, name: str) -> str:
        """Empty where there is none. For the client that signs with it, and nobody else."""
        return dict(self.pairs).get(name, "")

    def names(self) -> frozenset[str]:
        """What there is a value of."""
        return frozenset(name for name, _ in self.pairs)

    def masked(self, text: str) -> str:
        """The text without any of the values: a library's error may quote what it was given."""
        for value in sorted((value for _, value in self.pairs), key=len, reverse=True):
            if len(value) >= SHORTEST_MASKED:
                text = text.replace(value, MASK)
        return text

    def sealed(self) -> bytes:
        """Encrypted with the first of the keys; `opened` reads it again. Raises KeyMissing."""
        return _cipher().encrypt(json.dumps(dict(self.pairs)).encode())

    def __bool__(self) -> bool:
        return bool(self.pairs)

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("A secret is not pickled: it would travel in the clear.")


NO_SECRET = Secret()


def opened(sealed: bytes | memoryview | None) -> Secret:
    """What `Secret.sealed` made, with whichever of the keys fits; nothing is an empty one. Raises KeyMissing."""
    if not sealed:
        return NO_SECRET
    try:
        return Secret.of(**json.loads(_cipher().decrypt(bytes(sealed))))
    except InvalidToken as error:
        raise KeyMissing(
            "The saved credentials cannot be read: the key that they were encrypted with is not among "
            "PRATIQUE_SECRET_KEYS. Put it back there, or enter the credentials again."
        ) from error


def resealed(sealed: bytes | memoryview) -> bytes:
    """The same, encrypted with the first key. Raises KeyMissing."""
    return opened(sealed).sealed()


def require_key() -> None:
    """Raises KeyMissing where nothing can be encrypted."""
    _cipher()


def _cipher() -> MultiFernet:
    keys: Iterable[str] = settings.PRATIQUE_SECRET_KEYS
    if not keys:
        raise KeyMissing(
            "Credentials cannot be kept: there is no key to encrypt them with. Ask the operator to set "
            "PRATIQUE_SECRET_KEYS (manage.py rotate_secrets --new-key makes a key)."
        )
    return MultiFernet([Fernet(key) for key in keys])
