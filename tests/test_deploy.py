"""The samples for an installation: checked by the programs that read them, as far as they can be had here."""

from __future__ import annotations

import os
import re
import shlex
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.databases import free_port
from tests.engines.servers import running
from tests.test_docs import named_command
from tracker.config import CHECKOUT, Settings, load_settings

DEPLOY = CHECKOUT / "docs" / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))
MOST_EXPOSED = 15  # tenths, as systemd-analyze counts from 0 to 100; without any hardening it is 92
SETTINGS = {f"TRACKER_{field.upper()}" for field in Settings.model_fields}


# -- systemd -----------------------------------------------------------------------------------------------------------


@pytest.fixture(params=UNITS, ids=lambda unit: unit.name)
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A sample, as if this checkout were the installation."""
    written = tmp_path / request.param.name
    text = request.param.read_text().replace("/opt/tracker/.venv/bin", str(Path(sys.executable).parent))
    written.write_text(text.replace("/opt/tracker", str(CHECKOUT)))
    return written


def test_systemd_finds_nothing_wrong_with_a_unit(unit: Path):
    result = subprocess.run(["systemd-analyze", "verify", unit], check=False, capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_a_unit_exposes_little(unit: Path):
    judge = ["systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSED}", unit]
    result = subprocess.run(judge, check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_may_write_to_its_data_folder_and_no_other(unit: Path):
    text = unit.read_text()
    folder = re.search(r"^TRACKER_DATA_DIR=(.*)$", (DEPLOY / "tracker.env").read_text(), re.MULTILINE)
    assert folder is not None
    assert re.findall(r"^ReadWritePaths=(.*)$", text, re.MULTILINE) == [folder[1]]
    for line in ("ProtectSystem=strict", "NoNewPrivileges=yes", "MemoryDenyWriteExecute=yes", "CapabilityBoundingSet="):
        assert f"\n{line}\n" in text


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_what_arrives_at_a_unit_lies_on_the_disk_of_the_data_folder(unit: Path):
    text = unit.read_text()
    (folder,) = re.findall(r"^Environment=TMPDIR=(.*)$", text, re.MULTILINE)
    (made,) = re.findall(r"^StateDirectory=(.*)$", text, re.MULTILINE)
    assert folder in {f"/var/lib/{name}" for name in made.split()}
    assert folder.startswith("/var/lib/tracker/")


def test_a_shell_reads_every_line_of_the_sample_of_settings(tmp_path: Path):
    lines = re.findall(r"^#? ?(TRACKER_\w+)=(.*)$", (DEPLOY / "tracker.env").read_text(), re.MULTILINE)
    (tmp_path / "env").write_text("".join(f"{name}={value}\n" for name, value in lines))
    read = ["sh", "-c", f"set -eua; . {tmp_path}/env; env"]
    result = subprocess.run(read, check=True, capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
    assert result.stderr == ""
    assert {f"{name}={value.strip(chr(39))}" for name, value in lines} <= set(result.stdout.splitlines())


# -- nginx -------------------------------------------------------------------------------------------------------------


class Upstream(BaseHTTPRequestHandler):
    """Stands where the web server stands, and answers with the headers that reached it."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write("\n".join(f"{name}: {value}" for name, value in self.headers.items()).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  as the library calls it
        """Say nothing."""


@contextmanager
def upstream() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def make_certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tracker.example.org")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(1))
    (folder / "fullchain.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


@contextmanager
def nginx(folder: Path, port: int) -> Iterator[str]:
    """An nginx with the sample, on ports and with a certificate of its own, in front of that port."""
    make_certificate(folder)
    plain, encrypted = free_port(), free_port()
    sample = (DEPLOY / "nginx.conf").read_text()
    sample = re.sub(r"^ *listen \[::\].*\n", "", sample, flags=re.MULTILINE)
    sample = sample.replace("listen 80;", f"listen 127.0.0.1:{plain};").replace(
        "listen 443", f"listen 127.0.0.1:{encrypted}"
    )
    sample = sample.replace("/etc/ssl/tracker", str(folder)).replace("127.0.0.1:8000", f"127.0.0.1:{port}")
    folders = "".join(
        f"{name}_temp_path {folder / name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole = folder / "whole.conf"
    whole.write_text(
        f"pid {folder / 'pid'};\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{folders}{sample}\n}}\n"
    )
    program = ["nginx", "-p", str(folder), "-e", "stderr", "-c", str(whole)]
    checked = subprocess.run([*program, "-t", "-q"], check=False, capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, "")
    log = folder / "log"
    with running([*program, "-g", "daemon off;"], f"https://127.0.0.1:{encrypted}", log) as server:
        end = time.monotonic() + 30
        while not (folder / "pid").exists():
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.05)
        yield server.url


def ask(url: str) -> tuple[int, str]:
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    request = urllib.request.Request(url, headers={"Host": "tracker.example.org:8443"})
    try:
        with urllib.request.urlopen(request, timeout=10, context=trusting) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_nginx_takes_the_sample_and_hands_on_what_the_tracker_needs(tmp_path: Path):
    tmp_path.chmod(0o711)  # its workers are somebody else
    with upstream() as port, nginx(tmp_path, port) as url:
        status, headers = ask(f"{url}/accounts/own")
        assert status == 200
        for line in ("Host: tracker.example.org:8443", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: https"):
            assert line in headers.splitlines()
        assert ask(f"{url}/healthz")[0] == 200
        assert ask(f"{url}/readyz")[0] == 200  # the test is on this machine
        assert ask(f"{url}/metrics")[0] == 403


# -- compose -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def composed() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return found


def test_compose_names_settings_commands_and_folders_that_there_are(composed: dict[str, Any]):
    ours = {name: service for name, service in composed["services"].items() if service["image"] == "tracker"}
    assert {"web", "worker", "migrations"} <= ours.keys()
    assert {"database", "queue", "store"} <= composed["services"].keys()
    for service in ours.values():
        assert {name for name in service["environment"] if name.startswith("TRACKER_")} <= SETTINGS
        program, *words = service.get("command", ["granian"])
        assert program in {"granian", "tracker"}
        if program == "tracker":
            command, rest = named_command(words)
            assert not isinstance(command, click.Group)
            known = {option for parameter in command.params for option in parameter.opts}
            assert {word for word in rest if word.startswith("--")} <= known
        folder = (DEPLOY / service["build"]["context"]).resolve()
        assert folder == CHECKOUT
        assert (folder / service["build"]["dockerfile"]).is_file()
    for service in composed["services"].values():
        assert {mount.split(":")[0] for mount in service.get("volumes", ())} <= composed["volumes"].keys()
        assert set(service.get("depends_on", ())) <= composed["services"].keys()


def test_what_arrives_at_a_container_lies_in_a_volume_and_not_in_memory(composed: dict[str, Any]):
    for service in composed["services"].values():
        if service["image"] == "tracker":
            volumes = [mount.partition(":")[2] for mount in service["volumes"]]
            assert any(service["environment"]["TMPDIR"].startswith(f"{volume}/") for volume in volumes)


def test_compose_starts_with_settings_that_the_tracker_takes(composed: dict[str, Any], tmp_path: Path):
    given = {
        name.removeprefix("TRACKER_").lower(): re.sub(r"\$\{\w+:\?\}", "a-secret-of-the-tests", value)
        for name, value in composed["services"]["web"]["environment"].items()
        if name.startswith("TRACKER_")
    }
    settings = load_settings(**{**given, "data_dir": tmp_path})
    assert settings.queue_is_redis
    assert settings.database.startswith("postgresql+psycopg://")


def test_compose_carries_no_secret_and_names_no_registry(composed: dict[str, Any]):
    for service in composed["services"].values():
        assert "." not in service["image"].partition("/")[0] or "/" not in service["image"]
        for name, value in service.get("environment", {}).items():
            if re.search("SECRET|PASSWORD|SALT", name):
                assert re.fullmatch(r"\$\{\w+:\?\}", value), name


def test_compose_says_which_version_of_each_engine_it_means(composed: dict[str, Any]):
    for service in composed["services"].values():
        _, _, tag = service["image"].partition(":")
        assert service["image"] == "tracker" or tag not in {"", "latest"}, service["image"]


def test_the_image_is_made_of_what_this_checkout_has():
    lines = (DEPLOY / "Containerfile").read_text().splitlines()
    assert "FROM debian:bookworm" in lines
    (command,) = (line for line in lines if line.startswith("CMD "))
    assert yaml.safe_load(command.removeprefix("CMD "))[-1] == "wsgi:app"
    (unit,) = (line for line in (DEPLOY / "tracker-web.service").read_text().splitlines() if "ExecStart" in line)
    assert shlex.split(unit)[-1] == "wsgi:app"
    left_out = (CHECKOUT / ".dockerignore").read_text().split()
    assert {".git", ".venv", "instance"} <= set(left_out)
