"""Runs a program in a process of its own and measures it: its seconds, its memory and that of its children."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

TIMEOUT = 900.0  # seconds
SAMPLE = 0.4  # seconds between two looks at the memory
_OFTEN = 0.05  # the same, where a step is short
_LAST_WORDS = 2000


class BenchError(Exception):
    """A program that is measured is missing, failed, or took too long."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a run took: seconds on the wall, and seconds of processors of it and all below it.

    `peak` is the most bytes that all processes held together, `parent` the first, `child` any other. `told` is the
    JSON object that it wrote as its last line, if any.
    """

    seconds: float
    processor: float
    peak: int
    parent: int
    child: int
    told: Mapping[str, Any]


def run(command: Sequence[str | Path], *, environment: Mapping[str, str], folder: Path) -> Run:
    """Run `command` in `folder` and measure it. Raises BenchError; nothing it started is left running."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        start = time.monotonic()
        process = subprocess.Popen(  # noqa: S603  the bench's own commands
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=errors,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
        )
        watcher = Watcher(process.pid)
        try:
            code = process.wait(TIMEOUT)
        except subprocess.TimeoutExpired as late:
            raise BenchError(f"{command[0]} took longer than {TIMEOUT:.0f} s") from late
        finally:
            seconds = time.monotonic() - start
            watcher.stop()
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        out.seek(0)
        errors.seek(0)
        words = errors.read().decode("utf-8", "replace").strip()[-_LAST_WORDS:]
        if code != 0:
            raise BenchError(f"{command[0]} ended with {code}: {words}")
        return Run(seconds, sum(watcher.used.values()), watcher.peak, watcher.parent, watcher.child, _told(out.read()))


def _told(output: bytes) -> Mapping[str, Any]:
    last = output.decode("utf-8", "replace").strip().rpartition("\n")[2]
    told: Mapping[str, Any] = json.loads(last) if last.startswith("{") else {}
    return told


class Watcher:
    """Looks at the memory of a process and everything below it, again and again, and once more at the end."""

    def __init__(self, pid: int, *, every: float = SAMPLE) -> None:
        self.pid = pid
        self.peak = self.parent = self.child = 0
        self.used: dict[int, float] = {}
        self._every = every
        self._end = Event()
        self._thread = Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look for the last time."""
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(self._every):
            self._look()
        self._look()

    def _look(self) -> None:
        held = {pid: _held(pid) for pid in tree_of(self.pid)}
        self.used |= {pid: used for pid in held if (used := _used(pid))}
        self.peak = max(self.peak, sum(held.values()))
        self.parent = max(self.parent, held.pop(self.pid, 0))
        self.child = max(self.child, *held.values(), 0)


class Growth:
    """How many bytes this process and all below it held together, beyond the most that they held at the first step."""

    def __init__(self) -> None:
        self.bytes = 0
        self._first: int | None = None

    @contextmanager
    def step(self) -> Iterator[None]:
        """Watch the memory during the block."""
        watcher = Watcher(os.getpid(), every=_OFTEN)
        try:
            yield
        finally:
            watcher.stop()
        self._first = watcher.peak if self._first is None else self._first
        self.bytes = max(self.bytes, watcher.peak - self._first)


def tree_of(pid: int) -> list[int]:
    """The process and all below it."""
    found = [pid]
    for each in found:  # grows while it is walked
        with suppress(OSError):
            for task in Path(f"/proc/{each}/task").iterdir():
                found += map(int, (task / "children").read_text("ascii").split())
    return found


def _used(pid: int) -> float:
    """The seconds of processors that a process took so far; 0 where it ended."""
    with suppress(OSError):
        numbers = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        return (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _held(pid: int) -> int:
    """The bytes that a process holds; what it shares is divided among those who share it (PSS)."""
    with suppress(OSError, StopIteration, ValueError):
        text = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
        return 1024 * int(next(line for line in text.splitlines() if line.startswith("Pss:")).split()[1])
    return 0
