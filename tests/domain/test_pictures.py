"""Pictures of counts: every duty and every finding is drawn once, and bands follow from the numbers beside them."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.board import Cell, Column
from tracker.domain.duty import State
from tracker.domain.inspection import RectificationState as S
from tracker.domain.pictures import (
    MOST_POINTS,
    PARTS,
    Band,
    Flow,
    Grid,
    Life,
    Month,
    Point,
    band_of,
    burn_down,
    label_of,
    month_in,
    months_of,
    point_on,
)
from tracker.domain.rectification import is_overdue

DAY = date(2026, 5, 20)
CELLS = st.dictionaries(st.sampled_from(Column), st.integers(0, 30)).map(Cell)
DAYS = st.integers(0, 400).map(lambda number: DAY + timedelta(days=number))


@pytest.mark.parametrize(
    ("counts", "band", "label"),
    [
        ({}, Band.NOTHING, ""),
        ({Column.ASIDE: 2}, Band.ASIDE, "—"),
        ({Column.NOT_YET_DUE: 3, Column.DUE_SOON: 1, Column.ASIDE: 1}, Band.AHEAD, "4"),
        ({Column.IN_TIME: 3, Column.MADE_UP: 1, Column.NOT_YET_DUE: 9}, Band.ALL, "4/4+9"),
        ({Column.IN_TIME: 4, Column.ASIDE: 1}, Band.ALL, "4/4"),
        ({Column.IN_TIME: 4, Column.OVERDUE: 1}, Band.MOST, "4/5"),
        ({Column.IN_TIME: 79, Column.MISSED: 21}, Band.PART, "79/100"),
        ({Column.RECORDED_LATE: 1, Column.OVERDUE: 1}, Band.PART, "1/2"),
        ({Column.IN_TIME: 49, Column.OVERDUE: 51}, Band.FEW, "49/100"),
    ],
)
def test_the_band_of_a_patch_follows_from_its_number(counts, band, label):
    cell = Cell(counts)

    assert (band_of(cell), label_of(cell)) == (band, label)


@given(rows=st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=4))
def test_a_grid_has_every_duty_once_and_its_table_the_same_numbers(rows):
    names = tuple(str(number) for number in range(len(rows)))
    grid = Grid("单位", names, ("甲", "乙", "丙"), tuple(tuple(row) for row in rows))

    assert grid.total.total == sum(cell.total for row in rows for cell in row)
    assert sum(grid.banded(band) for band in Band) == 3 * len(rows)
    assert [[patch.label for patch in row] for row in grid.patches] == [list(line[1:-1]) for line in grid.lines]
    assert [line[-1] for line in grid.lines] == [label_of(sum(row, Cell())) for row in rows]


@given(number=st.integers(0, 90), most=st.integers(1, 30))
def test_a_grid_is_parted_evenly_and_loses_no_row(number, most):
    grid = Grid(
        "单位", tuple(map(str, range(number))), ("甲",), tuple((Cell({Column.IN_TIME: n}),) for n in range(number))
    )
    parts = grid.parts(most)

    assert [row for part in parts for row in part.rows] == list(grid.rows)
    assert [row for part in parts for row in part.cells] == list(grid.cells)
    assert max(len(part.rows) for part in parts) <= most
    assert max(len(part.rows) for part in parts) - min(len(part.rows) for part in parts) <= 1


def test_cells_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        Grid("单位", ("甲",), ("一月", "二月"), ((Cell(),),))


@given(counts=st.dictionaries(st.sampled_from(State), st.integers(0, 500)), judged=st.integers(0, 9))
def test_the_flow_has_every_state_once(counts, judged):
    flow = Flow(counts, judged)
    steps = [*flow.way, *flow.beside]

    assert {step.key: step.count for step in steps} == {s.value: counts.get(s, 0) for s in State} | {"judged": judged}
    assert flow.total == sum(step.count for step in steps) - judged
    assert all(0 <= step.share <= 100 for step in steps if step.key != "judged")


@st.composite
def a_life(draw):
    """A finding with steps at random days."""
    began_on = draw(DAYS)
    later = DAYS.map(lambda day: max(day, began_on))
    states = sorted(draw(st.lists(st.tuples(later, st.sampled_from(S)), max_size=5)), key=lambda pair: pair[0])
    granted = sorted(draw(st.lists(st.tuples(later, DAYS), max_size=2)))
    return Life(began_on, ((began_on, draw(DAYS)), *granted), tuple(states))


@given(lives=st.lists(a_life(), max_size=8), day=DAYS)
def test_every_finding_of_a_day_is_in_one_part(lives, day):
    point = point_on(lives, day)
    there = [life for life in lives if life.began_on <= day]

    assert point.total == len(there)
    assert point.closed == sum(life.state_on(day) is S.CLOSED for life in there)
    assert point.overdue == sum(is_overdue(life.state_on(day), life.deadline_on(day), today=day) for life in there)
    assert point.open == sum(point[part] for part in PARTS)


@given(lives=st.lists(a_life(), min_size=1, max_size=8), later=st.integers(0, 2000))
def test_points_are_few_in_order_and_end_today_or_with_the_last_closing(lives, later):
    today = max(life.began_on for life in lives) + timedelta(days=later)
    drawn = burn_down(lives, today=today)
    days = [point.day for point in drawn.points]

    assert days == sorted(set(days))
    assert len(days) <= MOST_POINTS + 1
    assert days[0] == min(life.began_on for life in lives)
    assert days[-1] <= today
    assert drawn.points == tuple(point_on(lives, day) for day in days)
    if days[-1] < today:
        assert drawn.last == Point(days[-1], 0, 0, 0, len(lives))


def test_an_extension_counts_from_the_day_on_which_it_was_granted():
    later = DAY + timedelta(days=10)
    life = Life(DAY, ((DAY, DAY + timedelta(days=3)), (later, later + timedelta(days=5))), ((DAY, S.UNDER_WAY),))
    late = [point.day for point in burn_down([life], today=later + timedelta(days=1)).points if point.overdue]

    assert late == [DAY + timedelta(days=number) for number in range(4, 10)]


def test_without_findings_nothing_is_drawn():
    assert burn_down([], today=DAY).points == ()


@given(day=st.dates(date(2024, 1, 1), date(2028, 12, 31)))
def test_every_day_stands_in_one_column_of_a_year(day):
    number = month_in(2026, day.year, day.month)
    found = [month for month in months_of(2026, [number]) if _covers(month, day)]

    assert [month.number for month in found] == [number]
    assert len(months_of(2026, [number])) == (12 if day.year == 2026 else 13)


def _covers(month: Month, day: date) -> bool:
    return (month.starts_on is None or month.starts_on <= day) and (month.ends_on is None or day <= month.ends_on)
