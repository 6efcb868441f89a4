"""Good practice as pages and papers read it: where each stands, then or now, and what its steps were."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, joinedload

from tracker.domain.actor import Actor
from tracker.domain.good_practice import (
    LIVE,
    STEPS,
    GoodPracticeAction,
    GoodPracticeState,
    Side,
    steps_open,
)
from tracker.domain.inspection import InspectionState
from tracker.models import (
    Cycle,
    Evidence,
    EvidenceLink,
    GoodPractice,
    GoodPracticeStep,
    Inspection,
    InspectionDuty,
    Organization,
)
from tracker.policy import Act, can, visible
from tracker.queries.history import SHANGHAI, known
from tracker.queries.organizations import tree


@dataclass(frozen=True)
class Practice:
    """One of them as it stood: `text` is what the inspector wrote, `since` when it came to stand so."""

    key: str
    year: int
    inspection: int
    unit_id: int
    unit: str
    title: str
    text: str
    state: GoodPracticeState
    since: datetime


@dataclass(frozen=True)
class Waiting:
    """One that waits for the unit, and what this person may do with it."""

    practice: Practice
    actions: tuple[GoodPracticeAction, ...]


def sampled_duties(session: Session, inspection: Inspection, evidence: Evidence) -> list[int]:
    """The duties (row numbers) of the sample of a check that a record serves."""
    query = (
        select(EvidenceLink.duty_id)
        .join(InspectionDuty, InspectionDuty.duty_id == EvidenceLink.duty_id)
        .where(
            EvidenceLink.evidence_id == evidence.id,
            known(EvidenceLink),
            InspectionDuty.inspection_id == inspection.id,
            known(InspectionDuty),
        )
    )
    return list(session.scalars(query.distinct()))


def checks_to_mark(session: Session, evidence: Evidence, *, actor: Actor) -> list[Inspection]:
    """The open checks of this person in which the record may be marked: those whose sample it serves."""
    query = (
        select(Inspection)
        .join(InspectionDuty, InspectionDuty.inspection_id == Inspection.id)
        .join(EvidenceLink, EvidenceLink.duty_id == InspectionDuty.duty_id)
        .where(
            EvidenceLink.evidence_id == evidence.id,
            known(EvidenceLink),
            known(InspectionDuty),
            Inspection.state == InspectionState.OPEN,
            visible(actor, Inspection),
        )
        .distinct()
        .order_by(Inspection.number)
    )
    return [check for check in session.scalars(query) if can(session, actor, Act.INSPECT, check)]


def steps_of(session: Session, practice: GoodPractice, *, as_of: datetime | None = None) -> list[GoodPracticeStep]:
    """The steps of one that were known then, the first in front."""
    query = select(GoodPracticeStep).where(GoodPracticeStep.good_practice_id == practice.id)
    query = query if as_of is None else query.where(GoodPracticeStep.at <= as_of)
    return list(session.scalars(query.order_by(GoodPracticeStep.number).options(joinedload(GoodPracticeStep.person))))


def actions_for(session: Session, practice: GoodPractice, *, actor: Actor) -> tuple[GoodPracticeAction, ...]:
    """What this person may do with it now."""
    sides = {Side.UNIT: Act.CONFIRM, Side.TEAM: Act.WITHDRAW}
    may = {side for side, act in sides.items() if can(session, actor, act, practice)}
    return tuple(action for side in Side if side in may for action in steps_open(practice.state, side))


def shared(session: Session, *, actor: Actor, year: int | None = None, as_of: datetime | None = None) -> list[Practice]:
    """What units agreed to, as known then, the latest year first, units in official order.

    What is withdrawn by now is shown of a past day to those only who still see it: consent can be taken back.
    """
    found = _practices(session, visible(actor, GoodPractice), as_of=as_of)
    agreed = [one for one in found if one.state is GoodPracticeState.AGREED and year in (None, one.year)]
    return sorted(agreed, key=lambda one: -one.year)


def years_shared(session: Session, *, actor: Actor, as_of: datetime | None = None) -> list[int]:
    """The years that have any, the latest first."""
    return sorted({one.year for one in shared(session, actor=actor, as_of=as_of)}, reverse=True)


def pending(session: Session, *, actor: Actor) -> list[Waiting]:
    """Those that wait for their unit and that this person may see, with what they may do."""
    rule = visible(actor, GoodPractice)
    query = select(GoodPractice).where(rule, GoodPractice.state == GoodPracticeState.MARKED)
    rows = {row.key: row for row in session.scalars(query)}
    found = _practices(session, rule, GoodPractice.state == GoodPracticeState.MARKED)
    return [Waiting(one, actions_for(session, rows[one.key], actor=actor)) for one in found]


def waiting_for_consent(session: Session, actor: Actor) -> int:
    """How many wait for the consent of a unit that this person signs for."""
    units = {sitting.organization_id for sitting in actor.sittings if sitting.may_sign and sitting.at_unit}
    if not units:
        return 0
    rule = GoodPractice.unit_id.in_(units), GoodPractice.state == GoodPracticeState.MARKED
    return session.scalar(select(func.count()).select_from(GoodPractice).where(*rule)) or 0


def of_inspection(session: Session, inspection: Inspection, *, as_of: datetime | None = None) -> list[Practice]:
    """Those of one check that stand, as known then: marked or agreed to, units in official order."""
    found = _practices(session, GoodPractice.inspection_id == inspection.id, as_of=as_of)
    return [one for one in found if one.state in LIVE]


def practice_then(session: Session, practice: GoodPractice, *, as_of: datetime | None = None) -> Practice | None:
    """One of them as known then; None if it was not marked yet."""
    found = _practices(session, GoodPractice.id == practice.id, as_of=as_of)
    return found[0] if found else None


def _practices(session: Session, *rules: ColumnElement[bool], as_of: datetime | None = None) -> list[Practice]:
    """All that the rules leave, units in official order; where each stood follows from its steps until then."""
    query = (
        select(GoodPractice, Cycle.year, Inspection.number, Organization.name)
        .join(Inspection, Inspection.id == GoodPractice.inspection_id)
        .join(Cycle, Cycle.id == Inspection.cycle_id)
        .join(Organization, Organization.id == GoodPractice.unit_id)
        .where(*rules)
        .order_by(Organization.place, Inspection.number, GoodPractice.number)
    )
    rows = session.execute(query).all()
    steps = _steps(session, [practice.id for practice, *_ in rows], as_of=as_of)
    names = _names(session, as_of=as_of)
    return [
        Practice(
            key=practice.key,
            year=year,
            inspection=number,
            unit_id=practice.unit_id,
            unit=names.get(practice.unit_id, name),
            title=practice.title,
            text=steps[practice.id][0].text,
            state=_state(steps[practice.id]),
            since=steps[practice.id][-1].at,
        )
        for practice, year, number, name in rows
        if practice.id in steps
    ]


def _steps(session: Session, practices: Sequence[int], *, as_of: datetime | None) -> dict[int, list[GoodPracticeStep]]:
    query = select(GoodPracticeStep).where(GoodPracticeStep.good_practice_id.in_(practices))
    if as_of is not None:
        query = query.where(GoodPracticeStep.at <= as_of)
    found: defaultdict[int, list[GoodPracticeStep]] = defaultdict(list)
    for row in session.scalars(query.order_by(GoodPracticeStep.number)):
        found[row.good_practice_id].append(row)
    return dict(found)


def _state(steps: Sequence[GoodPracticeStep]) -> GoodPracticeState:
    state: GoodPracticeState | None = None
    for row in steps:
        state = STEPS[state, row.action].to
    assert state is not None  # noqa: S101  there is a first step
    return state


def _names(session: Session, *, as_of: datetime | None) -> dict[int, str]:
    """What organizations were called then; nothing for today, where the tables say so themselves."""
    if as_of is None:
        return {}
    return {node.id: node.name for node in tree(session, on=as_of.astimezone(SHANGHAI).date(), as_of=as_of)}
