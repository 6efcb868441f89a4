"""From the cells of a sheet to the rows of a roster, with everything that is wrong with them at once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tracker.domain.actor import AppointmentKind
from tracker.domain.applicability import DecisionKind
from tracker.domain.appointment import Term, overlap
from tracker.domain.checklist import ROOT
from tracker.domain.roster import (
    COLUMNS,
    MOST_ROWS,
    PERIOD_NAMES,
    AppointmentRow,
    AssignmentRow,
    Column,
    Kind,
    OrganizationRow,
    PersonRow,
    Roster,
    RowError,
    SheetName,
)
from tracker.domain.roster_cells import CellError, Vocabulary, parse_cell
from tracker.domain.text import _n

Cells = Sequence[object]
Values = dict[str, Any]
OWN_ONLY = {"title": "事项名称", "requirement": "工作要求", "every": "周期", "dimension": "类别", "post": "岗位"}


class RowFault(CellError):
    """A row whose cells do not fit each other; `column` is the title of the cell to look at."""

    def __init__(self, column: str, wrong: str, todo: str, **values: object) -> None:
        self.column = column
        super().__init__(wrong, todo, **values)


@dataclass
class Reader:
    """Reads one sheet; `errors` collects what is wrong."""

    sheet: SheetName
    words: Vocabulary
    errors: list[RowError] = field(default_factory=list)
    doubtful: set[str] = field(default_factory=set)

    def fault(self, row: int, column: str, error: CellError) -> None:
        """Note what is wrong in a cell."""
        self.errors.append(RowError(self.sheet.value, row, column, error.wrong, error.todo, error.values))

    def values(self, rows: Iterable[Cells]) -> Iterator[tuple[int, Values]]:
        """Yield the row number and the values by field of each row that is not empty and whose cells can be read."""
        places: dict[str, int] | None = None
        for number, cells in enumerate(rows, start=1):
            if number > MOST_ROWS:
                wrong, todo = _n("行数超过 %(most)s。"), _n("请删除多余的行（包括空行）后重试。")
                self.fault(number, "", CellError(wrong, todo, most=MOST_ROWS))
                return
            if places is None:
                places = self._header(cells)
                if places is None:
                    return
                continue
            if all(cell is None or str(cell).strip() == "" for cell in cells):
                continue
            values = self._row(number, cells, places)
            if values is not None:
                yield number, values

    def _header(self, cells: Cells) -> dict[str, int] | None:
        titles = [str(cell).strip().rstrip("*＊") if cell is not None else "" for cell in cells]
        missing = [column.title for column in COLUMNS[self.sheet] if column.title not in titles]
        twice = [column.title for column in COLUMNS[self.sheet] if titles.count(column.title) > 1]
        for title in missing:
            self.fault(1, title, CellError(_n("第一行缺少这一列。"), _n("请用模板的表头，不要删改列名。")))
        for title in twice:
            self.fault(1, title, CellError(_n("这一列出现了两次。"), _n("请只留一列。")))
        if missing or twice:
            return None
        return {column.key: titles.index(column.title) for column in COLUMNS[self.sheet]}

    def _row(self, number: int, cells: Cells, places: Mapping[str, int]) -> Values | None:
        values: Values = {}
        sound = True
        for column in COLUMNS[self.sheet]:
            place = places[column.key]
            try:
                values[column.key] = self._cell(cells[place] if place < len(cells) else None, column)
            except CellError as error:
                self.fault(number, column.title, error)
                sound = False
        if not sound:
            self.doubt(cells)
        return values if sound else None

    def doubt(self, cells: Iterable[object]) -> None:
        """Note the words of a row that is left out, so that nobody complains that they are missing."""
        self.doubtful.update(str(cell).strip() for cell in cells if cell is not None)

    def _cell(self, value: object, column: Column) -> object:
        if value is None or str(value).strip() == "":
            if column.required:
                raise CellError(_n("没有填。"), _n("这一列必须填写。"))
            return () if column.kind in (Kind.TAGS, Kind.EVIDENCE, Kind.COUNTS) else None
        return parse_cell(value, column.kind, self.words)


def _organization(row: int, values: Values, _: Vocabulary) -> OrganizationRow:
    if (values["level"] == ROOT) != (values["parent"] is None):
        raise RowFault(
            "上级代码", _n("只有最高一级组织没有上级。"), _n("请补填上级代码；确为最高一级的，请改层级并清空上级代码。")
        )
    opened, closed = values["opened_on"], values["closed_on"]
    if opened and closed and closed < opened:
        raise RowFault("撤销日期", _n("撤销日期早于成立日期。"), _n("请核对这两个日期。"))
    return OrganizationRow(row=row, **(values | {"is_unit": bool(values["is_unit"])}))


def _person(row: int, values: Values, _: Vocabulary) -> PersonRow:
    if not values["account_name"] and not values["staff_number"]:
        raise RowFault("账号", _n("账号和工号都没有填。"), _n("请至少填一个；姓名不能用来认人。"))
    return PersonRow(row=row, **values)


def _seat_number(values: Values, words: Vocabulary) -> int:
    number: int | None = values["number"]
    if values["post"] in words.each:
        if not number:
            raise RowFault("席位号", _n("这个岗位由多人担任，没有填席位号。"), _n("请填 1、2、3……，每个席位一人。"))
        return number
    if number not in (None, 1):
        raise RowFault("席位号", _n("这个岗位只设一人。"), _n("请把席位号改为 1 或空着。"))
    return 1


def _appointment(row: int, values: Values, words: Vocabulary) -> AppointmentRow:
    number = _seat_number(values, words)
    if values["ends_on"] and values["ends_on"] < values["starts_on"]:
        raise RowFault("止", _n("止日早于起日。"), _n("请核对这两个日期。"))
    return AppointmentRow(row=row, **(values | {"number": number}))


def _assignment(row: int, values: Values, words: Vocabulary) -> AssignmentRow:
    kind: DecisionKind = values["kind"]
    if kind is DecisionKind.GIVE and not values["post"]:
        raise RowFault("岗位", _n("没有填改由哪个岗位承担。"), _n("请从下拉列表中选岗位。"))
    if kind is DecisionKind.MORE and not values["times"]:
        raise RowFault("次数", _n("没有填每个周期几次。"), _n("请填写次数。"))
    one_seat = values["post"] and values["number"]
    seat = f"{values['organization']}.{values['post']}-{values['number']}" if one_seat else None
    names = ("year", "organization", "item_id", "kind", "post", "times", "reason", "effective_from")
    item = _own_item(values, words) if kind is DecisionKind.OWN else None
    return AssignmentRow(row=row, seat=seat, item=item, **{name: values[name] for name in names})


def _own_item(values: Values, words: Vocabulary) -> dict[str, Any]:
    """The text of an own item in the checklist's form; its frequency is of local origin."""
    for key, title in OWN_ONLY.items():
        if not values[key]:
            raise RowFault(title, _n("自定事项缺少这一栏。"), _n("请填写。"))
    times, every = values["times"] or 1, values["every"]
    label = PERIOD_NAMES[every] if times == 1 else f"{PERIOD_NAMES[every]}{times}次"
    return {
        "id": values["item_id"],
        "level": words.post_levels[values["post"]],
        "duty": "individual",
        "responsibility": "post",
        "post": values["post"],
        "confirmer": values["confirmer"],
        "dimension": values["dimension"],
        "title": values["title"],
        "requirement": values["requirement"],
        "frequency": {
            "every": every,
            "times": times,
            "grace": 5 if values["grace"] is None else values["grace"],
            "label": label,
            "basis": "local",
        },
        "evidence": list(values["evidence"]),
        "counts": list(values["counts"]),
        "points": values["points"] or 0,
    }


_MAKERS: Mapping[SheetName, Callable[[int, Values, Vocabulary], Any]] = {
    SheetName.ORGANIZATIONS: _organization,
    SheetName.PEOPLE: _person,
    SheetName.APPOINTMENTS: _appointment,
    SheetName.ASSIGNMENTS: _assignment,
}


def read_roster_rows(
    sheets: Mapping[SheetName, Iterable[Cells]], *, words: Vocabulary, sha256: str = ""
) -> tuple[Roster, list[RowError]]:
    """Read the cells of the sheets: the rows that are sound, and every error in the order of the file."""
    found: dict[SheetName, list[Any]] = {}
    errors: list[RowError] = []
    doubtful: set[str] = set()
    for name in SheetName:
        reader = Reader(name, words)
        found[name] = list(_made(reader, sheets.get(name, ())))
        reader.errors += _twice(name, found[name])
        errors += sorted(reader.errors, key=lambda error: error.row)
        doubtful |= reader.doubtful
    roster = Roster(
        organizations=tuple(found[SheetName.ORGANIZATIONS]),
        people=tuple(found[SheetName.PEOPLE]),
        appointments=tuple(found[SheetName.APPOINTMENTS]),
        assignments=tuple(found[SheetName.ASSIGNMENTS]),
        post_levels=words.post_levels,
        levels=words.levels,
        sha256=sha256,
        doubtful=frozenset(doubtful),
    )
    return roster, errors


def _made(reader: Reader, rows: Iterable[Cells]) -> Iterator[Any]:
    for number, values in reader.values(rows):
        try:
            yield _MAKERS[reader.sheet](number, values, reader.words)
        except RowFault as fault:
            reader.fault(number, fault.column, fault)
            reader.doubt(values.values())


def _twice(sheet: SheetName, rows: Sequence[Any]) -> Iterator[RowError]:
    """Rows that say again, or otherwise, what a row above says."""
    for column, keys_of in _SAME[sheet].items():
        first: dict[Hashable, int] = {}
        for row in rows:
            key = keys_of(row)
            if key is not None and first.setdefault(key, row.row) != row.row:
                wrong, todo = _n("与第 %(first)s 行重复。"), _n("请只留一行。")
                yield RowError(sheet.value, row.row, column, wrong, todo, {"first": first[key]})
    if sheet is SheetName.APPOINTMENTS:
        yield from _two_holders(rows)


_SAME: Mapping[SheetName, Mapping[str, Callable[[Any], Hashable]]] = {
    SheetName.ORGANIZATIONS: {"组织代码": lambda row: (row.code, row.valid_from)},
    SheetName.PEOPLE: {"账号": lambda row: row.account_name, "工号": lambda row: row.staff_number},
    SheetName.APPOINTMENTS: {"席位号": lambda row: (row.seat, row.person, row.kind, row.starts_on)},
    SheetName.ASSIGNMENTS: {
        "事项编号": lambda row: (row.year, row.organization, row.item_id, row.kind, row.effective_from)
    },
}


def _two_holders(rows: Sequence[AppointmentRow]) -> Iterator[RowError]:
    last: dict[str, AppointmentRow] = {}
    holders = (row for row in rows if row.kind is AppointmentKind.HOLDER)
    for row in sorted(holders, key=lambda row: (row.starts_on, row.row)):
        before = last.get(row.seat)
        same = before is not None and (before.person, before.starts_on) == (row.person, row.starts_on)
        if before is not None and not same and overlap(_term(before), _term(row)):
            later, earlier = max(row.row, before.row), min(row.row, before.row)
            wrong = _n("与第 %(first)s 行同一席位、任期重叠，同一天只能有一人任职。")
            todo = _n("请填写前任的止日，或改席位号。")
            yield RowError(SheetName.APPOINTMENTS.value, later, "席位号", wrong, todo, {"first": earlier})
        last[row.seat] = row


def _term(row: AppointmentRow) -> Term:
    return Term(row.person, row.starts_on, row.ends_on)
