"""The inspectors' desk: have a duty open for a while, judge what was seen and nothing else, keep frequent reasons."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from tracker.domain.actor import Actor
from tracker.domain.desk import HOLD, REASON_LIMIT
from tracker.domain.errors import Conflict, Invalid, WrongState
from tracker.domain.inspection import InspectionState
from tracker.domain.score import VERDICT_NAMES
from tracker.domain.score import Verdict as VerdictValue
from tracker.domain.text import _n
from tracker.models import DeskHold, Duty, FrequentReason, Inspection, Verdict
from tracker.policy import Act, require
from tracker.queries.desk import OPENED, holder_of, records_unread
from tracker.queries.history import SHANGHAI, known
from tracker.queries.inspections import is_sampled, verdicts_on
from tracker.services import inspections, log


def hold(session: Session, inspection: Inspection, duty: Duty, *, actor: Actor, now: datetime) -> None:
    """Have a duty open: for a while nobody else judges it. Raises Conflict while somebody else has it open."""
    _enter(session, inspection, actor)
    if not is_sampled(session, inspection, duty):
        raise Invalid(_n("这项任务不在本次抽查范围内，请先加入抽查。"))
    _refuse_if_held(session, inspection, duty, actor=actor, now=now)
    _put_hold(session, inspection, duty, actor=actor, until=now + HOLD)


def renew(
    session: Session,
    inspection: Inspection,
    *,
    keep: Collection[str],
    drop: Collection[str] = (),
    actor: Actor,
    now: datetime,
) -> None:
    """Go on having the duties of these keys open, and let go of others; what somebody else took meanwhile is theirs."""
    _enter(session, inspection, actor)
    for keys, until in ((keep, now + HOLD), (drop, now)):
        session.execute(
            update(DeskHold)
            .where(
                DeskHold.inspection_id == inspection.id,
                DeskHold.person_id == actor.person_id,
                DeskHold.duty_id.in_(select(Duty.id).where(Duty.key.in_(keys))),
            )
            .values(until=until)
        )


def note_reading(session: Session, duty: Duty, *, actor: Actor, now: datetime) -> None:
    """Write into the access log, which units can read, that the records behind a duty were handed out to be read."""
    for key, unit_id in records_unread(session, duty, actor=actor, now=now):
        log.record_access(session, actor=actor, now=now, verb=OPENED, kind="evidence", key=key, unit_id=unit_id)


def judge(
    session: Session,
    inspection: Inspection,
    duty: Duty,
    *,
    value: VerdictValue,
    note: str = "",
    seen: int,
    actor: Actor,
    now: datetime,
) -> Verdict:
    """Give a verdict on what was seen; `seen` is how many verdicts the page showed.

    Raises Conflict, and changes nothing, where somebody (also oneself, elsewhere) has judged since, or where somebody
    else has the duty open.
    """
    _enter(session, inspection, actor)
    given = verdicts_on(session, inspection, duty)
    if len(given) != seen:
        raise _overtaken(given[0] if given else None, actor)
    _refuse_if_held(session, inspection, duty, actor=actor, now=now)
    verdict = inspections.judge(session, inspection, duty, value=value, note=note, actor=actor, now=now)
    _put_hold(session, inspection, duty, actor=actor, until=now)
    return verdict


def _overtaken(last: Verdict | None, actor: Actor) -> Conflict:
    if last is None:
        return Conflict(_n("这一页和现在的情况对不上，结论没有保存；请刷新后再核查。"))
    values = {"at": _clock(last.recorded_at), "label": VERDICT_NAMES[last.value]}
    if last.person_id == actor.person_id:
        message = _n("您已于 %(at)s 在别的页面对这项任务作出结论“%(label)s”，这次的结论没有保存；请看过后再改。")
        return Conflict(message, **values)
    message = _n("%(who)s已于 %(at)s 对这项任务作出结论“%(label)s”，您的结论没有保存；请看过后再决定是否改判。")
    return Conflict(message, who=last.person.name, **values)


def _clock(at: datetime) -> str:
    return f"{at.astimezone(SHANGHAI):%m-%d %H:%M}"


def _enter(session: Session, inspection: Inspection, actor: Actor) -> None:
    """Refuse whoever may not inspect here. The check is locked: whatever is read from now on stays so until the end."""
    session.flush()
    session.refresh(inspection, with_for_update={"key_share": True, "of": Inspection})
    if inspection.state is InspectionState.CLOSED:
        raise WrongState(_n("本次督查已经结束，核查结论不再变动。"))
    require(session, actor, Act.INSPECT, inspection)


def _refuse_if_held(session: Session, inspection: Inspection, duty: Duty, *, actor: Actor, now: datetime) -> None:
    other = holder_of(session, inspection, duty, actor=actor, now=now)
    if other is not None:
        message = _n("%(who)s正在核查这项任务，请先核查其他任务。")
        raise Conflict(message, who=other.person.name)


def _put_hold(session: Session, inspection: Inspection, duty: Duty, *, actor: Actor, until: datetime) -> None:
    assert actor.person_id is not None  # noqa: S101  an operator is not in any team
    query = select(DeskHold).where(DeskHold.inspection_id == inspection.id, DeskHold.duty_id == duty.id)
    row = session.scalar(query.execution_options(populate_existing=True))
    if row is None:
        row = DeskHold(inspection_id=inspection.id, duty_id=duty.id, person_id=actor.person_id, until=until)
        session.add(row)
    row.person_id, row.until = actor.person_id, until
    session.flush()


def add_reason(session: Session, *, value: VerdictValue, text: str, actor: Actor, now: datetime) -> FrequentReason:
    """Put a reason into the library that all teams share."""
    require(session, actor, Act.INSPECT)
    last = session.scalar(select(func.count(func.distinct(FrequentReason.key)))) or 0
    made = _put_reason(session, f"R{last + 1:03d}", value=value, text=text, actor=actor, now=now)
    _log(session, made, "reason.add", before=None, after=_told(made), actor=actor, now=now)
    return made


def edit_reason(
    session: Session, reason: FrequentReason, *, value: VerdictValue, text: str, actor: Actor, now: datetime
) -> FrequentReason:
    """Put a reason in other words; the earlier ones are kept, and so are the notes that were written with them."""
    require(session, actor, Act.INSPECT)
    _supersede(session, reason, now=now)
    made = _put_reason(session, reason.key, value=value, text=text, actor=actor, now=now)
    _log(session, made, "reason.edit", before=_told(reason), after=_told(made), actor=actor, now=now)
    return made


def drop_reason(session: Session, reason: FrequentReason, *, actor: Actor, now: datetime) -> None:
    """Offer a reason no longer."""
    require(session, actor, Act.INSPECT)
    _supersede(session, reason, now=now)
    _log(session, reason, "reason.drop", before=_told(reason), after=None, actor=actor, now=now)


def _supersede(session: Session, reason: FrequentReason, *, now: datetime) -> None:
    session.refresh(reason, with_for_update=True)
    if reason.superseded_at is not None:
        raise Conflict(_n("别人刚刚改过这条理由，请刷新后查看最新内容。"))
    reason.superseded_at = now
    session.flush()


def _put_reason(
    session: Session, key: str, *, value: VerdictValue, text: str, actor: Actor, now: datetime
) -> FrequentReason:
    assert actor.person_id is not None  # noqa: S101  an operator edits no reasons
    said = text.strip()
    if not said:
        raise Invalid(_n("请填写理由。"), field="text")
    if len(said) > REASON_LIMIT:
        raise Invalid(_n("理由超过 %(limit)s 字，请精简。"), field="text", limit=REASON_LIMIT)
    same = select(FrequentReason.key).where(
        FrequentReason.value == value, FrequentReason.text == said, known(FrequentReason)
    )
    if session.scalar(same) is not None:
        raise Invalid(_n("已经有同样的理由，不必重复添加。"), field="text")
    row = FrequentReason(key=key, value=value, text=said, entered_by_id=actor.person_id, recorded_at=now)
    session.add(row)
    session.flush()
    return row


def _told(reason: FrequentReason) -> dict[str, str]:
    return {"value": reason.value.value, "text": reason.text}


def _log(
    session: Session, reason: FrequentReason, verb: str, *, before: object, after: object, actor: Actor, now: datetime
) -> None:
    log.record(
        session,
        actor=actor,
        now=now,
        verb=verb,
        kind="frequent_reason",
        key=reason.key,
        before=before,
        after=after,
    )
