"""Lays sections of packets out, each once: a cache of finished ones, and warm child processes for the others.

The cache is a folder of PDFs, named after the digest of what went into them and the number of their pages. Each is put
there in one step by the child that made it, so after a crash the next run goes on with what was finished.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self

from tracker.reporting.fonts import FontSet
from tracker.reporting.progress import Progress, RenderingFailed, no_progress
from tracker.reporting.sections import Section, key_of, recipe_of
from tracker.reporting.worker import Limits, PartJob, Setting, Worker

# A child is replaced when it held this much of its own between jobs, or did this many: a fresh one holds 70 MB.
_MEMORY_MARK = 120_000_000
_JOBS_OF_A_CHILD = 500
_IN_USE = 24 * 60 * 60  # seconds for which a section that was handed out is not forgotten
_SHELF = "sections-"  # the folder that holds the sections; `clear` takes the whole folder away
_CLEARED = "cleared-"
_END_OF_A_PDF = b"%%EOF"


@dataclass(frozen=True, slots=True)
class Printed:
    """A section that is laid out: its PDF in the cache, and how many pages it has."""

    path: Path
    pages: int


class Press:
    """Prints sections with up to `workers` child processes, which it starts when there is work for them.

    A context manager: at its end the children end. The files that `print` returns stay in the cache for a day at least
    unless it is cleared; after that the press prints no more. `translations` is the folder of the catalogues.
    """

    def __init__(
        self,
        *,
        fonts: FontSet,
        templates: Path,
        translations: Path,
        cache: Path,
        workers: int = 2,
        limits: Limits | None = None,
    ) -> None:
        self._setting = Setting(fonts=fonts, templates=templates, translations=translations, limits=limits or Limits())
        self._shelf = _shelf(cache)
        self._workers = workers
        self._children: list[Worker] = []
        self._idle: SimpleQueue[Worker] = SimpleQueue()
        self._recipes: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._children:
            self._children.pop().close()

    def print(self, sections: Sequence[Section], progress: Progress = no_progress) -> list[Printed]:
        """Return the sections laid out, in their order; `progress` is called with sections done and sections in all.

        Those in the cache are not laid out again. Raises `Invalid` for a character that no font has, RenderingFailed,
        which names the section, for anything else; what was finished by then is in the cache.
        """
        jobs = [self._job(section) for section in sections]
        self._check_shelf()
        printed = self._found({job.target for job in jobs})
        missing = {job.target: (job, one) for job, one in zip(jobs, sections, strict=True) if job.target not in printed}
        total = len(printed) + len(missing)
        progress(len(printed), total)
        for target, made in self._laid_out(missing.values()):
            printed[target] = made
            progress(len(printed), total)
        return [printed[job.target] for job in jobs]

    def _job(self, section: Section) -> PartJob:
        if section.language not in self._recipes:
            self._recipes[section.language] = recipe_of(self._setting, section.language)
        part = section.pickled()
        key = key_of(section, part, self._recipes[section.language])
        return PartJob(target=self._shelf / key, part=part, language=section.language)

    def _check_shelf(self) -> None:
        """Raise RenderingFailed where the cache was cleared meanwhile: what is printed may be sealed by now."""
        if not self._shelf.is_dir():
            raise RenderingFailed("the cache of sections was cleared; begin again with what may be shown now")

    def _found(self, wanted: set[Path]) -> dict[Path, Printed]:
        """Return those of `wanted` that are in the cache and whole; they count as used now."""
        found: dict[Path, Printed] = {}
        for path in self._shelf.glob("*.pdf"):
            key, _, pages = path.stem.partition("-")
            if (target := self._shelf / key) in wanted and _is_whole(path):
                os.utime(path)
                found[target] = Printed(path, int(pages))
        return found

    def _laid_out(self, jobs: Iterable[tuple[PartJob, Section]]) -> Iterator[tuple[Path, Printed]]:
        """Lay the sections out, as many at once as there are workers; yield each when it is done."""
        pool = ThreadPoolExecutor(self._workers)
        try:
            futures = {pool.submit(self._lay_out, job, section): job.target for job, section in jobs}
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(cancel_futures=True)  # what is under way is finished, and kept

    def _lay_out(self, job: PartJob, section: Section) -> Printed:
        child = self._child()
        try:
            done = child.do(job)
        except RenderingFailed as failure:
            self._check_shelf()
            raise RenderingFailed(f"{section.name}: {failure}") from failure
        finally:
            self._put_back(child)
        return Printed(done.path, done.pages)

    def _child(self) -> Worker:
        """Return an idle child, or a new one."""
        try:
            return self._idle.get_nowait()
        except Empty:
            child = Worker(self._setting)
            self._children.append(child)
            return child

    def _put_back(self, child: Worker) -> None:
        """Keep the child for the next job, unless it ended or has grown too large or too old."""
        if child.is_alive and child.memory < _MEMORY_MARK and child.jobs < _JOBS_OF_A_CHILD:
            self._idle.put(child)
        else:
            self._children.remove(child)
            child.close()


def forget_old(cache: Path, keep_bytes: int) -> None:
    """Take sections out of the cache, those first that were not used for longest, until `keep_bytes` are left.

    What was used within a day stays, so others may print and read meanwhile.
    """
    now = time.time()
    used: list[tuple[float, int, Path]] = []
    for path in [path for shelf in cache.glob(f"{_SHELF}*") for path in shelf.iterdir()]:
        with suppress(FileNotFoundError):  # another one forgets at the same time
            status = path.stat()
            used.append((status.st_mtime, status.st_size, path))
    total = sum(size for _, size, _ in used)
    for last, size, path in sorted(used):
        if total <= keep_bytes or now - last < _IN_USE:
            return
        path.unlink(missing_ok=True)
        total -= size


def clear(cache: Path) -> None:
    """Empty the cache, for good: what a press that is at work now still lays out is not kept, and it fails.

    For when something is sealed: a section that shows it must not live on, nor come back from a job begun before.
    """
    for shelf in cache.glob(f"{_SHELF}*"):
        shelf.rename(shelf.with_name(_CLEARED + shelf.name))
    for shelf in cache.glob(f"{_CLEARED}*"):
        shutil.rmtree(shelf)


def _shelf(cache: Path) -> Path:
    """Return the folder of the sections, made if need be; of several, which two processes made at once, the first."""
    cache.mkdir(parents=True, exist_ok=True)
    shelves = sorted(cache.glob(f"{_SHELF}*"))
    return shelves[0] if shelves else Path(tempfile.mkdtemp(prefix=_SHELF, dir=cache))


def _is_whole(path: Path) -> bool:
    """Whether the file was written to its end: after a loss of power it may not have been."""
    with path.open("rb") as file:
        file.seek(-min(len(_END_OF_A_PDF) + 2, path.stat().st_size), os.SEEK_END)
        return file.read().rstrip().endswith(_END_OF_A_PDF)
