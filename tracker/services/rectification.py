"""Rectification: every step from the notice of a finding to its closing, each a row and an entry of the log."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.actor import Actor
from tracker.domain.errors import Invalid, NotAllowed
from tracker.domain.inspection import RectificationAction, RectificationState
from tracker.domain.rectification import REPORTING, TRANSITIONS, Deadline, deadline_on, next_state
from tracker.domain.text import _n
from tracker.models import Evidence, Finding, Inspection, RectificationStep
from tracker.policy import sees
from tracker.queries.calendar import work_calendar
from tracker.queries.checklists import checklist_of
from tracker.queries.history import SHANGHAI
from tracker.queries.rectification import (
    deadline_of,
    finders_of,
    parts_of,
    standing_of,
    steps_of,
    to_be_received,
    without_notice,
)
from tracker.services import log

A = RectificationAction
TEXT_LIMIT = 1000


@dataclass(frozen=True)
class Said:
    """What a step says; what it does not ask for stays empty."""

    text: str = ""
    post: str | None = None
    planned_on: date | None = None
    deadline: date | None = None
    evidence: Evidence | None = None

    @property
    def filled(self) -> frozenset[str]:
        """The names of what was filled in."""
        given = {
            "text": self.text.strip(),
            "post": self.post,
            "planned_on": self.planned_on,
            "deadline": self.deadline,
            "evidence": self.evidence,
        }
        return frozenset(name for name, value in given.items() if value)


def notify(session: Session, finding: Finding, *, text: str = "", actor: Actor, now: datetime) -> RectificationStep:
    """Give the unit notice of the finding; its deadline is written down with it."""
    deadline = deadline_of(session, finding)
    return _take(session, finding, A.NOTIFY, Said(text, deadline=deadline), actor=actor, now=now)


def notify_all(session: Session, inspection: Inspection, *, unit: str = "", actor: Actor, now: datetime) -> int:
    """Give notice of all findings of a check that have none, or of those of one unit (a code); return how many."""
    _lock_all(session, inspection)
    found = without_notice(session, inspection, unit=unit)
    for finding in _by_chain(found):
        notify(session, finding, actor=actor, now=now)
    return len(found)


def receive_all(session: Session, finding: Finding, *, actor: Actor, now: datetime) -> int:
    """Sign for every notice of the same check that is this person's to sign for; return how many."""
    _lock_all(session, finding.inspection)
    found = to_be_received(session, finding, actor)
    for one in _by_chain(found):
        receive(session, one, actor=actor, now=now)
    return len(found)


def _lock_all(session: Session, inspection: Inspection) -> None:
    """Lock the findings of a check before any chain of the log, as one step on one finding does."""
    of_check = select(Finding.id).where(Finding.inspection_id == inspection.id)
    session.execute(of_check.order_by(Finding.id).with_for_update())


def _by_chain(findings: Iterable[Finding]) -> list[Finding]:
    """In the order in which the log locks its chains, so that no two acts wait for each other in a ring."""
    return sorted(findings, key=lambda finding: (finding.organization.unit.code, finding.number))


def receive(session: Session, finding: Finding, *, text: str = "", actor: Actor, now: datetime) -> RectificationStep:
    """Sign for the notice."""
    return _take(session, finding, A.RECEIVE, Said(text), actor=actor, now=now)


def measure(
    session: Session,
    finding: Finding,
    *,
    post: str,
    planned_on: date | None,
    text: str,
    actor: Actor,
    now: datetime,
) -> RectificationStep:
    """State what will be done, by which post, and by when; said anew, the earlier words stay."""
    _ready(session, finding, A.MEASURE, actor)
    checklist = checklist_of(finding.inspection.cycle.checklist_version)
    if post and post not in checklist.post:
        raise Invalid(_n("清单中没有这个岗位，请重新选择。"), field="post")
    if planned_on is not None and planned_on < _day(now):
        raise Invalid(_n("计划完成日期不能早于今天，请改选日期。"), field="planned_on")
    return _take(session, finding, A.MEASURE, Said(text, post, planned_on), actor=actor, now=now)


def ask_extension(
    session: Session, finding: Finding, *, deadline: date | None, text: str, actor: Actor, now: datetime
) -> Deadline:
    """Ask for more time, with the reason; a day off becomes the next working day, and the answer says so."""
    _ready(session, finding, A.ASK_EXTENSION, actor)
    said = _later(session, finding, deadline, now=now)
    _take(session, finding, A.ASK_EXTENSION, Said(text, deadline=said.on if said else None), actor=actor, now=now)
    assert said is not None  # noqa: S101  the table asks for it
    return said


def grant_extension(
    session: Session, finding: Finding, *, deadline: date | None, text: str, actor: Actor, now: datetime
) -> Deadline:
    """Give more time, until the day that was asked for or another one; the request stays visible."""
    _ready(session, finding, A.GRANT_EXTENSION, actor)
    said = _later(session, finding, deadline, now=now)
    _take(session, finding, A.GRANT_EXTENSION, Said(text, deadline=said.on if said else None), actor=actor, now=now)
    assert said is not None  # noqa: S101  the table asks for it
    return said


def refuse_extension(
    session: Session, finding: Finding, *, text: str, actor: Actor, now: datetime
) -> RectificationStep:
    """Give no more time, with the reason."""
    return _take(session, finding, A.REFUSE_EXTENSION, Said(text), actor=actor, now=now)


def attach(
    session: Session, finding: Finding, *, evidence: Evidence | None, text: str = "", actor: Actor, now: datetime
) -> RectificationStep:
    """Add a record of the unit that shows what was done. A clerk may."""
    _ready(session, finding, A.ATTACH, actor)
    if evidence is not None and (evidence.unit_id != finding.unit_id or not sees(session, actor, evidence)):
        raise Invalid(_n("这条佐证不属于本单位，请另选一条。"), field="evidence")
    if evidence is not None and evidence.withdrawn:
        raise Invalid(_n("这条佐证已经作废，请另选一条。"), field="evidence")
    return _take(session, finding, A.ATTACH, Said(text, evidence=evidence), actor=actor, now=now)


def fix(session: Session, finding: Finding, *, text: str, actor: Actor, now: datetime) -> RectificationStep:
    """Put it right on the spot, in one step; somebody else still looks at it and closes it."""
    return _take(session, finding, A.FIX, Said(text), actor=actor, now=now)


def report(session: Session, finding: Finding, *, text: str, actor: Actor, now: datetime) -> RectificationStep:
    """Report it as put right."""
    return _take(session, finding, A.REPORT, Said(text), actor=actor, now=now)


def return_(session: Session, finding: Finding, *, text: str, actor: Actor, now: datetime) -> RectificationStep:
    """Send it back with the reason: by an inspector who neither noted it nor had a hand in putting it right."""
    return _take(session, finding, A.RETURN, Said(text), actor=actor, now=now)


def close(session: Session, finding: Finding, *, text: str, actor: Actor, now: datetime) -> RectificationStep:
    """Close it after a second look: by an inspector who neither noted it nor had a hand in putting it right."""
    return _take(session, finding, A.CLOSE, Said(text), actor=actor, now=now)


def _day(now: datetime) -> date:
    return now.astimezone(SHANGHAI).date()


def _later(session: Session, finding: Finding, wanted: date | None, *, now: datetime) -> Deadline | None:
    """The working day that an extension reaches to; it lies behind today and behind the deadline in force."""
    if wanted is None:
        return None
    if wanted <= max(deadline_of(session, finding), _day(now)):
        raise Invalid(_n("延期后的期限须晚于原期限和今天，请改选日期。"), field="deadline")
    return deadline_on(work_calendar(session), wanted)


def _ready(
    session: Session, finding: Finding, action: A, actor: Actor, *, filled: Collection[str] | None = None
) -> RectificationState:
    """Return the state that the step leads to, or refuse it; the finding is locked, so that no two take it at once.

    Who may and when is asked first of all: `filled` left out asks nothing else.
    """
    session.flush()
    session.refresh(finding, with_for_update=True)
    asked = TRANSITIONS[action].asks if filled is None else filled
    return next_state(standing_of(session, finding), action, parts_of(session, finding, actor), filled=asked)


def _take(
    session: Session, finding: Finding, action: A, said: Said, *, actor: Actor, now: datetime
) -> RectificationStep:
    """Take the step: write its row, renew the state of the finding, tell the log."""
    state = _ready(session, finding, action, actor, filled=said.filled)
    if actor.person_id is None:  # an operator has no part in any finding; said again for the columns below
        raise NotAllowed(_n("您没有办理这件事的权限。如有疑问，请联系本单位管理员核对任职和角色。"))
    if len(said.text) > TEXT_LIMIT:
        raise Invalid(_n("说明超过 %(limit)s 字，请精简。"), field="text", limit=TEXT_LIMIT)
    steps = steps_of(session, finding)
    step = RectificationStep(
        finding_id=finding.id,
        number=len(steps) + 1,
        action=action,
        person_id=actor.person_id,
        reporter_id=next((step.person_id for step in reversed(steps) if step.action in REPORTING), None),
        finder_id=finders_of(session, finding)[0],
        evidence_id=said.evidence.id if said.evidence else None,
        text=said.text.strip(),
        post=said.post,
        planned_on=said.planned_on,
        deadline=said.deadline,
        at=now,
    )
    session.add(step)
    before, finding.state = finding.state, state
    session.flush()
    _log(session, finding, step, before=before.value, actor=actor, now=now)
    return step


def _log(
    session: Session,
    finding: Finding,
    step: RectificationStep,
    *,
    before: str,
    actor: Actor,
    now: datetime,
) -> None:
    said = {
        "text": step.text,
        "post": step.post,
        "planned_on": step.planned_on.isoformat() if step.planned_on else None,
        "deadline": step.deadline.isoformat() if step.deadline else None,
        "evidence": step.evidence.key if step.evidence else None,
    }
    log.record(
        session,
        actor=actor,
        now=now,
        verb=f"rectification.{step.action.value}",
        kind="finding",
        key=finding.key,
        chains=[finding.organization.unit.code],
        before={"state": before},
        after={"state": finding.state.value} | {name: value for name, value in said.items() if value},
    )
