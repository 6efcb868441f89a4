"""The queue carries keys of jobs and nothing else: what is lost in it, the sweeper finds again in the database."""

from __future__ import annotations

import logging
import re
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import psycopg
from huey import Huey, PostgresHuey, RedisHuey, SqliteHuey
from redis import ConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError
from redis.retry import Retry

from tracker.config import Settings

NAME = "tracker"
_WAITING = "the queue does not answer; jobs wait in the database meanwhile: %s"
SWEEP = 60.0  # seconds from one sweep of a worker to the next
_AWAY = (OSError, sqlite3.Error, RedisError, psycopg.Error)
# PostgreSQL refuses a user, a password or a database; the driver tells no SQLSTATE where no connection came to be.
_REFUSED = re.compile(
    "authentication failed|no password supplied|pg_hba.conf|does not exist|not permitted to log in"
    "|permission denied for database"
)

logger = logging.getLogger(__name__)


class _OnceAMinute(logging.Filter):
    """Says in one line a minute that the queue is away; the library says it with a traceback at each of its tries."""

    def __init__(self) -> None:
        super().__init__()
        self._next = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, _AWAY):
            return True
        if time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + SWEEP
        record.msg = _WAITING
        record.args, record.exc_info = (error,), None
        return True


_once_a_minute = _OnceAMinute()


def _open(settings: Settings) -> Huey:
    url = settings.queue_url
    if settings.queue_is_redis:
        pool = ConnectionPool.from_url(url, socket_connect_timeout=2, socket_timeout=10, retry=Retry(NoBackoff(), 1))
        return RedisHuey(NAME, connection_pool=pool, results=False)
    if url.startswith("postgresql"):
        dsn = url.replace("postgresql+psycopg:", "postgresql:", 1)
        return PostgresHuey(NAME, dsn=dsn, connect_timeout=5, create_tables=False, results=False)
    path = url.removeprefix("sqlite:///") or str(settings.data_dir.resolve() / "queue.sqlite3")
    return SqliteHuey(NAME, filename=path, journal_mode="delete", timeout=30, results=False)


class Queue:
    """The queue that `TRACKER_QUEUE_URL` names; by default a SQLite file in the data folder."""

    def __init__(self, settings: Settings) -> None:
        self._huey = _open(settings)
        self._perform: Callable[[str], None] | None = None
        self._is_ready = not isinstance(self._huey, PostgresHuey)
        self._task = self._huey.task(name="perform")(self._run)

    def _run(self, key: str) -> None:
        if self._perform is None:
            raise RuntimeError("a job reached a process that is no worker")
        self._perform(key)

    def send(self, key: str) -> None:
        """Tell the workers of a job. If the queue does not answer, the sweeper will find the job."""
        try:
            self._prepare()
            self._task(key)
        except _AWAY as error:
            logger.warning("the queue does not answer: %s", error)

    def fault(self) -> str:
        """What is wrong with the queue that only a change of the settings heals; empty if nothing is, or it is away."""
        if isinstance(self._huey, SqliteHuey):
            return ""
        try:
            self._prepare()
            self._huey.storage.queue_size()
        except AuthenticationError as error:
            return f"the queue refuses the user or the password: {error}"
        except psycopg.OperationalError as error:
            if _REFUSED.search(str(error)):
                return str(error)
            logger.warning(_WAITING, error)
        except _AWAY as error:
            logger.warning(_WAITING, error)
        finally:
            self._huey.storage.close()  # asked once, at the start, in a process that may divide itself afterwards
        return ""

    def _prepare(self) -> None:
        """Make the tables of a queue in PostgreSQL, where they are not yet. Another process may do so just now."""
        if self._is_ready:
            return
        try:
            self._huey.storage.initialize_schema()
        except (psycopg.errors.UniqueViolation, psycopg.errors.DuplicateTable):
            self._huey.storage.initialize_schema()
        self._is_ready = True

    def consume(self, *, perform: Callable[[str], None], sweep: Callable[[], None], workers: int) -> None:
        """Work until told to stop (SIGTERM, SIGINT): sweep at the start and once a minute, perform what arrives.

        Each worker sweeps for itself, whether or not the queue answers.
        """
        self._perform = perform
        for name in ("Worker", "Scheduler"):
            logging.getLogger(f"huey.consumer.{name}").addFilter(_once_a_minute)
        sweep()
        logger.info("ready for jobs", extra={"workers": workers})
        over = threading.Event()
        sweeping = threading.Thread(target=self._sweep_on, args=(sweep, over), daemon=True)
        sweeping.start()
        consumer = self._huey.create_consumer(workers=workers, worker_type="thread", max_delay=1.0, periodic=False)
        try:
            with suppress(*_AWAY):
                self._prepare()
            consumer.run()
        finally:
            over.set()
            sweeping.join()

    def _sweep_on(self, sweep: Callable[[], None], over: threading.Event) -> None:
        while not over.wait(SWEEP):
            try:
                with suppress(*_AWAY):
                    self._prepare()
                sweep()
            except Exception:  # the database may be away; the next sweep tries again
                logger.exception("the sweep came to nothing")
