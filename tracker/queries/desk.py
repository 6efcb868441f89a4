"""The inspectors' desk as its page reads it: the queue by risk, who has what open, the score of an item, reasons."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import Session, aliased

from tracker.domain.actor import Actor
from tracker.domain.checklist import Item
from tracker.domain.desk import Signs, Why, rank, risks_of
from tracker.domain.duty import Action, State
from tracker.domain.score import ItemScore, recorded_score
from tracker.domain.score import Verdict as VerdictValue
from tracker.models import (
    CycleState,
    DeskHold,
    Duty,
    Evidence,
    EvidenceFact,
    EvidenceFile,
    EvidenceLink,
    Finding,
    FindingFact,
    FrequentReason,
    Inspection,
    InspectionDuty,
    Organization,
    Overrule,
    Person,
    SignOff,
    Verdict,
)
from tracker.queries.duties import timeliness_now
from tracker.queries.history import SHANGHAI, known


@dataclass(frozen=True)
class Queued:
    """One duty of the queue: why it stands where it stands, its verdict, and who else has it open at the moment."""

    key: str
    item_id: str
    organization: str
    period: str
    occurrence: int
    state: State
    is_changed: bool
    why: tuple[Why, ...]
    verdict: VerdictValue | None
    judge: str | None
    held_by: str | None


@dataclass(frozen=True)
class Standing:
    """What others did to a duty of the queue since it was shown: a verdict, or somebody has it open."""

    key: str
    verdict: VerdictValue | None
    judge: str | None
    held_by: str | None


def queue_of(
    session: Session, inspection: Inspection, *, actor: Actor, today: date, now: datetime, unit: str | None = None
) -> list[Queued]:
    """The sample in the order in which it is judged: by risk, then official. Three queries, however many duties."""
    query = _sampled(inspection, actor, now).add_columns(
        Duty.id,
        Duty.item_id,
        Organization.name.label("organization"),
        Duty.period,
        Duty.occurrence,
        Duty.state,
        Duty.is_changed,
        Duty.starts_on,
        Duty.due_on,
        Duty.act_on,
        Duty.first_submitted_on,
    )
    query = query.join(Organization, Organization.id == Duty.organization_id).order_by(
        Organization.place, Duty.level, Duty.item_id, Duty.period_starts_on, Duty.key
    )
    if unit:
        query = query.where(Duty.unit_id.in_(select(Organization.id).where(Organization.code == unit)))
    rows = session.execute(query).all()
    returned, records = _returned(session, inspection), _records(session, inspection)
    closed = inspection.cycle.state is CycleState.CLOSED
    lines = [
        Queued(
            key=row.key,
            item_id=row.item_id,
            organization=row.organization,
            period=row.period,
            occurrence=row.occurrence,
            state=row.state,
            is_changed=row.is_changed,
            why=risks_of(_signs(row, returned.get(row.id, 0), records.get(row.id, []), today=today, closed=closed)),
            verdict=row.verdict,
            judge=row.judge,
            held_by=row.held_by,
        )
        for row in rows
    ]
    return sorted(lines, key=lambda line: rank(line.why))  # a stable sort: the official order stays below


def _signs(row: Any, returned: int, gaps: list[int], *, today: date, closed: bool) -> Signs:  # noqa: ANN401  a row
    timeliness = timeliness_now(
        state=row.state,
        starts_on=row.starts_on,
        due_on=row.due_on,
        act_on=row.act_on,
        submitted_on=row.first_submitted_on,
        today=today,
        closed=closed,
    )
    return Signs(returned, timeliness, max(gaps, default=0), len(gaps), row.state)


def _sampled(inspection: Inspection, actor: Actor, now: datetime) -> Select[*tuple[Any, ...]]:
    """The duties of the sample with the verdict in force, and who else has them open."""
    judge, holder = aliased(Person), aliased(Person)
    return (
        select(Duty.key, Verdict.value.label("verdict"), judge.name.label("judge"), holder.name.label("held_by"))
        .join(InspectionDuty, InspectionDuty.duty_id == Duty.id)
        .outerjoin(
            Verdict,
            and_(
                Verdict.inspection_id == InspectionDuty.inspection_id,
                Verdict.duty_id == Duty.id,
                Verdict.superseded_at.is_(None),
            ),
        )
        .outerjoin(judge, judge.id == Verdict.person_id)
        .outerjoin(DeskHold, and_(DeskHold.duty_id == Duty.id, _held_by_another(inspection, actor, now)))
        .outerjoin(holder, holder.id == DeskHold.person_id)
        .where(InspectionDuty.inspection_id == inspection.id, known(InspectionDuty))
    )


def _held_by_another(inspection: Inspection, actor: Actor, now: datetime) -> ColumnElement[bool]:
    return and_(DeskHold.inspection_id == inspection.id, DeskHold.until > now, DeskHold.person_id != actor.person_id)


def _of_sample(inspection: Inspection) -> Select[int]:
    return select(InspectionDuty.duty_id).where(InspectionDuty.inspection_id == inspection.id, known(InspectionDuty))


def _returned(session: Session, inspection: Inspection) -> Mapping[int, int]:
    """How often the duties of the sample were returned, by row number."""
    rows = session.execute(
        select(SignOff.duty_id, func.count().label("n"))
        .where(SignOff.duty_id.in_(_of_sample(inspection)), SignOff.action == Action.RETURN)
        .group_by(SignOff.duty_id)
    )
    return {row.duty_id: row.n for row in rows}


def _records(session: Session, inspection: Inspection) -> Mapping[int, list[int]]:
    """The records behind the duties of the sample: days from the act to the first upload, or to the entry."""
    uploaded = func.coalesce(func.min(EvidenceFile.recorded_at), Evidence.entered_at).label("uploaded")
    rows = session.execute(
        select(EvidenceLink.duty_id, EvidenceFact.act_on, uploaded)
        .join(Evidence, Evidence.id == EvidenceLink.evidence_id)
        .join(EvidenceFact, EvidenceFact.evidence_id == Evidence.id)
        .outerjoin(EvidenceFile, and_(EvidenceFile.evidence_id == Evidence.id, known(EvidenceFile)))
        .where(
            EvidenceLink.duty_id.in_(_of_sample(inspection)),
            known(EvidenceLink),
            known(EvidenceFact),
            EvidenceFact.withdrawn.is_(False),
        )
        .group_by(EvidenceLink.duty_id, Evidence.id, EvidenceFact.act_on, Evidence.entered_at)
    )
    found: defaultdict[int, list[int]] = defaultdict(list)
    for duty_id, act_on, at in rows:
        found[duty_id].append((at.astimezone(SHANGHAI).date() - act_on).days)
    return found


def standings_of(session: Session, inspection: Inspection, *, actor: Actor, now: datetime) -> list[Standing]:
    """The duties of the queue that have a verdict or are open elsewhere."""
    query = _sampled(inspection, actor, now).where(or_(Verdict.id.is_not(None), DeskHold.id.is_not(None)))
    return [Standing(*row) for row in session.execute(query.order_by(Duty.key))]


def holder_of(session: Session, inspection: Inspection, duty: Duty, *, actor: Actor, now: datetime) -> DeskHold | None:
    """The hold of somebody else on a duty, as long as it lasts."""
    query = select(DeskHold).where(DeskHold.duty_id == duty.id, _held_by_another(inspection, actor, now))
    return session.scalar(query)


def records_behind(session: Session, duty: Duty) -> list[Evidence]:
    """The records that serve a duty, withdrawn ones among them."""
    serving = select(EvidenceLink.evidence_id).where(EvidenceLink.duty_id == duty.id, known(EvidenceLink))
    return list(session.scalars(select(Evidence).where(Evidence.id.in_(serving)).order_by(Evidence.id)))


def score_of(session: Session, inspection: Inspection, duty: Duty, item: Item) -> ItemScore:
    """The score of the duty's item in its organization, as far as it is judged."""
    values = session.scalars(
        select(Verdict.value)
        .join(Duty, Duty.id == Verdict.duty_id)
        .where(
            Verdict.inspection_id == inspection.id,
            known(Verdict),
            Duty.organization_id == duty.organization_id,
            Duty.item_id == duty.item_id,
        )
    ).all()
    tenths = session.scalar(
        select(Overrule.tenths).where(
            Overrule.inspection_id == inspection.id,
            Overrule.organization_id == duty.organization_id,
            Overrule.item_id == duty.item_id,
            known(Overrule),
        )
    )
    return recorded_score(item.points, values, overruled=None if tenths is None else Fraction(tenths, 10))


def findings_about(session: Session, inspection: Inspection, duty: Duty) -> list[tuple[Finding, FindingFact]]:
    """The findings of the check that name the duty."""
    query = (
        select(Finding, FindingFact)
        .join(FindingFact, and_(FindingFact.finding_id == Finding.id, known(FindingFact)))
        .where(Finding.inspection_id == inspection.id, Finding.duty_id == duty.id)
        .order_by(Finding.number)
    )
    return [(finding, fact) for finding, fact in session.execute(query)]


def reasons_in_use(session: Session) -> list[FrequentReason]:
    """The frequent reasons: those for what is partly met, those for what is missing, then the others."""
    value = FrequentReason.value
    order = case((value == VerdictValue.PARTLY, 0), (value == VerdictValue.MISSING, 1), else_=2)
    query = select(FrequentReason).where(known(FrequentReason)).order_by(order, FrequentReason.key)
    return list(session.scalars(query))


def reasons_dropped(session: Session) -> list[FrequentReason]:
    """The reasons that are not offered any more, as they stood last."""
    in_force = select(FrequentReason.key).where(known(FrequentReason))
    last = select(func.max(FrequentReason.id)).where(FrequentReason.key.not_in(in_force)).group_by(FrequentReason.key)
    query = select(FrequentReason).where(FrequentReason.id.in_(last)).order_by(FrequentReason.key)
    return list(session.scalars(query))


def reason_named(session: Session, key: str) -> FrequentReason | None:
    """The reason of that key, while it is offered."""
    return session.scalar(select(FrequentReason).where(FrequentReason.key == key, known(FrequentReason)))
