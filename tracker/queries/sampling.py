"""Of what a sample is drawn, what came of a draw, and whether drawing it again gives the same."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from tracker.domain.checklist import Checklist, Named
from tracker.domain.duty import Action
from tracker.domain.sampling import (
    TRAIT_NAMES,
    Candidate,
    Draw,
    Exclusion,
    Rule,
    Sample,
    Trait,
    Values,
    candidates_in,
    drawn,
)
from tracker.domain.text import _n
from tracker.models import Cycle, Duty, Finding, Inspection, InspectionDraw, InspectionDuty, Organization, SignOff
from tracker.queries.history import known

YES, NO = "1", "0"
Translate = Callable[[str], str]


@dataclass(frozen=True)
class Scope:
    """What a check may look at. `items` empty means all; duties due after `due_by` are not judged yet."""

    cycle: Cycle
    units: Sequence[Organization]
    period_starts_on: date
    period_ends_on: date
    due_by: date
    items: Sequence[str] = ()


@dataclass(frozen=True)
class Population:
    """The duties in scope as candidates, and by their keys their row numbers and those of their units."""

    candidates: tuple[Candidate, ...]
    ids: Mapping[str, int]
    units: Mapping[str, int]


@dataclass(frozen=True)
class Picked:
    """A duty that is drawn, as a list shows it."""

    key: str
    organization_id: int
    organization: str
    level: str
    item_id: str
    period: str
    occurrence: int
    due_on: date


@dataclass(frozen=True)
class Redrawn:
    """A stored draw, what it gives today from what is stored, and how many duties were added by hand since."""

    draw: InspectionDraw
    asked: Draw
    sample: Sample
    added: int

    @property
    def same(self) -> bool:
        """Whether drawing again gives the stored sample."""
        return (self.sample.population_sha256, self.sample.picked_sha256) == (
            self.draw.population_sha256,
            self.draw.picked_sha256,
        )


def _within(query: Select[*tuple[int, str, str, int, int]], scope: Scope) -> Select[*tuple[int, str, str, int, int]]:
    query = query.where(
        Duty.cycle_id == scope.cycle.id,
        Duty.in_force.is_(True),
        Duty.unit_id.in_([unit.id for unit in scope.units]),
        Duty.period_starts_on <= scope.period_ends_on,
        Duty.period_ends_on >= scope.period_starts_on,
        Duty.due_on <= scope.due_by,
    )
    return query.where(Duty.item_id.in_(scope.items)) if scope.items else query


def population_of(session: Session, scope: Scope, *, by: Sequence[Trait] = ()) -> Population:
    """The duties in scope with what they have in common in these traits."""
    query = _within(select(Duty.id, Duty.key, Duty.level, Duty.unit_id, Duty.organization_id), scope)
    rows = session.execute(query).all()
    kinds = {unit.id: "+".join(sorted(unit.tags)) for unit in scope.units}
    returned = _returned(session, scope) if Trait.RETURNED in by else set()
    found = _found(session, scope) if Trait.FINDINGS in by else set()
    candidates = []
    for row_id, key, level, unit_id, organization_id in rows:
        value = {
            Trait.UNIT_KIND: kinds[unit_id],
            Trait.LEVEL: level,
            Trait.RETURNED: YES if row_id in returned else NO,
            Trait.FINDINGS: YES if organization_id in found else NO,
        }
        candidates.append(Candidate(key, tuple(value[trait] for trait in by)))
    candidates.sort(key=lambda one: one.key)
    ids, of_units = {row.key: row.id for row in rows}, {row.key: row.unit_id for row in rows}
    return Population(tuple(candidates), ids, of_units)


def picked_named(session: Session, keys: Sequence[str]) -> list[Picked]:
    """The duties of these keys, in the official order of their organizations."""
    query = (
        select(
            Duty.key,
            Duty.organization_id,
            Organization.name,
            Duty.level,
            Duty.item_id,
            Duty.period,
            Duty.occurrence,
            Duty.due_on,
        )
        .join(Organization, Organization.id == Duty.organization_id)
        .where(Duty.key.in_(keys))
        .order_by(Organization.place, Duty.level, Duty.item_id, Duty.period_starts_on, Duty.key)
    )
    return [Picked(*row) for row in session.execute(query)]


def _returned(session: Session, scope: Scope) -> set[int]:
    query = select(SignOff.duty_id).where(
        SignOff.action == Action.RETURN,
        SignOff.cycle_id == scope.cycle.id,
        SignOff.unit_id.in_([unit.id for unit in scope.units]),
    )
    return set(session.scalars(query.distinct()))


def _found(session: Session, scope: Scope) -> set[int]:
    query = select(Finding.organization_id).where(Finding.unit_id.in_([unit.id for unit in scope.units]))
    return set(session.scalars(query.distinct()))


def stratum_name(
    values: Values,
    *,
    by: Sequence[Trait],
    checklist: Checklist,
    words: Translate = _n,
    title: Callable[[Named], str] = lambda thing: thing.name,
) -> str:
    """What people call a stratum; `title` says what they call a level or a tag of the list."""
    names = {one.id: title(one) for one in (*checklist.levels, *checklist.tags)}
    return "、".join(_value_name(trait, value, names, words) for trait, value in zip(by, values, strict=True))


def _value_name(trait: Trait, value: str, names: Mapping[str, str], words: Translate) -> str:
    if trait is Trait.RETURNED:
        return words(_n("曾被退回")) if value == YES else words(_n("未被退回"))
    if trait is Trait.FINDINGS:
        return words(_n("组织曾有问题")) if value == YES else words(_n("组织未有问题"))
    if trait is Trait.UNIT_KIND and not value:
        return words(_n("无类别标签的单位"))
    return "＋".join(names.get(part, part) for part in value.split("+"))


def draw_of(session: Session, inspection: Inspection, *, as_of: datetime | None = None) -> InspectionDraw | None:
    """The draw behind the sample of a check, if its sample was drawn."""
    query = select(InspectionDraw).where(InspectionDraw.inspection_id == inspection.id, known(InspectionDraw, as_of))
    return session.scalar(query)


def redrawn(session: Session, inspection: Inspection, *, as_of: datetime | None = None) -> Redrawn | None:
    """Draw the sample of a check again, from what was stored with it; None where it was not drawn."""
    stored = draw_of(session, inspection, as_of=as_of)
    if stored is None:
        return None
    exclusions = tuple(Exclusion(one["key"], one["reason"]) for one in stored.excluded)
    asked = Draw(stored.seed, Rule.read(stored.rule), exclusions)
    strata = [tuple(one["values"]) for one in stored.strata]
    sample = drawn(asked, candidates_in(zlib.decompress(stored.population), strata))
    return Redrawn(stored, asked, sample, _added(session, inspection, stored, as_of=as_of))


def _added(session: Session, inspection: Inspection, draw: InspectionDraw, *, as_of: datetime | None) -> int:
    query = select(func.count()).where(InspectionDuty.inspection_id == inspection.id, known(InspectionDuty, as_of))
    return (session.scalar(query) or 0) - draw.picked_size


def description(
    session: Session, inspection: Inspection, draw: InspectionDraw, *, words: Translate, as_of: datetime | None = None
) -> str:
    """How the sample was drawn, as a report says it."""
    rule = Rule.read(draw.rule)
    by = "、".join(words(TRAIT_NAMES[trait]) for trait in rule.by)
    values = {
        "by": by,
        "population": draw.population_size,
        "excluded": len(draw.excluded),
        "strata": len(draw.strata),
        "picked": draw.picked_size,
    }
    ways = _n("按%(by)s分为%(strata)s层抽样。") if by else _n("不分层抽样。")
    parts = [
        words(ways) % values,
        words(_n("范围内%(population)s项，剔除%(excluded)s项，抽取%(picked)s项。")) % values,
        _amount(rule, words),
    ]
    added = _added(session, inspection, draw, as_of=as_of)
    if added:
        parts.append(words(_n("检查组另逐项加入%(n)s项。")) % {"n": added})
    return "".join(parts)


def _amount(rule: Rule, words: Translate) -> str:
    if rule.percent is not None:
        return words(_n("各层抽取比例：百分之%(percent)s，不足一项的按一项。")) % {"percent": f"{rule.percent:f}"}
    if rule.numbers:
        return words(_n("各层抽取数量分别确定。"))
    return words(_n("各层抽取数量：%(number)s项。")) % {"number": rule.number}
