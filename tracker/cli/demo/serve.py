"""Serve the demo: the web server and the worker as children, which end with this process."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from tracker.cli.demo.place import environment
from tracker.config import CHECKOUT, Settings, load_settings
from tracker.reporting.fonts import FontError, load_fonts, prepare_fonts

ENVIRONMENT = 3
PATIENCE = 60.0  # seconds until the server must answer, and until a child that was told to stop is killed
WORKER = "from tracker.cli import main; main()"
FONTS = "from tracker.cli.demo.serve import make_fonts; make_fonts()"


class _Told(Exception):
    """A signal told this process to end."""


def serve(settings: Settings, *, ready: Callable[[], None]) -> int:
    """Run until told to stop (SIGINT, SIGTERM) or until the server ends; `ready` is called once it answers.

    Returns the exit code: 0 when told to stop, 3 when the server could not run.
    """
    if not _is_free(settings):
        click.echo(f"{settings.host}:{settings.port} is in use; name another one with --port", err=True)
        return ENVIRONMENT
    children: list[subprocess.Popen[bytes]] = []
    with _signals_raise():
        try:
            server = _start(children, settings, *_server(settings))
            _start(children, settings, "-c", WORKER, "worker", "--workers", "1")
            if not load_fonts(settings.font_dir).is_prepared:
                _start(children, settings, "-c", FONTS)
            if _answers(server, settings):
                ready()
                server.wait()
        except _Told:
            return 0
        finally:
            _stop(children)
    click.echo(f"the server ended by itself (exit code {server.returncode})", err=True)
    return ENVIRONMENT


def make_fonts() -> None:
    """What the child does that prepares the fonts: documents look as they should once it has ended."""
    settings = load_settings()
    licensed = {"fangsong": settings.fangsong_font, "biaosong": settings.biaosong_font}
    try:
        prepare_fonts(settings.font_dir, licensed={role: path for role, path in licensed.items() if path is not None})
    except FontError as error:
        click.echo(f"fonts: {error}", err=True)
    else:
        click.echo("fonts for printed documents are prepared")


def _server(settings: Settings) -> tuple[str, ...]:
    place = ("--host", settings.host, "--port", str(settings.port))
    how = ("--interface", "wsgi", "--workers", "1", "--blocking-threads", "4", "--no-log")
    return ("-m", "granian", *how, *place, "wsgi:app")


def _start(children: list[subprocess.Popen[bytes]], settings: Settings, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a Python of ours. It has a process group of its own, so that Ctrl-C reaches it through us alone."""
    child = subprocess.Popen(  # noqa: S603  our own program
        [sys.executable, *arguments], cwd=CHECKOUT, env=environment(settings), start_new_session=True
    )
    children.append(child)
    return child


def _stop(children: list[subprocess.Popen[bytes]]) -> None:
    """End every child, the last one first, and wait for it; kill one that does not end."""
    for child in reversed(children):
        child.terminate()
    for child in children:
        try:
            child.wait(PATIENCE / 6)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@contextmanager
def _signals_raise() -> Iterator[None]:
    """Let SIGINT and SIGTERM end the block; a second one does not disturb the ending."""

    def tell(_: int, __: FrameType | None) -> None:
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        raise _Told

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, tell)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_free(settings: Settings) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError:
            return False
    return True


def _answers(server: subprocess.Popen[bytes], settings: Settings) -> bool:
    """Wait until the server takes connections; False if it ends before."""
    deadline = time.monotonic() + PATIENCE
    while server.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection((settings.host, settings.port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return True
    return False


def default_folder() -> Path:
    """Where a demo lies unless another folder is named."""
    return CHECKOUT / "instance" / "demo"
