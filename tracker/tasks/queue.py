"""The queue carries keys of jobs and nothing else: what is lost in it, the sweeper finds again in the database."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from urllib.parse import urlsplit

from huey import Huey, SqliteHuey, crontab

from tracker.config import Settings, SettingsError

NAME = "tracker"


def _open(settings: Settings) -> Huey:
    url = settings.queue_url
    scheme = urlsplit(url).scheme
    if url and scheme != "sqlite":
        raise SettingsError(f"TRACKER_QUEUE_URL: {scheme!r} is not known; leave it empty for the built-in queue")
    path = url.removeprefix("sqlite:///") or str(settings.data_dir.resolve() / "queue.sqlite3")
    return SqliteHuey(NAME, filename=path, journal_mode="delete", timeout=30, results=False)


class Queue:
    """The queue that `TRACKER_QUEUE_URL` names; by default a SQLite file in the data folder."""

    def __init__(self, settings: Settings) -> None:
        self._huey = _open(settings)
        self._perform: Callable[[str], None] | None = None
        self._task = self._huey.task(name="perform")(self._run)

    def _run(self, key: str) -> None:
        if self._perform is None:
            raise RuntimeError("a job reached a process that is no worker")
        self._perform(key)

    def send(self, key: str) -> None:
        """Tell the workers of a job. If the queue does not answer, the sweeper will find the job."""
        try:
            self._task(key)
        except (OSError, sqlite3.Error) as error:
            logging.getLogger(__name__).warning("the queue does not answer: %s", error)

    def consume(self, *, perform: Callable[[str], None], sweep: Callable[[], None], workers: int) -> None:
        """Work until told to stop (SIGTERM, SIGINT): sweep at the start and once a minute, perform what arrives."""
        self._perform = perform
        self._huey.periodic_task(crontab(minute="*"), name="sweep")(sweep)
        sweep()
        self._huey.create_consumer(workers=workers, worker_type="thread", max_delay=1.0).run()
