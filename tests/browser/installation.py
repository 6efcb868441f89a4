"""A real installation for a browser: a data folder, a server and a worker in processes of their own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from sqlalchemy import Engine, create_engine

from tests.browser.program import BEGAN
from tracker.config import CHECKOUT, Settings, load_settings
from tracker.db import engine_options, prepare

PATIENCE = 40.0  # seconds until a server must answer


class Installation:
    """A data folder with what runs over it. `command` runs the operator's commands; `start` and `stop` the rest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._running: list[subprocess.Popen[bytes]] = []
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("TRACKER_")},
            "TRACKER_DATA_DIR": str(folder),
            "TRACKER_SECRET_KEY": "a key for the tests",
            "TRACKER_PASSWORD_SALT": "salt of the tests",
            "PYTHONPATH": str(CHECKOUT),
            BEGAN: repr(time.time()),
        }

    @property
    def settings(self) -> Settings:
        """The settings of the processes."""
        return load_settings(data_dir=self.folder, secret_key="a key for the tests", password_salt="salt of the tests")

    def engine(self) -> Engine:
        """An engine on the database; whoever asks disposes of it."""
        url = self.settings.database
        engine = create_engine(url, **engine_options(url))
        prepare(engine)
        return engine

    def command(self, *arguments: str) -> str:
        """Run one command of the operator and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.browser.program", *arguments],
            env=self._environment,
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, f"tracker {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def start(self) -> None:
        """Start the server and the worker, and wait until pages are answered."""
        self._spawn("run", "--port", str(self.port), "--no-reload", "--no-debugger")
        self._spawn("worker")
        end = time.monotonic() + PATIENCE
        while not self._answers():
            assert self._running[0].poll() is None, self.log("run")
            assert time.monotonic() < end, f"the server does not answer: {self.log('run')}"
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop both, and see that the worker obeyed."""
        for process in self._running:
            process.send_signal(signal.SIGTERM)
        for process in self._running:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def log(self, name: str) -> str:
        """What a process has written, for the message of a test that fails."""
        return (self.folder / f"{name}.log").read_text(errors="replace")[-4000:]

    def _spawn(self, *arguments: str) -> None:
        with (self.folder / f"{arguments[0]}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.browser.program", *arguments],
                env=self._environment,
                cwd=CHECKOUT,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._running.append(process)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/auth/login", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port
