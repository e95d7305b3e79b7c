"""From a configuration to its store."""

import os
from functools import lru_cache
from importlib import import_module
from typing import cast

from storages.stores.contract import Kind, Store, StoreConfig

# Named and not imported: the three clients take a second to load, and most processes need none of them.
_MODULES = {
    Kind.LOCAL: ("storages.stores.local", "LocalStore"),
    Kind.S3: ("storages.stores.s3", "S3Store"),
    Kind.AZURE: ("storages.stores.azure", "AzureStore"),
    Kind.GOOGLE: ("storages.stores.google", "GoogleStore"),
}


def store_for(config: StoreConfig) -> Store:
    """Nothing is asked of the service yet. One client per process and configuration, with its own connections."""
    return _made(config, os.getpid())


@lru_cache(maxsize=32)
def _made(config: StoreConfig, _process: int) -> Store:
    module, name = _MODULES[config.kind]
    return cast("Store", getattr(import_module(module), name)(config))
