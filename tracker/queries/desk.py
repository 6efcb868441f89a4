"""The inspectors' desk as its page reads it: the queue by risk, who has what open, the score of an item, reasons."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, bindparam, case, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from tracker.domain.actor import Actor
from tracker.domain.checklist import Item
from tracker.domain.desk import READING, Signs, Why, is_fresh, rank, risks_of
from tracker.domain.duty import Action, State
from tracker.domain.inspection import InspectionState
from tracker.domain.score import ItemScore, recorded_score
from tracker.domain.score import Verdict as VerdictValue
from tracker.models import (
    AccessLog,
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
    InspectionFact,
    InspectionUnit,
    Organization,
    Overrule,
    Person,
    SignOff,
    Verdict,
)
from tracker.queries.columns import Columns, read
from tracker.queries.duties import timeliness_now
from tracker.queries.history import SHANGHAI, known
from tracker.queries.inspections import counts_of

OPENED = "evidence.open"  # as the access log calls it


class Queued(NamedTuple):
    """One duty of the queue: why it stands where it stands, its verdict, and who else has it open at the moment."""

    key: str
    item_id: str
    organization: str
    period: str
    occurrence: int
    state: State
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


@dataclass(frozen=True)
class Head:
    """What stands above the queue: which check this is, and how far it has come."""

    title: str
    starts_on: date
    sampled: int
    judged: int


def head_of(session: Session, inspection: Inspection) -> Head:
    """The head of the desk of a check."""
    return Head(*read(session, _head(), {"check": inspection.id}).one())


@cache
def _head() -> Columns:
    facts = InspectionFact.inspection_id == bindparam("check"), known(InspectionFact)
    counts = (column.scalar_subquery() for column in counts_of())
    return select(InspectionFact.title, InspectionFact.starts_on, *counts).where(*facts)


def units_at(session: Session, inspection: Inspection) -> list[tuple[str, str]]:
    """The units of a check in their official order: their codes and names."""
    return [(code, name) for code, name in read(session, _units(), {"check": inspection.id})]


@cache
def _units() -> Select[str, str]:
    return (
        select(Organization.code, Organization.name)
        .join(InspectionUnit, InspectionUnit.organization_id == Organization.id)
        .where(InspectionUnit.inspection_id == bindparam("check"), known(InspectionUnit))
        .order_by(Organization.place)
    )


def queue_of(
    session: Session, inspection: Inspection, *, actor: Actor, today: date, now: datetime, unit: str | None = None
) -> list[Queued]:
    """The sample in the order in which it is judged: by risk, then official. Three queries, however many duties."""
    query, asked = _queued(), _values(inspection, actor, now)
    if unit:
        query = query.where(Duty.unit_id.in_(select(Organization.id).where(Organization.code == unit)))
    rows = read(session, query, asked).all()
    returned, records = _returned(session, inspection), _records(session, inspection)
    closed, lines = inspection.cycle.state is CycleState.CLOSED, []
    for number, starts_on, due_on, act_on, submitted_on, key, item_id, place, period, occurrence, state, *more in rows:
        timeliness = timeliness_now(
            state=state,
            starts_on=starts_on,
            due_on=due_on,
            act_on=act_on,
            submitted_on=submitted_on,
            today=today,
            closed=closed,
        )
        gaps = records.get(number, ())
        why = risks_of(Signs(returned.get(number, 0), timeliness, max(gaps, default=0), len(gaps), state))
        lines.append(Queued(key, item_id, place, period, occurrence, state, why, *more))
    return sorted(lines, key=lambda line: rank(line.why))  # a stable sort: the official order stays below


@cache
def _queued() -> Columns:
    """The sample in official order: what a line of the queue is worked out from, and what it says."""
    query = _sampled(
        Duty.id,
        Duty.starts_on,
        Duty.due_on,
        Duty.act_on,
        Duty.first_submitted_on,
        Duty.key,
        Duty.item_id,
        Organization.name,
        Duty.period,
        Duty.occurrence,
        Duty.state,
    )
    return query.join(Organization, Organization.id == Duty.organization_id).order_by(
        Organization.place, Duty.level, Duty.item_id, Duty.period_starts_on, Duty.key
    )


def _values(inspection: Inspection, actor: Actor, now: datetime) -> dict[str, Any]:
    """What the statements below leave open: each is put together once, which costs more than to run it."""
    return {"check": inspection.id, "person": actor.person_id, "now": now}


def _sampled(*columns: ColumnElement[Any] | InstrumentedAttribute[Any]) -> Columns:
    """These columns of the duties of the sample, the verdict in force and by whom, and who else has them open."""
    judge, holder = aliased(Person), aliased(Person)
    return (
        select(*columns, Verdict.value, judge.name, holder.name)
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
    for duty_id, act_on, at in read(session, _uploads(), {"check": inspection.id}).all():
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
    return _sampled(Duty.key).where(or_(Verdict.id.is_not(None), DeskHold.id.is_not(None))).order_by(Duty.key)


def holder_of(session: Session, inspection: Inspection, duty: Duty, *, actor: Actor, now: datetime) -> DeskHold | None:
    """The hold of somebody else on a duty, as long as it lasts."""
    return session.scalar(_hold_of_another(), {"duty": duty.id, **_values(inspection, actor, now)})


@cache
def _hold_of_another() -> Select[DeskHold]:
    return select(DeskHold).where(DeskHold.duty_id == bindparam("duty"), _held_by_another())


def lies_open(session: Session, inspection: Inspection, duty: Duty, *, actor: Actor, now: datetime) -> bool:
    """Whether opening a duty changes nothing: this person has it for a good while still, and is noted as its reader.

    In a check that is not open nobody has anything for themselves.
    """
    until, is_unread = read(session, _lying_open(), _values(inspection, actor, now) | _reading(duty, actor, now)).one()
    is_held = until is not None and is_fresh(until, now=now)
    return not is_unread and (is_held or inspection.state is not InspectionState.OPEN)


@cache
def _lying_open() -> Select[datetime | None, bool]:
    """Until when a person has a duty open, and whether there is anything behind it to be noted as read."""
    mine = DeskHold.inspection_id == bindparam("check"), DeskHold.person_id == bindparam("person")
    until = select(DeskHold.until).where(*mine, DeskHold.duty_id == bindparam("duty"))
    return select(until.scalar_subquery(), _unread().exists())


def records_unread(session: Session, duty: Duty, *, actor: Actor, now: datetime) -> list[tuple[str, int]]:
    """The records that serve a duty, withdrawn ones among them: their keys, and the row numbers of their units.

    Those are left out that this person was noted as reading a moment ago: to load a page again is no new reading.
    """
    return [(key, unit_id) for key, unit_id in read(session, _unread(), _reading(duty, actor, now))]


def _reading(duty: Duty, actor: Actor, now: datetime) -> dict[str, Any]:
    return {"duty": duty.id, "reader": actor.person_key, "since": now - READING}


@cache
def _unread() -> Select[str, int]:
    serving = select(EvidenceLink.evidence_id).where(EvidenceLink.duty_id == bindparam("duty"), known(EvidenceLink))
    noted = select(AccessLog.id).where(
        AccessLog.object_key == Evidence.key,
        AccessLog.at > bindparam("since"),
        AccessLog.actor == bindparam("reader"),
        AccessLog.verb == OPENED,
    )
    query = select(Evidence.key, Evidence.unit_id).where(Evidence.id.in_(serving), ~noted.exists())
    return query.order_by(Evidence.id)


@dataclass(frozen=True)
class Judged:
    """A verdict on a duty: the one in force, or one that a later one took the place of."""

    value: VerdictValue
    note: str | None
    judge: str
    recorded_at: datetime
    superseded_at: datetime | None


def judged(session: Session, inspection: Inspection, duty: Duty, item: Item) -> tuple[list[Judged], ItemScore]:
    """All verdicts on a duty, the one in force first, and the score of its item in its organization: one query."""
    asked = {"check": inspection.id, "place": duty.organization_id, "item": duty.item_id}
    rows = read(session, _verdicts_on_item(), asked).all()
    given = [row.value for row in rows if row.superseded_at is None]
    tenths = rows[0].tenths if rows else None
    score = recorded_score(item.points, given, overruled=None if tenths is None else Fraction(tenths, 10))
    return [Judged(*row[2:]) for row in rows if row.duty_id == duty.id], score


@cache
def _verdicts_on_item() -> Columns:
    """The verdicts on an item of an organization, and the points that an inspector gave it instead."""
    overruled = select(Overrule.tenths).where(
        Overrule.inspection_id == bindparam("check"),
        Overrule.organization_id == bindparam("place"),
        Overrule.item_id == bindparam("item"),
        known(Overrule),
    )
    return (
        select(
            Verdict.duty_id,
            overruled.scalar_subquery().label("tenths"),
            Verdict.value,
            Verdict.note,
            Person.name,
            Verdict.recorded_at,
            Verdict.superseded_at,
        )
        .join(Duty, Duty.id == Verdict.duty_id)
        .join(Person, Person.id == Verdict.person_id)
        .where(
            Verdict.inspection_id == bindparam("check"),
            Duty.organization_id == bindparam("place"),
            Duty.item_id == bindparam("item"),
        )
        .order_by(Verdict.id.desc())
    )


def findings_about(session: Session, inspection: Inspection, duty: Duty) -> list[tuple[str, str]]:
    """The findings of the check that name the duty: their keys, and what they say."""
    rows = read(session, _findings_about(), {"check": inspection.id, "duty": duty.id})
    return [(key, problem) for key, problem in rows]


@cache
def _findings_about() -> Select[str, str]:
    return (
        select(Finding.key, FindingFact.problem)
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
