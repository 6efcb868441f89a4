"""What commands that read a lot share: a progress bar, and one moment of the database."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from sqlalchemy.orm import Session

from tracker.db import db


@contextmanager
def bar(label: str, *, quiet: bool = False) -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar to tell `done, whole` to, where there is a terminal to show it."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=1, label=label, file=sys.stderr) as shown:

        def show(done: int, whole: int) -> None:
            shown.length = max(whole, 1)
            shown.update(done - shown.pos)

        yield show


def snapshot() -> Session:
    """A session that sees the database as it is at one moment, whatever is written meanwhile. SQLite does so anyway."""
    session = db.session()
    if db.engine.dialect.name == "postgresql":
        session.rollback()
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    return session
