"""Machines that share their engines: web servers and workers, each a process with a data folder of its own."""

from __future__ import annotations

import http.client
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path

from tests.databases import free_port
from tests.engines.servers import KEY_ID, SECRET, Server, running, wait_for
from tracker.config import Settings, load_settings

PASSWORD, SALT, KEY = "Qinghe-2026!", "salt of the tests", "a key for the tests"
_TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


class Cluster:
    """What all machines have in common: the settings, and a folder below which each has its own."""

    def __init__(self, folder: Path, *, database: str, store: str, queue: str) -> None:
        self.folder, self.database, self.store, self.queue = folder, database, store, queue

    def settings(self, machine: str) -> Settings:
        """The settings of one machine."""
        return load_settings(
            data_dir=self.folder / machine,
            secret_key=KEY,
            password_salt=SALT,
            database_url=self.database,
            store_url=self.store,
            store_key_id=KEY_ID,
            store_secret=SECRET,
            queue_url=self.queue,
        )

    def environment(self, machine: str) -> dict[str, str]:
        """The same for a process."""
        return {
            "TRACKER_DATA_DIR": str(self.folder / machine),
            "TRACKER_SECRET_KEY": KEY,
            "TRACKER_PASSWORD_SALT": SALT,
            "TRACKER_DATABASE_URL": self.database,
            "TRACKER_STORE_URL": self.store,
            "TRACKER_STORE_KEY_ID": KEY_ID,
            "TRACKER_STORE_SECRET": SECRET,
            "TRACKER_QUEUE_URL": self.queue,
            "PYTHONUNBUFFERED": "1",
        }

    @contextmanager
    def web(self, machine: str) -> Iterator[Server]:
        """A web server as in production, in one process."""
        port, log = free_port(), self.folder / f"{machine}.log"
        program = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
        with running(
            [*program, "wsgi:app"], f"http://127.0.0.1:{port}", log, environment=self.environment(machine)
        ) as it:
            wait_for(f"{it.url}/auth/login", log)
            yield it

    @contextmanager
    def worker(self, machine: str, *, program: str = "from tracker.cli import main; main()") -> Iterator[Server]:
        """A worker; `program` may put something of its own before the command."""
        log = self.folder / f"{machine}.log"
        arguments = [sys.executable, "-c", program, "worker", "--workers", "1"]
        with running(arguments, "", log, environment=self.environment(machine)) as server:
            yield server

    def log(self, machine: str) -> str:
        """What the process on a machine has written."""
        return (self.folder / f"{machine}.log").read_text(errors="replace")


class Visitor:
    """A browser as far as these tests need one: cookies, forms with their token, and any server for the next step."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def at(self, server: Server) -> Visitor:
        """The same browser at another server: a load balancer sent the next request there."""
        other = Visitor(server)
        other._opener = self._opener
        return other

    def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, bytes, http.client.HTTPMessage]:
        """Ask for a page; redirects are followed."""
        return self._send(urllib.request.Request(self.server.url + path, headers=headers or {}))

    def post(
        self, path: str, fields: dict[str, str], *, form: str | None = None, file: tuple[str, str, bytes] | None = None
    ) -> tuple[int, bytes, http.client.HTTPMessage]:
        """Fill in the form on the page `form`, the same address if none is given, and send it."""
        status, page, _ = self.get(form or path)
        token = _TOKEN.search(page.decode())
        assert token, f"{status} {page.decode()[:500]}"
        body, kind = _encoded({"csrf_token": token[1], **fields}, file)
        address = self.server.url + path
        headers = {"Content-Type": kind, "Referer": address, "Origin": self.server.url}
        return self._send(urllib.request.Request(address, body, headers))

    def sign_in(self, account: str, password: str = PASSWORD) -> None:
        """Begin a session."""
        status, page, _ = self.post("/auth/login", {"username": account, "password": password})
        assert status == 200, page.decode()[:500]
        assert b'name="password"' not in page

    def _send(self, request: urllib.request.Request) -> tuple[int, bytes, http.client.HTTPMessage]:
        try:
            with self._opener.open(request, timeout=60) as answer:
                return answer.status, answer.read(), answer.headers
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read(), error.headers


def _encoded(fields: dict[str, str], file: tuple[str, str, bytes] | None) -> tuple[bytes, str]:
    if file is None:
        return urllib.parse.urlencode(fields).encode(), "application/x-www-form-urlencoded"
    mark = "a-mark-between-the-parts"
    parts = [
        f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    field, name, content = file
    head = f'--{mark}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'
    body = b"".join([*parts, head.encode(), content, f"\r\n--{mark}--\r\n".encode()])
    return body, f"multipart/form-data; boundary={mark}"


def until(holds: Callable[[], object], *, seconds: float, what: Callable[[], str] = str) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, what()
        time.sleep(0.2)


def run(arguments: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command of the tracker to its end."""
    program = [sys.executable, "-c", "from tracker.cli import main; main()", *arguments]
    return subprocess.run(program, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
