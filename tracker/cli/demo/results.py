"""What comes out of the checks: the self-check tables of the units, good practice, and the words of the circular."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import select

from tracker.cli.demo import words
from tracker.cli.demo.clock import YEAR, chance, moment
from tracker.cli.demo.stage import Stage, later
from tracker.cli.demo.visits import LEADER
from tracker.domain.actor import Actor
from tracker.domain.score import Verdict as VerdictValue
from tracker.domain.self_check_table import Answer, Line
from tracker.models import Evidence, EvidenceLink, GoodPractice, Inspection, Organization, Verdict
from tracker.queries.inspections import units_of
from tracker.queries.self_check_tables import table_of
from tracker.services import circulars, desk, good_practice, log
from tracker.services.self_check_tables import hand_in, save_lines


def put_on_queue(stage: Stage) -> None:
    """Frequent reasons and good practice; of the tables of the second check one is begun and late, the other is in."""
    stage.at(moment(date(YEAR, 9, 7), 10), write_reasons)
    stage.at(moment(date(YEAR, 9, 11), 16), mark_good_practice, 1, 0)
    stage.at(moment(date(YEAR, 9, 15), 9), agree_to_good_practice, 1)
    stage.at(moment(date(YEAR, 9, 16), 11), write_circular)
    stage.at(moment(date(YEAR, 11, 5), 10), check_oneself, stage.town.units[-1], True)
    stage.at(moment(date(YEAR, 11, 6), 15), check_oneself, stage.town.units[0], False)
    stage.at(moment(date(YEAR, 11, 12), 10), mark_good_practice, 2, 1)


def _inspection(stage: Stage, number: int) -> Inspection:
    return stage.session.scalars(select(Inspection).where(Inspection.number == number)).one()


def _head(stage: Stage, unit: str, now: datetime) -> Actor:
    actor = stage.signer(stage.town.seat(unit, stage.town.ladder.head), now)
    if actor is None:
        raise LookupError(f"nobody sits at the head of {unit}")
    return actor


def write_reasons(stage: Stage, now: datetime) -> None:
    """The library of reasons that verdicts are often given with."""
    for value, texts in words.VERDICT_NOTES.items():
        for text in texts:
            desk.add_reason(
                stage.session, value=VerdictValue(value), text=text, actor=stage.actor(LEADER, now), now=now
            )


def mark_good_practice(stage: Stage, number: int, place: int, now: datetime) -> None:
    """The leader marks a record behind a duty that was met, of the first unit of the check."""
    inspection = _inspection(stage, number)
    unit = units_of(stage.session, inspection)[0]
    query = (
        select(Evidence)
        .join(EvidenceLink, EvidenceLink.evidence_id == Evidence.id)
        .join(Verdict, Verdict.duty_id == EvidenceLink.duty_id)
        .where(Verdict.inspection_id == inspection.id, Verdict.superseded_at.is_(None))
        .where(Verdict.value == VerdictValue.MET, Verdict.unit_id == unit.id, Evidence.unit_id == unit.id)
        .where(EvidenceLink.superseded_at.is_(None), Evidence.withdrawn.is_(False))
        .order_by(Evidence.key)
    )
    record = stage.session.scalars(query.limit(1)).first()
    if record is None:
        return
    title, text = words.GOOD_PRACTICES[place]
    actor = stage.actor(LEADER, now)
    log.record_access(
        stage.session,
        actor=actor,
        now=now,
        verb="evidence.open",
        kind="evidence",
        key=record.key,
        unit_id=record.unit_id,
    )
    good_practice.mark(
        stage.session, inspection, record, title=title, text=text, actor=actor, now=later(now, minutes=5)
    )


def agree_to_good_practice(stage: Stage, number: int, now: datetime) -> None:
    """The head of the unit agrees that all units read it."""
    marked = select(GoodPractice).where(GoodPractice.inspection_id == _inspection(stage, number).id)
    for practice in stage.session.scalars(marked):
        actor = _head(stage, practice.unit.code, now)
        good_practice.agree(stage.session, practice, actor=actor, now=now)


def write_circular(stage: Stage, now: datetime) -> None:
    """The words of the circular on the first check."""
    actor, parts = stage.actor(LEADER, now), circulars.Parts(*words.CIRCULAR)
    circulars.save(
        stage.session, _inspection(stage, 1), paper="circular", parts=parts, seen=None, actor=actor, now=now
    )


def check_oneself(stage: Stage, code: str, complete: bool, now: datetime) -> None:
    """The head of a unit fills in its table: all of it, and hands it in, or the first half."""
    inspection, unit = _inspection(stage, 2), stage.organization(code)
    actor = _head(stage, code, now)
    lines = table_of(stage.session, inspection, unit, as_of=now)
    some = lines if complete else lines[: len(lines) // 2]
    save_lines(stage.session, inspection, unit, _answers(unit, some), actor=actor, now=now)
    if complete and lines:
        hand_in(stage.session, inspection, unit, actor=actor, now=later(now, minutes=10))


def _answers(unit: Organization, lines: Sequence[Line]) -> list[Answer]:
    """What the unit says: that what is counted is met, partly met, or missing."""
    return [_answer(unit, line) for line in lines]


def _answer(unit: Organization, line: Line) -> Answer:
    if not line.counts.required:
        return Answer(line.item_id, VerdictValue.NOT_APPLICABLE, None, "")
    met = line.counts.missing == 0
    value = VerdictValue.MET if met else VerdictValue.PARTLY
    tenths = line.points * 10 if met else line.points * 5
    if met:
        said = words.SELF_CHECK_STATEMENTS[1 if line.counts.late else 0]
    else:
        said = words.SELF_CHECK_STATEMENTS[chance(unit.code, line.item_id).randint(1, 2)]
    return Answer(line.item_id, value, tenths, said)
