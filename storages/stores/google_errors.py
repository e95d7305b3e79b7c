"""What Google and its client say, in words that help and hold no credential."""

from collections.abc import Iterator
from contextlib import contextmanager

import requests
from google.api_core import exceptions as api
from google.auth import exceptions as auth
from google.cloud.storage import exceptions as media

from storages.stores.contract import StoreConfig
from storages.stores.errors import (
    CHANGED,
    CLOSED,
    MISSING,
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

_KEY = "Google does not accept this key: it may be deleted, expired or of another account."
_SKEW = "The clock of this machine and that of Google are too far apart: set this machine's clock (NTP)."
_MALFORMED = "The key of the service account or the endpoint is not well formed: enter it anew."
_REFUSED = "The storage refuses this with the credentials given: whoever owns the bucket has to allow it."
_NO_BUCKET = "There is no bucket of this name there: check the bucket's name."
_MANY_REQUESTS, _SERVER, _TIMEOUT = 429, 500, 408


@contextmanager
def explained(config: StoreConfig, *, of_object: bool = False, reading: bool = False) -> Iterator[None]:
    """Turns what Google's client raises into our own errors.

    `of_object`: one object was asked for, so that it may be missing; while `reading` it, a refusal is about it alone.
    """
    try:
        yield
    except media.InvalidResponse as error:
        raise _of_status(error.response.status_code, error.response, of_object=of_object, reading=reading) from error
    except api.RetryError as error:
        raise _of_cause(error, config, of_object=of_object, reading=reading) from error
    except api.GoogleAPICallError as error:
        raise _of_status(error.code or 0, error.response, of_object=of_object, reading=reading) from error
    except (auth.GoogleAuthError, media.DataCorruption, requests.RequestException, OSError, ValueError) as error:
        raise _of_way(error, config) from error


def _of_cause(error: api.RetryError, config: StoreConfig, *, of_object: bool, reading: bool) -> StoreError:
    """The client gave up: what it was that did not pass."""
    cause = error.cause
    if isinstance(cause, api.GoogleAPICallError):
        return _of_status(cause.code or 0, cause.response, of_object=of_object, reading=reading)
    return _of_way(cause if isinstance(cause, Exception) else error, config)


def _of_status(status: int, response: object, *, of_object: bool, reading: bool) -> StoreError:
    text = str(getattr(response, "text", ""))
    if status == 404 and not (of_object and "bucket does not exist" not in text):  # noqa: PLR2004
        return StoreAway(_NO_BUCKET)
    alone = {404: Missing(MISSING), 412: Changed(CHANGED), 304: Changed(CHANGED)}
    if status in alone and of_object:
        return alone[status]
    if status == 401:  # noqa: PLR2004
        return StoreDenied(_KEY)
    if status == 403:  # noqa: PLR2004
        return _refused(text, reading=reading)
    if status in {_MANY_REQUESTS, _TIMEOUT} or status >= _SERVER:
        after = asked_to_wait(getattr(response, "headers", {}).get("Retry-After"))
        return Passing(f"The storage cannot answer now ({status}).", after=after)
    return StoreAway(f"The storage answers {status}: check bucket and endpoint.")


def _refused(text: str, *, reading: bool) -> StoreError:
    if "quota" in text.lower():
        return StoreFull("Over the quota of the project.")
    return Unreadable(CLOSED) if reading else StoreDenied(_REFUSED)


def _of_way(error: Exception, config: StoreConfig) -> StoreError:
    """What failed before there was an answer, or in the middle of one."""
    refused = refusal(error)
    if refused is not None:
        return refused
    where = config.endpoint or "Google Cloud Storage"
    if isinstance(error, auth.RefreshError | auth.DefaultCredentialsError):
        return _unknown(error)
    if isinstance(error, requests.exceptions.SSLError):
        return StoreAway(f"No safe connection to {where}: its certificate is not valid for this name, or it has none.")
    if isinstance(error, requests.ConnectTimeout) or _unreached(error):
        return StoreAway(f"{where} cannot be reached: check the endpoint and the network.")
    if isinstance(error, ValueError) and not isinstance(error, requests.RequestException):
        return StoreAway(_MALFORMED)
    return Passing(f"The answers of {where} break off or make no sense.")


def _unknown(error: auth.GoogleAuthError) -> StoreError:
    if isinstance(error, auth.MalformedError):
        return StoreAway(_MALFORMED)
    if isinstance(error, auth.DefaultCredentialsError):
        return StoreDenied("This machine has no identity that Google could know: enter a service account's key.")
    return StoreDenied(_SKEW if "reasonable timeframe" in str(error) else _KEY)


def _unreached(error: Exception) -> bool:
    return isinstance(error, requests.ConnectionError) and "NewConnectionError" in repr(error)
