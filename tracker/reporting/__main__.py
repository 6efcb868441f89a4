"""The child process that prints: `python -m tracker.reporting`; `worker` starts it and says what passes between."""

from __future__ import annotations

import gc
import gettext
import json
import math
import os
import pickle
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tracker.domain.errors import Invalid
from tracker.reporting.compose import Composer, Composition
from tracker.reporting.progress import RenderingFailed
from tracker.reporting.typeset import Typesetter
from tracker.reporting.words import Translate
from tracker.reporting.worker import CHINESE, DocumentJob, Job, Limits, Setting, target_of


class Printer:
    """Does one job after another; fonts, style sheets and templates stay ready between them."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._typesetter = Typesetter(setting.fonts.config_file)
        self._composers: dict[str, Composer] = {}
        self._memory = 0

    def do(self, job: Job) -> None:
        """Do one job and say what came of it: pages, and the memory held before it; or why not."""
        try:
            made = self._typesetter.typeset(self._composition(job), progress=_report)
            _write(target_of(job, made.pages), made.pdf)
        except (RenderingFailed, OSError) as failure:
            _say(failed=str(failure))
        except Invalid as refusal:
            _say(refused=refusal.message, values=refusal.values)
        else:
            _say(pages=made.pages, memory=self._memory)

    def rest(self) -> None:
        """Let go of what the last job left; its parent has its answer by then."""
        gc.collect()
        self._memory = _memory()

    def _composition(self, job: Job) -> Composition:
        if isinstance(job, DocumentJob):
            return job.composition
        if job.language not in self._composers:
            self._composers[job.language] = self._composer(job.language)
        return self._composers[job.language].part(pickle.loads(job.part))  # noqa: S301  written by our parent

    def _composer(self, language: str) -> Composer:
        setting = self._setting
        words: Translate = str
        if language != CHINESE:
            words = gettext.translation("messages", setting.translations, [language]).gettext
        return Composer(translate=words, fonts=setting.fonts, templates=setting.templates, language=language)


def main(orders: BinaryIO) -> int:
    """Do the jobs that come in until there are no more, or the parent is gone. Return 0."""
    setting: Setting = pickle.load(orders)  # noqa: S301  written by our parent
    # First the fonts, then the limits: fontconfig takes a font that it has no memory for as none, and remembers that
    # in the cache of the font set, from where every later process would print without it.
    printer = Printer(setting)
    _limit(setting.limits)
    # The collector would walk a growing tree again and again: without it a long report takes a third less time.
    gc.collect()
    gc.freeze()
    gc.disable()
    for job in _jobs(orders):
        _allow(setting.limits.cpu)
        printer.do(job)
        printer.rest()
    return 0


def _jobs(orders: BinaryIO) -> Iterator[Job]:
    while True:
        try:
            job: Job = pickle.load(orders)  # noqa: S301  written by our parent
        except EOFError:
            return
        yield job


def _write(path: Path, content: bytes) -> None:
    """Write a file in one step, so that a half-written one is never read."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    beside.write_bytes(content)
    beside.replace(path)


def _limit(limits: Limits) -> None:
    """Bound the memory of this process; the wall clock is the parent's to watch."""
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _allow(seconds: int) -> None:
    """Allow so many more seconds of processor."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time()) + seconds, hard))


def _memory() -> int:
    """Return the bytes of memory that are this process's own now: fonts that are mapped from files do not count."""
    _, resident, shared, *_ = map(int, Path("/proc/self/statm").read_text("ascii").split())
    return (resident - shared) * resource.getpagesize()


def _report(percent: int, pages: int) -> None:
    _say(percent=percent, pages=pages)


def _say(**answer: object) -> None:
    """Write a line to the parent; where it is gone, this ends the process."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.stdin.buffer))
