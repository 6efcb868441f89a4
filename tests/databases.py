"""Real databases for tests: a SQLite file and a PostgreSQL server of our own, started once for a run."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BIN = Path("/usr/lib/postgresql/15/bin")


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _run(program: str, *arguments: str) -> None:
    """Run a program of PostgreSQL, which refuses to run as root; the package brings a user for it."""
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    subprocess.run([*user, str(BIN / program), *arguments], check=True, stdout=subprocess.DEVNULL, cwd="/")


def restart(data: Path) -> None:
    """Restart the server on a data directory as after a power cut."""
    _run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "restart", "-l", str(data.parent / "log"))


@contextmanager
def postgresql_server(folder: Path) -> Iterator[str]:
    """Run a server on a temporary data directory and yield the URL of its `postgres` database."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        for parent in folder.parents:
            if parent == Path("/tmp"):
                break
            parent.chmod(parent.stat().st_mode | 0o011)
    data, port = folder / "data", free_port()
    _run("initdb", "-D", str(data), "-U", "tracker", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
    settings = ("listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", "fsync=off", "max_connections=60")
    options = " ".join([f"-p {port}", *(f"-c {setting}" for setting in settings)])
    _run("pg_ctl", "-D", str(data), "-o", options, "-l", str(folder / "log"), "-w", "start")
    try:
        yield f"postgresql+psycopg://tracker@127.0.0.1:{port}/postgres"
    finally:
        _run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
        shutil.rmtree(data, ignore_errors=True)
