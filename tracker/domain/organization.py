"""What is said about an organization, and what makes a tree of them sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from tracker.domain.errors import Invalid
from tracker.domain.text import _n


@dataclass(frozen=True)
class OrganizationFacts:
    """What is true of an organization from a day on. `parent` is a code (None: the root), `level` a level id or `root`.

    It is open from `opened_on` to `closed_on`, both included. Tags have no order and stand sorted.
    """

    name: str
    parent: str | None
    level: str
    tags: tuple[str, ...] = ()
    is_unit: bool = False
    position: int = 0
    opened_on: date = date(1949, 10, 1)
    closed_on: date | None = None
    term_ends_on: date | None = None

    def is_open(self, day: date) -> bool:
        """Whether the organization is there on that day."""
        return self.opened_on <= day and (self.closed_on is None or day <= self.closed_on)


def check_facts(code: str, facts: OrganizationFacts) -> None:
    """Refuse facts that contradict themselves. Raises Invalid."""
    if facts.closed_on is not None and facts.closed_on < facts.opened_on:
        raise Invalid(_n("组织 %(code)s 的撤销日期早于成立日期，请核对这两个日期。"), field="closed_on", code=code)
    if (facts.parent is None) != (facts.level == "root"):
        raise Invalid(
            _n("组织 %(code)s 的上级代码和层级不一致：只有最高一级组织没有上级。请补填上级代码，或改正层级。"),
            field="parent",
            code=code,
        )


def check_tree(parents: Mapping[str, str | None]) -> None:
    """Refuse a tree with two roots, an unknown parent or a ring. `parents`: parent's code by code. Raises Invalid."""
    roots = sorted(code for code, parent in parents.items() if parent is None)
    if len(roots) > 1:
        raise Invalid(
            _n("最高一级组织只能有一个，现有 %(codes)s。请给其余组织填写上级代码。"),
            field="parent",
            codes="、".join(roots),
        )
    for code, parent in parents.items():
        if parent is not None and parent not in parents:
            raise Invalid(
                _n("组织 %(code)s 的上级 %(parent)s 在生效那天还不存在，请先登记上级，或推迟生效日期。"),
                field="parent",
                code=code,
                parent=parent,
            )
    check_no_ring(parents)


def check_no_ring(parents: Mapping[str, str | None]) -> None:
    """Refuse an organization that is above itself; a parent that is not listed ends the climb. Raises Invalid."""
    ring = ring_in(parents)
    if ring is not None:
        raise Invalid(
            _n("组织 %(code)s 成了自己的上级，请核对上级代码 %(parent)s。"),
            field="parent",
            code=ring,
            parent=parents[ring],
        )


def ring_in(parents: Mapping[str, str | None]) -> str | None:
    """An organization that is above itself; None if there is none."""
    sound: set[str] = set()
    for code in parents:
        path: list[str] = []
        node: str | None = code
        while node is not None and node in parents and node not in sound:
            if node in path:
                return node
            path.append(node)
            node = parents[node]
        sound.update(path)
    return None


def unit_of(code: str, parents: Mapping[str, str | None], units: frozenset[str]) -> str:
    """The nearest organization at or above this one that is a unit; the topmost one, where there is none."""
    node = code
    while node not in units:
        above = parents.get(node)
        if above is None or above not in parents:
            return node
        node = above
    return node
