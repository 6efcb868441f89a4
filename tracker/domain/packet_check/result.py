"""What a check of a packet found: sentences with their values apart, under the four properties of DA/T 70."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from tracker.domain.packet_check.parser import Damaged
from tracker.domain.text import _n

PASSED, FAILED, NOT_CHECKED = "passed", "failed", "not_checked"
AUTHENTICITY, INTEGRITY, USABILITY, SECURITY = "authenticity", "integrity", "usability", "security"

PROPERTIES = {
    AUTHENTICITY: _n("真实性"),
    INTEGRITY: _n("完整性"),
    USABILITY: _n("可用性"),
    SECURITY: _n("安全性"),
}
# Everything that is checked, in the order in which it is shown.
CHECKS = {
    AUTHENTICITY: {
        "signature": _n("电子签名：它在文件中的位置，是否覆盖全部内容（只看结构）"),
        "validity": _n("电子签名：签名值、证书和时间戳"),
        "sign_offs": _n("签认记录：逐条重算校验值，编号连续，前后衔接"),
        "contents": _n("签认内容：签的就是本卷所列的任务和佐证"),
        "sentences": _n("佐证的说明、签认的理由：文字与当时签认的校验值一致"),
        "checklist": _n("责任清单原文：与发布时的校验值一致"),
        "log": _n("操作日志：逐条重算校验值，序号从 1 起连续，首尾与清单一致"),
    },
    INTEGRITY: {
        "structure": _n("文件结构：每一册都是完好的 PDF 文件"),
        "whole_file": _n("全卷校验值：自成卷以来，文件的每一个字节都没有变"),
        "manifest": _n("清单 manifest.json：就是成卷时的那一份，写法合乎规定，各部分相互一致"),
        "volumes": _n("各册：属于同一卷，没有重复，没有缺少"),
        "files": _n("嵌入文件：一件不多，一件不少，内容与清单所列的校验值一致"),
        "sums": _n("SHA256SUMS、SM3SUMS：逐行与清单一致"),
        "pages": _n("页面：页数、次序和每一页的内容与清单一致"),
        "stamps": _n("页边标识：每一页的卷号、页码、校验码和二维码与清单一致，所用字体未被更换"),
        "annotations": _n("批注：页上只有目录链接，没有贴上去的批注、表单或图章"),
    },
    USABILITY: {
        "readable": _n("页面：每一页都能解析"),
        "extracted": _n("嵌入文件：每一个都能取出"),
        "fonts": _n("字体：都已嵌入"),
        "archive": _n("长期保存格式：标明为 PDF/A-3"),
        "shown": _n("佐证文件：哪些没有逐页显示"),
    },
    SECURITY: {
        "encryption": _n("没有加密，不用密码就能打开"),
        "active": _n("没有脚本、启动程序、网址、表单提交、音像、三维内容和外部数据：逐个对象查过"),
        "revisions": _n("没有修订：除电子签名必须添加的以外，成卷后没有一处内容被替换"),
        "sealed": _n("封存：哪些内容已按规定封存"),
    },
}
OUTCOMES = {PASSED: _n("通过"), FAILED: _n("不通过"), NOT_CHECKED: _n("未在此核验")}
PRINTED = 50  # faults of one check that are printed; JSON has them all

Translate = Callable[[str], str]


def same(text: str) -> str:
    """The Chinese sentence itself."""
    return text


@dataclass(frozen=True)
class Sentence:
    """A sentence to translate, and the values to put in; a value may be a sentence too."""

    text: str
    values: dict[str, object] = field(default_factory=dict)

    def said(self, translate: Translate = same) -> str:
        """The sentence with its values, in the language of `translate`."""
        values = {name: v.said(translate) if isinstance(v, Sentence) else v for name, v in self.values.items()}
        return translate(self.text) % values

    def __str__(self) -> str:
        return self.said()


def say(text: str, **values: object) -> Sentence:
    """A sentence with its values."""
    return Sentence(text, values)


def damage(found: Damaged) -> Sentence:
    """What is damaged, and where."""
    return say(_n("文件第 %(where)s 字节处损坏：%(why)s"), where=found.where, why=say(found.why))


@dataclass(frozen=True)
class Check:
    """One thing that was checked. `key` never changes; `faults` each name a thing; `notes` say what else is to know."""

    key: str
    what: Sentence
    outcome: str
    faults: tuple[Sentence, ...] = ()
    notes: tuple[Sentence, ...] = ()


@dataclass(frozen=True)
class Group:
    """The checks of one property: `key` is one of the four, `title` its name to translate."""

    key: str
    checks: tuple[Check, ...] = ()

    @property
    def title(self) -> Sentence:
        """The name of the property."""
        return say(PROPERTIES[self.key])


@dataclass(frozen=True)
class Result:
    """The whole result. `packet` is the packet's number as far as it could be read; `signed`: there is a signature."""

    groups: tuple[Group, ...]
    packet: str = ""
    signed: bool = False

    def with_check(self, property_key: str, check: Check) -> Result:
        """The result with one more check in a group, in the place of one of the same key if there is one."""
        return replace(self, groups=tuple(_with(g, check) if g.key == property_key else g for g in self.groups))

    def checks(self) -> Iterator[Check]:
        """All checks, in the order of the groups."""
        return (check for group in self.groups for check in group.checks)

    @property
    def faults(self) -> int:
        """How many faults were found."""
        return sum(len(check.faults) for check in self.checks())

    @property
    def passed(self) -> bool:
        """Whether nothing that was checked is wrong."""
        return all(check.outcome != FAILED for check in self.checks())

    @property
    def headline(self) -> Sentence:
        """The first line: the whole result in one sentence."""
        if not self.passed:
            return say(_n("核验不通过：发现 %(faults)s 处问题。"), faults=self.faults)
        if self.signed:
            text = _n("核验通过：督查卷 %(packet)s 的内容与卷内清单一致；电子签名见“真实性”。")
        else:
            text = _n("核验通过：督查卷 %(packet)s 的内容与卷内清单一致；没有电子签名，能发现意外改动，不能防伪造。")
        return say(text, packet=self.packet)

    def as_json(self, translate: Translate = same) -> dict[str, object]:
        """The result as JSON has it."""
        return {
            "form": "tracker/packet-check/1",
            "packet": self.packet,
            "passed": self.passed,
            "signed": self.signed,
            "faults": self.faults,
            "headline": self.headline.said(translate),
            "groups": [
                {
                    "key": group.key,
                    "title": group.title.said(translate),
                    "checks": [_check_as_json(check, translate) for check in group.checks],
                }
                for group in self.groups
            ],
        }

    def lines(self, translate: Translate = same) -> Iterator[str]:
        """The result as it is printed."""
        yield self.headline.said(translate)
        for group in self.groups:
            yield ""
            yield group.title.said(translate)
            for check in group.checks:
                yield f"  [{translate(OUTCOMES[check.outcome])}] {check.what.said(translate)}"
                yield from (f"      ✗ {fault.said(translate)}" for fault in check.faults[:PRINTED])
                if len(check.faults) > PRINTED:
                    more = say(_n("另有 %(more)s 处，用 --json 可看全部。"), more=len(check.faults) - PRINTED)
                    yield f"      ✗ {more.said(translate)}"
                yield from (f"      · {note.said(translate)}" for note in check.notes[:PRINTED])


def _with(group: Group, check: Check) -> Group:
    if any(other.key == check.key for other in group.checks):
        return replace(group, checks=tuple(check if other.key == check.key else other for other in group.checks))
    return replace(group, checks=(*group.checks, check))


def _check_as_json(check: Check, translate: Translate) -> dict[str, object]:
    return {
        "key": check.key,
        "what": check.what.said(translate),
        "outcome": check.outcome,
        "faults": [fault.said(translate) for fault in check.faults],
        "notes": [note.said(translate) for note in check.notes],
    }


def _what(key: str) -> Sentence:
    return say(next(checks[key] for checks in CHECKS.values() if key in checks))


def checked(key: str, faults: Iterable[Sentence], notes: Iterable[Sentence] = ()) -> Check:
    """A check that was made: it failed if there is any fault."""
    found = tuple(faults)
    return Check(key, _what(key), FAILED if found else PASSED, found, tuple(notes))


def not_checked(key: str, *why: Sentence) -> Check:
    """A check that was not made, and why."""
    return Check(key, _what(key), NOT_CHECKED, (), why)


def grouped(checks: Iterable[Check]) -> tuple[Group, ...]:
    """The checks under their properties, in the order of the table."""
    made = {check.key: check for check in checks}
    return tuple(Group(key, tuple(made[name] for name in table if name in made)) for key, table in CHECKS.items())
