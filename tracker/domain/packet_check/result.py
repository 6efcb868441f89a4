"""What a check of a packet found: sentences with their values apart, under the four properties of DA/T 70."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from tracker.domain.packet_check.parser import Damaged
from tracker.domain.text import _n

PASSED, FAILED, NOT_CHECKED = "passed", "failed", "not_checked"  # of a check, and with INCOMPLETE of the whole
INCOMPLETE = "incomplete"
VOLUMES = "volumes"  # the check that says which volumes are missing, in its first note how many
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
        "stamps": _n("页边标识：每一页的卷号、页码、校验码和二维码与清单一致，所用字体未被更换，二维码逐块核对"),
        "annotations": _n("批注：页上只有目录链接，没有贴上去的批注、表单或图章"),
        "document": _n("文档的其余设置：没有督查卷不应有的内容"),
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
PRINTED = 50  # faults and notes of one check that are kept; of the others is said how many they are
SUMMED_UP = 3  # faults of one check that stand under the headline
LONGEST_VALUE = 300  # characters of a value in a sentence

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
        return translate(self.text) % {name: _value(value, translate) for name, value in self.values.items()}

    def __str__(self) -> str:
        return self.said()


def _value(value: object, translate: Translate) -> object:
    if isinstance(value, Sentence):
        return value.said(translate)
    return f"{value[:LONGEST_VALUE]}…" if isinstance(value, str) and len(value) > LONGEST_VALUE else value


class Faults:
    """Sentences, as many as are kept, and how many more there were."""

    def __init__(self) -> None:
        self.kept: list[Sentence] = []
        self.more = 0

    def add(self, found: Iterable[Sentence] | Faults) -> None:
        """Add sentences; only the first ones are kept."""
        if isinstance(found, Faults):
            self.more += found.more
            found = found.kept
        for sentence in found:
            if len(self.kept) < PRINTED:
                self.kept.append(sentence)
            else:
                self.more += 1


def gathered(*many: Iterable[Sentence] | Faults) -> Faults:
    """Sentences of several sources as one."""
    found = Faults()
    for some in many:
        found.add(some)
    return found


def say(text: str, **values: object) -> Sentence:
    """A sentence with its values."""
    return Sentence(text, values)


def damage(found: Damaged) -> Sentence:
    """What is damaged, and where."""
    return say(_n("文件第 %(where)s 字节处损坏：%(why)s"), where=found.where, why=say(found.why))


@dataclass(frozen=True)
class Check:
    """One thing that was checked. `key` never changes; `faults` each name a thing; `notes` say what else is to know.

    Of many only the first are kept: `more_faults` and `more_notes` are the numbers of the others.
    """

    key: str
    what: Sentence
    outcome: str
    faults: tuple[Sentence, ...] = ()
    notes: tuple[Sentence, ...] = ()
    more_faults: int = 0
    more_notes: int = 0


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
        return sum(len(check.faults) + check.more_faults for check in self.checks())

    @property
    def outcome(self) -> str:
        """FAILED: something is wrong. INCOMPLETE: nothing is, but volumes are missing. PASSED: nothing is."""
        if any(check.outcome == FAILED for check in self.checks()):
            return FAILED
        return INCOMPLETE if self._missing else PASSED

    @property
    def passed(self) -> bool:
        """Whether the whole packet was checked and nothing is wrong."""
        return self.outcome == PASSED

    @property
    def _missing(self) -> Sentence | None:
        """Which part of the packet was given, where it is not the whole."""
        check = next((check for check in self.checks() if check.key == VOLUMES), None)
        return check.notes[0] if check and check.outcome == NOT_CHECKED and check.notes else None

    @property
    def headline(self) -> Sentence:
        """The first line: the whole result in one sentence."""
        if self.outcome == FAILED:
            return say(_n("核验不通过：发现 %(faults)s 处问题。"), faults=self.faults)
        if self._missing:
            return self._missing
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
            "outcome": self.outcome,
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
        failed = [check for check in self.checks() if check.faults]
        for check in failed:
            yield f"  ✗ {check.what.said(translate)}"
            yield from (f"      {line}" for line in _listed(check.faults, check.more_faults, SUMMED_UP, translate))
        for group in self.groups:
            yield ""
            yield group.title.said(translate)
            for check in group.checks:
                yield f"  [{translate(OUTCOMES[check.outcome])}] {check.what.said(translate)}"
                yield from (f"      ✗ {line}" for line in _listed(check.faults, check.more_faults, PRINTED, translate))
                yield from (f"      · {line}" for line in _listed(check.notes, check.more_notes, PRINTED, translate))


def _listed(found: tuple[Sentence, ...], more: int, most: int, translate: Translate) -> Iterator[str]:
    """The first sentences, and how many more there are."""
    yield from (sentence.said(translate) for sentence in found[:most])
    more += len(found[most:])
    if more:
        yield say(_n("另有 %(more)s 处。"), more=more).said(translate)


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
        "more_faults": check.more_faults,
        "notes": [note.said(translate) for note in check.notes],
        "more_notes": check.more_notes,
    }


def _what(key: str) -> Sentence:
    return say(next(checks[key] for checks in CHECKS.values() if key in checks))


def checked(key: str, faults: Iterable[Sentence] | Faults, notes: Iterable[Sentence] | Faults = ()) -> Check:
    """A check that was made: it failed if there is any fault."""
    found, told = gathered(faults), gathered(notes)
    outcome = FAILED if found.kept else PASSED
    return Check(key, _what(key), outcome, tuple(found.kept), tuple(told.kept), found.more, told.more)


def not_checked(key: str, *why: Sentence) -> Check:
    """A check that was not made, and why."""
    told = gathered(why)
    return Check(key, _what(key), NOT_CHECKED, (), tuple(told.kept), 0, told.more)


def grouped(checks: Iterable[Check]) -> tuple[Group, ...]:
    """The checks under their properties, in the order of the table."""
    made = {check.key: check for check in checks}
    return tuple(Group(key, tuple(made[name] for name in table if name in made)) for key, table in CHECKS.items())
