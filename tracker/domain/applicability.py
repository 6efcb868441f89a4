"""What an organization owes: the items of its level and tags, and what was decided about them locally."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from tracker.domain.checklist import Item
from tracker.domain.errors import Invalid
from tracker.domain.schedule import can_raise
from tracker.domain.text import _n


class DecisionKind(StrEnum):
    """What is decided about an item: switched off, given to another post or seat, asked more often, an own item."""

    OFF = "off"
    GIVE = "give"
    MORE = "more"
    OWN = "own"


DECISION_NAMES: Mapping[DecisionKind, str] = {
    DecisionKind.OFF: _n("停用"),
    DecisionKind.GIVE: _n("改由其他岗位承担"),
    DecisionKind.MORE: _n("增加次数"),
    DecisionKind.OWN: _n("自定事项"),
}


@dataclass(frozen=True)
class Decision:
    """A local decision, in force from a day on.

    `post` (and `seat`, where one seat of several is meant) belong to `give`, `times` to `more`, `item` to `own`. `key`
    is its public id, by which a page tells which decision made a line of the printed list.
    """

    kind: DecisionKind
    item_id: str
    reason: str
    effective_from: date
    post: str | None = None
    seat: str | None = None
    times: int | None = None
    item: Item | None = None
    key: str = ""


@dataclass(frozen=True)
class Owed:
    """An item that an organization owes: by which post, in which seats, how often in a period, by which decisions.

    A collective item has one seat, an individual one has each seat of the post; no seat means that the organization has
    none of that post yet and the list must say so.
    """

    item: Item
    post: str
    seats: tuple[str, ...]
    times: int
    decisions: tuple[Decision, ...] = ()


@dataclass(frozen=True)
class SwitchedOff:
    """An item that would apply but for a decision, which the list prints with its reason."""

    item: Item
    decision: Decision


def check_decision(decision: Decision, *, item: Item | None) -> None:
    """Refuse a decision that lacks something or undercuts a regulation. `item` has that id already, if any has.

    Switching off an item that a regulation asks for is allowed: its reason is printed. Raises Invalid.
    """
    if not decision.reason.strip():
        raise Invalid(_n("请写明决定的理由；理由会印在责任清单上。"), field="reason")
    if decision.kind is DecisionKind.OWN:
        _check_own(decision, taken=item)
        return
    if item is None or item.retired:
        raise Invalid(
            _n("责任清单中没有编号为 %(item)s 的现行事项，请核对编号。"), field="item_id", item=decision.item_id
        )
    if decision.kind is DecisionKind.GIVE and decision.post is None:
        raise Invalid(_n("请选择改由哪个岗位承担。"), field="post")
    if decision.kind is DecisionKind.MORE:
        _check_more(decision, item=item)


def effective_items(
    *,
    items: Iterable[Item],
    level: str,
    tags: frozenset[str],
    seats: Mapping[str, Sequence[str]],
    decisions: Iterable[Decision] = (),
    on: date,
) -> tuple[Owed, ...]:
    """What an organization of that level with these tags owes on a day: checklist items in their order, then own items.

    `seats` are its seat keys by post, in order. Of several decisions of a kind about an item the latest counts. The
    number of a regulation is never undercut, even where the regulation has been raised since a decision was taken.
    """
    valid = _latest(decisions, on=on)
    return tuple(
        _owed(item, seats=seats, decisions=valid)
        for item in _candidates(items, level=level, tags=tags, decisions=valid)
        if (DecisionKind.OFF, item.id) not in valid
    )


def switched_off(
    *, items: Iterable[Item], level: str, tags: frozenset[str], decisions: Iterable[Decision], on: date
) -> tuple[SwitchedOff, ...]:
    """The items that apply but are switched off on that day, for the printed list."""
    valid = _latest(decisions, on=on)
    return tuple(
        SwitchedOff(item, valid[DecisionKind.OFF, item.id])
        for item in _candidates(items, level=level, tags=tags, decisions=valid)
        if (DecisionKind.OFF, item.id) in valid
    )


_Latest = Mapping[tuple[DecisionKind, str], Decision]


def _check_own(decision: Decision, *, taken: Item | None) -> None:
    if decision.item is None:
        raise Invalid(_n("请填写自定事项的内容。"), field="item")
    if taken is not None or decision.item.id != decision.item_id:
        raise Invalid(
            _n("编号 %(item)s 与责任清单中的事项重复，请换一个编号。"), field="item_id", item=decision.item_id
        )


def _check_more(decision: Decision, *, item: Item) -> None:
    if decision.times is None:
        raise Invalid(_n("请填写每期的次数。"), field="times")
    can_raise(item.frequency, decision.times)


def _latest(decisions: Iterable[Decision], *, on: date) -> _Latest:
    """The decisions in force on a day, by kind and item; of two with the same day the one that stands later counts."""
    in_force = sorted((d for d in decisions if d.effective_from <= on), key=lambda d: d.effective_from)
    return {(decision.kind, decision.item_id): decision for decision in in_force}


def _candidates(items: Iterable[Item], *, level: str, tags: frozenset[str], decisions: _Latest) -> list[Item]:
    """What level and tags give, and the own items."""
    given = [item for item in items if item.level == level and not item.retired and item.applies.to(tags)]
    return given + [decision.item for decision in decisions.values() if decision.item is not None]


def _owed(item: Item, *, seats: Mapping[str, Sequence[str]], decisions: _Latest) -> Owed:
    give = decisions.get((DecisionKind.GIVE, item.id))
    more = decisions.get((DecisionKind.MORE, item.id))
    own = decisions.get((DecisionKind.OWN, item.id))
    post = give.post if give and give.post else item.post
    return Owed(
        item=item,
        post=post,
        seats=(give.seat,) if give and give.seat else _seats_of(item, tuple(seats.get(post, ()))),
        times=_times(item, more),
        decisions=tuple(decision for decision in (own, give, more) if decision),
    )


def _seats_of(item: Item, seats: tuple[str, ...]) -> tuple[str, ...]:
    """The seats that owe it: a collective item is owed once, by the first."""
    return seats[:1] if item.duty == "collective" else seats


def _times(item: Item, more: Decision | None) -> int:
    if more is None or more.times is None:
        return item.frequency.times
    floor = item.frequency.times if item.frequency.basis == "regulation" else 1
    return max(more.times, floor)
