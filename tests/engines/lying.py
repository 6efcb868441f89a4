"""An S3 server over real HTTP that does what it is told to do wrong; otherwise it hands a request on to a sound one."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.engines.servers import KEY_ID, SECRET
from tracker.storage.s3 import client_of


class Liar:
    """What stands between the tracker and a sound server. `fault`: none, or a word of the methods below."""

    def __init__(self, sound: str) -> None:
        self.sound = urlsplit(sound)
        self.fault = ""
        self.url = ""
        self._client = client_of(sound, "us-east-1", 20, KEY_ID, SECRET)

    def answer(self, to: BaseHTTPRequestHandler) -> None:
        """Answer one request, honestly or not."""
        body = to.rfile.read(int(to.headers.get("Content-Length") or 0))
        is_object = to.path.count("/") > 1 and "?" not in to.path.partition("/")[2][:1]
        if self.fault == "500":
            return self._send(to, 500, b"<Error><Code>InternalError</Code></Error>", {})
        if self.fault == "slow":
            time.sleep(3)
        if self.fault == "overwrites" and "If-None-Match" in to.headers:
            bucket, _, key = urlsplit(to.path).path[1:].partition("/")
            self._client.delete_object(Bucket=bucket, Key=key)  # the header is signed: so the name is made free
        status, answered, found = self._honestly(to.command, to.path, body, dict(to.headers))
        if self.fault == "other bytes" and to.command == "GET" and is_object and status == 200:
            found = b"x" * len(found)
        return self._send(to, status, found, answered)

    def _honestly(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        link = http.client.HTTPConnection(self.sound.hostname or "", self.sound.port or 80, timeout=20)
        try:
            link.request(method, path, body, headers)
            answer = link.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            link.close()

    def _send(self, to: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]) -> None:
        to.send_response(status)
        for name, value in headers.items():
            if name.lower() not in {"content-length", "transfer-encoding", "connection", "date", "server"}:
                to.send_header(name, value)
        whole = headers.get("Content-Length", headers.get("content-length", "0"))
        to.send_header("Content-Length", whole if to.command == "HEAD" else str(len(body)))
        to.end_headers()
        if to.command != "HEAD":
            to.wfile.write(body)


@contextmanager
def lying_server(sound: str) -> Iterator[Liar]:
    """Run the liar in front of a sound server, in threads of this process."""
    liar = Liar(sound)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except (ConnectionError, TimeoutError):
                self.close_connection = True

        def log_message(self, *_: object) -> None: ...

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = lambda self: liar.answer(self)  # noqa: N815, PLW0108

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        liar.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield liar
        finally:
            server.shutdown()
            thread.join()
