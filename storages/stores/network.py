"""Which addresses an endpoint may lead to. People name endpoints; the machines beside ours are none of their business.

A name is resolved once for each connection, every address that it has is judged, and the connection goes to an address
that was judged: a name that resolves differently a moment later gains nothing, and a redirect is a connection too.
"""

import ipaddress
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)
from botocore.httpsession import URLLib3Session
from django.conf import settings
from requests import Session
from requests.adapters import HTTPAdapter
from requests.utils import select_proxy
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from storages.stores.errors import AddressRefused, StoreAway

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# Public by number and yet the platform's own: Azure's machine agent.
_METADATA = {ipaddress.ip_address("168.63.129.16"), ipaddress.ip_address("169.254.169.254")}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def check_endpoint(url: str) -> None:
    """For when a storage is saved. Raises AddressRefused, or StoreAway where its name is not known."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise AddressRefused("The endpoint is no address of a server: write https://HOST or https://HOST:PORT.")
    if parts.username or parts.password:
        raise AddressRefused("The endpoint holds a user name or a password: credentials have fields of their own.")
    try:
        judged(parts.hostname, parts.port or 443)
    except OSError as error:
        raise StoreAway(f"The name {parts.hostname} is not known here: check the endpoint's spelling.") from error


def judged(host: str, port: int) -> list[str]:
    """The addresses to connect to. Raises AddressRefused if any of them is not allowed, OSError if there is none."""
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        if not allowed(address):
            raise AddressRefused(
                f"The endpoint {host} leads to {address}, an address inside this network: the operator can allow its "
                "network with PRATIQUE_ALLOWED_NETWORKS."
            )
    return addresses


def allowed(address: str) -> bool:
    """Addresses of the internet, and those in a network that the operator named."""
    number = ipaddress.ip_address(address.partition("%")[0])
    return all(_allowed(one) for one in _meant(number))


def _meant(address: Address) -> Iterator[Address]:
    """Itself, and every IPv4 address that it stands for."""
    yield address
    if isinstance(address, ipaddress.IPv6Address):
        yield from (inner for inner in (address.ipv4_mapped, address.sixtofour) if inner)
        if address.teredo:
            yield from address.teredo
        if address in _NAT64:
            yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)


def _allowed(address: Address) -> bool:
    named = [network for network in settings.PRATIQUE_ALLOWED_NETWORKS if address in network]
    if address in _METADATA:
        # Keys to everything lie there: a large network that happens to hold it does not mean it.
        return any(network.num_addresses == 1 for network in named)
    return bool(named) or ((_embeds(address) or address.is_global) and not address.is_multicast)


def _embeds(address: Address) -> bool:
    """An IPv6 address that only stands for an IPv4 one: that one is what counts."""
    if isinstance(address, ipaddress.IPv4Address):
        return False
    return bool(address.ipv4_mapped or address.sixtofour) or address in _NAT64


class _Guarded:
    """Beside a connection of urllib3, of which this is the one place where a name becomes an address."""

    def _new_conn(self: Any) -> socket.socket:
        addresses, name = judged(self._dns_host, self.port), self._dns_host
        try:
            for address in addresses[:-1]:
                self._dns_host = address
                try:
                    return super()._new_conn()  # type: ignore[misc,no-any-return]
                except HTTPError:
                    continue
            self._dns_host = addresses[-1]
            return super()._new_conn()  # type: ignore[misc,no-any-return]
        finally:
            # TLS checks the certificate against the name.
            self._dns_host = name


class _Plain(_Guarded, HTTPConnection):
    pass


class _Tls(_Guarded, HTTPSConnection):
    pass


class _AwsPlain(_Guarded, AWSHTTPConnection):  # type: ignore[misc]
    pass


class _AwsTls(_Guarded, AWSHTTPSConnection):  # type: ignore[misc]
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _Tls


class _AwsPlainPool(AWSHTTPConnectionPool):  # type: ignore[misc]
    ConnectionCls = _AwsPlain


class _AwsTlsPool(AWSHTTPSConnectionPool):  # type: ignore[misc]
    ConnectionCls = _AwsTls


class GuardedAdapter(HTTPAdapter):
    """For clients that speak through requests."""

    def init_poolmanager(self, *args: Any, **how: Any) -> None:
        super().init_poolmanager(*args, **how)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}

    def send(self, request: Any, *args: Any, **how: Any) -> Any:
        if how.get("proxies") and select_proxy(request.url, how["proxies"]):
            _judged_behind_proxy(request.url)
        return super().send(request, *args, **how)


class GuardedAwsSession(URLLib3Session):  # type: ignore[misc]
    """For botocore. A proxy of the environment is the operator's, and reached as it is named."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self._manager.pool_classes_by_scheme = {"http": _AwsPlainPool, "https": _AwsTlsPool}

    def send(self, request: Any) -> Any:
        if self._proxy_config.proxy_url_for(request.url):
            _judged_behind_proxy(request.url)
        return super().send(request)


def guarded(session: Session) -> Session:
    """The same session; every connection that it opens from now on is judged."""
    for scheme in ("http://", "https://"):
        session.mount(scheme, GuardedAdapter(max_retries=0))
    return session


def refusal(error: BaseException) -> AddressRefused | None:
    """The refusal that a client has wrapped in errors of its own."""
    seen: BaseException | None = error
    for _ in range(10):
        if seen is None or isinstance(seen, AddressRefused):
            return seen
        seen = getattr(seen, "inner_exception", None) or seen.__cause__ or seen.__context__
    return None


def _judged_behind_proxy(url: str) -> None:
    """The proxy resolves the name, as it sees fit; what is known here of that name is judged all the same."""
    parts = urlsplit(url)
    try:
        judged(parts.hostname or "", parts.port or 443)
    except OSError:
        return
