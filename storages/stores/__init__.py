"""Where data comes from and goes to: a local folder, S3 and its compatibles, Azure Blob, Google Cloud Storage.

One protocol (`contract.Store`) for the four, so that whoever lists, reads or writes knows none of them by name.
"""

from storages.secrets import Secret
from storages.stores.contract import Kind, Level, Listed, ListedKind, Store, StoreConfig
from storages.stores.errors import (
    AddressRefused,
    BadKey,
    BadListing,
    Changed,
    Missing,
    StoreAway,
    StoreDenied,
    StoreError,
    StoreFull,
    Taken,
    Unreadable,
)
from storages.stores.opening import store_for

__all__ = [
    "AddressRefused",
    "BadKey",
    "BadListing",
    "Changed",
    "Kind",
    "Level",
    "Listed",
    "ListedKind",
    "Missing",
    "Secret",
    "Store",
    "StoreAway",
    "StoreConfig",
    "StoreDenied",
    "StoreError",
    "StoreFull",
    "Taken",
    "Unreadable",
    "store_for",
]
