"""How the cells of a roster become values: text, days, numbers, and the checklist's words by id or by Chinese name."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from tracker.domain.actor import AppointmentKind
from tracker.domain.applicability import DECISION_NAMES, DecisionKind
from tracker.domain.appointment import KIND_NAMES
from tracker.domain.checklist import ROOT, Checklist
from tracker.domain.roster import PERIOD_NAMES, Kind
from tracker.domain.text import _n

CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,31}")
LOGIN = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
STAFF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
DAY = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?")
COMPACT_DAY = re.compile(r"(\d{4})(\d{2})(\d{2})")
IDENTITY_NUMBER = re.compile(r"\d{17}[\dXx]")
FORMULA_ERRORS = frozenset({"#REF!", "#N/A", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!"})
RESERVED_CODES = frozenset({"system", ROOT})
FLAGS = {"是": True, "否": False, "yes": True, "no": False, "y": True, "n": False, "1": True, "0": False}
FLAGS |= {"true": True, "false": False}
EXCEL_EPOCH = date(1899, 12, 30)
FIRST_DAY, LAST_DAY = date(1921, 1, 1), date(2100, 12, 31)
SHORT, LONG = 200, 2000


class CellError(Exception):
    """A cell that cannot be right: what is wrong, and what to do (gettext keys, and what fills their places)."""

    def __init__(self, wrong: str, todo: str, **values: object) -> None:
        self.wrong, self.todo, self.values = wrong, todo, values
        super().__init__(wrong)


@dataclass(frozen=True)
class Choice:
    """A closed list of words: `ids` by everything that may be written for them, `shown` as the drop-down has them."""

    ids: Mapping[str, str]
    shown: tuple[str, ...]

    def id_of(self, text: str) -> str | None:
        """The id that is meant; None if there is none."""
        return self.ids.get(text)


@dataclass(frozen=True)
class Vocabulary:
    """The words of a checklist that a roster may use, and what belongs to its posts."""

    choices: Mapping[Kind, Choice]
    levels: tuple[str, ...]
    post_levels: Mapping[str, str]
    each: frozenset[str]
    items: tuple[str, ...]


def _choice(named: Iterable[tuple[str, str]]) -> Choice:
    """A name that two ids share stands for neither: then only the id can be written."""
    pairs = list(named)
    count = Counter(name for _, name in pairs)
    unique = {name: key for key, name in pairs if count[name] == 1}
    return Choice(unique | {key: key for key, _ in pairs}, tuple(n if count[n] == 1 else k for k, n in pairs))


def vocabulary(checklist: Checklist) -> Vocabulary:
    """What a roster for this checklist may say. The root stands before the levels, by the name the list gives it."""
    levels = [(ROOT, checklist.root_name), *((level.id, level.name) for level in checklist.levels)]
    choices = {
        Kind.LEVEL: _choice(levels),
        Kind.POST: _choice((post.id, post.name) for post in checklist.posts),
        Kind.TAGS: _choice((tag.id, tag.name) for tag in checklist.tags),
        Kind.DIMENSION: _choice((dimension.id, dimension.name) for dimension in checklist.dimensions),
        Kind.EVIDENCE: _choice((kind.id, kind.name) for kind in checklist.evidence_kinds),
        Kind.COUNTS: _choice((kind.id, kind.name) for kind in checklist.counts),
        Kind.APPOINTMENT: _choice((kind.value, name) for kind, name in KIND_NAMES.items()),
        Kind.DECISION: _choice((kind.value, name) for kind, name in DECISION_NAMES.items()),
        Kind.EVERY: _choice(PERIOD_NAMES.items()),
    }
    return Vocabulary(
        choices,
        tuple(key for key, _ in levels),
        {post.id: post.level for post in checklist.posts},
        frozenset(post.id for post in checklist.posts if post.holders == "each"),
        tuple(item.id for item in checklist.items if not item.retired),
    )


def cell_text(value: object, *, longest: int = SHORT) -> str:
    """The text of a cell in normal form C, without space around it; "" for an empty one. Raises CellError."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = unicodedata.normalize("NFC", str(value)).strip()
    if text in FORMULA_ERRORS:
        raise CellError(_n("公式出错（%(text)s）。"), _n("请改成直接填写的内容。"), text=text)
    if len(text) > longest:
        raise CellError(_n("内容超过 %(longest)s 个字。"), _n("请缩短。"), longest=longest)
    if any(unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Co") for letter in text.replace("\n", " ")):
        raise CellError(_n("含有看不见的控制字符。"), _n("请删除这个单元格的内容后重新输入。"))
    return text


def _long(value: object) -> str:
    return cell_text(value, longest=LONG)


def _line(value: object) -> str:
    return " ".join(cell_text(value).split())


def _code(value: object) -> str:
    text = unicodedata.normalize("NFKC", _line(value))
    if not CODE.fullmatch(text):
        raise CellError(
            _n("代码 %(text)s 不合规则。"), _n("请只用字母、数字和连字符，不超过 32 个字符。"), text=text[:40]
        )
    if text.lower() in RESERVED_CODES:
        raise CellError(_n("代码 %(text)s 由系统使用。"), _n("请换一个代码。"), text=text)
    return text


def _login(value: object) -> str:
    text = unicodedata.normalize("NFKC", _line(value)).lower()
    if not LOGIN.fullmatch(text):
        raise CellError(
            _n("账号 %(text)s 不合规则。"), _n("请只用字母、数字和 . _ - @，不超过 64 个字符。"), text=text[:40]
        )
    return _not_identity(text)


def _staff(value: object) -> str:
    text = unicodedata.normalize("NFKC", _line(value))
    if not STAFF.fullmatch(text):
        raise CellError(_n("编号 %(text)s 不合规则。"), _n("请填写账号或工号，不要填姓名。"), text=text[:40])
    return _not_identity(text)


def _not_identity(text: str) -> str:
    if IDENTITY_NUMBER.fullmatch(text):
        raise CellError(_n("看起来是身份证号。"), _n("本系统不收身份证号，请改填账号或工号。"))
    return text


def _whole(value: object) -> int:
    text = unicodedata.normalize("NFKC", _line(value))
    if not re.fullmatch(r"\d{1,5}", text):
        raise CellError(_n("“%(text)s”不是整数。"), _n("请填写 0 到 99999 之间的整数。"), text=text[:40])
    return int(text)


def _day(value: object) -> date:
    day = _day_of(value)
    if day is None or not FIRST_DAY <= day <= LAST_DAY:
        raise CellError(_n("“%(text)s”不是日期。"), _n("请按 2026-03-01 的样子填写。"), text=str(value).strip()[:40])
    return day


def _day_of(value: object) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    text = unicodedata.normalize("NFKC", _line(value))
    found = DAY.fullmatch(text) or COMPACT_DAY.fullmatch(text)
    if found:
        try:
            return date(*(int(part) for part in found.groups()))
        except ValueError:
            return None
    if isinstance(value, int | float) and 1 <= value < 80_000:  # a day that lost its format: counted from 1899-12-30
        return EXCEL_EPOCH + timedelta(days=int(value))
    return None


def _flag(value: object) -> bool:
    flag = FLAGS.get(_line(value).lower())
    if flag is None:
        raise CellError(_n("“%(text)s”既不是“是”也不是“否”。"), _n("请填“是”或“否”。"), text=_line(value)[:40])
    return flag


_PARSERS: Mapping[Kind, Callable[[object], object]] = {
    Kind.TEXT: _line,
    Kind.LONG: _long,
    Kind.CODE: _code,
    Kind.LOGIN: _login,
    Kind.STAFF: _staff,
    Kind.WHOLE: _whole,
    Kind.DAY: _day,
    Kind.FLAG: _flag,
}
_MANY = frozenset({Kind.TAGS, Kind.EVIDENCE, Kind.COUNTS})
_ENUMS: Mapping[Kind, Callable[[str], object]] = {Kind.APPOINTMENT: AppointmentKind, Kind.DECISION: DecisionKind}


def parse_cell(value: object, kind: Kind, words: Vocabulary) -> object:
    """The value of a cell that is not empty. Raises CellError."""
    parser = _PARSERS.get(kind)
    if parser is not None:
        return parser(value)
    choice = words.choices[kind]
    if kind in _MANY:
        parts = [part.strip() for part in re.split(r"[、，,;；\n]", cell_text(value, longest=LONG))]
        return tuple(sorted({_word(part, choice) for part in parts if part}))
    word = _word(_line(value), choice)
    return _ENUMS[kind](word) if kind in _ENUMS else word


def _word(text: str, choice: Choice) -> str:
    found = choice.id_of(text)
    if found is None:
        known = "、".join(choice.shown[:12]) or "—"
        raise CellError(_n("没有“%(text)s”这一项。"), _n("可以填：%(known)s。"), text=text[:40], known=known)
    return found
