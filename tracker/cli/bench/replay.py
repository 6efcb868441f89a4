"""The floor of everything that writes: the very statements of an act, sent once more by the bare driver.

What an act writes is overheard while it runs on one copy of a database. On another copy the same rows are written by
raw SQL, in as many transactions and with the same durability; what the act read and worked out is left away.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pysqlite3
from sqlalchemy import Engine, event

PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "recursive_triggers=ON")
_WRITES = ("INSERT", "UPDATE", "DELETE")


@dataclass
class Overheard:
    """The statements of one act that write, each with the rows of values it was sent with."""

    statements: list[tuple[str, list[Any]]] = field(default_factory=list)

    def add(self, statement: str, rows: list[Any]) -> None:
        """Take down a statement; one that repeats the last one only brings more rows."""
        if self.statements and self.statements[-1][0] == statement:
            self.statements[-1][1].extend(rows)
        else:
            self.statements.append((statement, rows))


@contextmanager
def overhearing(engine: Engine) -> Iterator[Overheard]:
    """Take down what is written through the engine inside the block."""
    heard = Overheard()

    def listen(_: Any, __: Any, statement: str, values: Any, ___: Any, many: bool) -> None:  # noqa: ANN401
        if statement.lstrip().upper().startswith(_WRITES):
            heard.add(statement, list(values) if many else [values])

    event.listen(engine, "before_cursor_execute", listen)
    try:
        yield heard
    finally:
        event.remove(engine, "before_cursor_execute", listen)


def replay(connection: Any, act: Overheard) -> float:  # noqa: ANN401  the driver's own type
    """Write what the act wrote in one transaction, and return the seconds.

    The connection stays open from act to act, as those of the program do.
    """
    cursor = connection.cursor()
    start = time.perf_counter()
    cursor.execute("BEGIN IMMEDIATE")
    for statement, rows in act.statements:
        if len(rows) == 1:
            cursor.execute(statement, rows[0])
        else:
            cursor.executemany(statement, rows)
    cursor.execute("COMMIT")
    return time.perf_counter() - start


def connect(database: Path) -> Any:  # noqa: ANN401  the driver's own type
    """A connection of the bare driver that keeps as much and as safely as the program does."""
    connection = pysqlite3.dbapi2.connect(database, isolation_level=None)
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    return connection


def counted(database: Path) -> dict[str, int]:
    """How many rows every table holds."""
    with closing(connect(database)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}  # noqa: S608
