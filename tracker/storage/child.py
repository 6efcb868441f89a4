"""Runs a parser of hostile files in a process of its own, with little memory, little time and no secrets.

No process looks into two files. To start one takes longer than nearly every look, so a process that takes files in
keeps one child that is started and waits for a file (`ready`).
"""

from __future__ import annotations

import atexit
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any

from tracker.storage.refusal import Refused, Why

MEMORY = 1024**3
CPU_SECONDS = 20
WALL_SECONDS = 30.0
_FILES = 64
_BIGGEST_FILE = 1024**3
_ENTRY = Path(__file__).with_name("entry.py")

Facts = dict[str, Any]
Child = subprocess.Popen[bytes]


def run(module: str, *arguments: str, wall_seconds: float = WALL_SECONDS) -> Facts:
    """Run `tracker.storage.<module>` on the arguments and return its facts.

    Raises Refused: with the child's reason; TOO_SLOW when it ran out of time or memory; DAMAGED when it crashed.
    Raises OSError when the disk and not the file is at fault.
    """
    with start(module, *arguments, stdin=subprocess.DEVNULL) as process:
        try:
            output, _ = process.communicate(timeout=wall_seconds)
        except subprocess.TimeoutExpired:
            raise Refused(Why.TOO_SLOW) from None
        finally:
            end(process)
    return _facts(output, process.returncode)


class Ready:
    """A child that was started and waits for one job, the arguments that `run` would give it."""

    def __init__(self, module: str) -> None:
        self.module = module
        self._process: Child | None = _kept.take(module)

    def run(self, *arguments: str, wall_seconds: float = WALL_SECONDS) -> Facts:
        """Hand over the job and return its facts; raises what the function `run` raises. The child is gone then."""
        assert self._process is not None  # noqa: S101  (a child has one job)
        process, self._process = self._process, None
        with process:
            try:
                output, _ = process.communicate(json.dumps(arguments).encode() + b"\n", timeout=wall_seconds)
            except subprocess.TimeoutExpired:
                raise Refused(Why.TOO_SLOW) from None
            finally:
                end(process)
                with suppress(OSError):  # the next one starts its own, and says what is wrong
                    _kept.renew(self.module)
        return _facts(output, process.returncode)

    def close(self) -> None:
        """Keep the child for the next one, if it had no job."""
        if self._process is not None:
            _kept.keep(self.module, self._process)


@contextmanager
def ready(module: str) -> Iterator[Ready]:
    """Have a child at hand that starts meanwhile, if none waits already."""
    waits = Ready(module)
    try:
        yield waits
    finally:
        waits.close()


class _Kept:
    """The children that wait for a job: one of each module. They end with this process, whose pipe they read."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: dict[str, Child] = {}

    def take(self, module: str) -> Child:
        """The child that waits, or one that is started now."""
        with self._lock:
            found = self._waiting.pop(module, None)
        if found is not None and found.poll() is None:
            return found
        if found is not None:
            _dismiss(found)
        return start(module, stdin=subprocess.PIPE)

    def keep(self, module: str, process: Child) -> None:
        """Keep a child that had no job, unless another one waits."""
        with self._lock:
            kept = self._waiting.setdefault(module, process)
        if kept is not process:
            _dismiss(process)

    def renew(self, module: str) -> None:
        """Start the child for the next job, if none waits."""
        if module not in self._waiting:
            self.keep(module, start(module, stdin=subprocess.PIPE))

    def dismiss(self) -> None:
        """End all of them."""
        with self._lock:
            gone, self._waiting = list(self._waiting.values()), {}
        for process in gone:
            _dismiss(process)

    def disown(self) -> None:
        """Forget those of the process that this one was forked from."""
        self._lock, self._waiting = Lock(), {}


def _dismiss(process: Child) -> None:
    with process:
        end(process)


_kept = _Kept()
atexit.register(_kept.dismiss)
os.register_at_fork(after_in_child=_kept.disown)


def start(module: str, *arguments: str, stdin: int) -> Child:
    """Start `tracker.storage.<module>` in a process group of its own, with unbuffered pipes."""
    return subprocess.Popen(  # noqa: S603  our own program; what it looks at is a path that we made
        [sys.executable, "-I", str(_ENTRY), module, *arguments],
        bufsize=0,
        stdin=stdin,
        stdout=subprocess.PIPE,
        env=environment(),
        start_new_session=True,
    )


def end(process: Child) -> None:
    """Kill the child if it still runs, with anything it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def job(arguments: list[str]) -> list[str]:
    """What the child is to do: its arguments, or where it has none, what it is told later; it ends if nobody does."""
    if arguments:
        return arguments
    told = sys.stdin.readline()
    if not told:
        sys.exit()
    later: list[str] = json.loads(told)
    return later


def answer(work: Callable[[], Facts]) -> None:
    """Do the work of a child under its limits and print what came out, as JSON on one line."""
    limit()
    try:
        reply: Facts = {"facts": work()}
    except Refused as refusal:
        reply = {"refused": refusal.why, "values": refusal.values}
    except (MemoryError, RecursionError):
        reply = {"refused": Why.TOO_SLOW, "values": {}}
    except OSError as error:  # what is wrong with a file is a refusal by now
        sys.exit(disk_failed(error))
    sys.stdout.write(json.dumps(reply) + "\n")


def disk_failed(error: OSError) -> int:
    """Say on the error stream what the disk did, and return the exit code for it."""
    sys.stderr.write(f"{type(error).__name__}: {error}\n")
    return os.EX_TEMPFAIL


def _facts(output: bytes, returncode: int) -> Facts:
    if returncode == os.EX_TEMPFAIL:
        raise OSError("the disk failed while a file was looked into")
    if returncode in {-signal.SIGXCPU, -signal.SIGKILL}:
        raise Refused(Why.TOO_SLOW)
    if returncode != 0:
        raise Refused(Why.DAMAGED)
    reply = json.loads(output)
    if "refused" in reply:
        raise Refused(Why(reply["refused"]), **reply["values"])
    facts: Facts = reply["facts"]
    return facts


def limit(*, cpu_seconds: int = CPU_SECONDS) -> None:
    """Give up what a parser does not need; a limit that is lower already stays."""
    wanted = {
        resource.RLIMIT_AS: MEMORY,
        resource.RLIMIT_CPU: cpu_seconds,
        resource.RLIMIT_NOFILE: _FILES,
        resource.RLIMIT_FSIZE: _BIGGEST_FILE,
        resource.RLIMIT_CORE: 0,
    }
    for what, most in wanted.items():
        _, hard = resource.getrlimit(what)
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (value, value))


def environment() -> dict[str, str]:
    """Everything that the child sees of the surroundings: no settings, because they hold secrets."""
    return {"PATH": os.defpath, "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1"}
