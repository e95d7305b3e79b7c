"""Our own bytes in an object store: put together in a local file, uploaded to their final name, proven there.

An object has its name only once it is whole, so there are no temporary names: what a killed worker uploaded and told
nobody is found by what it had told before (`importer/pipeline/intents.py`), unfinished uploads by their age.
"""

import errno
import os
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import BinaryIO
from urllib.parse import parse_qsl, unquote, urlsplit

from django.conf import settings

from storages.errors import PlaceAway, PlaceError, PlaceFull, explained
from storages.place_contract import INCOMING, MARK, Lying, Place, Staged, check_free, drop_old, inside
from storages.secrets import Secret
from storages.stores import keys, reading, store_for, writing
from storages.stores.contract import Kind, Listed, ListedKind, Store, StoreConfig
from storages.stores.errors import (
    Changed,
    Missing,
    StoreAway,
    StoreDenied,
    StoreError,
    StoreFull,
    Taken,
    Unreadable,
)

# So many small files are uploaded side by side; each is in memory once. Larger ones go one after the other, in parts.
AT_ONCE = 8
_SCHEMES = {"s3": Kind.S3, "az": Kind.AZURE, "gs": Kind.GOOGLE}
_OPTIONS = {"endpoint", "region"}


@dataclass(frozen=True, slots=True)
class ObjectPlace:
    """A bucket, or a folder in it. `staging` is a local folder."""

    config: StoreConfig
    staging: Path

    @property
    def folder(self) -> None:
        return None

    def where(self, path: str) -> str:
        inside(path)
        above = [part for part in (self.config.account, self.config.bucket, self.config.prefix.strip("/")) if part]
        return f"{self.config.kind}://{'/'.join([*above, path])}"

    def stage(self, path: str) -> Staged:
        inside(path)
        temporary = self.staging / INCOMING / uuid.uuid4().hex
        with explained(f"place {self.staging.name}"):
            temporary.parent.mkdir(parents=True, exist_ok=True)
            return Staged(path=path, temporary=temporary, stream=temporary.open("xb", buffering=1 << 20))

    def stage_from(self, other: Place, path: str, *, to: str) -> Staged:
        """Nothing is copied yet: where both are one service, it will copy by itself."""
        inside(to)
        size = other.size(path)
        return Staged(path=to, temporary=None, stream=other.open(path), size=size, origin=(other, path))

    def publish(self, staged: Sequence[Staged]) -> None:
        for one in staged:
            if one.temporary is not None:
                with explained(f"place {self.staging.name}"):
                    one.stream.close()
                    one.size = one.temporary.stat().st_size
        small = [one for one in staged if one.size <= writing.PART]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            # All are asked to the end, and the first error is told.
            for done in [pool.submit(self._upload, one) for one in small]:
                done.result()
        for one in staged:
            if one.size > writing.PART:
                self._upload(one)

    def _upload(self, one: Staged) -> None:
        with _placed(one.path):
            if one.temporary is not None:
                with one.temporary.open("rb") as stream:
                    self._store.put(_key(one.path), stream, size=one.size)
                one.temporary.unlink()
                return
            origin, path = one.origin or (None, "")
            with one.stream:
                if isinstance(origin, ObjectPlace):
                    self._store.copy_from(origin._store, _key(path), _key(one.path))  # noqa: SLF001  of this class
                else:
                    self._store.put(_key(one.path), one.stream, size=one.size)

    def discard(self, staged: Staged) -> None:
        with suppress(OSError):
            # A full disk refuses the last buffer; the file goes away all the same.
            staged.stream.close()
        if staged.temporary is not None:
            staged.temporary.unlink(missing_ok=True)

    def open(self, path: str) -> BinaryIO:
        with _placed(path):
            return reading.opened(_Reads(self._store, path), self._store.stat(_key(path)))

    def exists(self, path: str) -> bool:
        try:
            self.size(path)
        except FileNotFoundError:
            return False
        return True

    def size(self, path: str) -> int:
        with _placed(path):
            return self._store.stat(_key(path)).size

    def delete(self, path: str) -> None:
        with _placed(path):
            self._store.delete([_key(path)])

    def walk(self) -> Iterator[tuple[str, Lying]]:
        with _placed(""):
            for one in self._store.list():
                if one.kind is ListedKind.FILE and one.key != MARK:
                    yield os.fsdecode(keys.raw(one.key)), Lying(one.size, (one.mtime_ns or 0) / 1e9)

    def drop_leftovers(self, older_than: datetime) -> int:
        incoming = self.staging / INCOMING
        dropped = drop_old(incoming.iterdir() if incoming.is_dir() else (), older_than)
        # Not everybody who may write may also list unfinished uploads.
        with _placed(""), suppress(StoreDenied):
            dropped += self._store.abort_leftovers(older_than)
        return dropped

    def check(self, needed: int = 0) -> None:
        """Of staging, through which all goes; and whether the bucket answers."""
        check_free(self.staging, needed)
        with _placed(""):
            self._store.folders(limit=1)

    def mark(self) -> str:
        with _placed(MARK):
            try:
                return self._store.read_at(MARK, 0, 100).decode("ascii", "replace").strip()
            except Missing:
                return ""

    def set_mark(self, mark: str) -> str:
        content = f"{mark}\n".encode()
        with _placed(MARK), suppress(Taken):
            self._store.put(MARK, BytesIO(content), size=len(content))
        return self.mark()

    @property
    def _store(self) -> Store:
        return store_for(self.config)


@dataclass(frozen=True, slots=True)
class _Reads:
    """Of one opened file; what goes wrong later is said in a place's words, too."""

    store: Store
    path: str

    def read_at(self, key: str, offset: int, length: int, *, expect: Listed | None = None) -> bytes:
        with _placed(self.path):
            return self.store.read_at(key, offset, length, expect=expect)


def _key(path: str) -> str:
    return keys.printable(os.fsencode("/".join(inside(path)) if path != MARK else path))


@contextmanager
def _placed(path: str) -> Iterator[None]:
    """A store's errors as a place's: one file's trouble is an OSError, the world's is PlaceAway or PlaceFull."""
    try:
        yield
    except Missing as error:
        raise FileNotFoundError(errno.ENOENT, "The object is not there", path) from error
    except Unreadable as error:
        raise PermissionError(errno.EACCES, str(error), path) from error
    except Taken as error:
        raise PlaceError(f"{path} is already there: a stored file is never written over.") from error
    except StoreFull as error:
        raise PlaceFull(str(error)) from error
    except StoreAway as error:
        raise PlaceAway(str(error)) from error
    except Changed as error:
        raise OSError(errno.EIO, "The object is not the one that was stored", path) from error
    except StoreError as error:
        raise PlaceError(str(error)) from error


def config_of(url: str) -> StoreConfig:
    """`s3://BUCKET/PREFIX?endpoint=URL&region=NAME`, `az://ACCOUNT/CONTAINER/PREFIX`, `gs://BUCKET/PREFIX`.

    Credentials are settings of their own; without them the machine's identity is used. The endpoint is the operator's
    word. Raises PlaceAway.
    """
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    kind = _SCHEMES.get(parts.scheme)
    if kind is None or not parts.netloc or parts.netloc != parts.hostname or options.keys() - _OPTIONS:
        raise PlaceAway(
            "A place is file:///PATH, s3://BUCKET/PREFIX, az://ACCOUNT/CONTAINER/PREFIX or gs://BUCKET/PREFIX, with "
            "?endpoint=URL&region=NAME where needed, and without credentials (docs/settings.md has their names)."
        )
    folders = unquote(parts.path).strip("/").split("/")
    account, bucket = (parts.netloc, folders.pop(0)) if kind is Kind.AZURE else ("", parts.netloc)
    secret = _credentials(kind)
    return StoreConfig(
        kind=kind, bucket=bucket, prefix="/".join(folders), account=account,
        endpoint=options.get("endpoint", ""), region=options.get("region", ""),
        credentials=secret, from_machine=not secret, trusted=True,
    )  # fmt: skip


def _credentials(kind: Kind) -> Secret:
    if kind is Kind.S3:
        return Secret.of(
            access_key=settings.PRATIQUE_S3_ACCESS_KEY,
            secret_key=settings.PRATIQUE_S3_SECRET_KEY,
            session_token=settings.PRATIQUE_S3_SESSION_TOKEN,
        )
    if kind is Kind.AZURE:
        return Secret.of(account_key=settings.PRATIQUE_AZURE_ACCOUNT_KEY, sas_token=settings.PRATIQUE_AZURE_SAS_TOKEN)
    return Secret.of(service_account=settings.PRATIQUE_GOOGLE_SERVICE_ACCOUNT)
