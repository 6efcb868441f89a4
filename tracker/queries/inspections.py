"""Supervision checks as pages read them: facts, team, units, the queue with its verdicts, findings, scores."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import BindParameter, Select, and_, bindparam, func, or_, select, tuple_
from sqlalchemy.orm import Session, joinedload

from tracker.domain.actor import Actor, RoleName
from tracker.domain.checklist import Item
from tracker.domain.duty import State
from tracker.domain.errors import NotFound
from tracker.domain.inspection import InspectionState, MemberRole
from tracker.domain.score import ItemScore, LevelScore, level_score, recorded_score
from tracker.domain.score import Verdict as VerdictValue
from tracker.domain.text import _n
from tracker.models import (
    Account,
    Cycle,
    Duty,
    Finding,
    FindingFact,
    Inspection,
    InspectionDuty,
    InspectionFact,
    InspectionMember,
    InspectionUnit,
    Organization,
    Overrule,
    Person,
    Seat,
    StoredFile,
    Verdict,
)
from tracker.policy import visible
from tracker.queries.columns import read
from tracker.queries.history import known
from tracker.queries.people import name_of

PAGE = 200
_ORDER = (Organization.place, Duty.level, Duty.item_id, Duty.period_starts_on, Duty.key)  # of a sample


@dataclass(frozen=True)
class Summary:
    """One check in the list of checks."""

    inspection: Inspection
    fact: InspectionFact
    sampled: int
    judged: int


@dataclass(frozen=True)
class Sampled:
    """One duty of a sample with its verdict, if it has one."""

    key: str
    item_id: str
    organization: str
    organization_code: str
    seat: str
    post: str
    level: str
    dimension: str
    period: str
    occurrence: int
    due_on: date
    act_on: date | None
    first_submitted_on: date | None
    state: State
    is_changed: bool
    unit_id: int
    verdict: VerdictValue | None
    note: str | None
    inspector: str | None


@dataclass(frozen=True)
class Candidate:
    """A duty that may be picked for the sample."""

    key: str
    item_id: str
    organization: str
    period: str
    occurrence: int
    due_on: date
    state: State


@dataclass(frozen=True)
class ScoredItem:
    """The score of one item in one organization, and why an inspector changed it, if so."""

    item_id: str
    score: ItemScore
    reason: str


@dataclass(frozen=True)
class ScoredOrganization:
    """The scores of one organization: item by item, and their sum scaled to 100 (None: nothing judged)."""

    organization: Organization
    items: tuple[ScoredItem, ...]
    total: LevelScore | None


def inspection_named(session: Session, number: int) -> Inspection:
    """The check of that number. Raises NotFound."""
    with_list = joinedload(Inspection.cycle).joinedload(Cycle.checklist_version)
    inspection = session.scalar(select(Inspection).where(Inspection.number == number).options(with_list))
    if inspection is None:
        raise NotFound(_n("没有第 %(number)s 号督查，请核对编号。"), number=number)
    return inspection


def fact_of(session: Session, inspection: Inspection, *, as_of: datetime | None = None) -> InspectionFact:
    """What the check is, as known then."""
    return session.scalars(_facts(as_of), {"check": inspection.id}).one()


@lru_cache(maxsize=16)
def _facts(as_of: datetime | None) -> Select[InspectionFact]:
    return select(InspectionFact).where(
        InspectionFact.inspection_id == bindparam("check"), known(InspectionFact, as_of)
    )


def state_then(session: Session, inspection: Inspection, *, as_of: datetime) -> InspectionState | None:
    """Whether the check was open or closed by then; nothing where there was none yet."""
    fact = session.scalars(_facts(as_of), {"check": inspection.id}).one_or_none()
    return fact.state if fact else None


def notice_of(session: Session, inspection: Inspection) -> StoredFile | None:
    """The file of the paper that orders the check, if one is attached."""
    row = fact_of(session, inspection).notice_file_id
    return None if row is None else session.get(StoredFile, row)


def inspections_seen(session: Session, actor: Actor) -> list[Summary]:
    """The checks that a person may see, the newest first."""
    of_check = InspectionDuty.inspection_id == Inspection.id, Verdict.inspection_id == Inspection.id
    sampled = select(func.count()).where(known(InspectionDuty), of_check[0]).scalar_subquery()
    verdicts = select(func.count()).where(known(Verdict), of_check[1]).scalar_subquery()
    query = (
        select(Inspection, InspectionFact, sampled, verdicts)
        .join(InspectionFact, and_(InspectionFact.inspection_id == Inspection.id, known(InspectionFact)))
        .where(visible(actor, Inspection))
        .order_by(Inspection.number.desc())
        .limit(PAGE)
    )
    return [Summary(*row) for row in session.execute(query)]


def team_of(
    session: Session, inspection: Inspection, *, as_of: datetime | None = None
) -> list[tuple[Person, MemberRole]]:
    """The team, leaders first."""
    query = (
        select(Person, InspectionMember.role)
        .join(InspectionMember, InspectionMember.person_id == Person.id)
        .where(InspectionMember.inspection_id == inspection.id, known(InspectionMember, as_of))
        .order_by(InspectionMember.role, Person.key)
    )
    return [(person, role) for person, role in session.execute(query)]


def units_of(session: Session, inspection: Inspection, *, as_of: datetime | None = None) -> list[Organization]:
    """The units of the check, in their official order."""
    return list(session.scalars(_units(as_of), {"check": inspection.id}))


@lru_cache(maxsize=16)
def _units(as_of: datetime | None) -> Select[Organization]:
    return (
        select(Organization)
        .join(InspectionUnit, InspectionUnit.organization_id == Organization.id)
        .where(InspectionUnit.inspection_id == bindparam("check"), known(InspectionUnit, as_of))
        .order_by(Organization.place)
    )


def units_to_choose(session: Session) -> list[Organization]:
    """Every unit that a check may visit."""
    query = select(Organization).where(Organization.is_unit.is_(True), Organization.closed_on.is_(None))
    return list(session.scalars(query.order_by(Organization.place)))


def inspectors_to_choose(session: Session) -> list[Person]:
    """Everybody whose account carries the role of an inspector."""
    query = select(Person).join(Account, Account.person_id == Person.id)
    query = query.where(Account.roles.any(name=RoleName.INSPECTOR.value), Account.active.is_(True))
    return list(session.scalars(query.order_by(Person.key)))


def _queue(inspection: Inspection, *, as_of: datetime | None) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Duty.key,
            Duty.item_id,
            Organization.name,
            Organization.code,
            Seat.key,
            Duty.post,
            Duty.level,
            Duty.dimension,
            Duty.period,
            Duty.occurrence,
            Duty.due_on,
            Duty.act_on,
            Duty.first_submitted_on,
            Duty.state,
            Duty.is_changed,
            Duty.unit_id,
            Verdict.value,
            Verdict.note,
            name_of(Verdict.person_id, as_of=as_of),
        )
        .join(InspectionDuty, InspectionDuty.duty_id == Duty.id)
        .join(Organization, Organization.id == Duty.organization_id)
        .join(Seat, Seat.id == Duty.seat_id)
        .outerjoin(
            Verdict,
            and_(
                Verdict.inspection_id == InspectionDuty.inspection_id,
                Verdict.duty_id == Duty.id,
                known(Verdict, as_of),
            ),
        )
        .where(InspectionDuty.inspection_id == inspection.id, known(InspectionDuty, as_of))
        .order_by(*_ORDER)
    )


def _place_of(inspection: Inspection, key: str) -> Select[*tuple[Any, ...]]:
    """Where a duty of the sample stands in its order."""
    return (
        select(*_ORDER)
        .join(InspectionDuty, InspectionDuty.duty_id == Duty.id)
        .join(Organization, Organization.id == Duty.organization_id)
        .where(InspectionDuty.inspection_id == inspection.id, Duty.key == key)
    )


def sample_of(
    session: Session,
    inspection: Inspection,
    *,
    unit: str | None = None,
    pending: bool = False,
    after: str = "",
    size: int | None = PAGE,
    as_of: datetime | None = None,
) -> list[Sampled]:
    """The duties of the sample in the order of the item table; `pending` leaves those without a verdict.

    `after` is the key of a duty that was ever in the sample: those behind it, whether it is judged by now or not.
    """
    query = _queue(inspection, as_of=as_of)
    if last := session.execute(_place_of(inspection, after)).first() if after else None:
        query = query.where(tuple_(*_ORDER) > tuple_(*last))
    if unit:
        query = query.where(Duty.unit_id.in_(select(Organization.id).where(Organization.code == unit)))
    if pending:
        query = query.where(Verdict.id.is_(None))
    if size is not None:
        query = query.limit(size)
    return [Sampled(*row) for row in session.execute(query)]


def is_sampled(session: Session, inspection: Inspection, duty: Duty) -> bool:
    """Whether the duty is in the sample."""
    return read(session, _sampled(), {"check": inspection.id, "duty": duty.id}).first() is not None


@cache
def _sampled() -> Select[int]:
    return select(InspectionDuty.id).where(
        InspectionDuty.inspection_id == bindparam("check"),
        InspectionDuty.duty_id == bindparam("duty"),
        known(InspectionDuty),
    )


def verdicts_on(session: Session, inspection: Inspection, duty: Duty) -> list[Verdict]:
    """All verdicts on a duty, the one in force first, then the earlier ones."""
    return list(session.scalars(_verdicts_on(), {"check": inspection.id, "duty": duty.id}))


@cache
def _verdicts_on() -> Select[Verdict]:
    query = select(Verdict).where(Verdict.inspection_id == bindparam("check"), Verdict.duty_id == bindparam("duty"))
    return query.order_by(Verdict.id.desc()).options(joinedload(Verdict.person))


def findings_of(
    session: Session, inspection: Inspection, *, as_of: datetime | None = None
) -> list[tuple[Finding, FindingFact]]:
    """The findings in their order, each with what it says."""
    query = (
        select(Finding, FindingFact)
        .join(FindingFact, and_(FindingFact.finding_id == Finding.id, known(FindingFact, as_of)))
        .where(Finding.inspection_id == inspection.id)
        .order_by(Finding.number)
        .options(joinedload(Finding.organization))
    )
    return [(finding, fact) for finding, fact in session.execute(query)]


def candidates_of(
    session: Session, inspection: Inspection, *, unit: str | None = None, size: int = PAGE
) -> list[Candidate]:
    """Duties in the scope of the check that are not in its sample, in official order, each organization's by due day.

    What falls due after the check has ended cannot be judged and is left out, unless it was handed in already.
    """
    fact = fact_of(session, inspection)
    units = select(Organization.id).where(Organization.code == unit) if unit else None
    query: Select[*tuple[Any, ...]] = (
        select(Duty.key, Duty.item_id, Organization.name, Duty.period, Duty.occurrence, Duty.due_on, Duty.state)
        .join(Organization, Organization.id == Duty.organization_id)
        .where(
            Duty.cycle_id == inspection.cycle_id,
            Duty.in_force.is_(True),
            Duty.unit_id.in_([node.id for node in units_of(session, inspection)]),
            Duty.period_starts_on <= fact.period_ends_on,
            Duty.period_ends_on >= fact.period_starts_on,
            or_(Duty.due_on <= fact.ends_on, Duty.first_submitted_on.is_not(None)),
            Duty.id.not_in(
                select(InspectionDuty.duty_id).where(
                    InspectionDuty.inspection_id == inspection.id, known(InspectionDuty)
                )
            ),
        )
        .order_by(Organization.place, Duty.due_on, Duty.key)
        .limit(size)
    )
    if units is not None:
        query = query.where(Duty.unit_id.in_(units))
    if fact.items:
        query = query.where(Duty.item_id.in_(fact.items))
    return [Candidate(*row) for row in session.execute(query)]


def overrules_of(
    session: Session, inspection: Inspection, *, as_of: datetime | None = None
) -> dict[tuple[int, str], Overrule]:
    """Points given by an inspector, by organization (row number) and item."""
    query = select(Overrule).where(
        Overrule.inspection_id == inspection.id, known(Overrule, as_of), Overrule.tenths.is_not(None)
    )
    return {(row.organization_id, row.item_id): row for row in session.scalars(query)}


def scores_of(
    session: Session, inspection: Inspection, *, items: Mapping[str, Item], as_of: datetime | None = None
) -> list[ScoredOrganization]:
    """Every organization of the sample with its item scores and their sum, in official order."""
    query = (
        select(Duty.organization_id, Duty.item_id, Verdict.value)
        .join(Duty, Duty.id == Verdict.duty_id)
        .where(Verdict.inspection_id == inspection.id, known(Verdict, as_of))
    )
    verdicts: dict[int, dict[str, list[VerdictValue]]] = defaultdict(lambda: defaultdict(list))
    for organization_id, item_id, value in session.execute(query):
        verdicts[organization_id][item_id].append(value)
    overrules = overrules_of(session, inspection, as_of=as_of)
    organizations = session.scalars(
        select(Organization).where(Organization.id.in_(verdicts)).order_by(Organization.place)
    )
    return [_scored(node, verdicts[node.id], overrules, items) for node in organizations]


def _scored(
    organization: Organization,
    verdicts: Mapping[str, list[VerdictValue]],
    overrules: Mapping[tuple[int, str], Overrule],
    items: Mapping[str, Item],
) -> ScoredOrganization:
    scored = []
    for item_id in sorted(verdicts):
        overrule = overrules.get((organization.id, item_id))
        number = None if overrule is None or overrule.tenths is None else Fraction(overrule.tenths, 10)
        score = recorded_score(items[item_id].points, verdicts[item_id], overruled=number)
        scored.append(ScoredItem(item_id, score, overrule.reason if overrule else ""))
    return ScoredOrganization(organization, tuple(scored), level_score([item.score for item in scored]))


def scored_item(
    session: Session,
    inspection: Inspection,
    organization: Organization,
    *,
    items: Mapping[str, Item],
    item_id: str,
) -> ScoredItem | None:
    """The score of one item in one organization, or None if nothing of it was judged."""
    for scored in scores_of(session, inspection, items=items):
        if scored.organization.id == organization.id:
            return next((item for item in scored.items if item.item_id == item_id), None)
    return None


def progress_of(session: Session, inspection: Inspection, *, as_of: datetime | None = None) -> tuple[int, int]:
    """How many duties were in the sample by then, and how many of them had a verdict."""
    sampled, judged = read(session, _progress(as_of), {"check": inspection.id}).one()
    return sampled, judged


@lru_cache(maxsize=16)
def _progress(as_of: datetime | None) -> Select[int, int]:
    sampled, judged = counts_of(as_of)
    return select(sampled.scalar_subquery(), judged.scalar_subquery())


def counts_of(as_of: datetime | None = None) -> tuple[Select[int], Select[int]]:
    """What `progress_of` counts in a `check` that is left open."""
    check: BindParameter[int] = bindparam("check")
    return (
        select(func.count()).where(InspectionDuty.inspection_id == check, known(InspectionDuty, as_of)),
        select(func.count()).where(Verdict.inspection_id == check, known(Verdict, as_of)),
    )


def organizations_in(session: Session, units: list[int]) -> list[Organization]:
    """All organizations of these units (row numbers), in their official order."""
    query = select(Organization).where(Organization.unit_id.in_(units))
    return list(session.scalars(query.order_by(Organization.place)))
