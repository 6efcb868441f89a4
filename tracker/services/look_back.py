"""The look-back: draw closed findings of earlier checks by a seed, and say of each whether it held or came back."""

from __future__ import annotations

import zlib
from collections import defaultdict
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.actor import Actor
from tracker.domain.errors import Invalid, NotAllowed, WrongState
from tracker.domain.inspection import InspectionKind
from tracker.domain.sampling import Draw, Sample, drawn
from tracker.domain.text import _n
from tracker.models import Finding, Inspection, LookBackDraw, LookBackFinding, LookBackVerdict
from tracker.policy import Act, require
from tracker.queries import look_back as queries
from tracker.queries.history import known
from tracker.queries.inspections import fact_of, units_of
from tracker.services import log

NOTE_LIMIT = 1000


def sample_from(session: Session, inspection: Inspection, draw: Draw) -> Sample:
    """Draw a sample without writing anything. Raises Invalid where there is nothing, or less than is asked for."""
    keys = list(queries.closed_before(session, inspection))
    if not keys:
        raise Invalid(_n("这些单位在以前的督查中没有已销号的问题，没有可以回头看的。"))
    if draw.rule.number is not None and draw.rule.number > len(keys):
        raise Invalid(
            _n("要抽 %(asked)s 个问题，已销号的只有 %(available)s 个；请减少数量。"),
            field="number",
            asked=draw.rule.number,
            available=len(keys),
        )
    return drawn(draw, queries.candidates_of(keys))


def draw_sample(session: Session, inspection: Inspection, draw: Draw, *, actor: Actor, now: datetime) -> LookBackDraw:
    """Draw the findings to look at again, once; seed, rule and population are kept with them."""
    person_id = _own(session, inspection, actor)
    if fact_of(session, inspection).kind is not InspectionKind.LOOK_BACK:
        raise WrongState(_n("只有类型为“回头看”的督查抽取已销号的问题。"))
    if queries.drawn_of(session, inspection) is not None:
        raise WrongState(_n("本次回头看已经抽取过，不能重新抽取。"))
    sample, ids = sample_from(session, inspection, draw), queries.closed_before(session, inspection)
    made = LookBackDraw(
        inspection_id=inspection.id,
        seed=draw.seed,
        rule=draw.rule.told(),
        population=zlib.compress(sample.lines),
        population_size=len(sample.population),
        population_sha256=sample.population_sha256,
        picked_size=len(sample.picked),
        picked_sha256=sample.picked_sha256,
        drawn_by_id=person_id,
        recorded_at=now,
    )
    session.add(made)
    session.add_all(
        LookBackFinding(inspection_id=inspection.id, finding_id=ids[key], recorded_at=now) for key in sample.picked
    )
    session.flush()
    _log_draw(session, inspection, made, actor=actor, now=now)
    return made


def _log_draw(session: Session, inspection: Inspection, made: LookBackDraw, *, actor: Actor, now: datetime) -> None:
    """Write the draw into the log of every unit of the check, to each with the findings that are its own."""
    sampled = select(Finding.unit_id, Finding.key).join(LookBackFinding, LookBackFinding.finding_id == Finding.id)
    own: defaultdict[int, list[str]] = defaultdict(list)
    of_check = sampled.where(LookBackFinding.inspection_id == inspection.id, known(LookBackFinding))
    for unit_id, key in session.execute(of_check.order_by(Finding.id)):
        own[unit_id].append(key)
    for unit in sorted(units_of(session, inspection), key=lambda unit: unit.code):  # as the log orders its chains
        log.record(
            session,
            actor=actor,
            now=now,
            verb="look_back.draw",
            kind="inspection",
            key=str(inspection.number),
            chains=[unit.code],
            after={"seed": made.seed, "rule": made.rule, "picked": made.picked_size, "findings": own[unit.id]},
        )


def judge(
    session: Session,
    inspection: Inspection,
    finding: Finding,
    *,
    held: bool,
    note: str = "",
    actor: Actor,
    now: datetime,
) -> LookBackVerdict:
    """Say whether what was closed has held, or revise that by a new row; the earlier one is kept."""
    person_id = _own(session, inspection, actor)
    if not queries.is_sampled(session, inspection, finding):
        raise Invalid(_n("这个问题不在本次回头看的抽样中。"))
    if person_id in queries.concerned_in(session, finding):
        raise NotAllowed(_n("您参与过这个问题的整改或者销号，不能核查它；请由检查组其他成员核查。"))
    if not held and not note.strip():
        raise Invalid(_n("问题反弹的，请写明现在的情况。"), field="note")
    if len(note) > NOTE_LIMIT:
        raise Invalid(_n("说明超过 %(limit)s 字，请精简。"), field="note", limit=NOTE_LIMIT)
    old = session.scalar(
        select(LookBackVerdict)
        .where(
            LookBackVerdict.inspection_id == inspection.id,
            LookBackVerdict.finding_id == finding.id,
            known(LookBackVerdict),
        )
        .with_for_update()
    )
    if old is not None:
        old.superseded_at = now
        session.flush()
    verdict = LookBackVerdict(
        inspection_id=inspection.id,
        finding_id=finding.id,
        held=held,
        note=note.strip(),
        person_id=person_id,
        recorded_at=now,
    )
    session.add(verdict)
    session.flush()
    log.record(
        session,
        actor=actor,
        now=now,
        verb="look_back.judge",
        kind="finding",
        key=finding.key,
        chains=[finding.organization.unit.code],
        before={"held": old.held, "note": old.note} if old else None,
        after={"inspection": inspection.number, "held": held, "note": verdict.note},
    )
    return verdict


def _own(session: Session, inspection: Inspection, actor: Actor) -> int:
    """Who acts, if they may inspect here; the check is locked, so that nothing is written while it is closed."""
    session.flush()
    session.refresh(inspection, with_for_update={"key_share": True, "of": Inspection})
    require(session, actor, Act.INSPECT, inspection)
    if actor.person_id is None:  # an operator is in no team; said again for the columns
        raise NotAllowed(_n("您没有办理这件事的权限。如有疑问，请联系本单位管理员核对任职和角色。"))
    return actor.person_id
