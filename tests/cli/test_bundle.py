"""The bundle: made here, carried over, and installed where there is no network at all."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tracker.config import CHECKOUT

OFFLINE = ("unshare", "--map-root-user", "--net")
BUNDLE = (sys.executable, "-c", "from tracker.cli import main; main()", "bundle", "--out")
PROBE = "import socket; socket.create_connection(('192.0.2.1', 443), timeout=5)"


def without_network(*arguments: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a program that reaches no other machine, and knows nothing of where packages could be had here."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TRACKER_", "PIP_", "UV_"))}
    environment = {**kept, "PIP_CONFIG_FILE": os.devnull, **settings}
    command = [*OFFLINE, *map(str, arguments)]
    return subprocess.run(command, check=False, env=environment, cwd="/", capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tar file."""
    out = tmp_path_factory.mktemp("bundle") / "tracker.tar"
    result = subprocess.run([*BUNDLE, out], check=False, cwd=CHECKOUT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{hashlib.sha256(out.read_bytes()).hexdigest()}  {out}\n"
    assert list(out.parent.iterdir()) == [out]
    return out


@pytest.fixture
def unpacked(made: Path, tmp_path: Path) -> Path:
    carried = tmp_path / "carried"
    carried.mkdir()
    subprocess.run(["tar", "-xf", made, "-C", carried], check=True)
    (root,) = carried.iterdir()
    return root


def test_it_holds_the_whole_checkout_and_nothing_that_lies_beside_it(made: Path):
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=CHECKOUT, check=True, capture_output=True, text=True)
    kept = {name for name in listed.stdout.split("\0") if name and (CHECKOUT / name).is_file()}
    with tarfile.open(made) as tar:
        members = tar.getmembers()
    names = {member.name.partition("/checkout/")[2] for member in members if member.isfile()}
    assert kept <= names
    folders = {name.split("/")[0] for name in names if name}
    assert not folders & {".git", ".venv", "instance"}
    assert not any("__pycache__" in name for name in names)
    assert {(member.uid, member.gid, member.mtime) for member in members} == {(0, 0, 0)}
    assert all(member.isfile() or member.isdir() for member in members)


def test_it_installs_and_works_without_a_network(unpacked: Path, tmp_path: Path):
    target = tmp_path / "opt" / "tracker"
    assert "Network is unreachable" in without_network(sys.executable, "-c", PROBE).stderr
    result = without_network(unpacked / "install", target)
    assert (result.returncode, result.stdout) == (0, "tracker, version 0.1.0\n"), result.stderr
    tracker, data = target / ".venv" / "bin" / "tracker", {"TRACKER_DATA_DIR": str(tmp_path / "data")}
    for arguments in (
        ("db", "upgrade"),
        ("user", "list"),
        ("checklist", "check", target / "checklists/sanji-sigang.yaml"),
    ):
        result = without_network(tracker, *arguments, **data)
        assert result.returncode == 0, result.stderr
    where = "import tracker, weasyprint, granian, psycopg, boto3; print(tracker.__file__)"
    result = without_network(target / ".venv" / "bin" / "python", "-c", where)
    assert result.stdout.strip() == str(target / "tracker" / "__init__.py"), result.stderr

    (target / "instance").mkdir()
    (target / "tracker" / "left_over.py").write_text("from an older version")
    assert without_network(unpacked / "install", target).returncode == 0  # as an upgrade does
    assert (target / "instance").is_dir()
    assert not (target / "tracker" / "left_over.py").exists()
    an_upgrade_that_fails_leaves_the_program_that_was_there(unpacked, target)
    what_a_killed_upgrade_put_aside_comes_back_with_the_next(unpacked, target)


def an_upgrade_that_fails_leaves_the_program_that_was_there(unpacked: Path, target: Path) -> None:
    """One wheel is not what the list of hashes says: found out when the others are already on their way."""
    (target / "tracker" / "ours.py").touch()
    wheel = next((unpacked / "wheels").glob("[Ww]erkzeug*.whl"))
    whole = wheel.read_bytes()
    wheel.write_bytes(whole[:-1] + b"x")
    sums_anew(unpacked)
    result = without_network(unpacked / "install", target)
    assert result.returncode != 0
    assert "what was there before is there again" in result.stderr
    assert (target / "tracker" / "ours.py").exists()
    assert not (target / ".before").exists()
    assert without_network(target / ".venv" / "bin" / "tracker", "--version").stdout == "tracker, version 0.1.0\n"
    wheel.write_bytes(whole)
    sums_anew(unpacked)


def what_a_killed_upgrade_put_aside_comes_back_with_the_next(unpacked: Path, target: Path) -> None:
    """Half of the program lies aside, and the machine lacks something: what was there works nevertheless."""
    (target / ".before").mkdir()
    for name in ("tracker", ".venv"):
        (target / name).rename(target / ".before" / name)
    (target / "tracker").mkdir()
    (target / "tracker" / "config.py").write_text("half a copy")
    wheels = unpacked / "wheels.txt"
    wheels.write_text(wheels.read_text() + "no-such-thing==1 --hash=sha256:" + "0" * 64 + "\n")
    sums_anew(unpacked)
    assert without_network(unpacked / "install", target).returncode != 0
    assert (target / "tracker" / "ours.py").exists()
    assert without_network(target / ".venv" / "bin" / "tracker", "--version").stdout == "tracker, version 0.1.0\n"


def test_a_damaged_bundle_installs_nothing(unpacked: Path, tmp_path: Path):
    with (unpacked / "checkout" / "wsgi.py").open("a") as file:
        file.write("# changed on the way\n")
    result = without_network(unpacked / "install", tmp_path / "target")
    assert result.returncode == 1
    assert "checkout/wsgi.py: FAILED" in result.stderr
    assert "damaged" in result.stderr
    assert not (tmp_path / "target").exists()


def sums_anew(root: Path) -> None:
    """What somebody does who changes a bundle on purpose."""
    files = sorted(path for path in root.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    lines = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(root)}\n" for path in files)
    (root / "SHA256SUMS").write_text("".join(lines))


def test_a_machine_that_lacks_something_is_told_what(unpacked: Path, tmp_path: Path):
    target = tmp_path / "target"
    assert (unpacked / "MACHINE").read_text() == f"3.11 {platform.machine()}\n"
    (unpacked / "MACHINE").write_text("3.99 riscv64\n")
    sums_anew(unpacked)
    result = without_network(unpacked / "install", target)
    assert result.returncode == 3
    assert "for Python 3.99 riscv64; here is 3.11" in result.stderr
    with (unpacked / "checkout" / "packages" / "runtime.txt").open("a") as file:
        file.write("no-such-package\n")
    sums_anew(unpacked)
    result = without_network(unpacked / "install", target)
    assert result.returncode == 3
    assert result.stderr.rstrip().endswith(": no-such-package")
    assert not target.exists()


def test_a_folder_that_holds_something_else_is_left_alone(unpacked: Path, tmp_path: Path):
    (tmp_path / "home" / "docs").mkdir(parents=True)
    result = without_network(unpacked / "install", tmp_path / "home")
    assert result.returncode == 2
    assert "something else" in result.stderr
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["docs"]


def test_without_an_index_it_says_so_and_leaves_nothing_behind(tmp_path: Path):
    out = tmp_path / "out" / "tracker.tar"
    result = without_network(
        *BUNDLE, out, PYTHONPATH=str(CHECKOUT), PIP_RETRIES="0", PIP_NO_CACHE_DIR="1", PIP_NO_INDEX="1"
    )
    assert result.returncode == 3, result.stderr
    assert "could not be fetched" in result.stderr
    assert list(out.parent.iterdir()) == []
