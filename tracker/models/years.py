"""What is recorded is kept by the year: row numbers that begin with it, and on PostgreSQL a partition for each.

A row number is the year (that of Asia/Shanghai) of the row's own moment, then ten digits. So the number stays the only
key, others refer to it as before, and it tells PostgreSQL where a row lies. The clock of the database has no say: what
people see, what is chained and what filters ask is the moment in the row, and the partition holds it to that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import BigInteger, Connection, Integer, Table, event, text
from sqlalchemy.orm import Mapped, mapped_column

from tracker.models.base import Base

OF_A_YEAR = 10**10  # row numbers
LONG = BigInteger().with_variant(Integer(), "sqlite")  # SQLite numbers rows with 64 bits whatever the type is called
YEARS = range(2022, 2042)  # with a partition of their own, so that no table is ever made while people work
BEFORE, LATER = "before", "later"


class NumberedByYear(Base):
    """A table whose row numbers begin with the year; its arguments are those of `by_year`."""

    __abstract__ = True
    id: Mapped[int] = mapped_column(LONG, primary_key=True)


def first_number(year: int) -> int:
    """The number below all row numbers of a year, and above those of the year before."""
    return year * OF_A_YEAR


def partitions(table: str) -> list[str]:
    """The names of a table's partitions, from the oldest on."""
    return [f"{table}_{part}" for part in (BEFORE, *YEARS, LATER)]


def by_year(*rules: str) -> dict[str, Any]:
    """Return the arguments of a table that is divided by the year. `rules` stand in each `{part}` of it for itself."""
    return {"postgresql_partition_by": "RANGE (id)", "info": {"by_year": rules}}


def is_by_year(table: Table) -> bool:
    """Whether a table is divided by the year."""
    return "by_year" in table.info


def dividing_statements(table: Table) -> Iterator[str]:
    """Yield the SQL that divides a table on PostgreSQL.

    A table with a moment `at` has partitions that take no row of another year, so that a question about a time leaves
    the other years alone. What lies `before` is not asked, since numbers were once given without a year.
    """
    name, rules = table.name, table.info["by_year"]
    if table.columns["id"].autoincrement:  # the database gives the ten digits when asked, and nobody forgets the year
        yield f"ALTER SEQUENCE {name}_id_seq MAXVALUE {OF_A_YEAR - 1} CYCLE"
        yield f"ALTER TABLE {name} ALTER id DROP DEFAULT"
    for part, first, last in (
        (BEFORE, None, YEARS.start),
        *((str(year), year, year + 1) for year in YEARS),
        (LATER, YEARS.stop, None),
    ):
        moments = [f"at {sign} '{year}-01-01 00:00:00+08'" for sign, year in ((">=", first), ("<", last)) if year]
        own = [f"CHECK ({' AND '.join(moments)})"] if first and "at" in table.columns else []
        own += [rule.format(part=part) for rule in rules]
        inside = f" ({', '.join(own)})" if own else ""
        since = first_number(first) if first else "MINVALUE"
        until = first_number(last) if last else "MAXVALUE"
        yield f"CREATE TABLE {name}_{part} PARTITION OF {name}{inside} FOR VALUES FROM ({since}) TO ({until})"


@event.listens_for(Table, "after_create")
def _divide(target: Table, connection: Connection, **_: object) -> None:
    if is_by_year(target) and connection.dialect.name == "postgresql":
        for statement in dividing_statements(target):
            connection.execute(text(statement.replace(":", r"\:")))
