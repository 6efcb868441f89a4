"""The board by counters says what the board by rows says: after any history, for everybody, under every filter."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from tests.city import TODAY, City
from tests.queries.test_board_as_of import OWED, STEPS, play
from tests.work import CHECKLIST, cycle_of, duty, queries_of
from tracker.domain.board import Column, Filters
from tracker.domain.duty import State
from tracker.models import Duty, DutyCount
from tracker.queries import board, board_counts, pictures
from tracker.services.board_counts import rebuild, verify_counts

PEOPLE = ("Rong", "Ruth", "Dong", "Asha", "Ines")
BY = (Duty.dimension, Duty.item_id)
FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "unit": st.sampled_from(["D1", "D2", "R"]),
        "organization": st.just("D1-B1"),
        "level": st.just("L3"),
        "dimension": st.sampled_from(sorted({CHECKLIST.item[item].dimension for item, _ in OWED})),
        "item": st.sampled_from([item for item, _ in OWED]),
        "state": st.sampled_from(State),
        "columns": st.sets(st.sampled_from(Column), min_size=1).map(tuple),
        "due_from": st.integers(-30, 240).map(lambda days: TODAY + timedelta(days=days)),
        "due_to": st.integers(-30, 240).map(lambda days: TODAY + timedelta(days=days)),
        "judged": st.booleans(),
    },
)


def lay_out(session: Session, city: City) -> None:
    for item_id, period in OWED:
        duty(city, "D1-B1.P4-1", item_id, period)
    for seat in ("D1-B2.P4-1", "D2-B1.P4-1"):
        for number in (1, 2):
            duty(city, seat, "L3-20", "Y", occurrence=number)


def said(session: Session, actor: Any, filters: Filters) -> list[Any]:
    """The numbers of the pages of the board."""
    drawn = pictures.counted(session, actor, filters, Duty.unit_id)
    cells = [board.matrix(session, actor, filters, by=by) for by in BY]
    named = board.organizations_named(session, {unit for unit, _ in cells[0]})
    after = [board.units_of_page(session, actor, filters, after=code, size=1)[0] for _, code, _ in named]
    return [*cells, board.totals(session, actor, filters), drawn.flow, drawn.months, after]


def by_rows(session: Session, actor: Any, filters: Filters, monkeypatch: Any) -> list[Any]:
    """The same from the rows themselves."""
    with monkeypatch.context() as patch:
        for module in (board, pictures):
            patch.setattr(module, "kind_for", lambda *_: None)
        return said(session, actor, filters)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, views=st.lists(FILTERS, min_size=1, max_size=2))
def test_counters_say_what_rows_say_after_any_history(session, city, monkeypatch, steps, views):
    with session.begin_nested() as point:
        lay_out(session, city)
        for day in play(session, city, steps):
            assert list(verify_counts(session)) == []
            for narrowed in (*views, {}):
                filters = Filters(cycle_id=cycle_of(session).id, today=day, **narrowed)
                for who in PEOPLE:
                    actor = city.actor(who)
                    assert said(session, actor, filters) == by_rows(session, actor, filters, monkeypatch), who
        point.rollback()
    session.expire_all()


def test_whoever_sees_everything_reads_no_duties(session, city):
    lay_out(session, city)
    filters = Filters(cycle_id=cycle_of(session).id, today=TODAY)
    for who, reads in (("Rong", False), ("Asha", True), ("Dong", True)):
        actor = city.actor(who)
        with queries_of(session) as seen:
            board.matrix(session, actor, replace(filters, dimension=CHECKLIST.item["L3-20"].dimension), by=BY[0])
            board.totals(session, actor, filters)
        assert any("FROM duty \n" in query for query in seen) is reads, who


def test_filters_on_what_is_not_counted_count_the_rows(session, city):
    filters, rong = Filters(cycle_id=cycle_of(session).id, today=TODAY), city.actor("Rong")
    assert board_counts.kind_for(session, rong, filters, [Duty.unit_id, Duty.item_id]) == "item"
    for narrowed in ({"level": "L3"}, {"organization": "D1-B1"}, {"judged": True}, {"dimension": "x"}):
        assert board_counts.kind_for(session, rong, replace(filters, **narrowed), [Duty.item_id]) is None


def test_units_come_page_by_page_in_official_order(session, city):
    lay_out(session, city)
    filters, rong = Filters(cycle_id=cycle_of(session).id, today=TODAY), city.actor("Rong")
    first, more = board.units_of_page(session, rong, filters, size=1)
    second, last = board.units_of_page(session, rong, filters, after="D1", size=1)
    assert ([code for _, code, _ in first + second], more, last) == (["D1", "D2"], True, False)


def test_a_wrong_counter_is_named_and_counted_anew(session, city):
    lay_out(session, city)
    session.execute(update(DutyCount).where(DutyCount.kind == "unit").values(number=DutyCount.number + 1))
    session.execute(delete(DutyCount).where(DutyCount.heading == "L3-02"))
    found = [(one.key, one.found, one.expected) for one in verify_counts(session)]
    assert ("2026/D1/item/L3-02/open/open/2026-06-05", "0", "1") in found
    assert ("2026/D2/unit//open/open/2027-01-05", "3", "2") in found
    counters = rebuild(session, cycle_of(session).id)
    assert counters == len(session.execute(select(DutyCount.number)).all())
    assert list(verify_counts(session)) == []
