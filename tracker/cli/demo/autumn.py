"""What is left to do in November, so that every page has something to show: one scene for each rare state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

from sqlalchemy import select

from tracker.cli.demo import words
from tracker.cli.demo.clock import YEAR, moment
from tracker.cli.demo.diary import Draft, Entry, drafted, latest_record, tick, write
from tracker.cli.demo.stage import Stage, later
from tracker.domain.duty import ClaimKind, State
from tracker.models import Duty, Evidence, EvidenceLink, Organization, Seat
from tracker.services import evidence as records
from tracker.services import sign_offs


def put_on_queue(stage: Stage) -> None:
    """The scenes of the last weeks."""
    town, post = stage.town, stage.town.ladder.base_post
    first, other = (town.seat(town.branches(unit)[0], post) for unit in town.units[:2])
    stage.at(moment(date(YEAR, 11, 6), 9, 10), enter_by_mistake, other)
    stage.at(moment(date(YEAR, 11, 9), 9, 20), lend_a_record, town.seat(town.units[0], town.ladder.member))
    stage.at(moment(date(YEAR, 11, 16), 15), reopen_one, town.units[1])
    stage.at(moment(date(YEAR, 11, 17), 9), return_two, first)
    stage.at(moment(date(YEAR, 11, 18), 9), claim_two, town.branches(town.units[0]))
    stage.at(moment(date(YEAR, 11, 18), 10), add_to_signed, first)
    stage.at(moment(date(YEAR, 11, 18), 11), add_to_signed_and_sign_again, other)
    stage.at(moment(date(YEAR, 11, 19), 9), void_a_returned_record, other)


def of_seat(stage: Stage, seat: str, *states: State) -> Sequence[Duty]:
    """The duties of a seat that stand in one of these states, in the order of their keys."""
    query = select(Duty).join(Seat, Seat.id == Duty.seat_id).where(Seat.key == seat, Duty.state.in_(states))
    return stage.session.scalars(query.where(Duty.in_force.is_(True)).order_by(Duty.key)).all()


def enter_by_mistake(stage: Stage, seat: str, now: datetime) -> None:
    """Hand in with a wrong record, take that back, correct it, then declare it void and write another one."""
    duty = next(d for d in of_seat(stage, seat, State.OPEN) if d.starts_on <= now.date() and d.period[0] != "E")
    holder = stage.signer(seat, now)
    if holder is None:
        return
    draft, photo = _drafted(stage, duty, now), stage.cabinet.late_photo(0)
    first = replace(draft, files=(*draft.files, photo))
    wrong = tick(stage, [duty], first, actor=holder, now=now)
    sign_offs.withdraw(stage.session, duty, actor=holder, now=later(now, minutes=20))
    records.take_off_file(stage.session, wrong, sha256=photo.sha256, actor=holder, now=later(now, minutes=21))
    records.correct(
        stage.session,
        wrong,
        act_on=draft.act_on,
        sentence=draft.sentence[:-1] + "（更正）。",
        counts=draft.counts,
        actor=holder,
        now=later(now, minutes=22),
    )
    reason = "日期和材料填错，作废后重新填写。"
    records.withdraw(stage.session, wrong, reason=reason, actor=holder, now=later(now, minutes=30))
    tick(stage, [duty], draft, actor=holder, now=later(now, minutes=40))


def lend_a_record(stage: Stage, seat: str, now: datetime) -> None:
    """A leader's duty is served by a record of an organization below, beside the leader's own."""
    lent, holder = latest_record(stage, stage.town.branches(stage.town.units[0])[0]), stage.signer(seat, now)
    due = [d for d in of_seat(stage, seat, State.OPEN) if d.starts_on <= now.date() and d.period[0] in "HY"]
    if lent is None or holder is None or not due:
        return
    duty = due[0]
    write(stage, [duty], _drafted(stage, duty, now), actor=holder, now=now)
    records.link(stage.session, lent, [duty], actor=holder, now=now)
    sign_offs.submit(stage.session, duty, actor=holder, now=now)


def reopen_one(stage: Stage, unit: str, now: datetime) -> None:
    """A settled duty is sent back by whoever confirmed it, after a look at its file."""
    town = stage.town
    above = town.seat(town.middles[unit], town.ladder.middle_post)
    duties = of_seat(stage, town.seat(town.branches(unit)[0], town.ladder.base_post), State.CONFIRMED)
    actor = stage.signer(above, now)
    if actor is not None and duties:
        sign_offs.reopen(stage.session, duties[-1], reason=words.REOPEN_REASON, actor=actor, now=now)


def return_two(stage: Stage, seat: str, now: datetime) -> None:
    """Two of what waits are returned; nothing else is decided on."""
    for number, duty in enumerate(of_seat(stage, seat, State.SUBMITTED)[:2]):
        above = stage.session.get_one(Seat, duty.waiting_seat_id).key
        actor = stage.signer(above, now)
        if actor is not None:
            reason = words.RETURN_REASONS[number]
            sign_offs.return_(stage.session, duty, reason=reason, actor=actor, now=later(now, minutes=number))


def claim_two(stage: Stage, codes: Sequence[str], now: datetime) -> None:
    """Claims that wait to be decided on."""
    kinds = list(ClaimKind)
    for number, code in enumerate(codes[1:3]):
        seat = stage.town.seat(code, stage.town.ladder.base_post)
        holder = stage.signer(seat, now)
        duty = next(d for d in of_seat(stage, seat, State.OPEN) if d.starts_on <= now.date())
        if holder is not None:
            sign_offs.claim(
                stage.session,
                duty,
                kind=kinds[number],
                reason=words.CLAIM_REASONS[2 * number],
                actor=holder,
                now=later(now, minutes=number),
            )


def add_to_signed(stage: Stage, seat: str, now: datetime) -> None:
    """A file is put to a record after its duties were signed: they show it, and ask for a new signature."""
    clerk = stage.clerk(seat, now) or stage.signer(seat, now)
    duties = of_seat(stage, seat, State.CONFIRMED)
    if clerk is not None and duties:
        records.add_files(
            stage.session, _record_of(stage, duties[-1]), files=[stage.cabinet.late_photo(1)], actor=clerk, now=now
        )


def add_to_signed_and_sign_again(stage: Stage, seat: str, now: datetime) -> None:
    """The same, and the holder signs anew and says what changed."""
    holder, duties = stage.signer(seat, now), of_seat(stage, seat, State.CONFIRMED)
    if holder is None or not duties:
        return
    record = _record_of(stage, duties[0])
    records.add_files(stage.session, record, files=[stage.cabinet.late_photo(2)], actor=holder, now=now)
    changed = [duty for duty in of_seat(stage, seat, State.CONFIRMED, State.SUBMITTED) if duty.is_changed]
    sign_offs.submit_all(
        stage.session, changed, actor=holder, now=later(now, minutes=5), reason="补充了一张活动现场照片。"
    )


def void_a_returned_record(stage: Stage, seat: str, now: datetime) -> None:
    """Hand in, be taken back and leave the record void: the duty is open, the record still shows."""
    holder = stage.signer(seat, now)
    duty = next(d for d in of_seat(stage, seat, State.OPEN) if d.starts_on <= now.date())
    if holder is None:
        return
    record = write(stage, [duty], _drafted(stage, duty, now), actor=holder, now=now)
    reason = "选错了任务，作废。"
    records.withdraw(stage.session, record, reason=reason, actor=holder, now=later(now, minutes=3))


def _drafted(stage: Stage, duty: Duty, now: datetime) -> Draft:
    """What a record of today says that serves this duty."""
    return drafted(stage, Entry(duty.seat.key, duty.organization.code, (duty.key,), now.date()), [duty])


def _record_of(stage: Stage, duty: Duty) -> Evidence:
    """The last record that serves a duty, entered in its own organization."""
    query = (
        select(Evidence)
        .join(EvidenceLink, EvidenceLink.evidence_id == Evidence.id)
        .join(Organization, Organization.id == Evidence.organization_id)
        .where(EvidenceLink.duty_id == duty.id, EvidenceLink.superseded_at.is_(None), Evidence.withdrawn.is_(False))
        .order_by(Evidence.number.desc())
    )
    return stage.session.scalars(query.limit(1)).one()
