"""The pictures of a check on paper: its sample by dimension, month and state, and its findings as they burn down."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from tracker.domain.board import Cell, Column, column_of
from tracker.domain.pictures import MONTHS_BEHIND, Grid, Month, Picture, burn_down, month_in, months_of
from tracker.domain.text import _n
from tracker.models import Organization
from tracker.queries.cycles import was_closed
from tracker.queries.duties import DutyThen
from tracker.queries.pictures import flow_of, lives
from tracker.queries.reports import Setting

Place = tuple[Any, str]  # as counted, as people call it


@dataclass(frozen=True)
class Sample:
    """What was known of a check: its number, its units, its duties, and which of them (row numbers) were judged."""

    setting: Setting
    number: int
    units: Sequence[Organization]
    duties: Sequence[DutyThen]
    judged: Collection[int]

    @property
    def of_one_unit(self) -> bool:
        """Whether its organizations are told apart, and not its units."""
        return len(self.units) == 1


def pictures_of(sample: Sample) -> tuple[Picture, ...]:
    """What is drawn of a check: of several units each in a row; of one its organizations, and its year item by item."""
    if not sample.duties:
        return ()
    return tuple(_pictures(sample))


def _pictures(sample: Sample) -> Iterator[Picture]:
    yield _by_dimension(sample)
    yield _year_at_a_glance(sample) if sample.of_one_unit else _by_month(sample)
    yield _flow(sample)
    yield from _burn_down(sample)


def _by_dimension(sample: Sample) -> Picture:
    setting, alone = sample.setting, sample.of_one_unit
    used = {duty.dimension for duty in sample.duties}
    columns = [(one.id, one.name) for one in setting.checklist.dimensions if one.id in used]
    title = _n("抽查任务办理情况：组织与维度") if alone else _n("抽查任务办理情况：单位与维度")
    corner, rows = _places(sample)
    return _grid(sample, title, corner, rows, columns, lambda duty: (_place_of(sample, duty), duty.dimension))


def _by_month(sample: Sample) -> Picture:
    corner, rows = _places(sample)
    title = _n("抽查任务办理情况：单位与月份")
    return _grid(
        sample, title, corner, rows, _months(sample), lambda duty: (_place_of(sample, duty), _month(sample, duty))
    )


def _year_at_a_glance(sample: Sample) -> Picture:
    owed = sorted({duty.item_id for duty in sample.duties})
    rows = [(item, f"{item} {sample.setting.items[item].title}") for item in owed]
    title = _n("抽查任务全年一览：事项与月份")
    months = _months(sample)
    return _grid(sample, title, _n("事项"), rows, months, lambda duty: (duty.item_id, _month(sample, duty)), small=True)


def _places(sample: Sample) -> tuple[str, list[Place]]:
    """What a row is, and the organizations or units of the sample in their official order."""
    used = {_place_of(sample, duty) for duty in sample.duties}
    rows: list[Place] = [(node.id, node.name) for node in sample.setting.nodes.values() if node.id in used]
    return (_n("组织") if sample.of_one_unit else _n("单位")), rows


def _place_of(sample: Sample, duty: DutyThen) -> int:
    return duty.organization_id if sample.of_one_unit else duty.unit_id


def _months(sample: Sample) -> list[Place]:
    used = (_month(sample, duty) for duty in sample.duties)
    return [(month.number, _month_name(sample, month)) for month in months_of(sample.setting.cycle.year, used)]


def _grid(
    sample: Sample,
    title: str,
    corner: str,
    rows: Sequence[Place],
    columns: Sequence[Place],
    key: Callable[[DutyThen], tuple[Any, Any]],
    *,
    small: bool = False,
) -> Picture:
    setting = sample.setting
    closed = was_closed(setting.cycle, setting.as_of)
    counts: defaultdict[tuple[Any, Any], Counter[Column]] = defaultdict(Counter)
    for duty in sample.duties:
        counts[key(duty)][_column(duty, sample, closed=closed)] += 1
    grid = Grid(
        setting.words(corner),
        tuple(name for _, name in rows),
        tuple(name for _, name in columns),
        tuple(tuple(Cell(dict(counts.get((row, column), {}))) for column, _ in columns) for row, _ in rows),
        small=small,
    )
    headings = (grid.corner, *grid.columns, setting.words(_n("合计")))
    widths = (12 if small else 6, *(2 for _ in grid.columns), 3)
    return Picture(setting.words(title), grid, headings, grid.lines, widths)


def _column(duty: DutyThen, sample: Sample, *, closed: bool) -> Column:
    return column_of(
        duty.state,
        due_on=duty.due_on,
        act_on=duty.act_on,
        first_submitted_on=duty.first_submitted_on,
        today=sample.setting.day,
        closed=closed,
    )


def _month(sample: Sample, duty: DutyThen) -> int:
    return month_in(sample.setting.cycle.year, duty.due_on.year, duty.due_on.month)


def _month_name(sample: Sample, month: Month) -> str:
    words = sample.setting.words
    if month.number == 0:
        return words(_n("上年"))
    return words(_n("次年")) if month.number == MONTHS_BEHIND else words(_n("%(month)s月")) % {"month": month.number}


def _flow(sample: Sample) -> Picture:
    words = sample.setting.words
    flow = flow_of((duty.shown, 1, int(duty.id in sample.judged)) for duty in sample.duties)
    steps = (*flow.way[:-1], *flow.beside, flow.way[-1])
    headings = (words(_n("状态")), words(_n("任务数")), words(_n("占比")))
    rows = tuple((words(step.name), step.count, f"{step.share}%") for step in steps)
    return Picture(words(_n("抽查任务流转")), flow, headings, rows, (2, 1, 1))


def _burn_down(sample: Sample) -> Iterator[Picture]:
    """Nothing where nothing was found."""
    setting, words = sample.setting, sample.setting.words
    found = lives(
        setting.session,
        inspection=sample.number,
        as_of=setting.as_of,
        units=[unit.id for unit in sample.units],
    )
    if not found:
        return
    drawn = burn_down(found, today=setting.day)
    names = [words(name) for _part, name in drawn.legend]
    headings = (words(_n("日终")), *names, words(_n("已销号")), words(_n("问题总数")))
    rows: tuple[tuple[int | date, ...], ...] = tuple(
        (point.day, *(point[part] for part, _name in drawn.legend), point.closed, point.total) for point in drawn.points
    )
    yield Picture(words(_n("整改销号进度")), drawn, headings, rows, (2, 2, 2, 2, 1, 1))
