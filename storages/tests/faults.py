"""A proxy before an S3 server that breaks what it is told to: the wire as it is on a bad day."""

import http.client
import http.server
import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

EXPIRED = "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"
SLOW_DOWN = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
DENIED = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
SKEWED = "<Error><Code>RequestTimeTooSkewed</Code><Message>too far</Message></Error>"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    # Sent before the connection is cut off.
    cut_to: int | None = None
    reset: bool = False
    wait: float = 0.0


@dataclass
class Fault:
    """Changes the answers to requests that it is about, as often as told."""

    change: Callable[[Answer], Answer]
    method: str = ""
    about: str = ""
    times: int = 1
    # So many matching requests pass unharmed first.
    after: int = 0
    # Whether the server behind carries the request out all the same.
    reaches: bool = True


@dataclass
class Proxy:
    endpoint: str = ""
    faults: list[Fault] = field(default_factory=list)
    # Method and path with query of every request.
    asked: list[tuple[str, str]] = field(default_factory=list)

    def breaks(self, change, **how) -> None:
        how.setdefault("reaches", not getattr(change, "instead", False))
        self.faults.append(Fault(change, **how))

    def count(self, method: str, about: str = "") -> int:
        return sum(1 for one, path in self.asked if one == method and re.search(about, path))


def says(status: int, body: str = "", **headers: str) -> Callable[[Answer], Answer]:
    """Another answer instead of the server's, which is not asked; `Retry_After` becomes a header."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    def change(_answer: Answer) -> Answer:
        return Answer(status, {"Content-Type": "application/xml", **named}, body.encode())

    change.instead = True
    return change


def cut(length: int) -> Callable[[Answer], Answer]:
    """The body ends early and the connection with it; its length was promised."""

    def change(answer: Answer) -> Answer:
        answer.cut_to = length
        return answer

    return change


def shorter(length: int) -> Callable[[Answer], Answer]:
    """Fewer bytes than were asked for, in an answer that looks whole."""

    def change(answer: Answer) -> Answer:
        return Answer(answer.status, {**answer.headers, "Content-Length": str(length)}, answer.body[:length])

    return change


def reset(answer: Answer) -> Answer:
    answer.reset = True
    return answer


def slow(seconds: float) -> Callable[[Answer], Answer]:
    def change(answer: Answer) -> Answer:
        answer.wait = seconds
        return answer

    return change


def with_header(name: str, value: str) -> Callable[[Answer], Answer]:
    def change(answer: Answer) -> Answer:
        others = {k: v for k, v in answer.headers.items() if k.lower() != name.lower()}
        return Answer(answer.status, {**others, name: value}, answer.body)

    return change


def with_etag(etag: str) -> Callable[[Answer], Answer]:
    return with_header("ETag", f'"{etag}"')


def with_body(change: Callable[[str], str]) -> Callable[[Answer], Answer]:
    def changed(answer: Answer) -> Answer:
        body = change(answer.body.decode()).encode()
        return Answer(answer.status, {**answer.headers, "Content-Length": str(len(body))}, body)

    return changed


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _pass_on(self) -> None:
        proxy: Proxy = self.server.proxy
        proxy.asked.append((self.command, self.path))
        body = self._body()
        fault = self._fault(proxy)
        answer = self._of_server(body) if fault is None or fault.reaches else Answer(0, {}, b"")
        answer = fault.change(answer) if fault else answer
        self._send(answer)

    def _fault(self, proxy: Proxy) -> Fault | None:
        for fault in proxy.faults:
            if fault.times and fault.method in {"", self.command} and re.search(fault.about, self.path):
                if not fault.after:
                    fault.times -= 1
                    return fault
                fault.after -= 1
        return None

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass_on

    def _body(self) -> bytes:
        if self.headers.get("Expect", "").lower() == "100-continue":
            pass  # The server class has said so already.
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _of_server(self, body: bytes) -> Answer:
        to = http.client.HTTPConnection(*self.server.behind, timeout=60)
        try:
            to.request(self.command, self.path, body=body, headers=dict(self.headers))
            answer = to.getresponse()
            headers = {k: v for k, v in answer.getheaders() if k.lower() not in {"transfer-encoding", "connection"}}
            return Answer(answer.status, headers, answer.read())
        finally:
            to.close()

    def _send(self, answer: Answer) -> None:
        time.sleep(answer.wait)
        if answer.reset:
            # No polite end: the peer sees its connection reset.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            if name.lower() != "content-length" or self.command == "HEAD":
                self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body[: answer.cut_to])
        if answer.cut_to is not None:
            self.close_connection = True

    def log_message(self, *_args: object) -> None:
        pass


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address) -> None:
        """Clients hang up on us as much as we on them."""


@contextmanager
def proxy_before(endpoint: str):
    parts = urlsplit(endpoint)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.behind, server.proxy = (parts.hostname, parts.port), Proxy(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
