"""Good practice: marked on evidence by the team, agreed to or declined by the unit, withdrawn by the team."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.domain.actor import Actor
from tracker.domain.errors import Conflict, Invalid, NotAllowed
from tracker.domain.good_practice import LIVE, GoodPracticeAction, GoodPracticeState, step
from tracker.domain.text import _n
from tracker.models import Evidence, GoodPractice, GoodPracticeStep, Inspection
from tracker.policy import Act, require, sees
from tracker.queries.evidence import doers_of
from tracker.queries.good_practice import sampled_duties
from tracker.services import log

TITLE_LIMIT = 60
TEXT_LIMIT = 1000


def mark(
    session: Session,
    inspection: Inspection,
    evidence: Evidence,
    *,
    title: str,
    text: str,
    actor: Actor,
    now: datetime,
) -> GoodPractice:
    """Mark a record that serves a duty of the sample; `text` is what all units will read once the unit agrees."""
    session.flush()
    session.refresh(inspection, with_for_update={"key_share": True, "of": Inspection})
    require(session, actor, Act.INSPECT, inspection)
    _check_words(title, text)
    _check_record(session, inspection, evidence, actor=actor)
    last = session.scalar(select(func.max(GoodPractice.number)).where(GoodPractice.inspection_id == inspection.id)) or 0
    made = GoodPractice(
        key=f"{inspection.number}-L{last + 1}",
        inspection_id=inspection.id,
        number=last + 1,
        unit_id=evidence.unit_id,
        evidence_id=evidence.id,
        title=title.strip(),
        state=step(None, GoodPracticeAction.MARK).to,
        created_at=now,
    )
    session.add(made)
    session.flush()
    _write(session, made, GoodPracticeAction.MARK, before=None, text=text, actor=actor, now=now)
    return made


def _check_words(title: str, text: str) -> None:
    if not title.strip():
        raise Invalid(_n("请用一句话写明亮点做法的名称。"), field="title")
    if len(title) > TITLE_LIMIT:
        raise Invalid(_n("名称超过 %(limit)s 字，请精简。"), field="title", limit=TITLE_LIMIT)
    if not text.strip():
        raise Invalid(_n("请写明好在哪里、怎样做的，供其他单位借鉴。"), field="text")
    if len(text) > TEXT_LIMIT:
        raise Invalid(_n("说明超过 %(limit)s 字，请精简。"), field="text", limit=TEXT_LIMIT)


def _check_record(session: Session, inspection: Inspection, evidence: Evidence, *, actor: Actor) -> None:
    """Refuse a record that is void or outside the sample, one's own work, and a second mark on the same record."""
    if not sees(session, actor, evidence):
        raise NotAllowed(_n("您没有办理这件事的权限。如有疑问，请联系本单位管理员核对任职和角色。"))
    if evidence.withdrawn:
        raise Invalid(_n("这份佐证已经作废，不能推荐为亮点做法。"))
    duties = sampled_duties(session, inspection, evidence)
    if not duties:
        raise Invalid(_n("这份佐证没有用于本次抽查的任务，不能在本次督查中推荐。"))
    if any(actor.person_id in people for people in doers_of(session, duties).values()):
        raise NotAllowed(_n("您提交或录入过这项任务的内容，不能推荐它；请由检查组其他成员推荐。"))
    live = select(GoodPractice.key).where(
        GoodPractice.inspection_id == inspection.id,
        GoodPractice.evidence_id == evidence.id,
        GoodPractice.state.in_(LIVE),
    )
    key = session.scalar(live)
    if key is not None:
        raise Conflict(_n("这份佐证已推荐为亮点做法（%(key)s），请勿重复推荐。"), key=key)


def agree(session: Session, practice: GoodPractice, *, actor: Actor, now: datetime) -> None:
    """Agree, for the unit, that all units read it."""
    _as_unit(session, practice, GoodPracticeAction.AGREE, text="", actor=actor, now=now)


def decline(session: Session, practice: GoodPractice, *, reason: str = "", actor: Actor, now: datetime) -> None:
    """Say for the unit that others shall not read it, or take its consent back."""
    _as_unit(session, practice, GoodPracticeAction.DECLINE, text=reason, actor=actor, now=now)


def _as_unit(
    session: Session,
    practice: GoodPractice,
    action: GoodPracticeAction,
    *,
    text: str,
    actor: Actor,
    now: datetime,
) -> None:
    _lock(session, practice)
    require(session, actor, Act.CONFIRM, practice)
    marked_by = select(GoodPracticeStep.person_id).where(
        GoodPracticeStep.good_practice_id == practice.id, GoodPracticeStep.action == GoodPracticeAction.MARK
    )
    if actor.person_id in set(session.scalars(marked_by)):
        raise NotAllowed(_n("这项亮点做法由您推荐，是否同意交流须由本单位其他负责人决定。"))
    _go(session, practice, action, text=text, actor=actor, now=now)


def withdraw(session: Session, practice: GoodPractice, *, reason: str, actor: Actor, now: datetime) -> None:
    """Take the mark back, as the team, with a reason; nobody else reads it from now on."""
    _lock(session, practice)
    require(session, actor, Act.WITHDRAW, practice)
    if not reason.strip():
        raise Invalid(_n("请写明撤回的理由。"), field="reason")
    _go(session, practice, GoodPracticeAction.WITHDRAW, text=reason, actor=actor, now=now)


def _lock(session: Session, practice: GoodPractice) -> None:
    """Lock it, so that agreeing and withdrawing at the same moment come one after the other."""
    session.flush()
    session.refresh(practice, with_for_update={"key_share": True, "of": GoodPractice})


def _go(
    session: Session,
    practice: GoodPractice,
    action: GoodPracticeAction,
    *,
    text: str,
    actor: Actor,
    now: datetime,
) -> None:
    if len(text) > TEXT_LIMIT:
        raise Invalid(_n("说明超过 %(limit)s 字，请精简。"), field="reason", limit=TEXT_LIMIT)
    before = practice.state
    practice.state = step(before, action).to
    _write(session, practice, action, before=before, text=text, actor=actor, now=now)


def _write(
    session: Session,
    practice: GoodPractice,
    action: GoodPracticeAction,
    *,
    before: GoodPracticeState | None,
    text: str,
    actor: Actor,
    now: datetime,
) -> None:
    assert actor.person_id is not None  # noqa: S101  an operator is in no team and signs for no unit
    last = select(func.max(GoodPracticeStep.number)).where(GoodPracticeStep.good_practice_id == practice.id)
    row = GoodPracticeStep(
        good_practice_id=practice.id,
        number=(session.scalar(last) or 0) + 1,
        action=action,
        person_id=actor.person_id,
        text=text.strip(),
        at=now,
    )
    session.add(row)
    session.flush()
    log.record(
        session,
        actor=actor,
        now=now,
        verb=f"good_practice.{action.value}",
        kind="good_practice",
        key=practice.key,
        chains=[practice.unit.code],
        before={"state": before.value} if before else None,
        after={
            "state": practice.state.value,
            "title": practice.title,
            "evidence": practice.evidence.key,
            "text": row.text,
        },
    )
