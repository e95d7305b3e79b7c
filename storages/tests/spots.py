"""Servers that start when the first test asks for one, and an empty bucket on one of them for each test.

A plug-in of the root's conftest: every app's tests may ask for a `spot`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_network
from uuid import uuid4

import pytest

from scripts import private_stores
from storages.stores import Kind, Secret, StoreConfig, store_for

KINDS = ["local", "s3", "strict-s3", "azure", "google"]
S3_KEYS = Secret.of(access_key=private_stores.ACCESS_KEY, secret_key=private_stores.SECRET_KEY)
AZURE_KEYS = Secret.of(account_key=private_stores.AZURE_KEY)


@dataclass(frozen=True)
class Spot:
    """An empty bucket, or folder. `plant` puts an object under any key by the service's own client."""

    name: str
    config: StoreConfig
    plant: Callable[[str, bytes], None]

    @property
    def store(self):
        return store_for(self.config)


def _server(name):
    @pytest.fixture(scope="session")
    def server():
        with getattr(private_stores, name)() as endpoint:
            yield endpoint

    return server


moto_server, juicefs_server = _server("moto"), _server("juicefs")
azurite_server, gcs_server = _server("azurite"), _server("gcs")


@pytest.fixture
def servers_here(settings):
    """Endpoints may lead to this machine."""
    settings.PRATIQUE_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]


@pytest.fixture(params=KINDS)
def spot(request, tmp_path, servers_here):
    return made(request.param, request, tmp_path)


@pytest.fixture
def s3_spot(request, tmp_path, servers_here):
    return made(getattr(request, "param", "s3"), request, tmp_path)


def made(name, request, tmp_path):
    bucket = f"tests-{uuid4().hex[:12]}"
    if name == "local":
        return _folder(tmp_path / bucket)
    fixture = {"s3": "moto_server", "strict-s3": "juicefs_server", "azure": "azurite_server", "google": "gcs_server"}
    endpoint = request.getfixturevalue(fixture[name])
    return {"azure": _azure, "google": _google}.get(name, _s3)(name, endpoint, bucket)


def _folder(path):
    path.mkdir()

    def plant(key, content):
        target = path / key
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)

    return Spot("local", StoreConfig(Kind.LOCAL, str(path)), plant)


def _s3(name, endpoint, bucket):
    config = StoreConfig(Kind.S3, bucket, endpoint=endpoint, region="us-east-1", credentials=S3_KEYS)
    client = _s3_client(endpoint)
    client.create_bucket(Bucket=bucket)
    return Spot(name, config, lambda key, content: client.put_object(Bucket=bucket, Key=key, Body=content))


@lru_cache
def _s3_client(endpoint):
    """Takes a second to make."""
    from storages.stores.s3 import client_of

    return client_of(StoreConfig(Kind.S3, "any", endpoint=endpoint, credentials=S3_KEYS, trusted=True))


def _azure(name, endpoint, bucket):
    from storages.stores.azure import service_of

    account = private_stores.AZURE_ACCOUNT
    config = StoreConfig(Kind.AZURE, bucket, endpoint=endpoint, account=account, credentials=AZURE_KEYS)
    container = service_of(config).get_container_client(bucket)
    container.create_container()
    return Spot(name, config, lambda key, content: container.upload_blob(key, content, overwrite=True))


def _google(name, endpoint, bucket):
    from storages.stores.google import client_of

    config = StoreConfig(Kind.GOOGLE, bucket, endpoint=endpoint)
    client = client_of(config)
    client.create_bucket(bucket)
    return Spot(name, config, lambda key, content: client.bucket(bucket).blob(key).upload_from_string(content))
