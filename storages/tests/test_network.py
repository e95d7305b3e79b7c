"""Which addresses an endpoint may lead to; that a connection goes where it was judged to go, redirects too."""

import http.server
import socket
import threading
from ipaddress import ip_network

import pytest
import requests
from botocore.awsrequest import AWSRequest
from botocore.exceptions import EndpointConnectionError, HTTPClientError

from storages.stores import network
from storages.stores.errors import AddressRefused, StoreAway
from storages.stores.network import GuardedAwsSession, allowed, check_endpoint, guarded, refusal


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "169.254.1.1",
        "100.64.0.1", "100.100.100.200", "168.63.129.16", "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1",
        "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "64:ff9b::7f00:1", "2002:7f00:1::", "2002:a9fe:a9fe::",
    ],
)  # fmt: skip
def test_addresses_inside_are_refused(address):
    assert not allowed(address)


@pytest.mark.parametrize("address", ["52.216.1.1", "8.8.8.8", "2600:1f18::1", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_addresses_of_the_internet_are_allowed(address):
    assert allowed(address)


def test_a_network_that_the_operator_names_is_allowed_and_no_other(settings):
    settings.PRATIQUE_ALLOWED_NETWORKS = [ip_network("10.20.0.0/16"), ip_network("fd00::/8")]
    assert allowed("10.20.3.4")
    assert allowed("fd00::1")
    assert allowed("::ffff:10.20.3.4")
    assert not allowed("::ffff:10.21.3.4")
    assert not allowed("10.21.0.1")
    assert not allowed("127.0.0.1")


def test_the_keys_of_the_machine_need_their_very_address(settings):
    settings.PRATIQUE_ALLOWED_NETWORKS = [ip_network("0.0.0.0/0")]
    assert allowed("10.0.0.1")
    assert not allowed("169.254.169.254")
    settings.PRATIQUE_ALLOWED_NETWORKS = [ip_network("169.254.169.254/32")]
    assert allowed("169.254.169.254")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9000", "https://[::1]/", "http://2130706433/", "http://0x7f.1/", "http://localhost:9000",
        "ftp://example.org", "file:///etc/passwd", "https://", "minio:9000", "", "https://me:secret@s3.example.org",
        "http://169.254.169.254/latest/meta-data",
    ],
)  # fmt: skip
def test_endpoints_that_no_storage_may_have_are_refused_without_their_secrets(url):
    with pytest.raises(AddressRefused) as refused:
        check_endpoint(url)
    assert "secret" not in str(refused.value)


def test_a_name_that_nobody_knows_is_said_so():
    with pytest.raises(StoreAway, match="not known here"):
        check_endpoint("https://no-such-name.invalid")


class _Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append((self.path, self.headers["Host"]))
        self.send_response(302 if self.server.onward else 200)
        if self.server.onward:
            self.send_header("Location", self.server.onward)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as made:
        made.asked, made.onward = [], ""
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def url_of(server, name="127.0.0.1"):
    return f"http://{name}:{server.server_port}/x"


def by_requests(url):
    with guarded(requests.Session()) as session:
        return session.get(url, timeout=5).status_code


def by_botocore(url):
    session = GuardedAwsSession()
    try:
        return session.send(AWSRequest("GET", url).prepare()).status_code
    finally:
        session.close()


BOTH = pytest.mark.parametrize("ask", [by_requests, by_botocore])


@BOTH
def test_an_address_inside_is_not_even_connected_to(ask, server):
    with pytest.raises((AddressRefused, HTTPClientError)) as refused:
        ask(url_of(server))
    assert "127.0.0.1" in str(refusal(refused.value))
    assert server.asked == []


@BOTH
def test_what_is_allowed_is_reached_under_its_name(ask, server, settings):
    settings.PRATIQUE_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8"), ip_network("::1/128")]
    assert ask(url_of(server, "localhost")) == 200
    assert server.asked == [("/x", f"localhost:{server.server_port}")]


@BOTH
def test_a_name_that_resolves_otherwise_a_moment_later_gains_nothing(ask, server, monkeypatch):
    """Judged once, connected to what was judged: the second answer is never asked for."""
    real, asked = socket.getaddrinfo, []

    def rebinding(host, port, *args, **how):
        if host != "rebind.example":
            return real(host, port, *args, **how)
        asked.append(host)
        address = "192.0.2.55" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    connected = []
    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(network.settings, "PRATIQUE_ALLOWED_NETWORKS", [ip_network("192.0.2.0/24")])
    monkeypatch.setattr(socket.socket, "connect", lambda _self, to: connected.append(to) or _unreachable())
    with pytest.raises((requests.ConnectionError, EndpointConnectionError)):
        ask(url_of(server, "rebind.example"))
    assert connected == [("192.0.2.55", server.server_port)]
    assert asked == ["rebind.example"]


def _unreachable():
    raise ConnectionRefusedError(111, "Connection refused")


def test_one_address_inside_among_those_of_a_name_refuses_the_name(monkeypatch, server):
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 80)) for one in ("52.216.1.1", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_how: both)
    with pytest.raises(AddressRefused, match=r"leads to 127\.0\.0\.1"):
        by_requests(url_of(server, "both.example"))


def test_a_second_address_is_tried_when_the_first_is_not_there(monkeypatch, server, settings):
    settings.PRATIQUE_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    real = socket.getaddrinfo

    def two(host, port, *args, **how):
        if host != "two.example":
            return real(host, port, *args, **how)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in ("127.0.0.77", "127.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    assert by_requests(url_of(server, "two.example")) == 200


def test_a_redirect_to_an_address_inside_is_refused(server, settings):
    settings.PRATIQUE_ALLOWED_NETWORKS = [ip_network("127.0.0.1/32")]
    server.onward = "http://127.0.0.2:1/latest/meta-data"
    with pytest.raises(AddressRefused, match=r"127\.0\.0\.2"):
        by_requests(url_of(server))
    assert len(server.asked) == 1


@BOTH
def test_behind_a_proxy_the_name_is_judged_all_the_same(ask, server, monkeypatch):
    monkeypatch.setenv("http_proxy", url_of(server))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    if ask is by_botocore:
        session = GuardedAwsSession(proxies={"http": url_of(server)})
        with pytest.raises(AddressRefused):
            session.send(AWSRequest("GET", "http://10.0.0.1/x").prepare())
        assert session.send(AWSRequest("GET", "http://52.216.1.1/x").prepare()).status_code == 200
        session.close()
    else:
        with pytest.raises(AddressRefused):
            by_requests("http://10.0.0.1/x")
        assert by_requests("http://52.216.1.1/x") == 200
    assert [path for path, _ in server.asked] == ["http://52.216.1.1/x"]


def test_a_network_with_a_mistake_in_it_stops_the_start(environment_of_settings):
    done = environment_of_settings(PRATIQUE_ALLOWED_NETWORKS="10.1.2.3/8")
    assert "PRATIQUE_ALLOWED_NETWORKS" in done.stderr
    assert done.returncode != 0
    good = environment_of_settings(PRATIQUE_ALLOWED_NETWORKS="10.0.0.0/8, fd00::/8")
    assert good.stdout.split() == ["10.0.0.0/8", "fd00::/8"], good.stderr


@pytest.fixture
def environment_of_settings(tmp_path):
    import os
    import subprocess
    import sys

    from django.conf import settings

    def run(**extra):
        code = "import django.conf as c; print(*c.settings.PRATIQUE_ALLOWED_NETWORKS)"
        return subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=settings.BASE_DIR,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", "PRATIQUE_HOME": str(tmp_path), **extra},
        )  # fmt: skip

    return run
