"""History by year: where a row lies, what stands in each year for itself, and what holds over all of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import event, insert, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tests.city import NOW, City, at
from tests.models.test_guards import refused
from tests.tampering import tamper
from tracker.domain.actor import operator
from tracker.domain.log import Break, Fault
from tracker.models import AccessLog, Base, LogEntry, LogPayload
from tracker.models.years import OF_A_YEAR, YEARS, is_by_year, partitions
from tracker.queries.log import Filters, page_of_access, page_of_entries
from tracker.services.log import Told, record, record_access, record_all
from tracker.services.verification import verify_log

TURN = datetime(2026, 12, 31, 16, 0, tzinfo=UTC)  # midnight in Asia/Shanghai
BY_YEAR = sorted(name for name, table in Base.metadata.tables.items() if is_by_year(table))
ON_POSTGRESQL = pytest.mark.parametrize("engine", ["postgresql"], indirect=True)


def write(session: Session, now: datetime, *, key: str = "2026.D1-B1.1") -> None:
    record(session, actor=operator(), now=now, verb="record", kind="evidence", key=key, chains=["D1"], after={})


def look(session: Session, city: City, now: datetime) -> None:
    unit = city.organizations["D1"].id
    who = city.actor("Ines")
    record_access(session, actor=who, now=now, verb="evidence.open", kind="evidence", key="x", unit_id=unit)


@pytest.fixture
def turn(session: Session, city: City) -> Session:
    """Two entries and two accesses in the last moment of a year, two of each in the first moment of the next."""
    for moment in (TURN - timedelta(microseconds=1), TURN):
        for number in range(2):
            write(session, moment, key=f"{moment:%Y-%m-%d %H}.{number}")
            look(session, city, moment)
    session.flush()
    return session


def where(session: Session, table: str) -> list[str]:
    """The partition of each row, in the order of their numbers."""
    return [str(name) for name in session.scalars(text(f"SELECT tableoid::regclass FROM {table} ORDER BY id"))]


@pytest.mark.parametrize("model", [LogEntry, LogPayload, AccessLog])
def test_a_row_number_begins_with_the_year_of_what_it_tells(turn, model):
    assert [number // OF_A_YEAR for number in turn.scalars(select(model.id).order_by(model.id))] == [
        *(2026, 2026),
        *(2027, 2027),
    ]


def test_an_entry_has_the_number_of_its_payload(turn):
    assert all(entry.id == entry.payload_id for entry in turn.scalars(select(LogEntry)))


def test_things_of_several_years_told_at_once_go_each_to_its_year(session, city):
    told = [Told("record", "evidence", str(n), ["D1"], at=TURN + timedelta(days=200 * n)) for n in range(-2, 40)]
    record_all(session, told, actor=operator(), now=TURN)
    entries = session.execute(select(LogEntry.id, LogEntry.at, LogEntry.seq).order_by(LogEntry.seq)).all()
    assert [number // OF_A_YEAR for number, *_ in entries] == [(one.at + timedelta(hours=8)).year for one in entries]
    assert [report.broken for report in verify_log(session)] == [None]


@ON_POSTGRESQL
def test_each_year_has_its_partition_and_so_has_what_is_earlier_or_later(turn, city):
    for moment in (at(date(2021, 5, 1)), at(date(2043, 5, 1))):
        write(turn, moment)
        look(turn, city, moment)
    turn.flush()
    for table in BY_YEAR:
        years = ("before", "2026", "2026", "2027", "2027", "later")
        assert where(turn, table) == [f"{table}_{year}" for year in years]


@ON_POSTGRESQL
def test_a_row_of_another_year_than_its_number_is_refused(turn):
    values = dict(turn.execute(text("SELECT * FROM access_log WHERE id > 20270000000000")).mappings().first())
    with pytest.raises(IntegrityError, match="access_log_2026_at_check"), turn.begin_nested():
        turn.execute(insert(AccessLog).values(values | {"id": 2026 * OF_A_YEAR + 77}))
    with pytest.raises(IntegrityError, match="no partition"), turn.begin_nested():
        turn.execute(text("INSERT INTO log_payload (body) VALUES ('')"))


@pytest.mark.parametrize("year", [2026, 2027])
def test_no_number_of_a_chain_comes_twice_also_over_the_turn_of_the_year(turn, year):
    """The second is written by somebody who has not locked the chain, in the same year or the next."""
    [first, *_] = turn.execute(text("SELECT * FROM log_entry ORDER BY id")).mappings().all()
    number = year * OF_A_YEAR + 77
    turn.execute(insert(LogPayload).values(id=number, body=b"{}"))
    again = dict(first) | {
        "id": number,
        "payload_id": number,
        "at": at(date(year, 1, 1) if year == 2027 else date(year, 6, 1)),
    }
    message = "duplicate key value|UNIQUE constraint failed"
    with pytest.raises(IntegrityError, match=message), turn.begin_nested():
        turn.execute(insert(LogEntry.__table__).values(again))


@ON_POSTGRESQL
@pytest.mark.parametrize("table", BY_YEAR)
def test_the_guards_hold_on_every_partition(session, city, table):
    parts = partitions(table)
    for year in range(YEARS.start - 1, YEARS.stop + 1):
        moment = at(date(year, 3, 1))
        write(session, moment)
        look(session, city, moment)
    session.flush()
    assert where(session, table) == parts
    for name in (table, *parts):
        assert refused(session, text(f"DELETE FROM {name}")), name
        assert refused(session, text(f"UPDATE {name} SET id = id + 1")), name
        assert refused(session, text(f"TRUNCATE {name} CASCADE")), name
    assert where(session, table) == parts


# ---------------------------------------------------------------- reading over the turn of a year


def test_the_pages_of_the_log_go_over_the_turn_of_the_year(turn, city):
    ada, keys, after = city.actor("Ada"), [], ""
    while True:
        page = page_of_entries(turn, ada, Filters(), after=after, size=1)
        keys += [line.object_key for line in page.lines]
        if page.following is None:
            break
        after = page.following
    assert keys == ["2026-12-31 16.1", "2026-12-31 16.0", "2026-12-31 15.1", "2026-12-31 15.0"]


def test_the_pages_of_the_access_log_go_over_the_turn_of_the_year(turn, city):
    first = page_of_access(turn, city.actor("Ada"), Filters(), size=2)
    second = page_of_access(turn, city.actor("Ada"), Filters(), before=first.following, size=2)
    assert [line.at for line in (*first.lines, *second.lines)] == [TURN] * 2 + [TURN - timedelta(microseconds=1)] * 2
    assert second.following is None


def test_a_chain_is_whole_over_the_turn_of_the_year_also_where_a_clock_was_behind(turn):
    write(turn, TURN - timedelta(seconds=1), key="asked before midnight, had its turn after it")
    write(turn, TURN + timedelta(seconds=1))
    record(turn, actor=operator(), now=NOW, verb="record", kind="evidence", key="x", chains=["D2"], after={})
    assert [(report.broken, report.length) for report in verify_log(turn)] == [(None, 6), (None, 1)]
    assert [(report.broken, report.length) for report in verify_log(turn, chain="D1")] == [(None, 6)]


def test_what_is_changed_in_a_closed_year_breaks_the_chain(turn):
    tamper(turn, "log_entry", "UPDATE log_entry SET verb = 'confirm' WHERE seq = 2")
    assert [report.broken for report in verify_log(turn)] == [Break(2, Fault.DIGEST)]


def test_a_closed_year_that_is_gone_breaks_the_chain(turn):
    tamper(turn, "log_entry", "DELETE FROM log_entry WHERE seq <= 2")
    assert [report.broken for report in verify_log(turn)] == [Break(1, Fault.GAP)]


@contextmanager
def plans(session: Session) -> Iterator[set[str]]:
    """The partitions that PostgreSQL means to read for the SELECT statements of the block."""
    seen: list[tuple[str, object]] = []
    found: set[str] = set()

    def note(_connection, _cursor, statement, parameters, *_):
        seen.append((statement, parameters))

    connection = session.connection()
    event.listen(connection, "before_cursor_execute", note)
    yield found
    event.remove(connection, "before_cursor_execute", note)
    for statement, parameters in seen:
        [[plan]] = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).all()
        found |= set(relations(plan[0]["Plan"]))


def relations(node) -> Iterator[str]:
    if name := node.get("Relation Name"):
        yield name
    for below in node.get("Plans", ()):
        yield from relations(below)


@ON_POSTGRESQL
def test_a_question_about_one_year_leaves_the_others_alone(turn, city):
    """All but what is older than the division: numbers were once given without a year."""
    ada = city.actor("Ada")
    of_2027 = Filters(since=date(2027, 1, 1), until=date(2027, 12, 31))
    with plans(turn) as read:
        assert len(page_of_entries(turn, ada, of_2027).lines) == 2
        assert len(page_of_access(turn, ada, of_2027).lines) == 2
    years = {name for name in read if name.startswith(("log_entry", "access_log"))}
    assert years == {"log_entry_before", "log_entry_2027", "access_log_before", "access_log_2027"}


@ON_POSTGRESQL
def test_a_payload_is_looked_for_in_its_year_only(turn):
    plan = "EXPLAIN (ANALYZE, FORMAT JSON) SELECT body FROM log_entry AS e JOIN log_payload AS p ON p.id = e.payload_id"
    for setting in ("hashjoin", "mergejoin", "seqscan"):
        turn.execute(text(f"SET LOCAL enable_{setting} = off"))
    [[told]] = turn.execute(text(f"{plan} WHERE e.id = (SELECT max(id) FROM log_entry)")).all()
    assert set(run(told[0]["Plan"], "log_payload")) == {"log_payload_2027"}


def run(node, table: str) -> Iterator[str]:
    """The partitions of a table that a plan has really read."""
    name = node.get("Relation Name", "")
    if name.startswith(table) and node["Actual Loops"]:
        yield name
    for below in node.get("Plans", ()):
        yield from run(below, table)


def test_a_clock_that_is_wrong_by_years_is_taken_at_its_word(session, city):
    write(session, NOW + timedelta(days=365 * 3))
    write(session, NOW)
    assert [report.broken for report in verify_log(session)] == [None]


@ON_POSTGRESQL
def test_no_plan_over_many_partitions_is_compiled(session):
    """It costs seconds, for plans that run for milliseconds."""
    assert session.scalar(text("SHOW jit")) == "off"
