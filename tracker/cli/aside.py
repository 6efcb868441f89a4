"""A second process that checks half of the chains of the log, so that two cores are busy with a long one."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection

from tracker.cli.progress import snapshot
from tracker.db import db
from tracker.queries.log import chains
from tracker.services.verification import Aside, ChainReport, verify_chains

LONG = 20_000  # entries from which on a second process saves more time than it takes to make


@contextmanager
def second_process(*, long: int = LONG) -> Iterator[Aside | None]:
    """Somebody to give chains to; None where the log is short, or there is but one core.

    The process is a fork, made while nothing is connected to the database: SQLite must not be taken along into one.
    """
    entries = sum(chain.length for chain in chains(db.session()))
    db.session.remove()
    db.engine.dispose()
    if entries < long or len(os.sched_getaffinity(0)) < 2 or threading.active_count() > 1:
        yield None
        return
    forked = multiprocessing.get_context("fork")
    here, there = forked.Pipe()
    process = forked.Process(target=_answer, args=(there, here), daemon=True)
    process.start()
    there.close()
    try:
        yield lambda keys: _asked(here, keys)
    finally:
        here.close()
        process.join(timeout=1)
        process.kill()
        process.join()


def _asked(here: Connection, keys: Sequence[str]) -> Callable[[], list[ChainReport]]:
    """Hand over the chains; what is returned waits for their reports. A process that died leaves them to this one."""

    def waiting() -> list[ChainReport]:
        try:
            reports: list[ChainReport] = here.recv()
        except (EOFError, OSError):
            return verify_chains(snapshot(), keys)
        return reports

    with suppress(OSError):
        here.send(keys)
    return waiting


def _answer(there: Connection, here: Connection) -> None:
    """What the other process does: check the chains that it is given, in the database as it sees it."""
    here.close()  # or the end of the first process would go unnoticed
    try:
        keys: Sequence[str] = there.recv()
    except EOFError:
        return
    there.send(verify_chains(snapshot(), keys))
