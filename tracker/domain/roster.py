"""The roster file: its sheets and columns, what its rows say, and what is wrong with them, row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from tracker.domain.actor import AppointmentKind
from tracker.domain.applicability import DecisionKind
from tracker.domain.errors import Invalid
from tracker.domain.text import _n

MOST_ROWS = 20_000
MOST_COLUMNS = 60


class SheetName(StrEnum):
    """The sheets that are read; their names stand in the file."""

    ORGANIZATIONS = "组织"
    PEOPLE = "人员"
    APPOINTMENTS = "任职"
    ASSIGNMENTS = "分配"


class Kind(StrEnum):
    """What a column holds; the vocabulary kinds take an id or a Chinese name of the checklist."""

    TEXT = "text"
    LONG = "long"
    CODE = "code"
    LOGIN = "login"
    STAFF = "staff"
    WHOLE = "whole"
    DAY = "day"
    FLAG = "flag"
    APPOINTMENT = "appointment"
    DECISION = "decision"
    EVERY = "every"
    LEVEL = "level"
    POST = "post"
    TAGS = "tags"
    DIMENSION = "dimension"
    EVIDENCE = "evidence"
    COUNTS = "counts"


@dataclass(frozen=True)
class Column:
    """A column: the field that it fills, its title in the first row, what it holds, and the comment on the title."""

    key: str
    title: str
    kind: Kind
    note: str
    required: bool = False


_ORGANIZATION = (
    Column("code", "组织代码", Kind.CODE, "字母、数字和连字符，如 LY-01；一经使用不再更改。", required=True),
    Column("parent", "上级代码", Kind.CODE, "上级组织的代码；只有最高一级组织空着。"),
    Column("name", "名称", Kind.TEXT, "组织的全称。", required=True),
    Column("level", "层级", Kind.LEVEL, "从下拉列表中选，也可写层级编号。", required=True),
    Column("tags", "标签", Kind.TAGS, "决定哪些事项适用；几个标签用顿号（、）分开，没有就空着。"),
    Column("is_unit", "是否单位", Kind.FLAG, "督查时作为一个单位来查的，填“是”。空着为“否”。"),
    Column("position", "排序", Kind.WHOLE, "同级之间的先后，小的在前。空着不改变原有排序。"),
    Column("opened_on", "成立日期", Kind.DAY, "空着：新组织从导入当天算起，已有组织不变。"),
    Column("closed_on", "撤销日期", Kind.DAY, "最后一天；没有撤销就空着。"),
    Column("term_ends_on", "届满日期", Kind.DAY, "本届任期届满的日子；没有任期就空着。"),
    Column("valid_from", "生效日期", Kind.DAY, "本行从哪天起生效。空着：新组织从成立日期起，变更从导入当天起。"),
)
_PERSON = (
    Column("account_name", "账号", Kind.LOGIN, "登录账号，全市唯一。账号和工号至少填一个。"),
    Column("staff_number", "工号", Kind.STAFF, "单位内部的人员编号，全市唯一。不要填身份证号。"),
    Column("name", "姓名", Kind.TEXT, "姓名只用来显示，不用来认人。", required=True),
)
_APPOINTMENT = (
    Column("organization", "组织代码", Kind.CODE, "在哪个组织任职。", required=True),
    Column("post", "岗位", Kind.POST, "从下拉列表中选，也可写岗位编号。", required=True),
    Column("number", "席位号", Kind.WHOLE, "只设一人的岗位空着或填 1；设多人的岗位填 1、2、3……，每个席位一人。"),
    Column("person", "账号或工号", Kind.STAFF, "与“人员”表中的账号或工号一致。", required=True),
    Column("kind", "任职方式", Kind.APPOINTMENT, "任职、代理或经办。经办可以代填，不能签。", required=True),
    Column("starts_on", "起", Kind.DAY, "任职的第一天。", required=True),
    Column("ends_on", "止", Kind.DAY, "任职的最后一天；仍在任就空着。"),
)
_ASSIGNMENT = (
    Column("year", "年度", Kind.WHOLE, "考核年度，如 2026。", required=True),
    Column("organization", "组织代码", Kind.CODE, "对哪个组织作出决定。", required=True),
    Column(
        "item_id", "事项编号", Kind.CODE, "责任清单中的事项编号；自定事项以 U- 开头另取一个，如 U-01。", required=True
    ),
    Column("kind", "决定", Kind.DECISION, "停用、改由其他岗位承担、增加次数或自定事项。", required=True),
    Column("post", "岗位", Kind.POST, "改由哪个岗位承担；自定事项由哪个岗位负责。"),
    Column("number", "席位号", Kind.WHOLE, "只改给其中一个席位时填。"),
    Column("times", "次数", Kind.WHOLE, "每个周期几次；不得少于法规规定的次数。"),
    Column("reason", "理由", Kind.LONG, "会印在责任清单上。", required=True),
    Column("effective_from", "生效日期", Kind.DAY, "从哪天起生效。", required=True),
    Column("title", "事项名称", Kind.TEXT, "以下各栏只用于自定事项。"),
    Column("requirement", "工作要求", Kind.LONG, "要做什么，一两句。"),
    Column("every", "周期", Kind.EVERY, "每月、每季度、每半年、每年或发生时。"),
    Column("grace", "宽限工作日", Kind.WHOLE, "周期结束后几个工作日内录入，空着为 5。"),
    Column("dimension", "类别", Kind.DIMENSION, "从下拉列表中选。"),
    Column("evidence", "佐证", Kind.EVIDENCE, "要什么佐证；几种用顿号（、）分开。"),
    Column("counts", "数字", Kind.COUNTS, "要填哪些数字；几个用顿号（、）分开。"),
    Column("confirmer", "确认岗位", Kind.POST, "由哪个上级岗位确认；空着表示提交即成立。"),
    Column("points", "分值", Kind.WHOLE, "空着为 0。"),
)
COLUMNS: Mapping[SheetName, tuple[Column, ...]] = {
    SheetName.ORGANIZATIONS: _ORGANIZATION,
    SheetName.PEOPLE: _PERSON,
    SheetName.APPOINTMENTS: _APPOINTMENT,
    SheetName.ASSIGNMENTS: _ASSIGNMENT,
}


@dataclass(frozen=True)
class RowError:
    """What is wrong in a cell, and what to do: two gettext keys whose `%(x)s` places `values` fills.

    `row` counts as the spreadsheet does, from 1; 0 where the whole sheet or file is meant. `column` is a title.
    """

    sheet: str
    row: int
    column: str
    wrong: str
    todo: str
    values: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        sentence = self.wrong + self.todo
        return f"{self.place}{sentence % self.values if self.values else sentence}"

    @property
    def place(self) -> str:
        """Where to look in the file, as it is named there: it ends in a colon, and is empty for the whole file."""
        place = " ".join(part for part in (self.sheet, f"第{self.row}行" if self.row else "", self.column) if part)
        return f"{place}：" if place else ""


class RosterRefused(Invalid):
    """A roster with errors: nothing of it was carried out. `rows` says what is wrong, row by row."""

    def __init__(self, rows: Sequence[RowError]) -> None:
        self.rows = tuple(rows)
        super().__init__(
            _n("花名册有 %(count)s 处错误，没有导入。请逐行改正后重新导入。"), field="file", count=len(self.rows)
        )


@dataclass(frozen=True)
class OrganizationRow:
    """A row of 组织; None means that the cell is empty."""

    row: int
    code: str
    parent: str | None
    name: str
    level: str
    tags: tuple[str, ...]
    is_unit: bool
    position: int | None
    opened_on: date | None
    closed_on: date | None
    term_ends_on: date | None
    valid_from: date | None


@dataclass(frozen=True)
class PersonRow:
    """A row of 人员."""

    row: int
    account_name: str | None
    staff_number: str | None
    name: str


@dataclass(frozen=True)
class AppointmentRow:
    """A row of 任职. `person` is an account name or a staff number."""

    row: int
    organization: str
    post: str
    number: int
    person: str
    kind: AppointmentKind
    starts_on: date
    ends_on: date | None

    @property
    def seat(self) -> str:
        """The key of the seat."""
        return f"{self.organization}.{self.post}-{self.number}"


@dataclass(frozen=True)
class AssignmentRow:
    """A row of 分配: a local decision. `item` is the text of an own item in the checklist's form."""

    row: int
    year: int
    organization: str
    item_id: str
    kind: DecisionKind
    post: str | None
    seat: str | None
    times: int | None
    reason: str
    effective_from: date
    item: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Roster:
    """What the sound rows of a file say. `sha256` is that of its bytes; `post_levels` are the levels of posts, by post.

    `doubtful` are the words of rows that could not be read: what other rows say of them is not to be judged.
    """

    organizations: tuple[OrganizationRow, ...] = ()
    people: tuple[PersonRow, ...] = ()
    appointments: tuple[AppointmentRow, ...] = ()
    assignments: tuple[AssignmentRow, ...] = ()
    post_levels: Mapping[str, str] = field(default_factory=dict)
    levels: tuple[str, ...] = ()
    sha256: str = ""
    doubtful: frozenset[str] = frozenset()


PERIOD_NAMES: Mapping[str, str] = {
    "month": _n("每月"),
    "quarter": _n("每季度"),
    "half": _n("每半年"),
    "year": _n("每年"),
    "event": _n("发生时"),
}
