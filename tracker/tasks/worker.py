"""The worker: takes a job under a lease, does it, keeps its result in the data folder."""

from __future__ import annotations

import hashlib
import logging
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from tracker.config import Settings
from tracker.db import writing
from tracker.domain.errors import RuleError
from tracker.models import Job
from tracker.reporting.progress import RenderingFailed
from tracker.services import jobs

Progress = Callable[[int, str], None]
Work = Callable[[Session, Settings, Mapping[str, Any], Progress, Path], None]  # the last: the file to write

logger = logging.getLogger(__name__)


def _now() -> datetime:
    return datetime.now(UTC)


def result_path(settings: Settings, key: str) -> Path:
    """Where the file lies that a job made."""
    if not key.isalnum():
        raise ValueError(f"not the key of a job: {key!r}")
    return settings.result_dir / key


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
            kind, arguments = job.kind, dict(job.arguments)
        result = result_path(self._settings, key)
        part = result.with_suffix(f".{uuid.uuid4().hex}.part")
        part.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in result.parent.glob(f"{result.name}.*.part"):  # of a worker that died
            left.unlink(missing_ok=True)
        try:
            self._work(key, kind, arguments, part)
            digest = _keep(part, result)
        except RuleError as refusal:
            sentence = str(refusal)
            self._end(key, lambda job: jobs.fail(job, error=sentence, now=_now()))
        except (RenderingFailed, OSError, KeyError, ValueError, ArithmeticError) as error:
            logger.exception("job %s failed", key)
            reason = f"{type(error).__name__}: {error}"
            self._end(key, lambda job: jobs.give_back(job, error=reason, now=_now()))
        else:
            self._end(key, lambda job: jobs.finish(job, sha256=digest, now=_now()))
        finally:
            part.unlink(missing_ok=True)

    def _work(self, key: str, kind: str, arguments: Mapping[str, Any], out: Path) -> None:
        def progress(percent: int, step: str) -> None:
            self._end(key, lambda job: jobs.go_on(job, done=percent, total=100, step=step, now=_now()))

        with Session(self._engine) as session:
            self._works[kind](session, self._settings, arguments, progress, out)

    def _end(self, key: str, change: Callable[[Job], None]) -> None:
        with self._writing() as session:
            job = session.query(Job).filter_by(key=key).one()
            change(job)


def _keep(part: Path, path: Path) -> str:
    """Give the written file its name, so that it is there whole or not at all; return its SHA-256."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    part.rename(path)
    return digest
