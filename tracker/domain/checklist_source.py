"""Reads a checklist file: bytes in, the checklist and every problem with its line and column out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tracker.domain.checklist import Checklist
from tracker.domain.checklist_nearest import nearest
from tracker.domain.checklist_problem import Finding, Path, Problem
from tracker.domain.checklist_rules import crowded, findings_of
from tracker.domain.checklist_yaml import Data, Tree, read_tree
from tracker.domain.errors import Invalid
from tracker.domain.text import _n

MAX_PROBLEMS = 1000


@dataclass(frozen=True)
class Reading:
    """What came of reading a file: the checklist where nothing is wrong with it, and the problems in file order."""

    checklist: Checklist | None
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that keep the list from being used."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The weak spots: the list works, but somebody should look."""
        return tuple(problem for problem in self.problems if problem.severity == "warning")


def read_checklist(source: bytes, *, name: str) -> Reading:
    """Read the bytes of a checklist file; `name` stands in the problems. Never raises, whatever the bytes are."""
    tree = read_tree(source)
    crowd = crowded(tree)
    checklist, faults = _validated(tree) if tree.complete and not crowd else (None, iter(()))
    rules = findings_of(tree) if tree.complete and not crowd else ()
    found = list(islice(chain(tree.findings, crowd, faults, rules), MAX_PROBLEMS + 1))
    problems = {str(problem): problem for problem in (_problem(finding, tree, name) for finding in _shown(found))}
    broken = any(problem.severity == "error" for problem in problems.values())
    return Reading(None if broken else checklist, tuple(sorted(problems.values(), key=_order)))


def _shown(found: list[Finding]) -> list[Finding]:
    """The findings; of too many the first, and a word about the rest. Errors come before warnings."""
    if len(found) <= MAX_PROBLEMS:
        return found
    message, fix = _n("问题太多，只列出 %(limit)s 个"), _n("先改正列出的，再检查一次")
    return [*found[:MAX_PROBLEMS], Finding((), "more", message, fix, {"limit": MAX_PROBLEMS}, found[0].severity)]


@lru_cache(maxsize=32)
def load_checklist(source: bytes) -> Checklist:
    """The checklist in these bytes, read once. Raises `Invalid` with the first problems where there are errors."""
    reading = read_checklist(source, name="checklist")
    if reading.checklist is None:
        shown = "\n".join(str(problem) for problem in reading.errors[:5])
        raise Invalid(_n("清单有 %(count)s 处错误，请改正后重试：%(shown)s"), count=len(reading.errors), shown=shown)
    return reading.checklist


def _order(problem: Problem) -> tuple[int, int, str, str]:
    return problem.line, problem.column, problem.severity, problem.code


def _problem(finding: Finding, tree: Tree, name: str) -> Problem:
    line, column = tree.place(finding.path, at_key=finding.at_key)
    return Problem(
        name, line, column, _id_of(finding, tree), finding.severity, finding.code,
        finding.message, finding.fix, finding.values,
    )  # fmt: skip


def _id_of(finding: Finding, tree: Tree) -> str:
    """The id of the entry that the finding is about; for a fault of the writing, of the entry around its place."""
    if not tree.is_bare(finding.path):
        return _id_at(tree.data, finding.path)
    around = tree.entry_around(tree.place(finding.path))
    return _id_at(tree.data, around)


def _id_at(data: Data, path: Path) -> str:
    """The id of the entry that the path leads into, e.g. of the item; empty outside any."""
    try:
        identity = data[path[0]][path[1]]["id"]  # type: ignore[call-overload, index]
    except (LookupError, TypeError):
        return ""
    return str(identity) if isinstance(identity, str) else ""


def _validated(tree: Tree) -> tuple[Checklist | None, Iterator[Finding]]:
    """Hold the data against the schema."""
    try:
        return Checklist.model_validate(tree.data), iter(())
    except ValidationError as error:
        return None, map(_fault, error.errors(include_url=False))


def _fault(detail: ErrorDetails) -> Finding:
    """Turn an error of pydantic into a finding."""
    path: Path = detail["loc"]
    kind = detail["type"]
    key = _key_of(path)
    values: dict[str, object] = {"key": key}
    if not path:
        return Finding(path, "document", _n("清单应由“键: 值”组成"), _n("照说明文档的例子写"))
    if kind == "extra_forbidden":
        return _unknown_key(path, key)
    if kind == "missing":
        return Finding(path, "missing-key", _n("缺少“%(key)s”"), _n("补上一行“%(key)s: …”"), values)
    if detail["input"] is None:
        return Finding(path, "empty-value", _n("“%(key)s”没有内容"), _n("填写内容，或删去这个键"), values)
    if kind == "literal_error":
        return _unknown_word(path, detail)
    code, message, fix = FAULTS.get(kind, OTHER_FAULT)
    if kind == "string_pattern_mismatch":
        fix = FORMS.get(key, _n("写字母开头的编号，只用字母、数字和连字符，最多 32 位"))
    return Finding(path, code, message, fix, values | _limits(detail.get("ctx", {})))


def _key_of(path: Path) -> str:
    """The key that the path ends in, or that holds the list it ends in."""
    return next((step for step in reversed(path) if isinstance(step, str)), "")


def _limits(context: Mapping[str, Any]) -> dict[str, object]:
    names = ("ge", "le", "min_length", "max_length")
    return {"limit": next((context[name] for name in names if name in context), "")}


FAULTS = {
    "whole_number": ("whole-number", _n("“%(key)s”不是整数"), _n("写成不带引号的整数，如 4")),
    "flag": ("flag", _n("“%(key)s”只能是 true 或 false"), _n("写 true 或 false，不加引号")),
    "flag_as_text": ("text", _n("“%(key)s”应是文字"), _n("给内容加上引号")),
    "day": ("day", _n("“%(key)s”不是日期"), _n("写成 2026-11-01 的样子")),
    "string_type": ("text", _n("“%(key)s”应是文字"), _n("改成一段文字，不用列表或下级的键")),
    "string_too_short": ("text-too-short", _n("“%(key)s”没有内容"), _n("填写内容")),
    "string_too_long": ("text-too-long", _n("“%(key)s”超过 %(limit)s 个字"), _n("精简到 %(limit)s 个字以内")),
    "string_pattern_mismatch": ("form", _n("“%(key)s”的写法不对"), _n("见说明文档中这个键的写法")),
    "greater_than_equal": ("too-small", _n("“%(key)s”小于 %(limit)s"), _n("改为不小于 %(limit)s 的整数")),
    "less_than_equal": ("too-large-number", _n("“%(key)s”大于 %(limit)s"), _n("改为不大于 %(limit)s 的整数")),
    "tuple_type": ("list", _n("“%(key)s”应是列表"), _n("写成 [甲, 乙]，或每行一个，以“- ”开头")),
    "model_type": ("mapping", _n("“%(key)s”应由下级的键组成"), _n("换行缩进两个空格，写“键: 值”")),
    "model_attributes_type": ("mapping", _n("“%(key)s”应由下级的键组成"), _n("换行缩进两个空格，写“键: 值”")),
}
OTHER_FAULT = ("form", _n("“%(key)s”的写法不对"), _n("见说明文档中这个键的写法"))

FORMS = {
    "from": _n("写成 月-日，如 01-01"),
    "to": _n("写成 月-日，如 03-31"),
    **dict.fromkeys(("title", "name", "label", "version", "root_name", "article"), _n("写在一行里，不能只有空格")),
    **dict.fromkeys(("requirement", "notice"), _n("填写内容，不能只有空格")),
}


def _unknown_word(path: Path, detail: ErrorDetails) -> Finding:
    """A word outside a fixed set; name the nearest."""
    allowed = [str(word) for word in get_args(_annotation(path))]
    given = str(detail["input"])
    near = nearest(given, tuple(allowed))
    values: dict[str, object] = {
        "key": str(path[-1]),
        "given": given[:40],
        "allowed": "、".join(allowed),
        "near": near,
    }
    message = _n("“%(key)s”不能是“%(given)s”")
    if near:
        return Finding(path, "unknown-word", message, _n("改为“%(near)s”，或其中之一：%(allowed)s"), values)
    return Finding(path, "unknown-word", message, _n("改为其中之一：%(allowed)s"), values)


def _unknown_key(path: Path, key: str) -> Finding:
    """A key that the schema does not name; name the nearest."""
    allowed = list(_keys_at(path[:-1]))
    near = nearest(key, tuple(allowed))
    values: dict[str, object] = {"key": key[:40], "near": near, "allowed": "、".join(allowed)}
    fix = _n("改为“%(near)s”") if near else _n("删去，或改为其中之一：%(allowed)s")
    return Finding(path, "unknown-key", _n("不认识的键“%(key)s”"), fix, values, at_key=True)


def _model_at(path: Path) -> type[BaseModel]:
    """The model that describes the mapping at the path."""
    model: type[BaseModel] = Checklist
    for step in path:
        if isinstance(step, str):
            model = next(_models_in(_field(model, step)))
    return model


def _field(model: type[BaseModel], key: str) -> object:
    return next(field.annotation for name, field in model.model_fields.items() if key in (name, field.alias))


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    """The models that an annotation such as `tuple[Item, ...]` names."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def _keys_at(path: Path) -> Iterable[str]:
    return (field.alias or name for name, field in _model_at(path).model_fields.items())


def _annotation(path: Path) -> object:
    return _field(_model_at(path[:-1]), str(path[-1]))
