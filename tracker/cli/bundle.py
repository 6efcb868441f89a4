"""`tracker bundle`: one file from which a machine without internet is installed."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from tracker.config import CHECKOUT

# Of a checkout nothing else goes out: beside it may lie rosters, exports, whatever an operator was working on.
PARTS = (
    ".ci",
    ".dockerignore",
    ".gitignore",
    ".yamllint",
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "README.zh-CN.md",
    "checklists",
    "dev",
    "docs",
    "migrations",
    "packages",
    "pyproject.toml",
    "requirements",
    "templates",
    "tests",
    "tracker",
    "wsgi.py",
)
MADE = shutil.ignore_patterns("__pycache__", "*.py[co]", ".*_cache", ".hypothesis", "*.egg-info")
SUMS = "SHA256SUMS"


class Unreachable(click.ClickException):
    """The wheels could not be had."""

    exit_code = 3


@click.command()
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The tar file to write.")
def bundle(out: Path) -> None:
    """Make a bundle that installs the tracker without internet, on a Debian 12 like this one.

    It holds the program, the wheels of its dependencies with their hashes, the fonts that Debian has in no package of
    their own, the names of the Debian packages, the digests of it all, and `install`.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".bundle-", dir=out.parent) as made:
        root = Path(made) / f"tracker-{version('tracker')}"
        _copy_checkout(root / "checkout")
        _collect_wheels(root)
        _copy_fonts(root / "fonts")
        shutil.copy(CHECKOUT / "docs" / "deploy" / "install", root / "install")
        shutil.copy(CHECKOUT / "packages" / "runtime.txt", root / "packages.txt")
        (root / "MACHINE").write_text(f"{sys.version_info.major}.{sys.version_info.minor} {platform.machine()}\n")
        (root / SUMS).write_text("".join(f"{_digest(path)}  {path.relative_to(root)}\n" for path in _files(root)))
        packed = Path(made) / "packed"
        _pack(root, packed)
        packed.replace(out)
    click.echo(f"{_digest(out)}  {out}")


def _copy_checkout(target: Path) -> None:
    target.mkdir(parents=True)
    for part in PARTS:
        source = CHECKOUT / part
        if source.is_dir():
            shutil.copytree(source, target / part, ignore=MADE)
        else:
            shutil.copy(source, target / part)


def _collect_wheels(root: Path) -> None:
    """Fetch what is locked, from wherever the user's pip fetches; packages that come without a wheel are built."""
    locked, wheels = CHECKOUT / "requirements" / "runtime.txt", root / "wheels"
    how = ("--quiet", "--disable-pip-version-check", "--use-pep517", "--require-hashes", "--no-deps")
    program = [sys.executable, "-m", "pip", "wheel", *how, "--requirement", str(locked), "--wheel-dir", str(wheels)]
    click.echo("collecting wheels; this takes a minute", err=True)
    result = subprocess.run(program, check=False, env=_with_pip(), stdout=sys.stderr)  # noqa: S603  our own words
    if result.returncode:
        raise Unreachable("the Python packages could not be fetched; see what pip says above, and try again")
    lines = (f"{_name(wheel)} --hash=sha256:{_digest(wheel)}\n" for wheel in sorted(wheels.iterdir()))
    (root / "wheels.txt").write_text("".join(lines))


def _with_pip() -> dict[str, str]:
    """The environment in which pip is found: ./dev keeps it beside the packages of the program."""
    places = [str(Path(sys.prefix) / "installer"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))}


def _name(wheel: Path) -> str:
    name, release, *_ = wheel.name.split("-")
    return f"{name}=={release}"


def _copy_fonts(target: Path) -> None:
    target.mkdir()
    for font in sorted((Path(sys.prefix) / "share" / "fonts").glob("*.[ot]tf")):
        shutil.copy(font, target / font.name)


def _files(root: Path) -> Iterator[Path]:
    yield from sorted(path for path in root.rglob("*") if path.is_file())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _pack(root: Path, out: Path) -> None:
    """Write the tar file; of whom and when it was made it says nothing."""
    with tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as tar:
        tar.add(root, root.name, filter=_plain)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    is_program = member.isdir() or bool(member.mode & 0o100)
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = "root"
    member.mode = 0o755 if is_program else 0o644
    return member
