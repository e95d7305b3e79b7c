"""What S3 and its client say, in words that help and hold no credential."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as boto
from urllib3.exceptions import HTTPError

from storages.stores.contract import StoreConfig
from storages.stores.errors import (
    ARCHIVED,
    CHANGED,
    CLOSED,
    MISSING,
    BadKey,
    BadListing,
    Changed,
    Missing,
    StoreAway,
    StoreDenied,
    StoreError,
    StoreFull,
    Unreadable,
)
from storages.stores.network import refusal
from storages.stores.patience import Passing, asked_to_wait

SKEW = (
    "The clock of this machine and that of the storage are too far apart for a signature to hold: set this "
    "machine's clock (NTP)."
)
_DENIED = {
    "InvalidAccessKeyId": "The storage does not know this access key: check it for typing mistakes.",
    "SignatureDoesNotMatch": "The secret key does not belong to this access key: enter both again.",
    "ExpiredToken": "The credentials have expired: enter new ones.",
    "ExpiredTokenException": "The credentials have expired: enter new ones.",
    "RequestExpired": "The credentials have expired: enter new ones.",
    "TokenRefreshRequired": "The credentials have expired: enter new ones.",
    "InvalidToken": "The session token is not valid: enter new credentials.",
    "RequestTimeTooSkewed": SKEW,
    "AuthorizationHeaderMalformed": "The bucket lies in another region: enter its region.",
    "AllAccessDisabled": "The storage has closed this bucket: ask who owns it.",
}
_REFUSED = "The storage refuses this with the credentials given: whoever owns the bucket has to allow it."
_NO_BUCKET = "There is no bucket of this name there: check the bucket's name and the endpoint."
_MISSING = {"NoSuchKey", "NoSuchVersion", "404", "NotFound"}
_FULL = {"QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "XMinioStorageFull", "InsufficientCapacity"}
_NO_NAMES = {"KeyTooLongError", "XMinioInvalidObjectName", "XMinioInvalidResourceName", "InvalidURI"}
_MANY_REQUESTS, _SERVER = 429, 500


@contextmanager
def explained(config: StoreConfig, *, of_object: bool = False, reading: bool = False) -> Iterator[None]:
    """Turns what botocore raises into our own errors.

    `of_object`: one object was asked for, so that it may be missing; while `reading` it, a refusal is about it alone.
    """
    try:
        yield
    except boto.ClientError as error:
        if reading and code_of(error) == "AccessDenied":
            raise Unreadable(CLOSED) from error
        found = of_answer(error, of_object=of_object)
        if reading and isinstance(found, BadKey):
            # What a service cannot hold is not there.
            found = Missing(MISSING)
        raise found from error
    except boto.PaginationError as error:
        raise BadListing("The storage's pages do not lead on: its listing cannot be relied on.") from error
    except boto.ParamValidationError as error:
        raise StoreAway("No bucket can have such a name: check it.") from error
    except (boto.BotoCoreError, boto.HTTPClientError, HTTPError, OSError, ValueError) as error:
        raise of_way(error, config) from error


def code_of(error: boto.ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def of_answer(error: boto.ClientError, *, of_object: bool) -> StoreError:
    code = code_of(error)
    about = error.response.get("ResponseMetadata", {})
    status = int(about.get("HTTPStatusCode", 0))
    if code in _DENIED:
        return StoreDenied(_DENIED[code])
    if code in _MISSING and of_object:
        return Missing(MISSING)
    if code in _MISSING or code == "NoSuchBucket":
        return StoreAway(_NO_BUCKET)
    return _by_kind(code, status, asked_to_wait(about.get("HTTPHeaders", {}).get("retry-after")))


def _by_kind(code: str, status: int, after: float) -> StoreError:
    found = _about_object(code)
    if found is not None:
        return found
    if code in _FULL:
        return StoreFull("No space left in the storage, or over its quota.")
    if status in {401, 403}:
        return StoreDenied(_REFUSED)
    if status == _MANY_REQUESTS or (status >= _SERVER and code != "NotImplemented"):
        return Passing(f"The storage cannot answer now ({status} {_plain(code)}).", after=after)
    return StoreAway(f"The storage answers {status} {_plain(code)}: check endpoint, region and bucket.")


def _about_object(code: str) -> StoreError | None:
    if code in {"PreconditionFailed", "ConditionalRequestConflict", "412"}:
        return Changed(CHANGED)
    if code == "InvalidObjectState":
        return Unreadable(ARCHIVED)
    if code in _NO_NAMES:
        return BadKey("The storage cannot hold such a name.")
    return None


def _plain(code: str) -> str:
    """A code is a word; whatever else a server puts there is not repeated."""
    return code if code.isalnum() and len(code) < 50 else ""  # noqa: PLR2004


def of_way(error: Exception, config: StoreConfig) -> StoreError:
    """What failed before there was an answer, or in the middle of one."""
    refused = refusal(error)
    if refused is not None:
        return refused
    where = config.endpoint or "Amazon S3"
    if isinstance(error, boto.SSLError):
        return StoreAway(f"No safe connection to {where}: its certificate is not valid for this name, or it has none.")
    if isinstance(error, boto.NoCredentialsError | boto.PartialCredentialsError | boto.CredentialRetrievalError):
        return StoreDenied("This machine has no identity that the storage could know: enter credentials.")
    if isinstance(error, boto.EndpointConnectionError | boto.ConnectTimeoutError):
        return StoreAway(f"{where} cannot be reached: check the endpoint and the network.")
    if isinstance(error, boto.InvalidRegionError | ValueError):
        return StoreAway("The endpoint or the region is not well formed: check both.")
    return Passing(f"The answers of {where} break off or make no sense.")
