"""A reverse proxy that keeps what client and lab say to each other."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}
DEADLINE = 30
"""Seconds that the lab may take for an answer."""


@dataclass(frozen=True)
class Exchange:
    """One request and its response."""

    method: str
    path: str
    """Without `/v1` and without the query."""
    query: str
    request_body: bytes
    status: int
    headers: dict[str, str]
    """Of the response; names in lower case."""
    body: bytes


@dataclass(frozen=True)
class Recording:
    """A running proxy and what it has heard so far."""

    endpoint: str
    exchanges: list[Exchange]


@contextmanager
def record(endpoint: str) -> Iterator[Recording]:
    """Listens on a free loopback port for whoever wants to talk to `endpoint`."""
    exchanges: list[Exchange] = []
    upstream = urlsplit(endpoint)

    class Handler(_Handler):
        target = (str(upstream.hostname), int(upstream.port or 80))
        heard = exchanges

    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Recording(f"http://127.0.0.1:{server.server_port}{upstream.path}", exchanges)
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing: a connection that breaks is noticed, and told, by the client."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # one segment for an answer: else the peer's delayed acknowledgement costs 40 ms
    wbufsize = 1 << 16
    disable_nagle_algorithm = True
    target: tuple[str, int]
    heard: list[Exchange]

    def setup(self) -> None:
        super().setup()
        self.upstream = http.client.HTTPConnection(*self.target, timeout=DEADLINE)

    def finish(self) -> None:
        self.upstream.close()
        super().finish()

    def pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        self._drop_stale()
        # who is refused early is answered before all is read
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.upstream.request(self.command, self.path, body=body or None, headers=headers)
        response = self.upstream.getresponse()
        answer = response.read()
        self._keep(body, response, answer)
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        if response.status != 204:
            self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = pass_on  # noqa: N815 - the names that http.server looks for

    def _drop_stale(self) -> None:
        """Forgets a connection that the lab has closed meanwhile; the next request makes a new one."""
        socket = self.upstream.sock
        if socket and select.select([socket], [], [], 0)[0]:
            self.upstream.close()

    def _keep(self, body: bytes, response: http.client.HTTPResponse, answer: bytes) -> None:
        headers = {name.lower(): value for name, value in response.getheaders()}
        plain = gzip.decompress(answer) if headers.get("content-encoding") == "gzip" else answer
        address = urlsplit(self.path)
        path = address.path.removeprefix("/v1")
        exchange = Exchange(self.command, path, address.query, body, response.status, headers, plain)
        self.heard.append(exchange)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: the exchanges are kept."""
