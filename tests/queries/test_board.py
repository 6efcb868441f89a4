"""The board: every count equals the rows behind it, whatever happened before."""

from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tests.city import TODAY
from tests.work import cycle_of, duty
from tracker.domain.board import Column, column_of
from tracker.domain.duty import State
from tracker.models import CycleState, Duty
from tracker.queries import board

ITEMS = ("L3-02", "L3-05", "L3-20")
DAYS = st.integers(-120, 120).map(lambda days: TODAY + timedelta(days=days))
SIGNED = frozenset(State) - {State.OPEN, State.RETURNED, State.CLAIMED}


@st.composite
def standings(draw):
    """What the caches of one duty may say: a state, and the dates that such a state can have."""
    state = draw(st.sampled_from(State))
    was_submitted = state in {State.SUBMITTED, State.CONFIRMED} or draw(st.booleans())
    return {
        "state": state,
        "due_on": draw(DAYS),
        "act_on": draw(DAYS) if was_submitted else None,
        "first_submitted_on": draw(DAYS) if was_submitted else None,
        "is_changed": draw(st.booleans()),
        "in_force": draw(st.sampled_from([True, True, True, False])),
    }


def lay_out(session, city, found):
    """One duty for each standing, spread over two units and three items."""
    seats = ("D1-B1.P4-1", "D1-B2.P4-1", "D2-B1.P4-1")
    made = []
    for number, standing in enumerate(found):
        one = duty(city, seats[number % 3], ITEMS[number % 2], "Y", occurrence=number + 1)
        one.submitted_by_id = city.people["Asha"].id
        one.signed_digest = one.content_digest
        for name, value in standing.items():
            setattr(one, name, value)
        made.append(one)
    session.flush()
    return made


@pytest.mark.parametrize("closed", [False, True])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=st.lists(standings(), max_size=24))
def test_every_count_on_the_board_equals_the_rows_behind_it(session, city, closed, found):
    with session.begin_nested() as point:
        cycle = cycle_of(session)
        cycle.state = CycleState.CLOSED if closed else CycleState.OPEN
        made = [one for one in lay_out(session, city, found) if one.in_force]
        rong, filters = city.actor("Rong"), board.Filters(cycle_id=cycle.id, today=TODAY)

        def stands_in(one):
            return column_of(
                one.state,
                due_on=one.due_on,
                act_on=one.act_on,
                first_submitted_on=one.first_submitted_on,
                today=TODAY,
                closed=closed,
            )

        cells = board.matrix(session, rong, filters, by=Duty.item_id)
        for (unit, item), cell in cells.items():
            rows = [one for one in made if (one.unit_id, one.item_id) == (unit, item)]
            assert {column: cell[column] for column in Column} == {
                column: sum(stands_in(one) is column for one in rows) for column in Column
            }
        assert sum(cell.total for cell in cells.values()) == len(made)
        for column in Column:
            narrowed = board.Filters(cycle_id=cycle.id, today=TODAY, columns=(column,))
            listed = board.duties_behind(session, rong, narrowed)
            assert {line.key for line in listed} == {one.key for one in made if stands_in(one) is column}
        point.rollback()


def test_a_filter_leaves_what_it_names(session, city):
    ours = duty(city, "D1-B1.P4-1", "L3-02", "M03")
    duty(city, "D1-B2.P4-1", "L3-02", "M04")
    duty(city, "D2-B1.P4-1", "L3-05", "M03")
    filters = board.Filters(
        cycle_id=ours.cycle_id,
        today=TODAY,
        unit="D1",
        level="L3",
        post="P4",
        item="L3-02",
        dimension=ours.dimension,
        state=State.OPEN,
        period_from=date(2026, 3, 1),
        period_to=date(2026, 3, 31),
    )

    assert [line.key for line in board.duties_behind(session, city.actor("Rong"), filters)] == [ours.key]


def test_the_board_of_a_branch_shows_that_branch(session, city):
    ours = duty(city, "D1-B1.P4-1", "L3-02", "M03")
    duty(city, "D2-B1.P4-1", "L3-02", "M03")
    filters = board.Filters(cycle_id=ours.cycle_id, today=TODAY)

    assert board.totals(session, city.actor("Asha"), filters).total == 1


def test_the_list_goes_on_where_the_page_before_ended(session, city):
    keys = sorted(duty(city, "D1-B1.P4-1", "L3-20", "Y", occurrence=n).key for n in range(1, 6))
    cycle = session.scalars(select(Duty.cycle_id)).first()
    filters, rong = board.Filters(cycle_id=cycle, today=TODAY), city.actor("Rong")
    first = board.duties_behind(session, rong, filters, size=3)
    second = board.duties_behind(session, rong, filters, after=(first[-1].due_on, first[-1].key), size=3)

    assert [line.key for line in (*first, *second)] == keys


def test_a_confirmed_duty_that_changed_counts_as_submitted_again(session, city):
    ours = duty(city, "D1-B1.P4-1", "L3-02", "M03")
    ours.state, ours.signed_digest, ours.is_changed = State.CONFIRMED, "0" * 64, True
    session.flush()
    rong = city.actor("Rong")

    for state, number in ((State.SUBMITTED, 1), (State.CONFIRMED, 0)):
        filters = board.Filters(cycle_id=ours.cycle_id, today=TODAY, state=state)
        assert board.totals(session, rong, filters).total == number
