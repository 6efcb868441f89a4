"""Runs a parser of hostile files in a process of its own, with little memory, little time and no secrets."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tracker.storage.refusal import Refused, Why

MEMORY = 1024**3
CPU_SECONDS = 20
WALL_SECONDS = 30.0
_FILES = 64
_BIGGEST_FILE = 1024**3
_ENTRY = Path(__file__).with_name("entry.py")

Facts = dict[str, Any]


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


def start(module: str, *arguments: str, stdin: int) -> subprocess.Popen[bytes]:
    """Start `tracker.storage.<module>` in a process group of its own, with unbuffered pipes."""
    return subprocess.Popen(  # noqa: S603  our own program; what it looks at is a path that we made
        [sys.executable, "-I", str(_ENTRY), module, *arguments],
        bufsize=0,
        stdin=stdin,
        stdout=subprocess.PIPE,
        env=environment(),
        start_new_session=True,
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill the child if it still runs, with anything it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


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
