"""What Azure and its client say, in words that help and hold no credential."""

from collections.abc import Iterator
from contextlib import contextmanager

from azure.core import exceptions as azure

from storages.stores.contract import StoreConfig
from storages.stores.errors import (
    ARCHIVED,
    CHANGED,
    CLOSED,
    MISSING,
    TAKEN,
    BadKey,
    Changed,
    Missing,
    StoreAway,
    StoreDenied,
    StoreError,
    StoreFull,
    Taken,
    Unreadable,
)
from storages.stores.network import refusal
from storages.stores.patience import Passing, asked_to_wait

_KEY = "The storage does not accept this key or token for this account: it may be wrong, expired, or not yet valid."
_SKEW = "The clock of this machine and that of Azure are too far apart: set this machine's clock (NTP)."
_REFUSED = "The storage refuses this with the credentials given: whoever owns the container has to allow it."
_NO_CONTAINER = "There is no container of this name in the account: check both names."
_ABOUT_ONE = {
    "BlobNotFound": Missing(MISSING),
    "ConditionNotMet": Changed(CHANGED),
    "SourceConditionNotMet": Changed(CHANGED),
    "BlobAlreadyExists": Taken(TAKEN),
    "TargetConditionNotMet": Taken(TAKEN),
    "UnauthorizedBlobOverwrite": Taken(TAKEN),
    "BlobArchived": Unreadable(ARCHIVED),
    "BlobBeingRehydrated": Unreadable(ARCHIVED),
    "InvalidResourceName": BadKey("Azure cannot hold such a name."),
    "OutOfRangeInput": BadKey("Azure cannot hold such a name."),
}
_MANY_REQUESTS, _SERVER = 429, 500


@contextmanager
def explained(config: StoreConfig, *, of_object: bool = False, reading: bool = False) -> Iterator[None]:
    """Turns what Azure's client raises into our own errors.

    `of_object`: one object was asked for, so that it may be missing; while `reading` it, a refusal is about it alone.
    """
    try:
        yield
    except azure.DecodeError as error:
        raise Passing("The storage's answers break off or make no sense.") from error
    except azure.ClientAuthenticationError as error:
        if error.status_code is None:
            raise StoreDenied("This machine has no identity that Azure could know: enter credentials.") from error
        raise _of_answer(error, of_object=of_object, reading=reading) from error
    except azure.HttpResponseError as error:
        raise _of_answer(error, of_object=of_object, reading=reading) from error
    except (azure.AzureError, ValueError, OSError) as error:
        raise _of_way(error, config) from error


def _of_answer(error: azure.HttpResponseError, *, of_object: bool, reading: bool) -> StoreError:
    said, status = getattr(error, "error_code", None) or "", error.status_code or 0
    code = str(getattr(said, "value", said))
    if code in _ABOUT_ONE and of_object:
        known = _ABOUT_ONE[code]
        return type(known)(str(known))
    if code in {"ContainerNotFound", "ContainerBeingDeleted", "ResourceNotFound", "ContainerDisabled"} or status == 404:  # noqa: PLR2004
        return Missing(MISSING) if of_object and not code else StoreAway(_NO_CONTAINER)
    if status in {401, 403}:
        return _denied(code, str(error.message), reading=reading)
    if code == "AccountIsFull":
        return StoreFull("The account is full.")
    if status == _MANY_REQUESTS or status >= _SERVER:
        after = asked_to_wait(getattr(error.response, "headers", {}).get("Retry-After"))
        return Passing(f"The storage cannot answer now ({status} {code}).", after=after)
    return StoreAway(f"The storage answers {status} {code}: check account, container and endpoint.")


def _denied(code: str, message: str, *, reading: bool) -> StoreError:
    if code in {"AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation"}:
        return StoreDenied(_SKEW if "date header" in message.lower() else _KEY)
    return Unreadable(CLOSED) if reading and code == "AuthorizationPermissionMismatch" else StoreDenied(_REFUSED)


def _of_way(error: Exception, config: StoreConfig) -> StoreError:
    """What failed before there was an answer, or in the middle of one."""
    refused = refusal(error)
    if refused is not None:
        return refused
    where = config.endpoint or "Azure"
    if isinstance(error, azure.ServiceResponseError | azure.StreamClosedError | azure.StreamConsumedError):
        return Passing(f"The answers of {where} break off.")
    if isinstance(error, ValueError):
        return StoreAway("Account, endpoint or credentials are not well formed: check them.")
    if "certificate" in str(error).lower():
        return StoreAway(f"No safe connection to {where}: its certificate is not valid for this name, or it has none.")
    return StoreAway(f"{where} cannot be reached: check account, endpoint and the network.")
