"""The worker: takes a job under a lease, does it in the data folder, and hands its result over."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from tracker.config import Settings
from tracker.db import writing
from tracker.domain.errors import Conflict, RuleError, Unavailable
from tracker.domain.text import _n
from tracker.models import Job, JobState
from tracker.services import jobs
from tracker.storage.parts import StoreFull
from tracker.tasks import sealing
from tracker.tasks.results import result_path, results_of
from tracker.tasks.sealing import SealedMeanwhile
from tracker.tasks.workplace import KEPT, PART, remove, remove_dead, work_folder

Progress = Callable[[int, str], None]
# The last one is the file to write, in a folder of its own that the work may use; it is removed at the end.
Work = Callable[[Session, Settings, Mapping[str, Any], Progress, Path], None]

BEAT = 25.0  # seconds between two signs of life of a worker, well within a lease
PAUSE = timedelta(minutes=10)  # before what may pass by itself is tried again
_FAULT = _n("生成这份文件时程序出了故障，文件没有做成。请联系管理员查看后台日志，排除故障后重新生成。")

logger = logging.getLogger(__name__)


class TryLater(Exception):
    """A fault that may pass by itself and is not of the job; `refusal` is for whoever asked, should it stay."""

    def __init__(self, refusal: RuleError) -> None:
        self.refusal = refusal
        super().__init__(str(refusal))


def _now() -> datetime:
    return datetime.now(UTC)


def kept_folder(out: Path) -> Path:
    """The folder in which a work that writes `out` keeps what is finished, for its next attempt. The job's alone."""
    return out.parent.with_name(out.parent.name.partition(".")[0] + KEPT)


@dataclass(frozen=True)
class _Task:
    """A job at one of its attempts."""

    key: str
    attempt: int
    kind: str
    arguments: Mapping[str, Any]

    def told(self) -> dict[str, Any]:
        """What logs say of it."""
        return {"job": self.key, "kind": self.kind, "attempt": self.attempt}


class Worker:
    """Does jobs of the kinds in `works`, each in a session of its own on `engine`."""

    def __init__(self, engine: Engine, settings: Settings, works: Mapping[str, Work]) -> None:
        self._engine = engine
        self._settings = settings
        self._works = works

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        with Session(self._engine) as session, writing(session):
            yield session

    def waiting(self) -> list[str]:
        """Keys of jobs that nobody works on."""
        with Session(self._engine) as session:
            return jobs.left_lying(session, now=_now())

    def perform(self, key: str) -> None:
        """Do one job; a fault puts it back until it was tried three times, a refusal ends it with its sentence."""
        with self._writing() as session:
            job = jobs.take(session, key, now=_now())
            if job is None:
                return
            task = _Task(key, job.attempts, job.kind, dict(job.arguments))
        since = sealing.generation(self._settings)
        try:
            with self._alive(task):
                self._make(task, since)
        except jobs.Lost:
            logger.warning("job %s: its attempt %d came to nothing, another one has it", key, task.attempt)
        except TryLater as fault:
            self._give_back(task, _told(fault.refusal), pause=PAUSE)
        except (Unavailable, StoreFull) as fault:
            logger.exception("job %s: what it needs does not answer, or has no room", key)
            self._give_back(task, _told(fault), pause=PAUSE)
        except (SealedMeanwhile, Conflict) as refusal:  # the latter: of two writers at once
            self._give_back(task, _told(refusal))
        except RuleError as refusal:
            error = _told(refusal)
            self._end(task, lambda job: jobs.fail(job, error=error, now=_now()))
        except Exception:  # whatever it is, somebody waits for this job
            logger.exception("job %s failed at attempt %d", key, task.attempt)
            self._give_back(task, self._sentence(since))

    def _make(self, task: _Task, since: str) -> None:
        """Do the work in a folder of its own, and finish the job, unless it is another's by now."""
        began = time.monotonic()
        logger.info("job begun", extra=task.told())
        result = result_path(self._settings, task.key)
        result.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        remove_dead(result.parent.glob(f"{task.key}.*{PART}"))
        with work_folder(result.with_name(f"{task.key}.{task.attempt}{PART}")) as folder:
            out = folder / "result"
            with Session(self._engine) as session:
                self._works[task.kind](session, self._settings, task.arguments, self._progress(task), out)
            digest = _flushed(out)
            sealing.check_generation(self._settings, since)
            results_of(self._settings).send(out)
            with self._writing() as session:
                job = jobs.held(session, task.key, attempt=task.attempt)
                self._put_in_place(session, task.key, digest, out, since)
                jobs.finish(job, sha256=digest, now=_now())
        logger.info("job done", extra={**task.told(), "seconds": round(time.monotonic() - began, 1)})
        remove(self._settings.result_dir / (task.key + KEPT))

    def _put_in_place(self, session: Session, key: str, digest: str, out: Path, since: str) -> None:
        """Give the result its name. A seal takes away what has it; what comes just after that, goes again."""
        results = results_of(self._settings)
        results.keep(key, out)
        try:
            sealing.check_generation(self._settings, since)
        except SealedMeanwhile:
            results.discard(session, key, digest)
            raise

    def _progress(self, task: _Task) -> Progress:
        def progress(percent: int, step: str) -> None:
            with self._writing() as session:
                job = jobs.held(session, task.key, attempt=task.attempt)
                jobs.go_on(job, done=percent, total=100, step=step, now=_now())

        return progress

    @contextmanager
    def _alive(self, task: _Task) -> Iterator[None]:
        """Renew the lease as long as the block: some steps say nothing for minutes."""
        over = threading.Event()
        beating = threading.Thread(target=self._beat, args=(task, over), daemon=True)
        beating.start()
        try:
            yield
        finally:
            over.set()
            beating.join()

    def _beat(self, task: _Task, over: threading.Event) -> None:
        while not over.wait(BEAT):
            try:
                with self._writing() as session:
                    jobs.renew(jobs.held(session, task.key, attempt=task.attempt), now=_now())
            except jobs.Lost:
                return
            except Exception:  # the lease lasts for more than one beat
                logger.exception("job %s: its lease could not be renewed", task.key)

    def _give_back(self, task: _Task, sentence: str, *, pause: timedelta = timedelta(0)) -> None:
        self._end(task, lambda job: jobs.give_back(job, error=sentence, now=_now(), pause=pause))

    def _sentence(self, since: str) -> str:
        """What to say of a fault: that things were sealed under the worker's hands explains every one."""
        try:
            sealing.check_generation(self._settings, since)
        except SealedMeanwhile as refusal:
            return _told(refusal)
        return _FAULT

    def _end(self, task: _Task, change: Callable[[Job], None]) -> None:
        """End an attempt, if the job is still its own; of a job that is given up nothing is kept."""
        with suppress(jobs.Lost):
            with self._writing() as session:
                job = jobs.held(session, task.key, attempt=task.attempt)
                change(job)
                has_failed = job.state is JobState.FAILED
            logger.info("job failed" if has_failed else "job put back", extra=task.told())
            if has_failed:
                remove(self._settings.result_dir / (task.key + KEPT))


def _told(refusal: RuleError) -> str:
    """A refusal as a page can translate it: its message, or JSON of its message and values where it has some."""
    if not refusal.values:
        return refusal.message
    return json.dumps({"message": refusal.message, "values": refusal.values}, ensure_ascii=False, default=str)


def _flushed(path: Path) -> str:
    """See that a file survives a loss of power, and return its SHA-256."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()
