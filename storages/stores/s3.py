"""Amazon S3 and what speaks its language. The client is made by django-storages and listed by its own paginator."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any

from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.utils import get_environ_proxies

from storages.backends.s3 import S3Storage
from storages.stores import patience, writing
from storages.stores.contract import Kind, Listed, StoreConfig
from storages.stores.errors import CHANGED, TAKEN, BadListing, Changed, Missing, StoreAway, StoreDenied, Taken
from storages.stores.network import GuardedAwsSession
from storages.stores.objects import ObjectStore
from storages.stores.patience import Passing, asked_to_wait, patiently
from storages.stores.s3_errors import code_of, explained
from storages.stores.writing import Incoming, in_base64, md5_of

PAGE = 1000
# Header reads of one worker, side by side.
CONNECTIONS = 32
# The most that one request copies, and the size of the pieces of what is larger.
COPIED_AT_ONCE = 5 * 1024**3
COPIED_PIECE = 1024**3
_READING = {"head_object", "get_object"}
_OF_OBJECTS = {*_READING, "copy_object", "upload_part_copy", "delete_object"}
_NO_SUCH_RANGE = "InvalidRange"
_UNKNOWN = {"NotImplemented", "InvalidArgument", "MethodNotAllowed"}


class S3Store(ObjectStore):
    kind = Kind.S3

    def __init__(self, config: StoreConfig) -> None:
        super().__init__(config)
        with explained(config):
            self._client = client_of(config)

    def identity(self) -> str:
        return f"s3:{self.config.endpoint.rstrip('/') or 'aws'}/{self.config.bucket}"

    def pages_(self, begin: str, behind: str) -> Iterator[Listed]:
        asked = {"Prefix": begin, "PaginationConfig": {"PageSize": PAGE}}
        if behind:
            asked["StartAfter"] = behind
        with explained(self.config):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self.config.bucket, **asked):
                yield from map(_listed, _contents(page))

    def level_(self, path: str, after: str, limit: int) -> tuple[Iterable[str], Iterable[Listed], str]:
        asked: dict[str, Any] = {"Prefix": path, "Delimiter": "/", "MaxKeys": min(limit, PAGE)}
        if after:
            asked["ContinuationToken"] = after
        page = self._ask("list_objects_v2", **asked)
        names = [found["Prefix"] for found in page.get("CommonPrefixes", [])]
        return names, map(_listed, _contents(page)), page.get("NextContinuationToken", "")

    def stat_(self, key: str) -> Listed:
        try:
            found = self._ask("head_object", Key=key)
        except StoreAway:
            # A HEAD has no body that says why: whether the credentials expired, this object is closed, or a bad name.
            self._ask("get_object", Key=key, Range="bytes=0-0")["Body"].close()
            raise
        return _stated(key, found)

    def read_(self, key: str, offset: int, length: int, expect: Listed | None) -> bytes:
        return patiently(lambda: self._read(key, offset, length, expect))

    def _read(self, key: str, offset: int, length: int, expect: Listed | None) -> bytes:
        asked = {"Range": f"bytes={offset}-{offset + length - 1}"}
        if expect is not None:
            asked["IfMatch"] = f'"{expect.etag}"'
        with explained(self.config, of_object=True, reading=True):
            try:
                answer = self._client.get_object(Bucket=self.config.bucket, Key=key, **asked)
            except ClientError as error:
                if code_of(error) == _NO_SUCH_RANGE:
                    return self.behind_the_end_(key, expect)
                raise
            with answer["Body"] as body:
                return _whole(body, answer, offset, length, expect)

    def write_(self, key: str, incoming: Incoming) -> bool:
        if incoming.size > writing.PART:
            return self._write_parts(key, incoming)
        content = incoming.read()
        digest = md5_of(content)
        put = partial(self._ask, "put_object", Key=key, Body=content, ContentMD5=in_base64(digest))
        return self._once(put, key, digest.hex())

    def _write_parts(self, key: str, incoming: Incoming) -> bool:
        upload = self._ask("create_multipart_upload", Key=key)["UploadId"]
        digests: dict[int, bytes] = {}
        tags: dict[int, str] = {}

        def send(number: int, part: bytes) -> None:
            digests[number] = md5_of(part)
            at: dict[str, Any] = {
                "Key": key,
                "UploadId": upload,
                "PartNumber": number,
                "ContentMD5": in_base64(digests[number]),
            }
            tags[number] = self._ask("upload_part", Body=part, **at)["ETag"]

        try:
            writing.in_parallel(incoming.parts(), send)
            whole = md5_of(b"".join(digests[number] for number in sorted(digests))).hex()
            complete = self._completing(key, upload, tags)
            return self._once(complete, key, f"{whole}-{len(tags)}")
        except BaseException:
            self._abort(key, upload)
            raise

    def _completing(self, key: str, upload: str, tags: dict[int, str]) -> Callable[..., Any]:
        parts = [{"PartNumber": number, "ETag": tags[number]} for number in sorted(tags)]
        at: dict[str, Any] = {"Key": key, "UploadId": upload, "MultipartUpload": {"Parts": parts}}
        return partial(self._ask, "complete_multipart_upload", **at)

    def _once(self, write: Callable[..., Any], key: str, etag: str) -> bool:
        """Only if nothing is there; whether the service's etag proves what it has.

        Services that do not know this condition are asked without it.
        """
        try:
            return _etag(write(IfNoneMatch="*")) == etag
        except Changed:
            # An answer that got lost is asked for again by the client: then what is there is our own.
            with suppress(Missing):
                if self.stat_(key).etag == etag:
                    return True
            raise Taken(TAKEN) from None
        except StoreAway as error:
            if isinstance(error.__cause__, ClientError) and code_of(error.__cause__) in _UNKNOWN:
                return _etag(write()) == etag
            raise

    def _abort(self, key: str, upload: str) -> None:
        """As far as it goes: the sweep finds what is left."""
        with suppress(ClientError, BotoCoreError):
            self._client.abort_multipart_upload(Bucket=self.config.bucket, Key=key, UploadId=upload)

    def copy_(self, other: ObjectStore, key: str, source: Listed, to: str) -> bool:
        if other.config.endpoint != self.config.endpoint or other.config.credentials != self.config.credentials:
            return False
        asked = {
            "CopySource": {"Bucket": other.config.bucket, "Key": key},
            "CopySourceIfMatch": f'"{source.etag}"',
        }
        try:
            if source.size > COPIED_AT_ONCE:
                self._copy_pieces(asked, source.size, to)
            else:
                self._ask("copy_object", Key=to, **asked)
        except StoreDenied:
            return False
        return True

    def _copy_pieces(self, asked: dict[str, Any], size: int, to: str) -> None:
        upload = self._ask("create_multipart_upload", Key=to)["UploadId"]
        tags = {}
        try:
            for number, start in enumerate(range(0, size, COPIED_PIECE), 1):
                span = f"bytes={start}-{min(start + COPIED_PIECE, size) - 1}"
                at: dict[str, Any] = {"Key": to, "UploadId": upload, "PartNumber": number, "CopySourceRange": span}
                tags[number] = self._ask("upload_part_copy", **at, **asked)["CopyPartResult"]["ETag"]
            self._completing(to, upload, tags)()
        except BaseException:
            self._abort(to, upload)
            raise

    def delete_(self, full: Sequence[str]) -> None:
        # XML has no way to write control characters.
        plain = [key for key in full if min(key, default=" ") >= " "]
        for start in range(0, len(plain), PAGE):
            self._delete_batch(plain[start : start + PAGE])
        for key in set(full) - set(plain):
            self._ask("delete_object", Key=key)

    def _delete_batch(self, batch: Sequence[str]) -> None:
        answer = self._ask("delete_objects", Delete={"Objects": [{"Key": key} for key in batch], "Quiet": True})
        for failed in answer.get("Errors", []):
            # Asked for alone it says why in the usual way.
            self._ask("delete_object", Key=failed["Key"])

    def abort_leftovers(self, older_than: datetime) -> int:
        prefix = self.prefix.decode()
        with explained(self.config):
            pages = self._client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self.config.bucket, Prefix=prefix
            )
            found = [one for page in pages for one in page.get("Uploads", [])]
        # Not every service heeds the prefix.
        old = [one for one in found if one["Initiated"] < older_than and one["Key"].startswith(prefix)]
        for one in old:
            self._abort(one["Key"], one["UploadId"])
        return len(old)

    def _ask(self, operation: str, **how: Any) -> Any:
        """The client's own operation."""

        def once() -> Any:
            with explained(self.config, of_object=operation in _OF_OBJECTS, reading=operation in _READING):
                return getattr(self._client, operation)(Bucket=self.config.bucket, **how)

        return patiently(once)


def client_of(config: StoreConfig) -> Any:
    """Without credentials and without the machine's identity, requests are not signed: public buckets."""
    secret = config.credentials
    signed = bool(secret) or config.from_machine
    how = Config(
        retries={"mode": "standard", "total_max_attempts": patience.CLIENT_ATTEMPTS},
        connect_timeout=patience.CONNECT_SECONDS, read_timeout=patience.READ_SECONDS,
        max_pool_connections=CONNECTIONS, tcp_keepalive=True,
        s3={"addressing_style": "path" if config.endpoint else "auto"},
        signature_version="s3v4" if signed else UNSIGNED,
        # Compatible services know few of the newer checksums: what we write is checked by MD5.
        request_checksum_calculation="when_required", response_checksum_validation="when_required",
    )  # fmt: skip
    files = S3Storage(
        bucket_name=config.bucket, client_config=how, endpoint_url=config.endpoint or None,
        region_name=config.region or ("us-east-1" if config.endpoint else None),
        access_key=secret.get("access_key") or None, secret_key=secret.get("secret_key") or None,
        security_token=secret.get("session_token") or None, session_profile=None,
    )  # fmt: skip
    client = files.connection.meta.client
    # Older services insist on it, and the client sends it no more.
    client.meta.events.register("before-call.s3.DeleteObjects", _with_md5)
    client.meta.events.register_first("needs-retry.s3", _heed)
    if not config.trusted:
        _guard(client, how)
    return client


def _with_md5(params: dict[str, Any], **_: Any) -> None:
    params["headers"]["Content-MD5"] = in_base64(md5_of(params["body"]))


def _heed(response: Any, attempts: int, **_: Any) -> float | None:
    """A service that says how long it wants to be left alone is heeded: the client knows only Amazon's own header."""
    headers = response[1].get("ResponseMetadata", {}).get("HTTPHeaders", {}) if response else {}
    after = asked_to_wait(headers.get("retry-after"))
    most = min(patience.LONGEST_WAIT_SECONDS, patience.LONGEST_SECONDS / patience.CLIENT_ATTEMPTS)
    return min(after, most) if after and attempts < patience.CLIENT_ATTEMPTS else None


def _guard(client: Any, how: Config) -> None:
    session = GuardedAwsSession(
        timeout=(how.connect_timeout, how.read_timeout), max_pool_connections=CONNECTIONS,
        proxies=get_environ_proxies(client.meta.endpoint_url),
    )  # fmt: skip
    client.meta.events.register("before-send.s3", lambda request, **_: session.send(request))


def _contents(page: dict[str, Any]) -> list[dict[str, Any]]:
    """Raises Passing for a page that is none or does not add up."""
    if "IsTruncated" not in page:
        raise Passing("The storage answers a listing with something else.", finally_=BadListing)
    found: list[dict[str, Any]] = page.get("Contents", [])
    if len(found) + len(page.get("CommonPrefixes", [])) < page.get("KeyCount", 0):
        raise Passing("The storage lists fewer objects than it says.", finally_=BadListing)
    if page["IsTruncated"] and not page.get("NextContinuationToken"):
        raise Passing("The storage's listing breaks off.", finally_=BadListing)
    return found


def _listed(found: dict[str, Any]) -> Listed:
    return Listed(found["Key"], found["Size"], _ns(found["LastModified"]), _etag(found))


def _stated(key: str, found: dict[str, Any]) -> Listed:
    version = found.get("VersionId", "")
    return Listed(key, found["ContentLength"], _ns(found["LastModified"]), _etag(found), version)


def _ns(at: datetime) -> int:
    """Whole seconds: a listing has fractions where a HEAD of the same object has none."""
    return int(at.timestamp()) * 1_000_000_000


def _etag(found: dict[str, Any]) -> str:
    return str(found.get("ETag", "")).strip('"')


def _whole(body: Any, answer: dict[str, Any], offset: int, length: int, expect: Listed | None) -> bytes:
    """All that was asked for and nothing else, or Passing: the next answer may be better."""
    span = answer.get("ContentRange", "")
    if span and not span.startswith(f"bytes {offset}-"):
        raise Passing("The storage answers with another part of the object.")
    if not span and (offset or answer["ContentLength"] > length):
        raise StoreAway("The storage cannot read a part of an object: it answers with the whole.")
    if expect is not None and _etag(answer) != expect.etag:
        raise Passing(CHANGED, finally_=Changed)
    content: bytes = body.read()
    total = int(span.rpartition("/")[2]) if span.rpartition("/")[2].isdigit() else answer["ContentLength"]
    if len(content) != min(length, total - offset):
        raise Passing("The storage's answers break off.")
    return content
