"""Counted duties: how many of a unit stand where, kept by the database itself in the transaction of every change."""
# ruff: noqa: S608  what is put together are names of our own columns

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from sqlalchemy import Connection, ForeignKey, MetaData, event, text
from sqlalchemy.orm import Mapped, mapped_column

from tracker.models.base import Base


class DutyCount(Base):
    """How many duties in force of one unit and year stand in one place.

    Every duty is counted three times: for its unit (`kind` `unit`, no heading), its dimension and its item. `state` is
    the state that is shown, `timing` what the board's columns are worked out from: `aside`, `in_time`,
    `recorded_late`, `made_up`, or `open`, of which only the due date and today say more. A place that was left stays
    with the number 0. Nothing is kept above the units: all writers of a city would wait for each other there.
    """

    __tablename__ = "duty_count"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012  read once by SQLAlchemy
    cycle_id: Mapped[int] = mapped_column(ForeignKey("cycle.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    heading: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(primary_key=True)
    timing: Mapped[str] = mapped_column(primary_key=True)
    due_on: Mapped[date] = mapped_column(primary_key=True)
    number: Mapped[int]


KINDS = {"unit": "''", "dimension": "{row}.dimension", "item": "{row}.item_id"}
PLACE = "cycle_id, kind, unit_id, heading, state, timing, due_on"
_COUNTED = (
    *("cycle_id", "unit_id", "dimension", "item_id", "in_force", "state"),
    *("is_changed", "due_on", "act_on", "first_submitted_on"),
)
_STATE = "CASE WHEN {row}.state = 'confirmed' AND {row}.is_changed THEN 'submitted' ELSE {row}.state END"
_TIMING = """CASE WHEN {row}.state IN ('not_applicable', 'excused') THEN 'aside'
    WHEN {row}.state NOT IN ('submitted', 'confirmed') OR {row}.act_on IS NULL
        OR {row}.first_submitted_on IS NULL THEN 'open'
    WHEN {row}.act_on > {row}.due_on THEN 'made_up'
    WHEN {row}.first_submitted_on > {row}.due_on THEN 'recorded_late' ELSE 'in_time' END"""


def places_of(row: str, kind: str) -> str:
    """The columns of the place in which a duty is counted, as SQL over the alias `row`."""
    parts = (f"{row}.cycle_id", f"'{kind}'", f"{row}.unit_id", KINDS[kind], _STATE, _TIMING, f"{row}.due_on")
    columns = (part.format(row=row) for part in parts)
    return ", ".join(f"{column} AS {name}" for column, name in zip(columns, PLACE.split(", "), strict=True))


def recount(condition: str = "") -> str:
    """SQL that counts the duties in force anew: the number in every place of every kind."""
    places = " UNION ALL\n".join(
        f"SELECT {places_of('duty', kind)} FROM duty WHERE duty.in_force {condition}" for kind in KINDS
    )
    return f"SELECT {PLACE}, count(*) AS number FROM ({places}) AS places GROUP BY {PLACE}"


_ADD = f"ON CONFLICT ({PLACE}) DO UPDATE SET number = duty_count.number + excluded.number"


def _sqlite_count(row: str, number: int) -> str:
    rows = " UNION ALL ".join(f"SELECT {places_of(row, kind)}, {number}" for kind in KINDS)
    # a WHERE tells the parser of SQLite that ON begins no join
    return f"INSERT INTO duty_count ({PLACE}, number) SELECT * FROM ({rows}) WHERE true {_ADD};"


def _sqlite_statements() -> Iterator[str]:
    changed = " OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in _COUNTED)
    for name, moment, row, number in (
        ("duty_is_counted", "INSERT", "NEW", 1),
        ("duty_leaves_its_count", "UPDATE", "OLD", -1),
        ("duty_enters_its_count", "UPDATE", "NEW", 1),
    ):
        only, when = (f" OF {', '.join(_COUNTED)}", f" AND ({changed})") if moment == "UPDATE" else ("", "")
        yield (
            f"CREATE TRIGGER {name} AFTER {moment}{only} ON duty FOR EACH ROW WHEN {row}.in_force{when} "
            f"BEGIN {_sqlite_count(row, number)} END"
        )


def _postgresql_rows(row: str, number: int) -> str:
    return " UNION ALL ".join(f"SELECT {places_of(row, kind)}, {number} FROM {row} WHERE in_force" for kind in KINDS)


def _postgresql_function(name: str, rows: str) -> str:
    """A function that adds up what one statement did and writes that in the order of the places.

    The chains of the units are locked first, as for their entries in the log: else one act that holds a chain and
    wants a count would wait for another that holds the count and wants the chain.
    """
    moved = f"SELECT {PLACE}, sum(number) FROM moved GROUP BY {PLACE} HAVING sum(number) <> 0 ORDER BY {PLACE}"
    return f"""CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
PERFORM 1 FROM log_chain WHERE key IN (SELECT code FROM organization WHERE id IN
    (SELECT unit_id FROM ({rows}) AS moved ({PLACE}, number) GROUP BY {PLACE} HAVING sum(number) <> 0))
    ORDER BY key FOR UPDATE;
INSERT INTO duty_count ({PLACE}, number)
WITH moved ({PLACE}, number) AS ({rows}) {moved}
{_ADD};
RETURN NULL; END $$"""


def _postgresql_statements() -> Iterator[str]:
    yield _postgresql_function("tracker_count_new_duties", _postgresql_rows("come", 1))
    both = f"{_postgresql_rows('come', 1)} UNION ALL {_postgresql_rows('gone', -1)}"
    yield _postgresql_function("tracker_count_changed_duties", both)
    yield (
        "CREATE TRIGGER duty_is_counted AFTER INSERT ON duty REFERENCING NEW TABLE AS come "
        "FOR EACH STATEMENT EXECUTE FUNCTION tracker_count_new_duties()"
    )
    yield (
        "CREATE TRIGGER duty_is_counted_anew AFTER UPDATE ON duty REFERENCING OLD TABLE AS gone NEW TABLE AS come "
        "FOR EACH STATEMENT EXECUTE FUNCTION tracker_count_changed_duties()"
    )


def counting_statements(dialect: str) -> Iterator[str]:
    """Yield the SQL that lets a database count its duties. None is ever deleted: the guards refuse it."""
    yield from _sqlite_statements() if dialect == "sqlite" else _postgresql_statements()


@event.listens_for(Base.metadata, "after_create")
def _count_from_now_on(_target: MetaData, connection: Connection, **_: object) -> None:
    for statement in counting_statements(connection.dialect.name):
        connection.execute(text(statement.replace(":", r"\:")))
