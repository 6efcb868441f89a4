"""Visitors of a web server on this machine: they sign in, and ask for pages over a few connections for some seconds."""

from __future__ import annotations

import html
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from http.cookies import SimpleCookie
from pathlib import Path
from threading import Thread
from urllib.parse import urlencode

from tracker.cli.bench.measure import BenchError, tree_of
from tracker.cli.bench.page_floor import AGENT
from tracker.config import CHECKOUT

HOST = "127.0.0.1"
CONNECTIONS = 8
PATIENCE = 90.0  # seconds that a server may take to begin, and an answer to come
PATIENCE_AT_END = 10.0
_TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


@dataclass(frozen=True)
class Answers:
    """How many answers came in a second, and how long each took, in seconds."""

    rate: float
    seconds: tuple[float, ...]


@contextmanager
def serving(target: str, environment: Mapping[str, str], log: Path, *more: str) -> Iterator[int]:
    """Serve an application by granian, as installations do, and yield the port; it is ended with the block."""
    port = _free_port()
    how = ("--interface", "wsgi", "--host", HOST, "--port", str(port), "--workers", "2", "--blocking-threads", "4")
    with log.open("wb") as words:
        process = subprocess.Popen(  # noqa: S603  our own program
            [sys.executable, "-m", "granian", *how, *more, "--no-access-log", target],
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=CHECKOUT,
        )
        try:
            _await(process, port, log)
            yield port
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a server, and every process below it that outlives it."""
    below = tree_of(process.pid)[1:]
    process.terminate()
    try:
        process.wait(PATIENCE_AT_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid in below:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _free_port() -> int:
    with closing(socket.socket()) as taken:
        taken.bind((HOST, 0))
        port: int = taken.getsockname()[1]
        return port


def _await(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            with closing(HTTPConnection(HOST, port, timeout=PATIENCE)) as connection:
                connection.request("GET", "/healthz")
                connection.getresponse().read()
                return
        except OSError:
            time.sleep(0.1)
    raise BenchError(f"the web server did not begin: {log.read_text('utf-8', 'replace')[-2000:]}")


def sign_in(port: int, account: str, password: str) -> str:
    """Sign in as a browser does; return the header by which the server knows its visitor."""
    with closing(HTTPConnection(HOST, port, timeout=PATIENCE)) as connection:
        connection.request("GET", "/auth/login", headers={"User-Agent": AGENT})
        answer = connection.getresponse()
        token = _TOKEN.search(answer.read().decode())
        if token is None:
            raise BenchError("the page for signing in has no token")
        cookie = _cookie_of(answer)
        form = {"username": account, "password": password, "csrf_token": html.unescape(token[1])}
        headers = {"Cookie": cookie, "User-Agent": AGENT, "Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/auth/login", urlencode(form), headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status not in {302, 303}:
            raise BenchError(f"{account} is not let in: {answer.status}")
        return _cookie_of(answer)


def _cookie_of(answer: HTTPResponse) -> str:
    found: SimpleCookie = SimpleCookie()
    for line in answer.headers.get_all("Set-Cookie") or ():
        found.load(line)
    return "; ".join(f"{name}={morsel.value}" for name, morsel in found.items())


def load(port: int, path: str, cookie: str, *, seconds: float, connections: int = CONNECTIONS) -> Answers:
    """Ask for a page over so many connections at once, one request after the other on each, for some seconds."""
    taken: list[float] = []
    faults: list[str] = []
    begin = time.perf_counter()
    visitors = [
        Thread(target=_visit, args=(port, path, cookie, begin + seconds, taken, faults), daemon=True)
        for _ in range(connections)
    ]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join(seconds + PATIENCE)
    if faults or not taken:
        raise BenchError(f"{path}: {faults[0] if faults else 'no answer'}")
    return Answers(len(taken) / (time.perf_counter() - begin), tuple(taken))


def _visit(port: int, path: str, cookie: str, end: float, taken: list[float], faults: list[str]) -> None:
    headers = {"Cookie": cookie, "User-Agent": AGENT}
    try:
        with closing(HTTPConnection(HOST, port, timeout=PATIENCE)) as connection:
            while (start := time.perf_counter()) < end:
                connection.request("GET", path, headers=headers)
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    faults.append(f"answers {answer.status}")
                    return
                taken.append(time.perf_counter() - start)
                if answer.getheader("Set-Cookie"):  # a session is told once a minute that it is still in use
                    headers["Cookie"] = _cookie_of(answer)
    except (OSError, HTTPException) as error:
        faults.append(str(error) or type(error).__name__)


def body_of(port: int, path: str, cookie: str) -> str:
    """What a visitor is shown."""
    with closing(HTTPConnection(HOST, port, timeout=PATIENCE)) as connection:
        connection.request("GET", path, headers={"Cookie": cookie, "User-Agent": AGENT})
        answer = connection.getresponse()
        body = answer.read().decode()
        if answer.status != 200:
            raise BenchError(f"{path} answers {answer.status}")
        return body
