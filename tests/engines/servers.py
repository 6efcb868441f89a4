"""Real engines for tests, each a process of its own that ends with the block: Redis, and three kinds of S3 server.

Swift is the real one: it checks credentials, honours conditional writes, and compares checksums. Moto takes bytes with
a wrong checksum. `lying` is ours, and does what it is told to do wrong.
"""

from __future__ import annotations

import getpass
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tests.databases import free_port
from tracker.cli.bench.measure import tree_of
from tracker.config import CHECKOUT
from tracker.storage.s3 import client_of

BIN = Path(sys.executable).parent
KEY_ID, SECRET = "test:tester", "a-secret-of-the-tests"
BUCKET = "evidence"
PATIENCE = 30.0  # seconds


@dataclass
class Server:
    """A running process that answers at `url`."""

    url: str
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextmanager
def running(
    arguments: list[str], url: str, log: Path, *, environment: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Run a program until the end of the block."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            arguments, stdout=output, stderr=output, cwd=CHECKOUT, env={**os.environ, **(environment or {})}
        )
    try:
        yield Server(url, process)
    finally:
        below = tree_of(process.pid)[1:]
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pid in below:  # one that outlived the program that began it
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def wait_for(url: str, log: Path) -> None:
    """Wait until something answers at an address, whatever it says."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            assert time.monotonic() < end, log.read_text(errors="replace")[-2000:]
            time.sleep(0.1)
        else:
            return


@contextmanager
def redis_server(folder: Path, port: int) -> Iterator[Server]:
    """A Redis that keeps nothing on the disk."""
    log = folder / "redis.log"
    arguments = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with running(arguments, f"redis://127.0.0.1:{port}/0", log) as server:
        end = time.monotonic() + PATIENCE
        while "Ready to accept connections" not in log.read_text().rpartition("Redis is starting")[2]:
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.05)
        yield server


def store_url(endpoint: str, prefix: str = "", *, timeout: float = 20) -> str:
    """What TRACKER_STORE_URL says of the bucket of the tests."""
    return f"s3://{BUCKET}/{prefix}?endpoint={quote(endpoint, safe=':/')}&timeout={timeout}"


def _with_bucket(server: Server) -> Server:
    client_of(server.url, "us-east-1", 20, KEY_ID, SECRET).create_bucket(Bucket=BUCKET)
    return server


@contextmanager
def moto_server(folder: Path) -> Iterator[Server]:
    """Moto's server."""
    port, log = free_port(), folder / "moto.log"
    program = [str(BIN / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    with running(program, f"http://127.0.0.1:{port}", log) as server:
        wait_for(server.url, log)
        yield _with_bucket(server)


@contextmanager
def swift_server(folder: Path) -> Iterator[Server]:
    """OpenStack Swift with its S3 face: a ring of one disk, and its four servers."""
    ports = {name: free_port() for name in ("account", "container", "object", "proxy")}
    (folder / "srv" / "disk").mkdir(parents=True)
    (folder / "swift.conf").write_text(_SWIFT)
    shared = f"bind_ip = 127.0.0.1\nswift_dir = {folder}\nuser = {getpass.getuser()}\nworkers = 0\nlog_level = ERROR\n"
    for name in ("account", "container", "object"):
        subprocess.run([sys.executable, "-c", _RING, str(folder / f"{name}.ring.gz"), str(ports[name])], check=True)
        (folder / f"{name}.conf").write_text(_PART.format(shared=shared, port=ports[name], folder=folder, name=name))
    (folder / "proxy.conf").write_text(_PROXY.format(shared=shared, port=ports["proxy"], secret=SECRET))
    with ExitStack() as stack:
        for name, port in ports.items():
            log = folder / f"{name}.log"
            program = [str(BIN / f"swift-{name}-server"), str(folder / f"{name}.conf")]
            environment = {"PYTHONPATH": str(CHECKOUT), "PYTHONWARNINGS": "ignore"}
            url = f"http://127.0.0.1:{port}"
            server = stack.enter_context(running(program, url, log, environment=environment))
        for name, port in ports.items():
            wait_for(f"http://127.0.0.1:{port}/recon", folder / f"{name}.log")
        yield _with_bucket(server)


_SWIFT = """[swift-hash]
swift_hash_path_suffix = tests
[storage-policy:0]
name = one
default = yes
"""

_RING = """import sys
from swift.common.ring import RingBuilder
builder, port = RingBuilder(1, 1, 0), int(sys.argv[2])
place = {"ip": "127.0.0.1", "port": port, "replication_ip": "127.0.0.1", "replication_port": port}
builder.add_dev({"id": 0, "region": 1, "zone": 1, "device": "disk", "weight": 1, "meta": "", **place})
builder.rebalance()
builder.get_ring().save(sys.argv[1])
"""

_PART = """[DEFAULT]
{shared}bind_port = {port}
devices = {folder}/srv
mount_check = false
fallocate_reserve = 0
disable_fallocate = true
[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
"""

_PROXY = """[DEFAULT]
{shared}bind_port = {port}
[pipeline:main]
pipeline = catch_errors memory s3api tempauth bulk slo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:memory]
paste.filter_factory = tests.engines.swift_memory:filter_factory
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = {secret} .admin
[filter:bulk]
use = egg:swift#bulk
[filter:slo]
use = egg:swift#slo
"""
