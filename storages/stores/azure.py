"""Azure Blob Storage, through its own client, which django-storages holds; listed by that client's pages."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, TypeVar
from uuid import uuid4

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.transport import RequestsTransport
from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobBlock, BlobServiceClient, ContentSettings, ExponentialRetry
from requests import Session

from storages.backends.azure_storage import AzureStorage
from storages.stores import keys, patience, writing
from storages.stores.azure_errors import explained
from storages.stores.contract import Kind, Listed, ListedKind, StoreConfig
from storages.stores.errors import CHANGED, BadKey, Changed, Missing, StoreDenied, StoreError, Taken, Unreadable
from storages.stores.network import guarded
from storages.stores.objects import ObjectStore
from storages.stores.patience import Passing, patiently
from storages.stores.writing import Incoming, md5_of

T = TypeVar("T")

PAGE = 5000
DELETED_AT_ONCE = 256
# A copy inside one account takes no time; one that does is done through here.
COPY_SECONDS = 60.0
UNSAFE = "The name has a backslash, or . or .. between slashes: on its way to Azure it would become another name."
_REDIRECTED, _NO_SUCH_RANGE = 300, 416
_OF_PERSONS = [
    f"exclude_{kind}_credential"
    for kind in (
        "cli",
        "developer_cli",
        "powershell",
        "shared_token_cache",
        "visual_studio_code",
        "interactive_browser",
    )
]
_IF_NOTHING = {"match_condition": MatchConditions.IfMissing}


class AzureStore(ObjectStore):
    kind = Kind.AZURE

    @staticmethod
    def order_(key: bytes) -> bytes:
        """Azure compares names by UTF-16: beyond the first 65,536 characters that is another order."""
        return keys.for_service(key).encode("utf-16-be", "surrogatepass")

    def __init__(self, config: StoreConfig) -> None:
        super().__init__(config)
        with explained(config):
            self._container = _Files(service_of(config), config.bucket).client

    def identity(self) -> str:
        return f"az:{self._container.url.partition('?')[0]}"

    def pages_(self, begin: str, behind: str) -> Iterator[Listed]:
        # Old services know no `start_from`, and begin at the beginning: what comes before is dropped.
        asked = {"start_from": behind} if behind else {}
        found = self._container.list_blobs(
            name_starts_with=begin or None, results_per_page=PAGE, include=["metadata"], **asked
        )
        with explained(self.config):
            yield from map(_listed, found)

    def level_(self, path: str, after: str, limit: int) -> tuple[Iterable[str], Iterable[Listed], str]:
        walked = self._container.walk_blobs(name_starts_with=path, delimiter="/", results_per_page=min(limit, PAGE))

        def page() -> tuple[list[Any], str]:
            pages = walked.by_page(continuation_token=after or None)
            return list(next(pages, [])), pages.continuation_token or ""

        found, following = self._ask(page, of_object=False)
        names = [one.name for one in found if hasattr(one, "prefix")]
        return names, map(_listed, (one for one in found if not hasattr(one, "prefix"))), following

    def stat_(self, key: str) -> Listed:
        return _listed(self._ask(self._blob(key).get_blob_properties, reading=True))

    def read_(self, key: str, offset: int, length: int, expect: Listed | None) -> bytes:
        return patiently(lambda: self._read(key, offset, length, expect))

    def _read(self, key: str, offset: int, length: int, expect: Listed | None) -> bytes:
        same = {"etag": f'"{expect.etag}"', "match_condition": MatchConditions.IfNotModified} if expect else {}
        with explained(self.config, of_object=True, reading=True):
            try:
                answer = self._blob(key).download_blob(offset=offset, length=length, max_concurrency=1, **same)
                content: bytes = answer.readall()
            except HttpResponseError as error:
                if error.status_code == _NO_SUCH_RANGE:
                    return self.behind_the_end_(key, expect)
                raise
        if expect is not None and _etag(answer.properties.etag) != expect.etag:
            raise Passing(CHANGED, finally_=Changed)
        if expect is not None and len(content) != max(0, min(length, expect.size - offset)):
            raise Passing("The storage's answers break off.")
        return content

    def write_(self, key: str, incoming: Incoming) -> bool:
        try:
            if incoming.size > writing.PART:
                return self._write_blocks(key, incoming)
            content = incoming.read()
            kept = ContentSettings(content_md5=bytearray(incoming.md5.digest()))
            put = partial(self._blob(key).upload_blob, content, overwrite=False, validate_content=True)
            made = self._ask(partial(put, content_settings=kept))
            return bytes(made.get("content_md5") or b"") == incoming.md5.digest()
        except Taken:
            # An answer that got lost is asked for again by the client: then what is there is our own.
            if self._md5(key) == incoming.md5.digest():
                return False
            raise

    def _write_blocks(self, key: str, incoming: Incoming) -> bool:
        """What is never committed is dropped by Azure after a week."""
        upload, blob = uuid4().hex, self._blob(key)
        same: dict[int, bool] = {}

        def send(number: int, part: bytes) -> None:
            stage = partial(blob.stage_block, f"{upload}-{number:05}", part, length=len(part), validate_content=True)
            made = self._ask(stage)
            same[number] = bytes(made.get("content_md5") or b"") == md5_of(part)

        writing.in_parallel(incoming.parts(), send)
        blocks = [BlobBlock(f"{upload}-{number:05}") for number in sorted(same)]
        kept = ContentSettings(content_md5=bytearray(incoming.md5.digest()))
        self._ask(partial(blob.commit_block_list, blocks, content_settings=kept, **_IF_NOTHING))
        return all(same.values())

    def _md5(self, key: str) -> bytes:
        found = self._ask(self._blob(key).get_blob_properties, reading=True)
        return bytes(found.content_settings.content_md5 or b"")

    def copy_(self, other: ObjectStore, key: str, source: Listed, to: str) -> bool:
        if not isinstance(other, AzureStore) or other.config.credentials != self.config.credentials:
            return False
        if other.config.account != self.config.account or other.config.endpoint != self.config.endpoint:
            return False
        blob = self._blob(to)
        same = {"source_etag": f'"{source.etag}"', "source_match_condition": MatchConditions.IfNotModified}
        begin = partial(blob.start_copy_from_url, other.url_of(key), **same, **_IF_NOTHING)
        try:
            status = self._ask(begin)["copy_status"]
        except (StoreDenied, Unreadable):
            return False
        return status == "success" or self._copied(blob)

    def _copied(self, blob: Any) -> bool:
        end = time.monotonic() + COPY_SECONDS
        while time.monotonic() < end:
            found = self._ask(blob.get_blob_properties).copy
            if found.status != "pending":
                return bool(found.status == "success")
            time.sleep(1)
        with suppress(StoreError):
            self._ask(partial(blob.abort_copy, found.id))
            self._ask(blob.delete_blob)
        return False

    def url_of(self, key: str) -> str:
        return str(self._blob(key).url)

    def delete_(self, full: Sequence[str]) -> None:
        for start in range(0, len(full), DELETED_AT_ONCE):
            batch = full[start : start + DELETED_AT_ONCE]
            answers = self._ask(partial(self._delete_batch, batch), of_object=False)
            failed = [key for key, status in zip(batch, answers, strict=True) if status >= _REDIRECTED]
            for key in failed:
                # Asked for alone it says why in the usual way.
                with suppress(Missing):
                    self._ask(self._blob(key).delete_blob)

    def _delete_batch(self, batch: Sequence[str]) -> list[int]:
        answers = self._container.delete_blobs(*batch, raise_on_any_failure=False)
        return [answer.status_code for answer in answers]

    def abort_leftovers(self, older_than: datetime) -> int:  # noqa: ARG002
        """Blocks that were never committed are Azure's to drop, a week after; nobody can list their age."""
        return 0

    def _blob(self, key: str) -> Any:
        if _unsafe(key):
            raise Unreadable(UNSAFE)
        return self._container.get_blob_client(key)

    def writable(self, key: str) -> str:
        full = super().writable(key)
        if _unsafe(full):
            raise BadKey(UNSAFE)
        return full

    def _ask(self, request: Callable[[], T], *, of_object: bool = True, reading: bool = False) -> T:
        def once() -> T:
            with explained(self.config, of_object=of_object, reading=reading):
                return request()

        return patiently(once)


class _Files(AzureStorage):  # type: ignore[misc]
    """As the library makes it, around a client whose connections are guarded."""

    def __init__(self, service: BlobServiceClient, container: str) -> None:
        super().__init__(azure_container=container)
        self._service_client = service


def service_of(config: StoreConfig) -> BlobServiceClient:
    """Without credentials and without the machine's identity, requests are anonymous: public containers."""
    how: dict[str, Any] = {
        "retry_policy": ExponentialRetry(
            initial_backoff=1, increment_base=2, retry_total=patience.CLIENT_ATTEMPTS - 1, random_jitter_range=1
        ),
        "connection_timeout": patience.CONNECT_SECONDS,
        "read_timeout": patience.READ_SECONDS,
    }
    if not config.trusted:
        how["transport"] = RequestsTransport(session=guarded(Session()), session_owner=False)
    secret = config.credentials
    if secret.get("connection_string"):
        return BlobServiceClient.from_connection_string(secret.get("connection_string"), **how)
    url = config.endpoint or f"https://{config.account}.blob.core.windows.net"
    return BlobServiceClient(url, credential=_credential(config), **how)


def _credential(config: StoreConfig) -> Any:
    secret = config.credentials
    if config.from_machine:
        # What a server has: variables, a workload's or a managed identity; no programs of a person who signed in.
        return DefaultAzureCredential(**dict.fromkeys(_OF_PERSONS, True))
    if secret.get("account_key"):
        return {"account_name": config.account, "account_key": secret.get("account_key")}
    return secret.get("sas_token") or None


def _unsafe(key: str) -> bool:
    """The client's connections shorten paths with dots, and the service turns backslashes."""
    return "\\" in key or not {".", ".."}.isdisjoint(key.split("/"))


def _listed(found: Any) -> Listed:
    at = int(found.last_modified.timestamp()) * 1_000_000_000 if found.last_modified else None
    # Accounts with real folders list these, too.
    folder = (found.metadata or {}).get("hdi_isfolder") == "true"
    kind = ListedKind.PLACEHOLDER if folder else ListedKind.FILE
    return Listed(found.name, found.size or 0, at, _etag(found.etag), found.version_id or "", kind)


def _etag(text: str | None) -> str:
    return (text or "").strip('"')
