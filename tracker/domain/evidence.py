"""What a record must hold, and what an item asks of its evidence before a duty may be handed in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from tracker.domain.checklist import Checklist, CountKind, EvidenceKind, Item
from tracker.domain.errors import Invalid
from tracker.domain.sign_off import EvidenceContent
from tracker.domain.text import _n

SENTENCE_LIMIT = 300  # characters of the one sentence
REASON_LIMIT = 500  # characters of a reason
COUNT_LIMIT = 100_000_000


def attached_kinds(item: Item, checklist: Checklist) -> tuple[EvidenceKind, ...]:
    """The kinds of evidence for which the item wants a file."""
    kinds = (checklist.evidence_kind[kind] for kind in item.evidence)
    return tuple(kind for kind in kinds if kind.attached)


def asked_counts(item: Item, checklist: Checklist) -> tuple[CountKind, ...]:
    """The counts that the item asks for: its own, then those that its kinds of evidence consist of."""
    of_kinds = (count for kind in item.evidence for count in checklist.evidence_kind[kind].counts)
    return tuple(checklist.count_kind[count] for count in dict.fromkeys((*item.counts, *of_kinds)))


def check_act(act_on: date, *, today: date) -> None:
    """Refuse an act that has not happened yet. Raises Invalid on `act_on`."""
    if act_on > today:
        raise Invalid(_n("办理日期 %(day)s 还没有到；请填写实际办理的日期。"), field="act_on", day=act_on.isoformat())


def check_period(act_on: date, *, starts_on: date, title: str, chosen: bool = False) -> None:
    """Refuse an act that lies before the period it is meant for. Raises Invalid on `act_on`.

    `chosen`: the duty was ticked beside another one, so that it can be left out.
    """
    if act_on < starts_on:
        raise Invalid(
            _n("办理日期 %(day)s 早于“%(title)s”的周期（自 %(start)s 起）；请核对日期，或不勾选这一项。")
            if chosen
            else _n("办理日期 %(day)s 早于“%(title)s”的周期（自 %(start)s 起）；请核对日期。"),
            field="act_on",
            day=act_on.isoformat(),
            title=title,
            start=starts_on.isoformat(),
        )


def checked_sentence(sentence: str) -> str:
    """Return the sentence on one line. Raises Invalid on `sentence` if it is empty or too long."""
    text = " ".join(sentence.split())
    if not text:
        raise Invalid(_n("请用一句话写明做了什么。"), field="sentence")
    if len(text) > SENTENCE_LIMIT:
        raise Invalid(
            _n("一句话说明不超过 %(limit)s 字，现在是 %(length)s 字；请删减。"),
            field="sentence",
            limit=SENTENCE_LIMIT,
            length=len(text),
        )
    return text


def checked_reason(reason: str) -> str:
    """Return a reason without the space around it. Raises Invalid on `reason` if it is too long; it may be empty."""
    text = reason.strip()
    if len(text) > REASON_LIMIT:
        raise Invalid(_n("理由不超过 %(limit)s 字；请删减。"), field="reason", limit=REASON_LIMIT)
    return text


def check_counts(counts: Mapping[str, int], checklist: Checklist) -> None:
    """Refuse numbers that cannot be meant or that the checklist does not know. Raises Invalid on `counts`."""
    for kind, number in counts.items():
        if kind not in checklist.count_kind:
            raise Invalid(_n("责任清单中没有“%(kind)s”这个数字，请删去。"), field="counts", kind=kind)
        if isinstance(number, bool) or not 0 <= number <= COUNT_LIMIT:
            name = checklist.count_kind[kind].name
            raise Invalid(_n("“%(name)s”应是不小于 0 的整数，请改正。"), field="counts", name=name)
    for kind, number in counts.items():
        bound = checklist.count_kind[kind].at_most
        if bound is not None and bound in counts and number > counts[bound]:
            names = {"name": checklist.count_kind[kind].name, "bound": checklist.count_kind[bound].name}
            raise Invalid(_n("“%(name)s”大于“%(bound)s”，请核对后改正。"), field="counts", **names)


def check_complete(item: Item, checklist: Checklist, records: Sequence[EvidenceContent]) -> None:
    """Refuse to hand in a duty whose evidence lacks something that the item asks for, and name it. Raises Invalid."""
    for lack in lacks(item, checklist, records):
        raise lack


def lacks(item: Item, checklist: Checklist, records: Sequence[EvidenceContent]) -> Iterator[Invalid]:
    """Everything that the item asks for and the evidence of a duty does not hold, each as the refusal that names it."""
    valid = [record for record in records if not record.withdrawn]
    if not valid:
        yield Invalid(_n("“%(title)s”还没有佐证；请先填写办理日期和一句话说明。"), field="sentence", title=item.title)
    kinds = attached_kinds(item, checklist)
    if kinds and not any(record.files for record in valid):
        yield Invalid(
            _n("“%(title)s”需要附文件：%(kinds)s。请上传后再提交。"),
            field="files",
            title=item.title,
            kinds="、".join(kind.name for kind in kinds),
        )
    given = {kind for record in valid for kind in record.counts}
    missing = [count.name for count in asked_counts(item, checklist) if count.id not in given]
    if missing:
        yield Invalid(
            _n("“%(title)s”还要填：%(counts)s。没有的填 0。"),
            field="counts",
            title=item.title,
            counts="、".join(missing),
        )


def done_on(item: Item, checklist: Checklist, records: Sequence[EvidenceContent]) -> date:
    """The day on which the records, in the order of their acts, first held what the item asks for.

    An earlier record that does not fulfil the item makes nothing punctual, and a later supplement makes nothing late.
    At least one record must be valid.
    """
    valid = sorted((record for record in records if not record.withdrawn), key=lambda record: record.act_on)
    for number, record in enumerate(valid, start=1):
        if next(lacks(item, checklist, valid[:number]), None) is None:
            return record.act_on
    return valid[-1].act_on
