"""Who and what there is in the demo city, as rows of a roster: organizations, people and who sits where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from io import BytesIO

import xlsxwriter

from tracker.cli.demo import words
from tracker.cli.demo.clock import BEGIN, chance, moment
from tracker.domain.actor import AppointmentKind, RoleName
from tracker.domain.appointment import KIND_NAMES
from tracker.domain.checklist import ROOT, Checklist, Level, Post
from tracker.domain.roster import COLUMNS, SheetName

SINCE = date(2024, 1, 1)
Row = tuple[object, ...]
ROLES = {
    "ducha": RoleName.INSPECTOR,
    "ducha2": RoleName.INSPECTOR,
    "guanli": RoleName.ADMINISTRATOR,
    "guanli2": RoleName.ADMINISTRATOR,
    "shenji": RoleName.AUDITOR,
}


@dataclass(frozen=True)
class Scale:
    """How large the city is: organizations of the lowest level for each unit (the last unit has no middle level)."""

    branches: tuple[int, ...] = (9, 9, 9, 9, 9, 8, 8, 3)
    members: int = 4
    samples: int = 4


@dataclass(frozen=True)
class Ladder:
    """The levels and posts of a checklist by their part in the city."""

    top: Level
    middle: Level
    base: Level
    head: Post
    member: Post
    middle_post: Post
    base_post: Post
    root_posts: tuple[Post, ...]

    @classmethod
    def of(cls, checklist: Checklist) -> Ladder:
        """Read the ladder of a list of three levels, the top one with a post that several hold."""
        top, middle, base = checklist.levels
        head, member = sorted(
            (p for p in checklist.posts if p.level == top.id), key=lambda post: post.holders == "each"
        )
        [middle_post] = [post for post in checklist.posts if post.level == middle.id]
        [base_post] = [post for post in checklist.posts if post.level == base.id]
        root_posts = tuple(post for post in checklist.posts if post.level == ROOT)
        return cls(top, middle, base, head, member, middle_post, base_post, root_posts)


@dataclass
class Sheets:
    """The rows of one roster file, cells in the order of the columns."""

    organizations: list[Row] = field(default_factory=list)
    people: list[Row] = field(default_factory=list)
    sittings: list[Row] = field(default_factory=list)

    def as_file(self) -> BytesIO:
        """Write an .xlsx file: the same rows, the same bytes."""
        file = BytesIO()
        book = xlsxwriter.Workbook(file, {"in_memory": True, "strings_to_formulas": False})
        book.set_properties({"created": moment(BEGIN)})
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        sheets = (self.organizations, self.people, self.sittings)
        for name, rows in zip((SheetName.ORGANIZATIONS, SheetName.PEOPLE, SheetName.APPOINTMENTS), sheets, strict=True):
            sheet = book.add_worksheet(name.value)
            for row, cells in enumerate([tuple(column.title for column in COLUMNS[name]), *rows]):
                for place, cell in enumerate(cells):
                    if isinstance(cell, date):
                        sheet.write_datetime(row, place, cell, day)
                    elif cell not in (None, ""):
                        sheet.write(row, place, cell)
        book.close()
        file.seek(0)
        return file


class _People:
    """Hands out invented people, each name once."""

    def __init__(self) -> None:
        names = [s + f + g for s in words.SURNAMES for f in words.FIRST for g in words.SECOND]
        chance("names").shuffle(names)
        rare = [surname + given for surname, given in zip(words.SURNAMES[7:], words.RARE_GIVEN, strict=False)]
        every = dict.fromkeys([*names[:9], *(n for pair in zip(rare, names[9:], strict=False) for n in pair)])
        self._names: Iterator[str] = iter(dict.fromkeys([*every, *names]))
        self.rows: list[Row] = []

    def add(self, account: str) -> str:
        """Add a person and return the account name."""
        self.rows.append((account, f"{600001 + len(self.rows)}", next(self._names)))
        return account


class Town:
    """The city on its first day. `units` are the codes in order; `scale` says how many organizations each has."""

    def __init__(self, checklist: Checklist, scale: Scale) -> None:
        self.checklist, self.scale, self.ladder = checklist, scale, Ladder.of(checklist)
        self.sheets = Sheets()
        self._people = _People()
        last = len(scale.branches) - 1
        chosen = [*words.UNITS[:last], words.UNITS[-1]]
        self.units = [code for code, _, _ in chosen]
        self.themes = {code: themes for code, _, themes in chosen}
        self._root()
        for place, (code, name, _) in enumerate(chosen):
            self._unit(place, code, f"{words.CITY}{name}", has_middle=place != last)
        for account in ROLES:
            self._people.add(account)
        self.sheets.people = self._people.rows

    @property
    def middles(self) -> dict[str, str]:
        """The organization of the middle level by unit, where there is one."""
        return {unit: f"{unit}-M" for unit in self.units[:-1]}

    def branches(self, unit: str) -> list[str]:
        """The organizations of the lowest level of a unit on the first day."""
        return [f"{unit}-{n:02}" for n in range(1, self.scale.branches[self.units.index(unit)] + 1)]

    def seat(self, code: str, post: Post, number: int = 1) -> str:
        """The key of a seat."""
        return f"{code}.{post.id}-{number}"

    def newcomer(self, account: str) -> Row:
        """A row of somebody who comes during the year."""
        self._people.add(account)
        return self._people.rows[-1]

    def branch_row(self, code: str, *, tags: list[str] | None = None, opened: date = SINCE) -> Row:
        """The row of an organization of the lowest level."""
        unit, number = code.rsplit("-", 1)
        name = next(n for c, n, _ in words.UNITS if c == unit)
        department = words.DEPARTMENTS[(int(number) - 1) % len(words.DEPARTMENTS)]
        parent = self.middles.get(unit, unit)
        full = f"{words.CITY}{name}{department}{_short(self.ladder.base)}"
        term = date(2026 + (int(number) + self.units.index(unit)) % 3, 9 + int(number) % 3, 28)
        wanted = self.tags_of(code) if tags is None else tags
        return code, parent, full, self.ladder.base.id, "、".join(wanted), "否", int(number), opened, None, term, None

    def tags_of(self, code: str) -> list[str]:
        """The tags of an organization of the lowest level: most have each."""
        known = self._tags(self.ladder.base)
        return [tag for tag in known if chance(code, tag).random() < 0.8 or code.endswith("-01")]

    def _tags(self, level: Level) -> list[str]:
        """The tags that an item of the level asks for."""
        asked = {tag for item in self.checklist.items if item.level == level.id for tag in item.applies.all_of}
        return [tag.id for tag in self.checklist.tags if tag.id in asked]

    def _root(self) -> None:
        row = (
            words.CITY_CODE,
            None,
            words.CITY + self.checklist.root_name.removeprefix("市"),
            ROOT,
            "",
            "否",
            1,
            SINCE,
        )
        self.sheets.organizations.append(row)
        for number, post in enumerate(self.ladder.root_posts):
            self._seat(words.CITY_CODE, post, 1, self._people.add("gongwei" if not number else f"gongwei{number + 1}"))

    def _unit(self, place: int, code: str, name: str, *, has_middle: bool) -> None:
        bare = {tag for item in self.checklist.items for tag in item.applies.none_of}
        tags = "" if has_middle else "、".join(tag.id for tag in self.checklist.tags if tag.id in bare)
        top = (code, words.CITY_CODE, name, self.ladder.top.id, tags, "是", place + 1, SINCE)
        self.sheets.organizations.append(top)
        first, low = place == 0, code.lower()
        self._seat(code, self.ladder.head, 1, self._people.add("dangzu" if first else f"{low}001"))
        for number in range(1, self.scale.members + 1):
            account = "banzi" if first and number == 1 else f"{low}{number + 1:03}"
            self._seat(code, self.ladder.member, number, self._people.add(account))
        if has_middle:
            tags = "、".join(self._tags(self.ladder.middle))
            middle = (f"{code}-M", code, name + _short(self.ladder.middle), self.ladder.middle.id, tags, "否", 1, SINCE)
            self.sheets.organizations.append(middle)
            self._seat(f"{code}-M", self.ladder.middle_post, 1, self._people.add("jiguan" if first else f"{low}010"))
        for number, branch in enumerate(self.branches(code), start=1):
            self._branch(branch, low, number, place)

    def _branch(self, code: str, low: str, number: int, place: int) -> None:
        """An organization of the lowest level: one seat is vacant, one is acted for, some have a clerk."""
        self.sheets.organizations.append(self.branch_row(code))
        last = self.units[place] == self.units[-1] and number == self.scale.branches[-1]
        acting = place == 1 and number == 2
        if not last:
            account = "zhibu" if place == 0 and number == 1 else f"{low}{100 + number}"
            kind = AppointmentKind.ACTING if acting else AppointmentKind.HOLDER
            self._seat(code, self.ladder.base_post, 1, self._people.add(account), kind)
        if number % 2 == 1:
            account = "jingban" if place == 0 and number == 1 else f"{low}{200 + number}"
            self._seat(code, self.ladder.base_post, 1, self._people.add(account), AppointmentKind.CLERK)

    def _seat(
        self, code: str, post: Post, number: int, account: str, kind: AppointmentKind = AppointmentKind.HOLDER
    ) -> None:
        self.sheets.sittings.append(sitting(code, post, account, kind, number=number))


def sitting(
    code: str,
    post: Post,
    account: str,
    kind: AppointmentKind = AppointmentKind.HOLDER,
    *,
    number: int = 1,
    starts_on: date = SINCE,
    ends_on: date | None = None,
) -> Row:
    """A row of the sheet of appointments."""
    return code, post.id, number, account, KIND_NAMES[kind], starts_on, ends_on


def _short(level: Level) -> str:
    return level.name.partition("（")[0]
