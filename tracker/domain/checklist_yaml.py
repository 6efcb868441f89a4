"""From the bytes of a checklist file to data with positions. Whatever they are, it answers soon and never crashes.

Only the pure Python parser of PyYAML is used, event by event: the C loader dies of deep nesting, and every ready-made
loader lets the last of two equal keys win and turns `no`, `12:30` and `010` into something else. Here every word stays
text; the schema decides what it means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from tracker.domain.checklist_problem import Finding, Path
from tracker.domain.checklist_scalars import Plain
from tracker.domain.text import _n

MAX_BYTES = 512 * 1024  # several times the longest list known
MAX_LINES = 12_000
MAX_LINE = 4_000  # characters
MAX_NODES = 16_000  # about 240 items; the parser reads that within a second
MAX_DEPTH = 16
MAX_FINDINGS = 500

NOTHING = re.compile(r"|~|null|Null|NULL")
INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
DEEP = re.compile(r"(?:[\[{]\s*){16}[\[{]|(?:[-?] +){16}[-?](?= )")
SLIP = re.compile(r" *(?:- +)?[a-z_]{2,20}(?:：|:(?=[^\s/]))")
BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")

Data = str | None | list["Data"] | dict[str, "Data"]
Place = tuple[int, int]


@dataclass
class Tree:
    """The data of a file and where each part of it stands (line and column, from 1)."""

    data: Data = None
    values: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    complete: bool = True

    def place(self, path: Path, *, at_key: bool = False) -> Place:
        """Where the path stands; where there is no such thing, the nearest thing around it."""
        if at_key and path in self.keys:
            return self.keys[path]
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, (1, 1))

    def is_bare(self, path: Path) -> bool:
        """Whether the path is that of a fault of the writing: it has a place, but leads to no data."""
        return len(path) == 1 and str(path[0]).startswith("\0")

    def entry_around(self, place: Place) -> Path:
        """The entry of a section, such as an item, inside which the place lies; or the empty path."""
        entries = {at: path for path, at in self.values.items() if len(path) == 2 and isinstance(path[1], int)}
        before = max((at for at in entries if at[0] <= place[0]), default=None)
        return entries[before] if before and before[1] <= place[1] else ()


class _Stop(Exception):
    """Reading cannot go on."""


def read_tree(source: bytes) -> Tree:
    """Read the data, the positions and everything that is wrong with the writing itself. Never raises."""
    tree, text = Tree(), ""
    try:
        text = _decode(source, tree)
        _look_over(text, tree)
        _Walk(text, tree).run()
    except _Stop:
        tree.complete = False
    except yaml.MarkedYAMLError as error:
        _syntax(error, tree)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
        # e.g. an escape beyond the last character: PyYAML lets chr() complain
        _complain(tree, (1, 1), "syntax", _n("文件不是合法的 YAML"), _n("对照说明文档检查缩进、冒号和引号"))
        tree.complete = False
    if not isinstance(tree.data, dict):
        _hint(text, tree)
    return tree


def _complain(tree: Tree, place: Place, code: str, message: str, fix: str, **values: object) -> None:
    """Note a fault of the writing; it gets a path of its own, so that it keeps its exact place."""
    path: Path = (f"\0{len(tree.findings)}",)
    tree.values[path] = place
    tree.findings.append(Finding(path, code, message, fix, values))
    if len(tree.findings) >= MAX_FINDINGS:
        raise _Stop


def _stop(tree: Tree, place: Place, code: str, message: str, fix: str, **values: object) -> None:
    _complain(tree, place, code, message, fix, **values)
    raise _Stop


def _decode(source: bytes, tree: Tree) -> str:
    """Decode UTF-8 without a mark, within the size."""
    if len(source) > MAX_BYTES:
        _stop(
            tree,
            (1, 1),
            "too-large",
            _n("文件有 %(size)s KB，超过上限 %(limit)s KB"),
            _n("拆分清单或删去多余内容"),
            size=len(source) // 1024,
            limit=MAX_BYTES // 1024,
        )
    if source.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        _stop(tree, (1, 1), "bom", _n("文件开头有字节顺序标记（BOM）"), _n("另存为“UTF-8（无 BOM）”编码"))
    try:
        return source.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        before = source[: error.start].decode("utf-8")
        _stop(tree, _end_of(before), "encoding", _n("文件不是 UTF-8 编码"), _n("用编辑器另存为“UTF-8（无 BOM）”编码"))
        raise


def _end_of(text: str) -> Place:
    """The line and column just behind the text."""
    return text.count("\n") + 1, len(text) - (text.rfind("\n") + 1) + 1


def _look_over(text: str, tree: Tree) -> None:
    """Refuse cheaply, before any parsing, what no honest list contains."""
    for found in INVISIBLE.finditer(text):
        _complain_of_character(tree, _end_of(text[: found.start()]), found.group())
    deep = DEEP.search(text)
    if deep:
        _too_deep(tree, _end_of(text[: deep.end() - 1]))
    lines = text.split("\n")
    if len(lines) > MAX_LINES:
        _stop(tree, (MAX_LINES, 1), "too-many-lines", _n("文件超过 %(limit)s 行"), _n("拆分清单"), limit=MAX_LINES)
    if sum(map(text.count, ",:\n")) > MAX_NODES:  # every entry ends with one of these
        _too_many(tree, (1, 1))
    for number, line in enumerate(lines, 1):
        _look_at_line(number, line, tree)
    if tree.findings:
        raise _Stop


def _look_at_line(number: int, line: str, tree: Tree) -> None:
    if len(line) > MAX_LINE:
        _complain(
            tree,
            (number, MAX_LINE),
            "line-too-long",
            _n("这一行超过 %(limit)s 个字"),
            _n("精简或分行书写"),
            limit=MAX_LINE,
        )
    blank = line[: len(line) - len(line.lstrip())]
    if "\t" in blank:
        _complain(tree, (number, blank.index("\t") + 1), "tab", _n("缩进用了制表符（Tab）"), _n("改用空格，每级两个"))


def _hint(text: str, tree: Tree) -> None:
    """Name two common slips that make a file unreadable; elsewhere the same characters may be honest text."""
    for number, line in enumerate(text.split("\n")[:MAX_LINES], 1):
        slip = SLIP.match(line)
        if slip and len(tree.findings) < MAX_FINDINGS - 1:
            message = _n("键后面的冒号是全角的，或冒号后没有空格")
            _complain(tree, (number, slip.end()), "colon", message, _n("用半角冒号，后空一格，如“title: …”"))


def _too_deep(tree: Tree, place: Place) -> None:
    _stop(tree, place, "too-deep", _n("嵌套超过 %(limit)s 层"), _n("减少括号或缩进的层数"), limit=MAX_DEPTH)


def _too_many(tree: Tree, place: Place) -> None:
    _stop(tree, place, "too-many-nodes", _n("清单内容超过 %(limit)s 项"), _n("拆分清单"), limit=MAX_NODES)


def _complain_of_character(tree: Tree, place: Place, character: str) -> None:
    values = {"character": f"U+{ord(character):04X}"}
    if BIDI.match(character):
        _complain(tree, place, "bidi", _n("有改变文字方向的隐形字符 %(character)s"), _n("删去这个字符"), **values)
    else:
        _complain(
            tree, place, "control-character", _n("有控制字符或隐形字符 %(character)s"), _n("删去这个字符"), **values
        )


def _syntax(error: yaml.MarkedYAMLError, tree: Tree) -> None:
    """Say what the parser says, in Chinese where the cause is a common one."""
    tree.complete = False
    mark = error.problem_mark or error.context_mark
    place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    problem = error.problem or ""
    for part, message, fix in SYNTAX:
        if part in problem:
            _complain(tree, place, "syntax", message, fix)
            return
    _complain(
        tree,
        place,
        "syntax",
        _n("书写格式有误（%(problem)s）"),
        _n("检查这一行和上一行的缩进、冒号和引号"),
        problem=problem or error.context or "?",
    )


SYNTAX = (
    ("could not find expected ':'", _n("这里缺少冒号"), _n("写成“键: 值”，用半角冒号，冒号后空一格")),
    (
        "mapping values are not allowed",
        _n("一行里有两个冒号，或缩进不对"),
        _n("值中有冒号时给值加引号，并与上一行对齐"),
    ),
    ("expected <block end>", _n("缩进与前面的行不一致"), _n("同一级的键左边对齐，每级缩进两个空格")),
    ("found unexpected end of stream", _n("引号没有成对"), _n("补上右引号")),
    ("cannot start any token", _n("这里的符号不能作开头"), _n("给整个值加引号")),
    ("expected ',' or ']'", _n("方括号没有成对，或缺少逗号"), _n("写成 [甲, 乙]，用半角逗号和方括号")),
    ("expected ',' or '}'", _n("花括号没有成对，或缺少逗号"), _n("写成 { 键: 值 }，用半角逗号和花括号")),
)


class _Walk:
    """Builds the data from the events of the parser."""

    def __init__(self, text: str, tree: Tree) -> None:
        self.tree = tree
        self.nodes = 0
        self.events: Iterator[yaml.Event] = yaml.parse(text, Loader=yaml.SafeLoader)

    def run(self) -> None:
        """Read the one document of the file."""
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._open(event)
        if () not in self.tree.values:
            _stop(self.tree, (1, 1), "empty", _n("文件是空的"), _n("照说明文档写一份清单"))

    def _open(self, event: yaml.DocumentStartEvent) -> None:
        place = _place(event)
        if event.version or event.tags:
            _stop(self.tree, place, "directive", _n("不能使用 %% 指令"), _n("删去以 %% 开头的行"))
        if () in self.tree.values:
            _stop(
                self.tree,
                place,
                "second-document",
                _n("一个文件里有两份文档"),
                _n("删去多余的“---”，每个文件只写一份清单"),
            )
        self.tree.data = self._node(next(self.events), (), 1)

    def _node(self, event: yaml.Event, path: Path, depth: int) -> Data:
        """Read one node; positions are kept under its path."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            _too_many(self.tree, _place(event))
        if depth > MAX_DEPTH:
            _too_deep(self.tree, _place(event))
        self.tree.values[path] = _place(event)
        self._refuse_extras(event)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path, depth)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path, depth)
        return None  # an alias, refused above

    def _refuse_extras(self, event: yaml.Event) -> None:
        anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
        if isinstance(event, yaml.AliasEvent):
            _complain(
                self.tree,
                _place(event),
                "alias",
                _n("不能引用锚点（*%(name)s）"),
                _n("把内容原样写出来；值以 * 开头时加引号"),
                name=anchor,
            )
        elif anchor is not None:
            _complain(
                self.tree,
                _place(event),
                "anchor",
                _n("不能使用锚点（&%(name)s）"),
                _n("删去锚点；值以 & 开头时加引号"),
                name=anchor,
            )
        if tag is not None:
            _complain(
                self.tree,
                _place(event),
                "yaml-tag",
                _n("不能使用类型标记（%(tag)s）"),
                _n("删去标记；值以 ! 开头时加引号"),
                tag=tag,
            )

    def _scalar(self, event: yaml.ScalarEvent) -> str | None:
        for found in INVISIBLE.finditer(event.value):  # written as an escape, so not seen before
            _complain_of_character(self.tree, _place(event), found.group())
        if event.style is not None:
            return str(event.value)
        return None if NOTHING.fullmatch(event.value) else Plain(event.value)

    def _sequence(self, path: Path, depth: int) -> list[Data]:
        entries: list[Data] = []
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            entries.append(self._node(event, (*path, len(entries)), depth + 1))
        return entries

    def _mapping(self, path: Path, depth: int) -> dict[str, Data]:
        entries: dict[str, Data] = {}
        for event in self.events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            self._entry(event, entries, path, depth)
        return entries

    def _entry(self, event: yaml.Event, entries: dict[str, Data], path: Path, depth: int) -> None:
        """Read a key and its value; the first of two equal keys stays."""
        place = _place(event)
        key = self._node(event, (*path, "\0key"), depth + 1)
        if not isinstance(key, str):
            _complain(self.tree, place, "key", _n("键不是一个词"), _n("写成“键: 值”，键用说明文档中的英文词"))
            key = f"\0{place}"
        twice = key in entries
        here = (*path, f"\0twice{place}" if twice else str(key))
        self.tree.keys[here] = place
        value = self._node(next(self.events), here, depth + 1)
        if twice:
            first = self.tree.keys[(*path, key)]
            _complain(
                self.tree,
                place,
                "duplicate-key",
                _n("键“%(key)s”重复，第 %(line)s 行已有"),
                _n("只保留一个"),
                key=key,
                line=first[0],
            )
        elif not key.startswith("\0"):
            entries[str(key)] = value


def _place(event: yaml.Event) -> Place:
    """The line and column of an event, from 1."""
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)
