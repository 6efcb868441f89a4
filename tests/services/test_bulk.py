"""What is written in bulk is what people would have written one by one: the same rows, digests and log entries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from functools import cache

import pytest
from sqlalchemy import Table, event, select
from sqlalchemy.orm import Session

from tests.work import CHECKLIST
from tests.years import SOURCE, YEAR
from tracker.cli.bench.seed_plan import Diary, Part, Roster, Scale, at
from tracker.domain.actor import AppointmentKind, operator
from tracker.domain.duty import State
from tracker.models import Base, ChecklistVersion, Duty, Organization, Person, Seat
from tracker.queries.actors import actor_of_person
from tracker.queries.assignments import holdings
from tracker.queries.sign_offs import chains_of
from tracker.services import bulk_roster, bulk_year, checklists, cycles, organizations, people, seats, sign_offs
from tracker.services.bulk import COPY_FROM, insert_rows, row_numbers, update_rows
from tracker.services.bulk_year import BulkYear
from tracker.services.recount import verify_caches, verify_sign_offs, verify_texts
from tracker.services.verification import verify_log

BEGUN, OPENED = at(date(YEAR, 1, 2), 9), at(date(YEAR, 1, 4), 9)
TWO, ONE = (Roster(CHECKLIST, Scale(units=2, branches=branches)) for branches in (2, 1))
PARTS = [TWO.root(), TWO.unit(1), ONE.unit(2)]
NAMES = {"organization": "code", "stored_file": "sha256", "log_payload": "body", "cycle": "year"}


def everything(session: Session) -> dict[str, list[str]]:
    """All rows of all tables, with the keys of what they refer to in place of row numbers.

    A counter that went down to 0 is like one that never was.
    """
    session.flush()
    rows = {table: session.execute(select(table)).mappings().all() for table in Base.metadata.sorted_tables}
    keys = {
        table.name: {row["id"]: row[NAMES.get(table.name, "key")] for row in found}
        for table, found in rows.items()
        if "id" in table.c and NAMES.get(table.name, "key") in table.c
    }
    return {
        table.name: sorted(repr(told(table, row, keys)) for row in found if row.get("number") != 0)
        for table, found in rows.items()
    }


def told(table: Table, row, keys) -> dict[str, object]:
    """A row without its number."""
    values = {}
    for column in table.c:
        value = row[column.name]
        for foreign in column.foreign_keys:
            value = keys.get(foreign.column.table.name, {}).get(value, value)
        if column.name == "last_sign_off_id":
            value = keys["sign_off"].get(value)
        if column.name not in {"id", "fs_uniquifier"}:
            values[column.name] = value
    return values


@contextmanager
def undone(session: Session) -> Iterator[None]:
    """Whatever the block writes is undone."""
    nested = session.begin_nested()
    yield
    session.flush()
    nested.rollback()
    session.expire_all()


def appoint_one_by_one(session: Session, part: Part) -> None:
    organizations.apply_all(session, part.statements, actor=operator(), now=BEGUN)
    for one in part.people:
        people.apply(
            session, account_name=one.account_name, staff_number=None, name=one.name, actor=operator(), now=BEGUN
        )
    for one in part.people:
        organization = session.scalars(select(Organization).where(Organization.code == one.organization)).one()
        seat = seats.ensure_seat(session, organization, one.post, one.number, now=BEGUN)
        person = session.scalars(select(Person).where(Person.key == one.account_name)).one()
        seats.apply_appointment(
            session,
            seat,
            person,
            kind=AppointmentKind.HOLDER,
            starts_on=one.starts_on,
            actor=operator(),
            now=BEGUN,
        )


def appoint_in_bulk(session: Session, part: Part) -> None:
    bulk_roster.append(session, part.statements, part.people, actor=operator(), now=BEGUN)


def test_a_tree_with_its_people_is_the_same_in_bulk(session):
    with undone(session):
        for part in PARTS:
            appoint_one_by_one(session, part)
        one_by_one = everything(session)
    for part in PARTS:
        appoint_in_bulk(session, part)
    in_bulk = everything(session)

    assert len(in_bulk["organization"]) == 1 + (2 + 2) + (2 + 1)
    for table, rows in one_by_one.items():
        assert in_bulk[table] == rows, table


@pytest.fixture
def version(session) -> ChecklistVersion:
    """A tree of two units with its people, and the list."""
    for part in PARTS:
        appoint_in_bulk(session, part)
    return checklists.publish(session, SOURCE, actor=operator(), now=BEGUN)


def work_one_by_one(session: Session, version: ChecklistVersion, diary: Diary) -> None:
    """Open the year, and let each person hand in and confirm at their times."""
    cycle = cycles.open_cycle(session, year=YEAR, version=version, actor=operator(), now=OPENED).cycle
    plan = BulkYear(session, cycle, actor=operator()).plan
    sits = cache(lambda seat_id: holder(session, seat_id, OPENED))  # nobody comes or goes in this year
    owed = [duty for held in holdings(session, cycle=cycle) for duty in plan.duties(held.holding)]
    done = [(duty.key, work) for duty in owed if (work := diary.work(duty))]
    steps = []
    for key, work in sorted(done, key=lambda one: one[1].handed_in_at):
        steps.append((work.handed_in_at, key, work, True))
        if work.confirmed_at:
            steps.append((work.confirmed_at, key, work, False))
    for moment, key, work, is_handed_in in sorted(steps, key=lambda step: step[0]):
        duty = session.scalars(select(Duty).where(Duty.key == key)).one()
        if is_handed_in:
            sign_offs.tick(
                session,
                duties=[duty],
                act_on=work.entry.act_on,
                sentence=work.entry.sentence,
                counts=work.entry.counts,
                files=work.files,
                actor=sits(duty.seat_id),
                now=moment,
            )
        elif duty.waiting_seat_id and duty.state is State.SUBMITTED:
            sign_offs.confirm(session, duty, actor=sits(duty.waiting_seat_id), now=moment)


def holder(session: Session, seat_id: int, moment):
    """Whoever sits in a seat."""
    seat = session.get_one(Seat, seat_id)
    chain = chains_of(session, [seat.organization_id], today=moment.date())[seat.organization_id]
    [key] = next(one for one in chain[0].seats if one.key == seat.key).holders
    person = session.scalars(select(Person).where(Person.key == key)).one()
    return actor_of_person(session, person, today=moment.date())


def work_in_bulk(session: Session, version: ChecklistVersion, diary: Diary) -> None:
    cycle = bulk_year.begin(session, year=YEAR, version_id=version.id, now=OPENED)
    bulk = BulkYear(session, cycle, actor=operator())
    held = list(holdings(session, cycle=cycle))
    counts = [
        bulk.write([one for one in held if one.unit == unit], diary.work, now=OPENED, today=date(YEAR, 1, 4))
        for unit in sorted({one.unit for one in held})
    ]
    duties = sum(one.duties for one in counts)
    with_duties = len({row[0] for row in session.execute(select(Duty.organization_id))})
    bulk_year.finish(session, cycle, organizations=with_duties, duties=duties, actor=operator(), now=OPENED)


def test_a_year_worked_through_is_the_same_in_bulk(session, version):
    diary = Diary(CHECKLIST, year=YEAR, day=date(YEAR, 3, 10))  # every item that is done by April is done by then
    with undone(session):
        work_one_by_one(session, version, diary)
        one_by_one = everything(session)
    work_in_bulk(session, version, diary)
    in_bulk = everything(session)

    assert {row.state for row in session.execute(select(Duty.state))} == {
        State.OPEN,
        State.SUBMITTED,
        State.CONFIRMED,
    }
    for table, rows in one_by_one.items():
        assert in_bulk[table] == rows, table


def test_what_is_written_in_bulk_holds_before_every_check(session, version):
    work_in_bulk(session, version, Diary(CHECKLIST, year=YEAR, day=date(YEAR + 1, 6, 1)))
    reports = verify_log(session)

    assert {report.chain for report in reports} == {"BENCH", "B0001", "B0002", "system"}
    assert [report for report in reports if report.broken] == []
    now = at(date(YEAR + 1, 6, 1), 9)
    assert [*verify_caches(session, now=now), *verify_sign_offs(session), *verify_texts(session)] == []
    duties, done = len(session.scalars(select(Duty.id)).all()), everything(session)["evidence"]
    assert 0.7 < len(done) / duties < 0.8


def test_confirming_many_is_a_fixed_number_of_statements(session, version):
    """Rules speak one by one; rows, caches and log entries are written together."""
    diary = Diary(CHECKLIST, year=YEAR, day=date(YEAR, 3, 31))
    work_in_bulk(session, version, diary)

    def statements_for(count: int) -> int:
        query = select(Duty).where(Duty.state == State.SUBMITTED, Duty.waiting_seat_id.is_not(None))
        first = session.scalars(query.order_by(Duty.key)).first()
        same = query.where(Duty.waiting_seat_id == first.waiting_seat_id).order_by(Duty.key)
        duties = session.scalars(same.limit(count)).all()
        assert len(duties) == count
        now = at(date(YEAR, 4, 1), 9)
        actor, seen = holder(session, first.waiting_seat_id, now), []
        connection = session.connection()
        event.listen(connection, "before_cursor_execute", lambda *arguments: seen.append(arguments[2]))
        outcomes = sign_offs.confirm_many(session, duties, actor=actor, now=now)
        assert [outcome.refusal for outcome in outcomes] == [None] * count
        assert {duty.state for duty in duties} == {State.CONFIRMED}
        return len(seen)

    assert statements_for(1) >= statements_for(3) > 0
    assert list(verify_caches(session, now=at(date(YEAR + 1, 6, 1), 9))) == []


@pytest.mark.parametrize("count", [1, COPY_FROM, 3 * COPY_FROM])
def test_numbers_are_given_once_and_rows_come_back_as_they_went_in(session, count):
    first, second = row_numbers(session, Person, count), row_numbers(session, Person, 0)
    rows = [
        {"id": number, "key": f"p{number}\t\\N", "account_name": None, "staff_number": f"{number}\n", "name": "王芳"}
        for number in first
    ]
    insert_rows(session, Person, rows)
    changed = [{"id": number, "name": f"李{number}"} for number in first]

    assert second == ()
    assert len(set(first)) == count
    assert set(row_numbers(session, Person, 2)).isdisjoint(first)
    assert update_rows(session, Person, changed, key=("id",)) == count
    found = session.execute(select(Person.id, Person.key, Person.staff_number, Person.name).order_by(Person.id)).all()
    assert [tuple(row) for row in found] == [
        (row["id"], row["key"], row["staff_number"], new["name"]) for row, new in zip(rows, changed, strict=True)
    ]
