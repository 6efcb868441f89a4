"""Items that an organization sets for itself: they must fit into the checklist of the year."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any

from pydantic import ValidationError

from tracker.domain.calendar import WorkCalendar
from tracker.domain.checklist import Checklist, Item
from tracker.domain.errors import Invalid
from tracker.domain.schedule import periods, slots
from tracker.domain.text import _n

OWN = re.compile(r"U-[A-Za-z0-9][A-Za-z0-9-]{0,29}")
_SAMPLE_YEAR = 2024  # a leap year: every day that can be written exists


def read_own_item(text: Mapping[str, Any], *, checklist: Checklist, level: str) -> Item:
    """Return the item that `text` (the checklist's own form) describes for an organization of that level.

    `points` is 0 unless given. Raises Invalid that names what does not fit.
    """
    try:
        item = Item.model_validate({"points": 0, "confirmer": None, "evidence": (), **text})
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        place = ".".join(str(step) for step in fault["loc"])
        raise Invalid(_n("自定事项的“%(place)s”没有填或写法不对，请修改。"), field="item", place=place) from error
    check_own_item(item, checklist=checklist, level=level)
    return item


def check_own_item(item: Item, *, checklist: Checklist, level: str) -> None:
    """Refuse an own item whose number, post, confirmer or words the checklist of the year does not allow."""
    if not OWN.fullmatch(item.id):
        raise Invalid(_n("自定事项的编号以“U-”开头，后面用字母、数字和连字符，如 U-01。"), field="item_id")
    post = checklist.post.get(item.post)
    if item.level != level or post is None or post.level != level:
        raise Invalid(_n("自定事项的层级和责任岗位须是本组织所在层级的，请重新选择岗位。"), field="post")
    if item.confirmer is not None and not _is_above(item.confirmer, item.post, checklist):
        raise Invalid(_n("确认岗位须高于责任岗位，请重新选择；空着表示提交即成立。"), field="confirmer")
    unknown = list(_unknown_words(item, checklist))
    if unknown:
        raise Invalid(_n("清单中没有 %(words)s，请从清单已有的选项中选。"), field="item", words="、".join(unknown))
    _check_frequency(item)


def _is_above(confirmer: str, post: str, checklist: Checklist) -> bool:
    return confirmer in checklist.post and checklist.rank(confirmer) < checklist.rank(post)


def _unknown_words(item: Item, checklist: Checklist) -> Iterator[str]:
    yield from _outside([item.dimension], checklist.dimension)
    yield from _outside(item.evidence, checklist.evidence_kind)
    yield from _outside(item.counts, checklist.count_kind)
    yield from _outside([item.occasion] if item.occasion else [], checklist.occasion)
    yield from _outside((source.regulation for source in item.sources), checklist.regulation)


def _outside(words: Iterable[str], known: Mapping[str, object]) -> Iterator[str]:
    return (word for word in words if word not in known)


def _check_frequency(item: Item) -> None:
    frequency = item.frequency
    expected = frequency.times * len(periods(frequency.every, year=_SAMPLE_YEAR))
    try:
        slots(frequency, year=_SAMPLE_YEAR, calendar=WorkCalendar(), term_ends_on=date(_SAMPLE_YEAR, 12, 1))
    except ValueError as error:
        raise Invalid(_n("自定事项的时间窗口有误：起始日应在截止日之前。"), field="item") from error
    if frequency.windows and len(frequency.windows) != expected:
        raise Invalid(_n("自定事项全年 %(wanted)s 次，时间窗口应写 %(wanted)s 个。"), field="item", wanted=expected)
