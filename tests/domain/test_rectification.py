"""The table of a finding's states, cell by cell, and its deadlines."""

from datetime import date
from itertools import product

import pytest

from tracker.domain.calendar import WorkCalendar
from tracker.domain.errors import Invalid, NotAllowed, WrongState
from tracker.domain.inspection import RectificationAction as A
from tracker.domain.inspection import RectificationState as S
from tracker.domain.rectification import (
    TRANSITIONS,
    Part,
    Standing,
    allows,
    awaited,
    deadline_after,
    deadline_on,
    is_overdue,
    next_state,
    possible_actions,
)

FIELDS = {"text", "post", "planned_on", "deadline", "evidence"}
U, T, R = {Part.UNIT}, {Part.TEAM}, {Part.RECHECKER}
STANDINGS = [
    Standing(state, notified, asked, measured)
    for state, notified, asked, measured in product(S, (False, True), (False, True), (False, True))
]


def expected(standing: Standing, action: A) -> S | None:
    """The table of the rules, written down a second time."""
    new, under_way, reported = (standing.state is s for s in (S.NOT_STARTED, S.UNDER_WAY, S.REPORTED))
    cells = {
        A.NOTIFY: (new and not standing.notified, S.NOT_STARTED),
        A.RECEIVE: (new and standing.notified, S.UNDER_WAY),
        A.MEASURE: (under_way, S.UNDER_WAY),
        A.ASK_EXTENSION: (under_way and not standing.asked, S.UNDER_WAY),
        A.GRANT_EXTENSION: (under_way and standing.asked, S.UNDER_WAY),
        A.REFUSE_EXTENSION: (under_way and standing.asked, S.UNDER_WAY),
        A.ATTACH: (under_way, S.UNDER_WAY),
        A.FIX: (new or under_way, S.REPORTED),
        A.REPORT: (under_way and standing.measured, S.REPORTED),
        A.RETURN: (reported, S.UNDER_WAY),
        A.CLOSE: (reported, S.CLOSED),
    }
    possible, to = cells[action]
    return to if possible else None


BY = {
    A.NOTIFY: T,
    A.RECEIVE: U,
    A.MEASURE: U,
    A.ASK_EXTENSION: U,
    A.GRANT_EXTENSION: T,
    A.REFUSE_EXTENSION: T,
    A.ATTACH: {Part.CLERK},
    A.FIX: {Part.UNIT, Part.FINDER},
    A.REPORT: U,
    A.RETURN: R,
    A.CLOSE: R,
}


@pytest.mark.parametrize("action", A)
@pytest.mark.parametrize("standing", STANDINGS, ids=str)
def test_every_cell_of_the_table(standing: Standing, action: A) -> None:
    to = expected(standing, action)
    for part in Part:
        assert (action in possible_actions(standing, {part})) is (to is not None and part in BY[action])
        if part not in BY[action]:
            with pytest.raises(NotAllowed):
                next_state(standing, action, {part}, filled=FIELDS)
        elif to is None:
            with pytest.raises(WrongState):
                next_state(standing, action, {part}, filled=FIELDS)
        else:
            assert next_state(standing, action, {part}, filled=FIELDS) is to
            assert standing.then(action).state is to


@pytest.mark.parametrize(
    ("action", "field"), [(action, field) for action, rule in TRANSITIONS.items() for field in rule.asks]
)
def test_what_a_step_asks_for_is_asked_for(action: A, field: str) -> None:
    standing = next(s for s in STANDINGS if allows(s, action))
    with pytest.raises(Invalid) as refused:
        next_state(standing, action, BY[action], filled=FIELDS - {field})
    assert refused.value.field == field


def test_a_request_for_time_is_open_until_it_is_decided_or_the_work_is_reported() -> None:
    begun = [A.NOTIFY, A.RECEIVE, A.MEASURE, A.ASK_EXTENSION]
    assert Standing.after(begun).asked
    for settling in (A.GRANT_EXTENSION, A.REFUSE_EXTENSION, A.REPORT, A.FIX):
        assert not Standing.after([*begun, settling]).asked
    assert Standing.after([*begun, A.ATTACH]).asked


def test_a_deadline_on_a_day_off_moves_and_says_so() -> None:
    calendar = WorkCalendar({date(2026, 6, 15): False})
    moved = deadline_on(calendar, date(2026, 6, 13))
    assert (moved.on, moved.moved_from) == (date(2026, 6, 16), date(2026, 6, 13))
    stays = deadline_on(calendar, date(2026, 6, 16))
    assert (stays.on, stays.moved_from) == (date(2026, 6, 16), None)


def test_a_deadline_counts_working_days() -> None:
    assert deadline_after(WorkCalendar(), date(2026, 5, 21), 3).on == date(2026, 5, 26)
    with pytest.raises(Invalid):
        deadline_after(WorkCalendar(), date(2026, 5, 21), 0)


@pytest.mark.parametrize(
    ("state", "late"), [(S.NOT_STARTED, True), (S.UNDER_WAY, True), (S.REPORTED, False), (S.CLOSED, False)]
)
def test_only_what_is_not_reported_is_overdue(state: S, late: bool) -> None:
    assert is_overdue(state, date(2026, 6, 1), today=date(2026, 6, 2)) is late
    assert not is_overdue(state, date(2026, 6, 1), today=date(2026, 6, 1))


@pytest.mark.parametrize("standing", STANDINGS, ids=str)
def test_what_is_awaited_is_possible_and_something_is_until_it_is_closed(standing: Standing) -> None:
    assert all(allows(standing, action) for action in awaited(standing))
    assert bool(awaited(standing)) is (standing.state is not S.CLOSED)
