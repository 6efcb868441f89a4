"""What the board counts: every duty stands in exactly one column."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction
from functools import cached_property

from tracker.domain.duty import State, Timeliness, timeliness_of
from tracker.domain.text import _n

SOON_DAYS = 7


class Column(StrEnum):
    """The columns of the board, in the order in which they are shown."""

    IN_TIME = "in_time"
    RECORDED_LATE = "recorded_late"
    MADE_UP = "made_up"
    OVERDUE = "overdue"
    MISSED = "missed"
    DUE_SOON = "due_soon"
    NOT_YET_DUE = "not_yet_due"
    ASIDE = "aside"


COLUMN_NAMES: dict[Column, str] = {
    Column.IN_TIME: _n("按期"),
    Column.RECORDED_LATE: _n("逾期录入"),
    Column.MADE_UP: _n("逾期补办"),
    Column.OVERDUE: _n("逾期未办"),
    Column.MISSED: _n("未办理"),
    Column.DUE_SOON: _n("即将到期"),
    Column.NOT_YET_DUE: _n("未到期"),
    Column.ASIDE: _n("不适用或准予免办"),
}

DONE = (Column.IN_TIME, Column.RECORDED_LATE, Column.MADE_UP)
FALLEN_DUE = (*DONE, Column.OVERDUE, Column.MISSED)
STANDS = frozenset({State.SUBMITTED, State.CONFIRMED})
ASIDE = frozenset({State.NOT_APPLICABLE, State.EXCUSED})


def column_of(
    state: State, *, due_on: date, act_on: date | None, first_submitted_on: date | None, today: date, closed: bool
) -> Column:
    """The column in which a duty stands on a day. A claim that nobody accepted yet counts as nothing handed in."""
    if state in ASIDE:
        return Column.ASIDE
    if state in STANDS and act_on is not None and first_submitted_on is not None:
        known: Timeliness = timeliness_of(act_on=act_on, first_submitted_on=first_submitted_on, due_on=due_on)
        return Column(known.value)
    if closed:
        return Column.MISSED
    if due_on < today:
        return Column.OVERDUE
    return Column.DUE_SOON if due_on - today <= timedelta(days=SOON_DAYS) else Column.NOT_YET_DUE


@dataclass(frozen=True)
class Cell:
    """How many duties of one cell stand in each column."""

    counts: dict[Column, int] = field(default_factory=dict)

    def __getitem__(self, column: Column | str) -> int:
        """The number in one column."""
        return self.counts.get(column if isinstance(column, Column) else Column(column), 0)

    def __add__(self, other: Cell) -> Cell:
        """Two cells taken together."""
        return Cell({column: self[column] + other[column] for column in Column if self[column] + other[column]})

    @cached_property
    def total(self) -> int:
        """All duties of the cell."""
        return sum(self.counts.values())

    @cached_property
    def fallen_due(self) -> int:
        """Duties that were done, or whose day has passed: what shares are taken of."""
        return sum(self[column] for column in FALLEN_DUE)

    @cached_property
    def done(self) -> int:
        """Duties that were handed in, whenever."""
        return sum(self[column] for column in DONE)

    def share(self, column: Column | str) -> Fraction | None:
        """The part of those fallen due that stands in a column; None where nothing has fallen due."""
        return Fraction(self[column], self.fallen_due) if self.fallen_due else None


@dataclass(frozen=True)
class Filters:
    """What the board is narrowed to; empty fields do not narrow.

    A duty's period must touch the days `period_…`, its due date lies within `due_…`. `judged` leaves those on which an
    inspection gave a verdict. `units` are the row numbers of the units of one page.
    """

    cycle_id: int
    today: date
    unit: str | None = None
    organization: str | None = None
    level: str | None = None
    post: str | None = None
    dimension: str | None = None
    item: str | None = None
    state: State | None = None
    columns: tuple[Column, ...] = ()
    period_from: date | None = None
    period_to: date | None = None
    due_from: date | None = None
    due_to: date | None = None
    judged: bool = False
    units: tuple[int, ...] = ()
