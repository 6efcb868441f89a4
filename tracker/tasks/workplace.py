"""Folders to work in, each locked by the process that works in it, so that what a killed one left is told apart."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tracker.config import Settings

PART = ".part"  # how what is not finished is named
KEPT = ".kept"  # the folder in which the attempts of one job keep what they finished
CLEARED = "cleared-"  # what a seal takes away is called so until it is gone
_OLD = timedelta(days=1)
_TRIES = 5


@contextmanager
def work_folder(path: Path) -> Iterator[Path]:
    """Make a folder to work in as long as the block; its parent must be there."""
    lock = _locked(path)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def _locked(path: Path) -> int:
    """Make the folder and lock it. Somebody who takes it for a leftover in between removes it: then once more."""
    while True:
        path.mkdir(exist_ok=True, mode=0o700)
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock), path.stat()):
                return lock
        os.close(lock)


def remove_dead(paths: Iterable[Path]) -> None:
    """Remove files, and those folders that no living process works in. What is gone already is no error."""
    for path in paths:
        try:
            lock = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove(path)
        except BlockingIOError:
            continue
        finally:
            os.close(lock)


def remove(path: Path) -> None:
    """Remove a file or a folder, even while something is still written into it. Raises OSError if it cannot be."""
    for _ in range(_TRIES):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        if not path.exists():
            return
    raise OSError(f"{path} cannot be removed")


def leftovers(settings: Settings, *, now: datetime) -> list[Path]:
    """What killed workers and commands left in the data folder more than a day ago, and what a seal took away."""
    return [
        path
        for folder in (settings.result_dir, settings.section_dir)
        for path in sorted(folder.glob("*"))
        if path.name.startswith(CLEARED) or (_is_work(path) and is_older(path, now - _OLD))
    ]


def _is_work(path: Path) -> bool:
    return path.suffix in {PART, KEPT}


def is_older(path: Path, moment: datetime) -> bool:
    """Whether something was last written before the moment; no for what is not there any more."""
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC) < moment
    except FileNotFoundError:
        return False
