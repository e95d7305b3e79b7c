"""Google Cloud Storage, through its own client, which django-storages holds; listed by that client's pages."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from google.auth import default as machine_identity
from google.auth.credentials import AnonymousCredentials
from google.auth.transport.requests import AuthorizedSession, Request
from google.cloud.storage import Client
from google.cloud.storage.retry import DEFAULT_RETRY
from google.oauth2.service_account import Credentials
from requests import Session

from storages.backends.gcloud import GoogleCloudStorage
from storages.stores import patience, writing
from storages.stores.contract import Kind, Listed, StoreConfig
from storages.stores.errors import CHANGED, MISSING, TAKEN, BadKey, Changed, Missing, StoreDenied, Taken, Unreadable
from storages.stores.google_errors import explained
from storages.stores.network import guarded
from storages.stores.objects import ObjectStore
from storages.stores.patience import Passing, patiently
from storages.stores.writing import Incoming, in_base64

T = TypeVar("T")

PAGE = 1000
AT_ONCE = 16
SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
_WANTED = "name,size,updated,etag,generation"
_FIELDS = f"items({_WANTED}),prefixes,nextPageToken"
# As the last part of an address, the client's connections would shorten it away.
_WAYS = {".", ".."}
_WHEN = {
    "timeout": (patience.CONNECT_SECONDS, patience.READ_SECONDS),
    "retry": DEFAULT_RETRY.with_timeout(patience.READ_SECONDS).with_delay(initial=0.5, maximum=10.0),
}


class GoogleStore(ObjectStore):
    kind = Kind.GOOGLE

    def __init__(self, config: StoreConfig) -> None:
        super().__init__(config)
        with explained(config):
            self._client = client_of(config)
            self._bucket = _Files(self._client, config.bucket).bucket

    def identity(self) -> str:
        return f"gs:{self.config.endpoint.rstrip('/') or 'google'}/{self.config.bucket}"

    def pages_(self, begin: str, behind: str) -> Iterator[Listed]:
        asked = {"prefix": begin or None, "start_offset": behind or None, "page_size": PAGE, "fields": _FIELDS}
        with explained(self.config):
            yield from map(_listed, self._client.list_blobs(self._bucket, **asked, **_WHEN))

    def level_(self, path: str, after: str, limit: int) -> tuple[Iterable[str], Iterable[Listed], str]:
        asked = {"prefix": path or None, "delimiter": "/", "page_size": min(limit, PAGE), "page_token": after or None}

        def page() -> tuple[set[str], list[Listed], str]:
            found = self._client.list_blobs(self._bucket, fields=_FIELDS, **asked, **_WHEN)
            first = [_listed(one) for one in next(found.pages, [])]
            return found.prefixes, first, found.next_page_token or ""

        return self._ask(page, of_object=False)

    def stat_(self, key: str) -> Listed:
        return _listed(self._reloaded(key))

    def _reloaded(self, key: str) -> Any:
        blob = self.blob_of(key)
        self._ask(partial(blob.reload, **_WHEN), reading=True)
        return blob

    def read_(self, key: str, offset: int, length: int, expect: Listed | None) -> bytes:
        there = expect or self.stat_(key)
        length = max(0, min(length, there.size - offset))
        if not length:
            return self.behind_the_end_(key, expect)
        return patiently(lambda: self._read(key, offset, length, there))

    def _read(self, key: str, offset: int, length: int, there: Listed) -> bytes:
        span = {"start": offset, "end": offset + length - 1, "raw_download": True, "checksum": None}
        if there.version:
            span["if_generation_match"] = int(there.version)
        with explained(self.config, of_object=True, reading=True):
            blob = self.blob_of(key)
            content: bytes = blob.download_as_bytes(**span, **_WHEN)
        if str(blob.generation or there.version) != there.version:
            raise Passing(CHANGED, finally_=Changed)
        if len(content) != length:
            raise Passing("The storage's answers break off.")
        return content

    def write_(self, key: str, incoming: Incoming) -> bool:
        # Larger ones go up in chunks of this, each kept until the service has it.
        blob = self._bucket.blob(key, chunk_size=writing.PART)
        put = partial(
            blob.upload_from_file, incoming, size=incoming.size, checksum=None, if_generation_match=0,
            content_type="application/octet-stream", **_WHEN,
        )  # fmt: skip
        try:
            with explained(self.config, of_object=True):
                put()
        except Changed as error:
            if incoming.read_so_far < incoming.size or (error.__cause__ is None):
                raise
            # Something is there. An answer that got lost is asked for again by the client: then it is our own.
            if self._reloaded(key).md5_hash != in_base64(incoming.md5.digest()):
                raise Taken(TAKEN) from error
            return False
        return bool(blob.md5_hash == in_base64(incoming.md5.digest()))

    def copy_(self, other: ObjectStore, key: str, source: Listed, to: str) -> bool:
        if not isinstance(other, GoogleStore) or other.config.endpoint != self.config.endpoint:
            return False
        blob, of = self._bucket.blob(to), other.blob_of(key)
        same = {"if_source_generation_match": int(source.version)} if source.version else {}
        try:
            token, _, _ = self._ask(partial(blob.rewrite, of, if_generation_match=0, **same, **_WHEN))
            while token:
                token, _, _ = self._ask(partial(blob.rewrite, of, token=token, if_generation_match=0, **same, **_WHEN))
        except (StoreDenied, Unreadable):
            return False
        return True

    def blob_of(self, key: str) -> Any:
        if key in _WAYS:
            raise Missing(MISSING)
        return self._bucket.blob(key)

    def writable(self, key: str) -> str:
        full = super().writable(key)
        if full in _WAYS:
            raise BadKey("Google cannot hold such a name.")
        return full

    def delete_(self, full: Sequence[str]) -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(self._delete_one, full))

    def _delete_one(self, key: str) -> None:
        with suppress(Missing):
            self._ask(partial(self.blob_of(key).delete, **_WHEN))

    def abort_leftovers(self, older_than: datetime) -> int:  # noqa: ARG002
        """Uploads that were never finished are Google's to drop, a week after; nobody can list them."""
        return 0

    def _ask(self, request: Callable[[], T], *, of_object: bool = True, reading: bool = False) -> T:
        def once() -> T:
            with explained(self.config, of_object=of_object, reading=reading):
                return request()

        return patiently(once)


class _Files(GoogleCloudStorage):  # type: ignore[misc]
    """As the library makes it, around a client whose connections are guarded."""

    def __init__(self, client: Client, bucket: str) -> None:
        super().__init__(bucket_name=bucket)
        self._client = client


def client_of(config: StoreConfig) -> Client:
    """Without credentials and without the machine's identity, requests are anonymous: public buckets."""
    project, credentials, request = _identity(config)
    session = AuthorizedSession(credentials, auth_request=request)
    if not config.trusted:
        guarded(session)
    options = {"api_endpoint": config.endpoint} if config.endpoint else None
    return Client(project=project or "-", credentials=credentials, client_options=options, _http=session)


def _identity(config: StoreConfig) -> tuple[str, Any, Request | None]:
    """Project, credentials, and the way to the server that a key names for exchanging itself: people wrote it."""
    if config.from_machine:
        credentials, project = machine_identity(scopes=[SCOPE])
        return project or "", credentials, None
    text = config.credentials.get("service_account")
    if not text:
        return "", AnonymousCredentials(), None
    info = json.loads(text)
    credentials = Credentials.from_service_account_info(info, scopes=[SCOPE])
    way = Session() if config.trusted else guarded(Session())
    return str(info.get("project_id", "")), credentials, Request(session=way)


def _listed(found: Any) -> Listed:
    at = int(found.updated.timestamp() * 1_000_000) * 1000 if found.updated else None
    return Listed(found.name, found.size or 0, at, found.etag or "", str(found.generation or ""))
