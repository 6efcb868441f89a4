"""The roster template: a workbook with examples, drop-downs and comments, for one checklist."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import IO, Any

import xlsxwriter
from xlsxwriter.utility import xl_col_to_name

from tracker.domain.actor import AppointmentKind
from tracker.domain.appointment import KIND_NAMES
from tracker.domain.checklist import ROOT, Checklist, Post
from tracker.domain.roster import COLUMNS, Column, Kind, SheetName
from tracker.domain.roster_cells import LONG, SHORT, Vocabulary, vocabulary

LAST_ROW = 5000  # down to which drop-downs and formats reach
OPTIONS = "选项"
NOTES = "说明"
ONE_OF_LIST = frozenset({Kind.LEVEL, Kind.POST, Kind.APPOINTMENT, Kind.DECISION, Kind.EVERY, Kind.DIMENSION, Kind.FLAG})
WIDTHS = {Kind.TEXT: 30, Kind.LONG: 40, Kind.DAY: 13, Kind.WHOLE: 9, Kind.FLAG: 9, Kind.POST: 24, Kind.LEVEL: 18}
PEOPLE = ("江海舟", "柳如川", "沈望山", "陆明远", "顾长青", "秦晓岚", "白松年", "叶知秋", "程远桥", "林向晨")
SINCE = date(2024, 1, 1)
INSTRUCTIONS = (
    "各表第一行是表头，不要改动；其余各行是示例（组织和姓名均为虚构），填写前请全部删除。",
    "鼠标停在表头上可看到该列怎么填。深色表头为必填。可以另加列写备注，导入时不读。",
    "先填“组织”，再填“人员”，最后填“任职”。“分配”只在需要作出本地决定时填写。",
    "层级、岗位、标签可以写中文名称，也可以写责任清单中的编号。",
    "认人只看账号或工号，不看姓名：两个同名的人要有不同的账号或工号。不要填身份证号。",
    "换人时：在原任职一行填“止”，另起一行写接任的人和“起”。前任未办结的任务会生成移交清单，由双方签字。",
    "同一份文件导入两次，第二次不会有任何变化。表中没有写到的组织、人员和任职保持不变。",
    "导入前先试算：会逐行列出错误和将要发生的变化；只要有一处错误，就一处也不会改。",
)


Rows = Sequence[Sequence[object]]


def write_template(file: IO[bytes], *, checklist: Checklist, rows: Mapping[SheetName, Rows] | None = None) -> None:
    """Write the template for a checklist, with examples or with the `rows` given, cells in the order of the columns."""
    words = vocabulary(checklist)
    book = xlsxwriter.Workbook(file, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    writer = _Writer(book, words)
    for name in SheetName:
        writer.sheet(name, _examples(name, checklist, words) if rows is None else rows.get(name, ()))
    writer.notes(checklist)
    writer.options()
    book.close()


class _Writer:
    """Writes the sheets of one workbook."""

    def __init__(self, book: Any, words: Vocabulary) -> None:  # noqa: ANN401  XlsxWriter is untyped
        self.book, self.words = book, words
        head = {"bold": True, "border": 1, "valign": "vcenter", "text_wrap": True}
        self.required = book.add_format(head | {"bg_color": "#1F4E79", "font_color": "#FFFFFF"})
        self.optional = book.add_format(head | {"bg_color": "#DDE6F0"})
        self.formats = {
            Kind.DAY: book.add_format({"num_format": "yyyy-mm-dd"}),
            Kind.WHOLE: book.add_format({"num_format": "0"}),
        }
        self.text = book.add_format({"num_format": "@"})
        self.lists = self._lists()

    def _lists(self) -> dict[Kind, Sequence[str]]:
        shown: dict[Kind, Sequence[str]] = {kind: choice.shown for kind, choice in self.words.choices.items()}
        return shown | {Kind.FLAG: ("是", "否")}

    def sheet(self, name: SheetName, examples: Iterable[Sequence[object]]) -> None:
        """Write one sheet: header row, column formats, drop-downs, examples."""
        sheet = self.book.add_worksheet(name.value)
        columns = COLUMNS[name]
        sheet.freeze_panes(1, 0)
        sheet.autofilter(0, 0, LAST_ROW, len(columns) - 1)
        for place, column in enumerate(columns):
            form = self.formats.get(column.kind, self.text)
            sheet.set_column(place, place, WIDTHS.get(column.kind, 14), form)
            sheet.write_string(0, place, column.title, self.required if column.required else self.optional)
            sheet.write_comment(0, place, self._comment(column), {"x_scale": 2, "y_scale": 1.2})
            self._validate(sheet, place, column)
        for row, cells in enumerate(examples, start=1):
            for place, (column, cell) in enumerate(zip(columns, cells, strict=False)):
                self._cell(sheet, row, place, column, cell)

    def _comment(self, column: Column) -> str:
        known = self.lists.get(column.kind, ())
        listed = "可以填：" + "、".join(known[:30]) if known and column.kind not in ONE_OF_LIST else ""
        return column.note + listed

    def _cell(self, sheet: Any, row: int, place: int, column: Column, cell: object) -> None:  # noqa: ANN401
        form = self.formats.get(column.kind, self.text)
        if isinstance(cell, date):
            sheet.write_datetime(row, place, cell, form)
        elif isinstance(cell, int):
            sheet.write_number(row, place, cell, form)
        elif cell:
            sheet.write_string(row, place, str(cell), form)

    def _validate(self, sheet: Any, place: int, column: Column) -> None:  # noqa: ANN401
        rule = self._rule(column)
        if rule is not None:
            told = {"error_title": column.title, "error_message": column.note[:255]}
            sheet.data_validation(1, place, LAST_ROW, place, rule | told)

    def _rule(self, column: Column) -> dict[str, object] | None:
        if column.kind in ONE_OF_LIST:
            return {"validate": "list", "source": self._source(column.kind)}
        if column.kind is Kind.DAY:
            return {
                "validate": "date",
                "criteria": "between",
                "minimum": date(1921, 1, 1),
                "maximum": date(2100, 12, 31),
            }
        if column.kind is Kind.WHOLE:
            return {"validate": "integer", "criteria": "between", "minimum": 0, "maximum": 99999}
        if column.kind in (Kind.TEXT, Kind.LONG):
            most = SHORT if column.kind is Kind.TEXT else LONG
            return {"validate": "length", "criteria": "<=", "value": most}
        return None

    def _source(self, kind: Kind) -> str:
        letter = xl_col_to_name(list(self.lists).index(kind))
        return f"='{OPTIONS}'!${letter}$2:${letter}${len(self.lists[kind]) + 1}"

    def options(self) -> None:
        """Write the lists that the drop-downs show, on a hidden sheet."""
        sheet = self.book.add_worksheet(OPTIONS)
        for place, (kind, shown) in enumerate(self.lists.items()):
            sheet.write_string(0, place, kind.value, self.optional)
            sheet.write_column(1, place, shown, self.text)
        sheet.hide()

    def notes(self, checklist: Checklist) -> None:
        """Write how the file is filled in, and for which checklist it was made."""
        sheet = self.book.add_worksheet(NOTES)
        sheet.set_column(0, 0, 110, self.book.add_format({"text_wrap": True, "valign": "top"}))
        sheet.write_string(
            0, 0, f"花名册模板，适用于责任清单：{checklist.title}（{checklist.key}，{checklist.version}）"
        )
        for row, line in enumerate(INSTRUCTIONS, start=1):
            sheet.write_string(row, 0, f"{row}. {line}")


def _examples(name: SheetName, checklist: Checklist, words: Vocabulary) -> list[tuple[object, ...]]:
    levels = words.choices[Kind.LEVEL].shown
    posts = [(post, shown) for post, shown in zip(checklist.posts, words.choices[Kind.POST].shown, strict=True)]
    if name is SheetName.ORGANIZATIONS:
        return _example_organizations(levels)
    if name is SheetName.PEOPLE:
        return [(f"demo{n:02}", f"{n:04}", person) for n, person in enumerate(PEOPLE, start=1)]
    if name is SheetName.APPOINTMENTS:
        return _example_appointments(posts, list(words.levels))
    return []


def _codes(count: int) -> list[str]:
    """The codes of the example organizations: the root, a unit, and one below the other."""
    return ["QH", "QH-LY", *(f"QH-LY-{n:02}" for n in range(1, count - 1))]


def _example_organizations(levels: Sequence[str]) -> list[tuple[object, ...]]:
    names = ["清河市示例机关", "清河市示例单位", *(f"清河市示例单位下属组织{n}" for n in range(1, len(levels) - 1))]
    codes = _codes(len(levels))
    rows: list[tuple[object, ...]] = []
    for place, (code, name, level) in enumerate(zip(codes, names, levels, strict=True)):
        above = codes[place - 1] if place else ""
        unit = "是" if place == 1 else "否"
        rows.append((code, above, name, level, "", unit, place + 1, SINCE))
    return rows


def _example_appointments(posts: Sequence[tuple[Post, str]], levels: Sequence[str]) -> list[tuple[object, ...]]:
    codes, rows = _codes(len(levels)), list[tuple[object, ...]]()
    kind = KIND_NAMES[AppointmentKind.HOLDER]
    people = iter(range(1, len(PEOPLE) + 1))
    for post, shown in posts:
        code = codes[levels.index(ROOT if post.level == ROOT else post.level)]
        for number in (1, 2) if post.holders == "each" else (1,):
            person = next(people, None)
            if person is not None:
                rows.append((code, shown, number, f"demo{person:02}", kind, SINCE))
    return rows
