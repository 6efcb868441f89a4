"""Scores with the sums behind them: units, levels, organizations, items, and under each item its sampled duties."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from sqlalchemy import and_, select
from sqlalchemy.orm import Session, aliased

from tracker.domain.checklist import Item
from tracker.domain.score import ItemScore, LevelScore, level_score, mean_formula, recorded_score, unit_level_score
from tracker.domain.score import Verdict as VerdictValue
from tracker.models import Duty, Inspection, InspectionDuty, Organization, Overrule, Verdict
from tracker.queries.history import known
from tracker.queries.inspections import overrules_of
from tracker.queries.organizations import names_of


@dataclass(frozen=True)
class DutyLine:
    """One duty of the sample and its verdict; None while nobody has judged it."""

    key: str
    post: str
    period: str
    occurrence: int
    verdict: VerdictValue | None


@dataclass(frozen=True)
class ItemSheet:
    """One item of an organization: its score, the duties that make it, and why an inspector gave other points."""

    item_id: str
    score: ItemScore
    reason: str
    duties: tuple[DutyLine, ...]

    @property
    def pending(self) -> int:
        """How many of its duties nobody has judged yet."""
        return sum(duty.verdict is None for duty in self.duties)

    @property
    def counts(self) -> bool:
        """Whether it stands in the sum: something of it was judged and did apply."""
        return self.score.value is not None


@dataclass(frozen=True)
class OrganizationSheet:
    """One organization: its items, and what they add up to; None where nothing was judged that carries points."""

    code: str
    name: str
    items: tuple[ItemSheet, ...]
    total: LevelScore | None

    @property
    def overruled(self) -> bool:
        """Whether an inspector gave any of its items other points."""
        return any(item.score.overruled is not None for item in self.items)


@dataclass(frozen=True)
class LevelSheet:
    """The organizations of a unit at one level, and the mean of their scores."""

    level: str
    organizations: tuple[OrganizationSheet, ...]

    @property
    def counted(self) -> list[LevelScore]:
        """The scores that the mean is made of."""
        return [node.total for node in self.organizations if node.total is not None]

    @property
    def mean(self) -> Fraction | None:
        """The score of the unit at this level."""
        return unit_level_score(self.counted)

    @property
    def mean_formula(self) -> str:
        """How that score comes about of those of its organizations."""
        return mean_formula(self.counted)


@dataclass(frozen=True)
class UnitSheet:
    """One unit: its levels from the top down."""

    code: str
    name: str
    levels: tuple[LevelSheet, ...]


def score_sheets(
    session: Session,
    inspection: Inspection,
    *,
    items: Mapping[str, Item],
    levels: Sequence[str],
    as_of: datetime | None = None,
) -> list[UnitSheet]:
    """Every unit of the sample, in official order, with the sums behind its scores as known then.

    `levels` are the ids of the levels from the top down.
    """
    rows = _rows(session, inspection, as_of=as_of)
    names = names_of(session, {number for row in rows for number in (row[0].id, row[1].id)}, as_of=as_of)
    overrules = overrules_of(session, inspection, as_of=as_of)
    units: dict[int, tuple[Organization, dict[str, list[OrganizationSheet]]]] = {}
    place = {level: number for number, level in enumerate(levels)}
    for node, unit, lines in rows:
        sheets = tuple(_item(items[item_id], lines[item_id], overrules.get((node.id, item_id))) for item_id in lines)
        total = level_score(sheet.score for sheet in sheets)
        found = units.setdefault(unit.id, (unit, defaultdict(list)))[1]
        found[node.level].append(OrganizationSheet(node.code, names.get(node.id, node.name), sheets, total))
    return [
        UnitSheet(
            unit.code,
            names.get(unit.id, unit.name),
            tuple(
                LevelSheet(level, tuple(found[level])) for level in sorted(found, key=lambda one: place.get(one, -1))
            ),
        )
        for unit, found in units.values()
    ]


def _rows(
    session: Session, inspection: Inspection, *, as_of: datetime | None
) -> list[tuple[Organization, Organization, dict[str, list[DutyLine]]]]:
    """Every organization of the sample with its unit and its duties by item, in official order."""
    unit = aliased(Organization)
    query = (
        select(Organization, unit, Duty.item_id, Duty.key, Duty.post, Duty.period, Duty.occurrence, Verdict.value)
        .select_from(InspectionDuty)
        .join(Duty, Duty.id == InspectionDuty.duty_id)
        .join(Organization, Organization.id == Duty.organization_id)
        .join(unit, unit.id == Duty.unit_id)
        .outerjoin(
            Verdict,
            and_(
                Verdict.inspection_id == InspectionDuty.inspection_id,
                Verdict.duty_id == InspectionDuty.duty_id,
                known(Verdict, as_of),
            ),
        )
        .where(InspectionDuty.inspection_id == inspection.id, known(InspectionDuty, as_of))
        .order_by(unit.place, Organization.place, Duty.item_id, Duty.period_starts_on, Duty.key)
    )
    found: dict[int, tuple[Organization, Organization, dict[str, list[DutyLine]]]] = {}
    for node, above, item_id, key, post, period, occurrence, verdict in session.execute(query):
        line = DutyLine(key, post, period, occurrence, verdict)
        found.setdefault(node.id, (node, above, defaultdict(list)))[2][item_id].append(line)
    return list(found.values())


def _item(item: Item, duties: Sequence[DutyLine], overrule: Overrule | None) -> ItemSheet:
    number = None if overrule is None or overrule.tenths is None else Fraction(overrule.tenths, 10)
    verdicts = [duty.verdict for duty in duties if duty.verdict is not None]
    score = recorded_score(item.points, verdicts, overruled=number)
    return ItemSheet(item.id, score, overrule.reason if overrule and score.overruled is not None else "", tuple(duties))
