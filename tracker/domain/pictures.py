"""Pictures of counts: a grid of patches, the way from open to judged, findings burning down. Values, no geometry.

Every number in a picture is a count of rows; what is drawn (a band, a share) follows from the number beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, ClassVar

from tracker.domain.board import Cell, Column
from tracker.domain.duty import STATE_NAMES, State
from tracker.domain.inspection import RectificationState
from tracker.domain.rectification import is_overdue
from tracker.domain.text import _n

AHEAD = (Column.DUE_SOON, Column.NOT_YET_DUE)


class Band(StrEnum):
    """How much of what has fallen due is done; each band has a hatching of its own, and its number beside it."""

    ALL = "all"
    MOST = "most"
    PART = "part"
    FEW = "few"
    AHEAD = "ahead"
    ASIDE = "aside"
    NOTHING = "nothing"


MOST_FROM, PART_FROM = 80, 50  # per cent
BAND_NAMES: Mapping[Band, str] = {
    Band.ALL: _n("到期的全部办理"),
    Band.MOST: _n("办理八成以上"),
    Band.PART: _n("办理五成至八成"),
    Band.FEW: _n("办理不足五成"),
    Band.AHEAD: _n("未到期（写任务数）"),
    Band.ASIDE: _n("不适用或准予免办"),
    Band.NOTHING: _n("没有任务"),
}
DUE_BANDS = (Band.ALL, Band.MOST, Band.PART, Band.FEW)


def ahead_of(cell: Cell) -> int:
    """How many duties of a cell wait for their day."""
    return sum(cell[column] for column in AHEAD)


def band_of(cell: Cell) -> Band:
    """The band of a cell. What has fallen due decides; without any, what is still to come."""
    if cell.fallen_due:
        if cell.done == cell.fallen_due:
            return Band.ALL
        percent = 100 * cell.done
        if percent >= MOST_FROM * cell.fallen_due:
            return Band.MOST
        return Band.PART if percent >= PART_FROM * cell.fallen_due else Band.FEW
    if ahead_of(cell):
        return Band.AHEAD
    return Band.ASIDE if cell.total else Band.NOTHING


def label_of(cell: Cell) -> str:
    """What stands in a patch: done of fallen due; the number to come where none has; a sign where there is neither.

    Where all that has fallen due is done, what is still to come follows a plus: the patch would look finished.
    """
    ahead = ahead_of(cell)
    if cell.fallen_due:
        to_come = f"+{ahead}" if ahead and cell.done == cell.fallen_due else ""
        return f"{cell.done}/{cell.fallen_due}{to_come}"
    return str(ahead) if ahead else ("—" if cell.total else "")


@dataclass(frozen=True, slots=True)
class Patch:
    """One place in a grid: in which column (from 0), its band, and what stands in it."""

    column: int
    band: Band
    label: str


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows by columns, a patch for each: units by dimensions, organizations or items by months.

    `corner` says what a row is. `small` sets many rows closer.
    """

    kind: ClassVar[str] = "grid"
    corner: Annotated[str, _n("表头")]
    rows: Annotated[tuple[str, ...], _n("行")]
    columns: Annotated[tuple[str, ...], _n("列")]
    cells: tuple[tuple[Cell, ...], ...]
    small: bool = False
    patches: tuple[tuple[Patch, ...], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse cells that do not fit their headings; work out what is drawn, row by row."""
        if len(self.cells) != len(self.rows) or any(len(row) != len(self.columns) for row in self.cells):
            raise ValueError("the cells of a grid do not fit its rows and columns")
        patches = (tuple(Patch(at, band_of(cell), label_of(cell)) for at, cell in enumerate(row)) for row in self.cells)
        object.__setattr__(self, "patches", tuple(patches))

    @property
    def total(self) -> Cell:
        """All cells taken together."""
        counts: Counter[Column] = Counter()
        for cell in (cell for row in self.cells for cell in row):
            counts.update(cell.counts)
        return Cell(dict(counts))

    def banded(self, band: Band | str) -> int:
        """How many patches are of a band."""
        return sum(patch.band == band for row in self.patches for patch in row)

    def parts(self, most: int) -> list[Grid]:
        """The same in parts of at most so many rows, as even as can be: a page takes no more."""
        number = max(1, -(-len(self.rows) // most))
        edges = [len(self.rows) * n // number for n in range(number + 1)]
        return [replace(self, rows=self.rows[start:end], cells=self.cells[start:end]) for start, end in pairwise(edges)]

    @property
    def legend(self) -> tuple[tuple[str, str], ...]:
        """What a legend explains, with its name; a patch without duties explains itself."""
        return tuple((band.value, BAND_NAMES[band]) for band in (*DUE_BANDS, Band.AHEAD))

    @property
    def filled(self) -> int:
        """How many patches have something that has fallen due: those whose share is drawn."""
        return sum(self.banded(band) for band in DUE_BANDS)

    @property
    def lines(self) -> tuple[tuple[str, ...], ...]:
        """The table behind the picture: each row with its name, its labels and its sum."""
        return tuple(
            (name, *(label_of(cell) for cell in row), label_of(sum(row, Cell())))
            for name, row in zip(self.rows, self.cells, strict=True)
        )


# ---------------------------------------------------------------- the way of a duty

# The way that most duties take, and the states beside it.
WAY = (State.OPEN, State.SUBMITTED, State.CONFIRMED)
BESIDE = (State.RETURNED, State.CLAIMED, State.NOT_APPLICABLE, State.EXCUSED)
JUDGED = _n("已核查")


@dataclass(frozen=True, slots=True)
class Step:
    """One station of the way: its key, its name, how many duties stand there, and their share in per cent."""

    key: str
    name: str
    count: int
    share: Decimal


@dataclass(frozen=True, slots=True)
class Flow:
    """How many duties stand in each state; every one in exactly one. `judged`: how many of all an inspection judged."""

    kind: ClassVar[str] = "flow"
    legend: ClassVar[tuple[tuple[str, str], ...]] = ()
    counts: Mapping[State, int] = field(default_factory=dict)
    judged: int = 0

    @property
    def total(self) -> int:
        """All duties."""
        return sum(self.counts.values())

    @property
    def way(self) -> tuple[Step, ...]:
        """Open, submitted, confirmed, and at the end those that were judged, wherever they stand."""
        return (*(self._step(state) for state in WAY), Step("judged", JUDGED, self.judged, self._share(self.judged)))

    @property
    def beside(self) -> tuple[Step, ...]:
        """Returned, claimed, and what was set aside."""
        return tuple(self._step(state) for state in BESIDE)

    def _step(self, state: State) -> Step:
        count = self.counts.get(state, 0)
        return Step(state.value, STATE_NAMES[state], count, self._share(count))

    def _share(self, count: int) -> Decimal:
        whole = self.total
        return (Decimal(100 * count) / whole).quantize(Decimal("0.1")) if whole else Decimal(0)


# ---------------------------------------------------------------- findings burning down


@dataclass(frozen=True, slots=True)
class Life:
    """What is known of one finding: its first day, then from which day on it had which deadline and which state.

    Of two changes on one day the later one stands behind the earlier one, and holds at the end of the day.
    """

    began_on: date
    deadlines: tuple[tuple[date, date], ...]
    states: tuple[tuple[date, RectificationState], ...]

    def state_on(self, day: date) -> RectificationState | None:
        """The state at the end of a day; None before the finding was there."""
        if day < self.began_on:
            return None
        return next((state for since, state in reversed(self.states) if since <= day), RectificationState.NOT_STARTED)

    def deadline_on(self, day: date) -> date:
        """The deadline in force at the end of a day."""
        return next((deadline for since, deadline in reversed(self.deadlines) if since <= day), self.deadlines[0][1])


PARTS = ("overdue", "under_way", "reported")
PART_NAMES: Mapping[str, str] = {
    "overdue": _n("逾期未整改"),
    "under_way": _n("未整改或整改中"),
    "reported": _n("已整改待核"),
}


@dataclass(frozen=True, slots=True)
class Point:
    """How the findings stood at the end of a day; each in exactly one part."""

    day: date
    overdue: int
    under_way: int
    reported: int
    closed: int

    def __getitem__(self, part: str) -> int:
        """The number of one part."""
        return int(getattr(self, part))

    @property
    def open(self) -> int:
        """Those that are not closed."""
        return self.overdue + self.under_way + self.reported

    @property
    def total(self) -> int:
        """All that had been found by then."""
        return self.open + self.closed


STEPS_OF_DAYS = (1, 7, 14, 28)
MOST_POINTS = 16


@dataclass(frozen=True, slots=True)
class BurnDown:
    """The findings of a check, point by point; `every` is the number of days between two points."""

    kind: ClassVar[str] = "burn_down"
    points: tuple[Point, ...]
    every: int = 1

    @property
    def legend(self) -> tuple[tuple[str, str], ...]:
        """The parts of what is open, with their names."""
        return tuple((part, PART_NAMES[part]) for part in PARTS)

    @property
    def peak(self) -> int:
        """The most that were open at a point."""
        return max((point.open for point in self.points), default=0)

    @property
    def last(self) -> Point | None:
        """How it stands at the end."""
        return self.points[-1] if self.points else None


def point_on(lives: Iterable[Life], day: date) -> Point:
    """How findings stood at the end of a day."""
    counts = {"overdue": 0, "under_way": 0, "reported": 0, "closed": 0}
    for life in lives:
        state = life.state_on(day)
        if state is not None:
            counts[_part(state, late=is_overdue(state, life.deadline_on(day), today=day))] += 1
    return Point(day, **counts)


def _part(state: RectificationState, *, late: bool) -> str:
    match state:
        case RectificationState.CLOSED:
            return "closed"
        case RectificationState.REPORTED:
            return "reported"
        case _:
            return "overdue" if late else "under_way"


def burn_down(lives: Sequence[Life], *, today: date) -> BurnDown:
    """The findings from the first one on until today: by days, or by as many weeks as leave few enough points.

    Where all are closed, it ends on the day of the last closing. The last day is always a point, whatever the step.
    """
    if not lives:
        return BurnDown(())
    first = min(life.began_on for life in lives)
    last = max(first, min(today, _ended(lives) or today))
    length = (last - first).days
    steps = (every for every in STEPS_OF_DAYS if length < every * MOST_POINTS)
    every = next(steps, -(-(length + 1) // (MOST_POINTS * 7)) * 7)
    days = [last - timedelta(days=number * every) for number in range(length // every + 1)]
    days += [first] if days[-1] > first else []
    return BurnDown(tuple(point_on(lives, day) for day in reversed(days)), every)


def _ended(lives: Iterable[Life]) -> date | None:
    """The day on which the last finding was closed; None while one is open."""
    ends = [life.states[-1] if life.states else None for life in lives]
    closed = [end[0] for end in ends if end and end[1] is RectificationState.CLOSED]
    return max(closed) if len(closed) == len(ends) else None


# ---------------------------------------------------------------- months


@dataclass(frozen=True, slots=True)
class Month:
    """A column of a year: one month of it, or all the time before (0) or behind it (13)."""

    year: int
    number: int

    @property
    def starts_on(self) -> date | None:
        """The first day; None where it has no beginning."""
        return None if self.number == 0 else _first_day(self.year, self.number)

    @property
    def ends_on(self) -> date | None:
        """The last day; None where it has no end."""
        after = self.number + 1
        return None if after > MONTHS_BEHIND else _first_day(self.year, after) - timedelta(days=1)


MONTHS_BEHIND = 13


def _first_day(year: int, number: int) -> date:
    return date(year + (number - 1) // 12, (number - 1) % 12 + 1, 1)


def month_in(year: int, due_year: int, due_month: int) -> int:
    """The number of the column in which a day of that month stands, in a picture of `year`."""
    if due_year != year:
        return 0 if due_year < year else MONTHS_BEHIND
    return due_month


def months_of(year: int, used: Iterable[int]) -> list[Month]:
    """The columns of a year: its twelve months, and the time before and behind where something is due there."""
    found = set(used)
    return [Month(year, number) for number in range(MONTHS_BEHIND + 1) if 1 <= number <= 12 or number in found]


# ---------------------------------------------------------------- pictures as they are put on a page or on paper


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture with its title and the table behind it, in the words of one language."""

    kind: ClassVar[str] = "picture"
    title: Annotated[str, _n("图名")]
    figure: Grid | Flow | BurnDown
    headings: Annotated[tuple[str, ...], _n("表头")]
    rows: Annotated[tuple[tuple[str | int | date, ...], ...], _n("表格内容")]
    widths: tuple[int, ...]
