"""The inspectors' desk as its page reads it: the queue by risk, who has what open, the score of an item, reasons."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, case, func, or_, select
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
from tracker.queries.columns import Columns, read
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
    query, asked = _queued(), _values(inspection, actor, now)
    if unit:
        query = query.where(Duty.unit_id.in_(select(Organization.id).where(Organization.code == unit)))
    rows = read(session, query, asked).all()
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


@cache
def _queued() -> Columns:
    """The sample in official order with what a line of the queue says."""
    query = _sampled().add_columns(
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
    return query.join(Organization, Organization.id == Duty.organization_id).order_by(
        Organization.place, Duty.level, Duty.item_id, Duty.period_starts_on, Duty.key
    )


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


def _values(inspection: Inspection, actor: Actor, now: datetime) -> dict[str, Any]:
    """What the statements below leave open: each is put together once, which costs more than to run it."""
    return {"check": inspection.id, "person": actor.person_id, "now": now}


def _sampled() -> Columns:
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
        .outerjoin(DeskHold, and_(DeskHold.duty_id == Duty.id, _held_by_another()))
        .outerjoin(holder, holder.id == DeskHold.person_id)
        .where(InspectionDuty.inspection_id == bindparam("check"), known(InspectionDuty))
    )


def _held_by_another() -> ColumnElement[bool]:
    held = DeskHold.inspection_id == bindparam("check"), DeskHold.until > bindparam("now")
    return and_(*held, DeskHold.person_id != bindparam("person"))


def _of_sample() -> Select[int]:
    return select(InspectionDuty.duty_id).where(
        InspectionDuty.inspection_id == bindparam("check"), known(InspectionDuty)
    )


def _returned(session: Session, inspection: Inspection) -> Mapping[int, int]:
    """How often the duties of the sample were returned, by row number."""
    return dict(read(session, _returns(), {"check": inspection.id}).all())


@cache
def _returns() -> Select[int, int]:
    returned = SignOff.duty_id.in_(_of_sample()), SignOff.action == Action.RETURN
    return select(SignOff.duty_id, func.count()).where(*returned).group_by(SignOff.duty_id)


def _records(session: Session, inspection: Inspection) -> Mapping[int, list[int]]:
    """The records behind the duties of the sample: days from the act to the first upload, or to the entry."""
    found: defaultdict[int, list[int]] = defaultdict(list)
    for duty_id, act_on, at in read(session, _uploads(), {"check": inspection.id}):
        found[duty_id].append((at.astimezone(SHANGHAI).date() - act_on).days)
    return found


@cache
def _uploads() -> Columns:
    """The day of the act and the first upload, or the entry, of each record behind the sample."""
    uploaded = func.coalesce(func.min(EvidenceFile.recorded_at), Evidence.entered_at).label("uploaded")
    return (
        select(EvidenceLink.duty_id, EvidenceFact.act_on, uploaded)
        .join(Evidence, Evidence.id == EvidenceLink.evidence_id)
        .join(EvidenceFact, EvidenceFact.evidence_id == Evidence.id)
        .outerjoin(EvidenceFile, and_(EvidenceFile.evidence_id == Evidence.id, known(EvidenceFile)))
        .where(
            EvidenceLink.duty_id.in_(_of_sample()),
            known(EvidenceLink),
            known(EvidenceFact),
            EvidenceFact.withdrawn.is_(False),
        )
        .group_by(EvidenceLink.duty_id, Evidence.id, EvidenceFact.act_on, Evidence.entered_at)
    )


def standings_of(session: Session, inspection: Inspection, *, actor: Actor, now: datetime) -> list[Standing]:
    """The duties of the queue that have a verdict or are open elsewhere."""
    return [Standing(*row) for row in read(session, _touched(), _values(inspection, actor, now))]


@cache
def _touched() -> Columns:
    """The duties of the sample to which somebody did something."""
    return _sampled().where(or_(Verdict.id.is_not(None), DeskHold.id.is_not(None))).order_by(Duty.key)


def holder_of(session: Session, inspection: Inspection, duty: Duty, *, actor: Actor, now: datetime) -> DeskHold | None:
    """The hold of somebody else on a duty, as long as it lasts."""
    return session.scalar(_hold_of_another(), {"duty": duty.id, **_values(inspection, actor, now)})


@cache
def _hold_of_another() -> Select[DeskHold]:
    return select(DeskHold).where(DeskHold.duty_id == bindparam("duty"), _held_by_another())


def records_behind(session: Session, duty: Duty) -> list[tuple[str, int]]:
    """The records that serve a duty, withdrawn ones among them: their keys, and the row numbers of their units."""
    return [(key, unit_id) for key, unit_id in read(session, _records_of(), {"duty": duty.id})]


@cache
def _records_of() -> Select[str, int]:
    serving = select(EvidenceLink.evidence_id).where(EvidenceLink.duty_id == bindparam("duty"), known(EvidenceLink))
    return select(Evidence.key, Evidence.unit_id).where(Evidence.id.in_(serving)).order_by(Evidence.id)


def score_of(session: Session, inspection: Inspection, duty: Duty, item: Item) -> ItemScore:
    """The score of the duty's item in its organization, as far as it is judged."""
    asked = {"check": inspection.id, "place": duty.organization_id, "item": duty.item_id}
    values = read(session, _values_given(), asked).scalars().all()
    tenths = read(session, _overruled(), asked).scalar()
    return recorded_score(item.points, values, overruled=None if tenths is None else Fraction(tenths, 10))


@cache
def _values_given() -> Select[VerdictValue]:
    """The verdicts on an item of an organization."""
    return (
        select(Verdict.value)
        .join(Duty, Duty.id == Verdict.duty_id)
        .where(
            Verdict.inspection_id == bindparam("check"),
            known(Verdict),
            Duty.organization_id == bindparam("place"),
            Duty.item_id == bindparam("item"),
        )
    )


@cache
def _overruled() -> Select[int | None]:
    """The points that an inspector gave the item instead."""
    return select(Overrule.tenths).where(
        Overrule.inspection_id == bindparam("check"),
        Overrule.organization_id == bindparam("place"),
        Overrule.item_id == bindparam("item"),
        known(Overrule),
    )


def findings_about(session: Session, inspection: Inspection, duty: Duty) -> list[tuple[Finding, FindingFact]]:
    """The findings of the check that name the duty."""
    rows = session.execute(_findings_about(), {"check": inspection.id, "duty": duty.id})
    return [(finding, fact) for finding, fact in rows]


@cache
def _findings_about() -> Select[Finding, FindingFact]:
    return (
        select(Finding, FindingFact)
        .join(FindingFact, and_(FindingFact.finding_id == Finding.id, known(FindingFact)))
        .where(Finding.inspection_id == bindparam("check"), Finding.duty_id == bindparam("duty"))
        .order_by(Finding.number)
    )


def reasons_in_use(session: Session) -> list[FrequentReason]:
    """The frequent reasons: those for what is partly met, those for what is missing, then the others."""
    return list(session.scalars(_reasons_in_use()))


@cache
def _reasons_in_use() -> Select[FrequentReason]:
    value = FrequentReason.value
    order = case((value == VerdictValue.PARTLY, 0), (value == VerdictValue.MISSING, 1), else_=2)
    return select(FrequentReason).where(known(FrequentReason)).order_by(order, FrequentReason.key)


def reasons_dropped(session: Session) -> list[FrequentReason]:
    """The reasons that are not offered any more, as they stood last."""
    in_force = select(FrequentReason.key).where(known(FrequentReason))
    last = select(func.max(FrequentReason.id)).where(FrequentReason.key.not_in(in_force)).group_by(FrequentReason.key)
    query = select(FrequentReason).where(FrequentReason.id.in_(last)).order_by(FrequentReason.key)
    return list(session.scalars(query))


def reason_named(session: Session, key: str) -> FrequentReason | None:
    """The reason of that key, while it is offered."""
    return session.scalar(select(FrequentReason).where(FrequentReason.key == key, known(FrequentReason)))
