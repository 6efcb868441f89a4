"""Prints a document in a process of its own, with limits on memory and time; the caller's never loads a typesetter.

The parent checks and composes, the child (`python -m tracker.reporting`) lays out. What passes between them is text:
HTML and CSS in, lines of progress out, a PDF in a folder that lives as long as the call.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Timer

from tracker.domain.report import Report
from tracker.reporting.compose import compose
from tracker.reporting.fonts import FontSet
from tracker.reporting.progress import Progress, RenderingFailed, no_progress
from tracker.reporting.words import Translate

# The child needs no secret of its parent: these are all that it is given.
_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR", "PYTHONPATH")
_LAST_WORDS = 2000


@dataclass(frozen=True, slots=True)
class Limits:
    """What one rendering may use: bytes of address space, seconds of processor, seconds on the wall."""

    memory: int = 1_500_000_000
    cpu: int = 300
    wall: int = 600


def render_in_process(
    report: Report,
    *,
    translate: Translate,
    fonts: FontSet,
    templates: Path,
    language: str = "zh-CN",
    limits: Limits | None = None,
    progress: Progress = no_progress,
) -> bytes:
    """Return `report` as a PDF/A, laid out by a child process; the bytes equal those of `render_report`.

    `progress` is called with percent done and pages laid out so far. Raises `Invalid` for a character that no font has
    (before any process starts), RenderingFailed when the typesetter complains or runs into a limit.
    """
    composition = compose(report, translate=translate, fonts=fonts, templates=templates, language=language)
    limits = limits or Limits()
    with tempfile.TemporaryDirectory(prefix="tracker-print-") as folder:
        job = {**asdict(composition), "config_file": str(fonts.config_file), "limits": asdict(limits)}
        (Path(folder) / "job.json").write_text(json.dumps(job, ensure_ascii=False), encoding="utf-8")
        _run(Path(folder), limits.wall, progress)
        return (Path(folder) / "out.pdf").read_bytes()


def _run(folder: Path, wall: int, progress: Progress) -> None:
    """Run the child on the job in `folder` and pass its progress on; RenderingFailed carries its last words."""
    errors = folder / "errors.txt"
    with errors.open("wb") as stderr, _child(folder, stderr.fileno(), wall) as child:
        for line in child.stdout or ():
            percent, _, pages = line.partition(b" ")
            progress(int(percent), int(pages))
        code = child.wait()
    if code:
        words = errors.read_text(encoding="utf-8", errors="replace").strip()[-_LAST_WORDS:]
        raise RenderingFailed(f"the process that prints ended with {code}: {words or 'stopped at a limit'}")


@contextmanager
def _child(folder: Path, stderr: int, wall: int) -> Iterator[subprocess.Popen[bytes]]:
    """Start the child; kill it after `wall` seconds, or when the block is left early."""
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    command = [sys.executable, "-m", "tracker.reporting", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, env=environment) as child:  # noqa: S603  our own
        timer = Timer(wall, child.kill)
        timer.start()
        try:
            yield child
        finally:
            timer.cancel()
            child.kill()
