"""What those above do: confirm twice a month, return some, decide on claims; and what is done about a return."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from sqlalchemy import select

from tracker.cli.demo import words
from tracker.cli.demo.clock import YEAR, chance, moment
from tracker.cli.demo.diary import AWAITED, Entry, drafted, tick
from tracker.cli.demo.stage import Stage
from tracker.domain.duty import State
from tracker.models import Duty, Seat, SignOff
from tracker.queries.history import SHANGHAI
from tracker.services import sign_offs

BUSY_FROM = date(YEAR, 10, 9)  # from then on the busy confirmer leaves everything lying
LAST_RETURNS = date(YEAR, 10, 20)  # what is returned later stays returned


def sweep(stage: Stage, seat: str, now: datetime) -> None:
    """Decide on everything that waits for a seat."""
    actor = stage.signer(seat, now)
    waiting = _waiting(stage, seat)
    if actor is None or not waiting:
        return
    before = _returned_before(stage, waiting)
    plain: list[Duty] = []
    for duty in waiting:
        reason = _objection(duty, is_second=duty.id in before)
        if reason:
            [outcome] = sign_offs.return_many(stage.session, [duty], reason=reason, actor=actor, now=now)
            _after_return(stage, duty, now)
        else:
            plain.append(duty)
    for outcome in sign_offs.confirm_many(stage.session, plain, actor=actor, now=now):
        if outcome.refusal is not None:
            raise outcome.refusal


def _waiting(stage: Stage, seat: str) -> Sequence[Duty]:
    query = (
        select(Duty)
        .join(Seat, Seat.id == Duty.waiting_seat_id)
        .where(Seat.key == seat, Duty.state.in_((State.SUBMITTED, State.CLAIMED)), Duty.is_changed.is_(False))
        .order_by(Duty.key)
    )
    return stage.session.scalars(query).all()


def _returned_before(stage: Stage, duties: Sequence[Duty]) -> set[int]:
    """Those that were decided on before; they pass this time."""
    query = select(SignOff.duty_id).where(SignOff.duty_id.in_([duty.id for duty in duties]), SignOff.number > 1)
    return set(stage.session.scalars(query))


def _objection(duty: Duty, *, is_second: bool) -> str:
    """Why a duty is sent back; empty for most."""
    luck = chance(duty.key, "objection")
    if is_second:
        return ""
    if duty.state is State.CLAIMED:
        return luck.choice(words.REFUSE_REASONS) if luck.random() < 0.3 else ""
    return luck.choice(words.RETURN_REASONS) if luck.random() < 0.035 else ""


def _after_return(stage: Stage, duty: Duty, now: datetime) -> None:
    """Most people see to a return within days."""
    today = now.astimezone(SHANGHAI).date()
    luck = chance(duty.key, "after return")
    if today < LAST_RETURNS and luck.random() < 0.85:
        day = today + timedelta(days=luck.randrange(2, 9))
        stage.at(moment(day, 9, luck.randrange(60)), hand_in_again, duty.key)


def hand_in_again(stage: Stage, key: str, now: datetime) -> None:
    """Add what was missing in a further record, and hand the duty in anew."""
    for duty in stage.duties([key], *AWAITED):
        today = now.astimezone(SHANGHAI).date()
        seat, code = duty.seat.key, duty.organization.code
        holder = stage.signer(seat, now)
        act_on = duty.act_on or today
        entry = Entry(seat, code, (key,), act_on)
        if holder is None:
            continue
        draft = drafted(stage, entry, [duty])
        draft = replace(draft, sentence=f"{words.MAKE_UP_NOTE}：{draft.sentence}")
        tick(stage, [duty], draft, actor=holder, now=now)
