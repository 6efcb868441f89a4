"""Prints in processes of their own, with limits on memory and time; the caller's never loads a typesetter.

A child (`python -m tracker.reporting`) stays warm and does one job after another. To it go pickles of this module's
values; from it come lines of JSON and the files that it wrote. It ends when its parent closes the pipe or is gone.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import IO, Any, cast

from tracker.domain.errors import Invalid
from tracker.domain.paper import Document
from tracker.reporting.compose import Composition, compose
from tracker.reporting.fonts import FontSet
from tracker.reporting.progress import Progress, RenderingFailed, no_progress
from tracker.reporting.words import Translate

CHINESE = "zh-CN"  # the language that needs no catalogue

# The child needs no secret of its parent: these are all that it is given.
_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR", "PYTHONPATH")
# Large blocks, whole fonts among them, go back to the system at once: without this they stay with the child, scattered.
_ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "1000000"}
_LAST_WORDS = 2000


@dataclass(frozen=True, slots=True)
class Limits:
    """What one job may use: bytes of address space, seconds of processor, seconds on the wall."""

    memory: int = 1_500_000_000
    cpu: int = 300
    wall: int = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a child prints with; `translations` is the folder of the catalogues, for languages beside Chinese."""

    fonts: FontSet
    templates: Path
    translations: Path
    limits: Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentJob:
    """A document that is composed already; where to put it: see `target_of`."""

    target: Path
    composition: Composition


@dataclass(frozen=True, slots=True, kw_only=True)
class PartJob:
    """A part of a packet, as a pickle of its values, which the child composes itself; where to put it."""

    target: Path
    part: bytes
    language: str


Job = DocumentJob | PartJob


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a job: the PDF and its pages."""

    path: Path
    pages: int


def target_of(job: Job, pages: int) -> Path:
    """Return where the PDF of a job lies: its target with the number of pages, which so need not be counted again."""
    return job.target.with_name(f"{job.target.name}-{pages}.pdf")


class Worker:
    """One warm child. One thread at a time may hand it a job; `close` it at the end.

    `jobs` were given to it so far; it held `memory` bytes of its own before the last.
    """

    def __init__(self, setting: Setting) -> None:
        environment = _ALLOCATOR | {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        self._errors = tempfile.TemporaryFile(prefix="tracker-print-")  # noqa: SIM115  closed with the child
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tracker.reporting"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
        )
        self._orders = cast(IO[bytes], self._child.stdin)
        self._answers = cast(IO[bytes], self._child.stdout)
        self._wall = setting.limits.wall
        self._first: list[object] = [setting]
        self.jobs = self.memory = 0

    def do(self, job: Job, *, progress: Progress = no_progress) -> Done:
        """Have the child do a job.

        Raises `Invalid` for a character that no font has, RenderingFailed when the typesetter complains or the child
        ended: at a limit, or from outside. Of an ended child nothing more can be had.
        """
        self.jobs += 1
        timer = Timer(self._wall, self._child.kill)
        timer.start()
        try:
            self._send(job)
            answer = self._answer(progress)
        finally:
            timer.cancel()
        self.memory = answer["memory"]
        return Done(target_of(job, answer["pages"]), answer["pages"])

    @property
    def is_alive(self) -> bool:
        """Whether the child can be given a job."""
        return self._child.poll() is None

    def close(self) -> None:
        """End the child and wait for it."""
        self._child.kill()
        self._child.wait()
        for stream in (self._orders, self._answers, self._errors):
            with suppress(BrokenPipeError):  # what was still on its way to the child
                stream.close()

    def _send(self, job: Job) -> None:
        messages, self._first = [*self._first, job], []
        try:
            for message in messages:
                pickle.dump(message, self._orders)
            self._orders.flush()
        except BrokenPipeError:
            return  # it ended; its last words come with the answer

    def _answer(self, progress: Progress) -> dict[str, Any]:
        for line in self._answers:
            answer: dict[str, Any] = json.loads(line)
            match answer:
                case {"percent": percent, "pages": pages}:
                    progress(percent, pages)
                case {"failed": why}:
                    raise RenderingFailed(why)
                case {"refused": message, "values": values}:
                    raise Invalid(message, **values)
                case _:
                    return answer
        raise RenderingFailed(self._last_words())

    def _last_words(self) -> str:
        code = self._child.wait()
        self._errors.seek(0)
        words = self._errors.read().decode("utf-8", "replace").strip()[-_LAST_WORDS:]
        return f"the process that prints ended with {code}: {words or 'stopped at a limit'}"


def render_in_process(
    report: Document,
    *,
    translate: Translate,
    fonts: FontSet,
    templates: Path,
    language: str = CHINESE,
    limits: Limits | None = None,
    progress: Progress = no_progress,
) -> bytes:
    """Return `report` as a PDF/A, laid out by a child process; the bytes equal those of `render_report`.

    `progress` is called with percent done and pages laid out so far. Raises `Invalid` for a character that no font has
    (before any process starts), RenderingFailed when the typesetter complains or runs into a limit.
    """
    composition = compose(report, translate=translate, fonts=fonts, templates=templates, language=language)
    setting = Setting(fonts=fonts, templates=templates, translations=templates, limits=limits or Limits())
    with tempfile.TemporaryDirectory(prefix="tracker-print-") as folder:
        worker = Worker(setting)
        try:
            job = DocumentJob(target=Path(folder) / "document", composition=composition)
            return worker.do(job, progress=progress).path.read_bytes()
        finally:
            worker.close()
