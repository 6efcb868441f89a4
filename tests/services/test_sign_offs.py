"""Sign-offs: every move of the table through the service, and whatever the database refuses by itself."""

from datetime import date, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from tests.city import NOW, at
from tests.work import ACT, CHECKLIST, PRESENT, cycle_of, duty, file
from tracker.domain.actor import AppointmentKind
from tracker.domain.applicability import DecisionKind
from tracker.domain.canonical import digest
from tracker.domain.duty import Action, ClaimKind, State
from tracker.domain.errors import Conflict, Invalid, NotAllowed, WrongState
from tracker.domain.sign_off import signature_digest, text_digest
from tracker.models import CycleState, Decision, LogEntry, SignOff, SignOffDoer
from tracker.services import evidence, sign_offs

LATER = NOW + timedelta(hours=1)
TICK = {"act_on": ACT, "sentence": "召开五月支委会", "counts": PRESENT, "now": NOW}


@pytest.fixture
def asha(city):
    return city.actor("Asha")


@pytest.fixture
def chen(city):
    return city.actor("Chen")


@pytest.fixture
def meeting(city):
    """Asha's meeting of May, for which minutes and two counts are asked."""
    return duty(city, "D1-B1.P4-1", "L3-02", "M05")


@pytest.fixture
def submitted(session, meeting, asha):
    sign_offs.tick(session, duties=[meeting], files=[file()], actor=asha, **TICK)
    return meeting


def rows_of(session, thing):
    return session.scalars(select(SignOff).where(SignOff.duty_id == thing.id).order_by(SignOff.number)).all()


def test_a_tick_records_and_submits_in_one_step(session, city, submitted):
    assert submitted.state is State.SUBMITTED
    assert submitted.content_digest == submitted.signed_digest
    assert submitted.act_on == ACT
    assert submitted.first_submitted_on == date(2026, 5, 20)
    assert submitted.waiting_seat_id == city.seats["D1-M.P3-1"].id
    assert submitted.submitted_by_id == city.people["Asha"].id


def test_a_second_tick_of_the_same_duty_is_told_so(session, submitted, asha):
    with pytest.raises(WrongState):
        sign_offs.tick(session, duties=[submitted], files=[file()], actor=asha, **TICK)


def test_the_level_above_confirms(session, city, submitted, chen):
    sign_offs.confirm(session, submitted, actor=chen, now=LATER)
    assert submitted.state is State.CONFIRMED
    assert [row.action for row in rows_of(session, submitted)] == [Action.SUBMIT, Action.CONFIRM]
    assert submitted.last_sign_off_id == rows_of(session, submitted)[-1].id


def test_a_returned_duty_is_fixed_and_submitted_again_and_is_not_made_better_by_it(session, submitted, asha, chen):
    sign_offs.return_(session, submitted, reason="缺签到人数", actor=chen, now=LATER)
    assert (submitted.state, submitted.waiting_seat_id) == (State.RETURNED, None)
    for record in session.scalars(select(evidence.Evidence)):
        evidence.withdraw(session, record, reason="填错日期", actor=asha, now=LATER)
    earlier = TICK | {"act_on": date(2026, 5, 6), "now": LATER}
    sign_offs.tick(session, duties=[submitted], files=[file()], actor=asha, **earlier)
    assert submitted.state is State.SUBMITTED
    assert submitted.act_on == ACT


def test_the_submitter_withdraws(session, submitted, asha):
    sign_offs.withdraw(session, submitted, actor=asha, now=LATER)
    assert submitted.state is State.OPEN


def test_nobody_but_the_submitter_withdraws(session, submitted, chen):
    with pytest.raises(NotAllowed):
        sign_offs.withdraw(session, submitted, actor=chen, now=LATER)


@pytest.mark.parametrize(
    ("kind", "settled"), [(ClaimKind.EXCUSED, State.EXCUSED), (ClaimKind.NOT_APPLICABLE, State.NOT_APPLICABLE)]
)
def test_a_claim_is_accepted_and_can_be_reopened(session, meeting, asha, chen, kind, settled):
    sign_offs.claim(session, meeting, kind=kind, reason="全员参加防汛", actor=asha, now=NOW)
    assert (meeting.state, meeting.is_changed) == (State.CLAIMED, False)
    sign_offs.accept(session, meeting, actor=chen, now=LATER)
    assert (meeting.state, meeting.is_changed) == (settled, False)
    sign_offs.reopen(session, meeting, reason="情况有变", actor=chen, now=LATER)
    assert (meeting.state, meeting.is_changed) == (State.RETURNED, False)


def test_a_claim_is_refused(session, meeting, asha, chen):
    empty = meeting.content_digest
    sign_offs.claim(session, meeting, kind=ClaimKind.EXCUSED, reason="忙", actor=asha, now=NOW)
    assert meeting.content_digest != empty
    sign_offs.refuse(session, meeting, reason="不成立", actor=chen, now=LATER)
    assert (meeting.state, meeting.content_digest) == (State.OPEN, empty)


@pytest.mark.parametrize("verb", ["confirm", "withdraw", "accept"])
def test_an_open_duty_cannot_be_decided_on(session, meeting, chen, verb):
    with pytest.raises((WrongState, NotAllowed)):
        getattr(sign_offs, verb)(session, meeting, actor=chen, now=NOW)


def test_a_confirmed_duty_is_not_confirmed_twice(session, submitted, chen):
    sign_offs.confirm(session, submitted, actor=chen, now=LATER)
    with pytest.raises(WrongState):
        sign_offs.confirm(session, submitted, actor=chen, now=LATER)


@pytest.mark.parametrize("verb", ["return_", "reopen", "refuse"])
def test_a_return_asks_for_a_reason(session, submitted, chen, asha, verb):
    if verb == "reopen":
        sign_offs.confirm(session, submitted, actor=chen, now=NOW)
    if verb == "refuse":
        sign_offs.withdraw(session, submitted, actor=asha, now=NOW)
        sign_offs.claim(session, submitted, kind=ClaimKind.EXCUSED, reason="忙", actor=asha, now=NOW)
    with pytest.raises(Invalid) as refusal:
        getattr(sign_offs, verb)(session, submitted, reason="  ", actor=chen, now=LATER)
    assert refusal.value.field == "reason"


@pytest.mark.parametrize("who", ["Omar", "Cao", "Ines", "Adam", "Dong", "Rong"])
def test_others_neither_submit_nor_confirm(session, city, submitted, meeting, who):
    with pytest.raises(NotAllowed):
        sign_offs.confirm(session, submitted, actor=city.actor(who), now=LATER)
    with pytest.raises(NotAllowed):
        sign_offs.submit(session, submitted, actor=city.actor(who), now=LATER)


def test_a_clerk_prepares_and_does_not_sign(session, city, meeting):
    city.appoint("Kai", "D1-B1.P4-1", kind=AppointmentKind.CLERK)
    kai = city.actor("Kai")
    evidence.record(session, duties=[meeting], files=[file()], actor=kai, **TICK)
    with pytest.raises(NotAllowed):
        sign_offs.submit(session, meeting, actor=kai, now=NOW)
    sign_offs.submit(session, meeting, actor=city.actor("Asha"), now=NOW)
    assert meeting.state is State.SUBMITTED


def test_an_acting_holder_signs(session, city, meeting):
    city.appoint("Gao", "D1-B1.P4-1", kind=AppointmentKind.ACTING)
    sign_offs.tick(session, duties=[meeting], files=[file()], actor=city.actor("Gao"), **TICK)
    assert meeting.submitted_by_id == city.people["Gao"].id


def test_what_somebody_did_below_goes_past_them_to_the_next_above(session, city, meeting):
    city.appoint("Chen", "D1-B1.P4-1", kind=AppointmentKind.ACTING)
    sign_offs.tick(session, duties=[meeting], files=[file()], actor=city.actor("Chen"), **TICK)
    assert meeting.waiting_seat_id == city.seats["D1.P1-1"].id
    with pytest.raises(NotAllowed):
        sign_offs.confirm(session, meeting, actor=city.actor("Chen"), now=LATER)
    sign_offs.confirm(session, meeting, actor=city.actor("Dong"), now=LATER)
    assert meeting.state is State.CONFIRMED


def test_whoever_entered_a_record_does_not_confirm_it(session, city, submitted, asha, chen):
    """Chen takes over the branch for a day and adds a file: from then on Dong decides."""
    sign_offs.withdraw(session, submitted, actor=asha, now=NOW)
    city.appoint("Chen", "D1-B1.P4-1", kind=AppointmentKind.CLERK)
    record = session.scalars(select(evidence.Evidence)).one()
    evidence.add_files(session, record, files=[file("照片")], actor=city.actor("Chen"), now=NOW)
    sign_offs.submit(session, submitted, actor=asha, now=LATER)
    assert submitted.waiting_seat_id == city.seats["D1.P1-1"].id
    with pytest.raises(NotAllowed):
        sign_offs.confirm(session, submitted, actor=city.actor("Chen"), now=LATER)


def test_the_database_refuses_a_doer_who_approves(session, city, submitted, chen):
    sign_offs.confirm(session, submitted, actor=chen, now=LATER)
    row = rows_of(session, submitted)[-1]
    doers = session.scalars(select(SignOffDoer).where(SignOffDoer.sign_off_id == row.id)).all()
    assert [(d.doer_id, d.approver_id) for d in doers] == [(city.people["Asha"].id, city.people["Chen"].id)]
    session.add(SignOffDoer(sign_off_id=row.id, doer_id=row.person_id, approver_id=row.person_id))
    with pytest.raises(IntegrityError, match="doer_is_not_approver"):
        session.flush()


def test_the_database_refuses_a_submitter_who_confirms(session, submitted):
    row = rows_of(session, submitted)[0]
    own = {c.key: getattr(row, c.key) for c in SignOff.__table__.columns if c.key != "id"}
    session.add(SignOff(**own | {"key": "x", "number": 9, "action": Action.CONFIRM, "digest": "x"}))
    with pytest.raises(IntegrityError, match="doer_is_not_approver"):
        session.flush()


def test_a_submission_without_files_names_the_kinds_that_are_asked_for(session, meeting, asha):
    with pytest.raises(Invalid, match="会议记录或纪要") as refusal:
        sign_offs.tick(session, duties=[meeting], actor=asha, **TICK)
    assert refusal.value.field == "files"


def test_a_submission_without_counts_names_them(session, meeting, asha):
    with pytest.raises(Invalid, match="应到人数、实到人数"):
        sign_offs.tick(session, duties=[meeting], files=[file()], actor=asha, **TICK | {"counts": {}})


def test_an_item_that_wants_no_file_needs_none(session, city, asha):
    helped = duty(city, "D1-B1.P4-1", "L3-20", "Y")
    sign_offs.tick(session, duties=[helped], actor=asha, **TICK | {"counts": {}})
    assert helped.state is State.SUBMITTED


def test_nothing_is_submitted_without_a_record(session, city, asha):
    helped = duty(city, "D1-B1.P4-1", "L3-20", "Y")
    with pytest.raises(Invalid, match="还没有佐证"):
        sign_offs.submit(session, helped, actor=asha, now=NOW)


def test_a_closed_year_takes_no_tick(session, meeting, asha):
    cycle_of(session).state = CycleState.CLOSED
    with pytest.raises(WrongState, match="2026"):
        sign_offs.tick(session, duties=[meeting], files=[file()], actor=asha, **TICK)


def test_an_addition_after_confirmation_shows_and_asks_for_a_new_signature(session, submitted, asha, chen):
    sign_offs.confirm(session, submitted, actor=chen, now=LATER)
    record = session.scalars(select(evidence.Evidence)).one()
    evidence.add_files(session, record, files=[file("补充")], actor=asha, now=LATER)
    assert submitted.is_changed
    with pytest.raises(WrongState):
        sign_offs.confirm(session, submitted, actor=chen, now=LATER)
    with pytest.raises(Invalid, match="改动了什么"):
        sign_offs.submit(session, submitted, actor=asha, now=LATER)
    sign_offs.submit(session, submitted, reason="补充照片", actor=asha, now=LATER)
    assert (submitted.state, submitted.is_changed) == (State.SUBMITTED, False)
    sign_offs.confirm(session, submitted, actor=chen, now=LATER)
    assert (submitted.state, submitted.is_changed) == (State.CONFIRMED, False)


def test_each_signature_can_be_redone_and_builds_on_the_one_before(session, submitted, chen):
    sign_offs.return_(session, submitted, reason="缺页", actor=chen, now=LATER)
    first, second = rows_of(session, submitted)
    assert digest(first.covered) == first.content_digest
    assert second.previous_digest == first.digest
    assert second.digest == signature_digest(
        content_digest=digest(second.covered),
        action="return",
        person="chen",
        appointment="D1-M.P3-1#1",
        at=LATER,
        previous=first.digest,
        reason_sha256=text_digest("缺页"),
    )


def test_twenty_are_confirmed_in_one_step_and_those_that_cannot_be_are_named(session, city, asha, chen):
    twenty = [duty(city, "D1-B1.P4-1", "L3-20", "Y", occurrence=n) for n in range(1, 21)]
    sign_offs.tick(session, duties=twenty, actor=asha, **TICK | {"counts": {}})
    sign_offs.withdraw(session, twenty[3], actor=asha, now=NOW)
    outcomes = {o.duty: o.refusal for o in sign_offs.confirm_many(session, twenty, actor=chen, now=LATER)}
    refused = [key for key, refusal in outcomes.items() if refusal]
    assert refused == [twenty[3].key]
    assert isinstance(outcomes[twenty[3].key], WrongState)
    assert [d.state for d in twenty].count(State.CONFIRMED) == 19


def test_several_are_returned_in_one_step(session, city, asha, chen):
    two = [duty(city, "D1-B1.P4-1", "L3-20", "Y", occurrence=n) for n in (1, 2)]
    sign_offs.tick(session, duties=two, actor=asha, **TICK | {"counts": {}})
    assert not any(o.refusal for o in sign_offs.return_many(session, two, reason="缺页", actor=chen, now=LATER))
    assert {d.state for d in two} == {State.RETURNED}


def test_a_new_appointment_sends_what_waits_to_another_seat(session, city, submitted):
    chen = session.scalars(select(evidence.Organization)).first()
    city.appoint("Asha", "D1-M.P3-1", kind=AppointmentKind.ACTING)
    row = session.scalars(select(sign_offs.Appointment).where(sign_offs.Appointment.key == "D1-M.P3-1#1")).one()
    row.superseded_at = NOW
    session.flush()
    assert sign_offs.reroute(session, organizations=[chen], now=LATER) == 1
    assert submitted.waiting_seat_id == city.seats["D1.P1-1"].id
    assert sign_offs.reroute(session, organizations=[chen], now=LATER) == 0


def test_every_act_has_its_entry_in_the_chain_of_the_unit(session, submitted, chen):
    sign_offs.confirm(session, submitted, actor=chen, now=LATER)
    entries = session.scalars(select(LogEntry).order_by(LogEntry.seq)).all()
    assert [(e.verb, e.chain.key) for e in entries] == [("record", "D1"), ("submit", "D1"), ("confirm", "D1")]
    assert entries[-1].appointment == "D1-M.P3-1#1"


def test_what_the_top_signs_stands_with_the_root(session, city):
    plan = duty(city, "D1.P1-1", "L1-01", "Y")
    sign_offs.tick(session, duties=[plan], files=[file()], actor=city.actor("Dong"), **TICK | {"counts": {}})
    assert plan.waiting_seat_id == city.seats["R.R1-1"].id


def test_a_bulk_confirmation_counts_its_rows(session, city, asha, chen):
    two = [duty(city, "D1-B1.P4-1", "L3-20", "Y", occurrence=n) for n in (1, 2)]
    sign_offs.tick(session, duties=two, actor=asha, **TICK | {"counts": {}})
    sign_offs.confirm_many(session, two, actor=chen, now=LATER)
    assert session.scalar(select(func.count()).select_from(SignOff).where(SignOff.action == Action.CONFIRM)) == 2


def test_an_act_that_is_made_up_counts_from_its_own_day(session, city, asha):
    march = duty(city, "D1-B1.P4-1", "L3-20", "Y")
    sign_offs.tick(session, duties=[march], actor=asha, **TICK | {"counts": {}, "now": at(date(2026, 6, 1))})
    assert (march.act_on, march.first_submitted_on) == (ACT, date(2026, 6, 1))


@pytest.fixture
def own(session, city):
    """A duty of an item of the branch's own that names nobody to confirm it."""
    item = CHECKLIST.item["L3-20"].model_copy(update={"id": "OWN-1", "confirmer": None})
    one = duty(city, "D1-B1.P4-1", "L3-20", "Y")
    decision = Decision(
        key="2026.D1-B1.D1",
        cycle_id=one.cycle_id,
        organization_id=one.organization_id,
        kind=DecisionKind.OWN,
        item_id="OWN-1",
        item=item.model_dump(mode="json", by_alias=True),
        reason="自定",
        effective_from=date(2026, 1, 1),
        in_force=True,
        decided_as="D1-M.P3-1#1",
        recorded_at=NOW,
    )
    session.add(decision)
    one.item_id = "OWN-1"
    session.flush()
    return one


def test_without_a_confirmer_a_submission_stands_and_its_submitter_may_take_it_back(session, own, asha, chen):
    sign_offs.tick(session, duties=[own], actor=asha, **TICK | {"counts": {}})
    assert (own.state, own.waiting_seat_id, own.is_changed) == (State.CONFIRMED, None, False)
    with pytest.raises(NotAllowed):
        sign_offs.reopen(session, own, reason="有误", actor=chen, now=LATER)
    sign_offs.withdraw(session, own, actor=asha, now=LATER)
    assert own.state is State.OPEN


def test_without_a_confirmer_a_claim_stands(session, own, asha):
    sign_offs.claim(session, own, kind=ClaimKind.EXCUSED, reason="防汛", actor=asha, now=NOW)
    assert (own.state, own.is_changed) == (State.EXCUSED, False)


def test_nobody_confirms_what_changed_since_they_looked(session, submitted, asha, chen):
    looked_at = submitted.content_digest
    sign_offs.withdraw(session, submitted, actor=asha, now=NOW)
    record = session.scalars(select(evidence.Evidence)).one()
    evidence.add_files(session, record, files=[file("换过的照片")], actor=asha, now=NOW)
    sign_offs.submit(session, submitted, actor=asha, now=LATER)

    with pytest.raises(Conflict, match="打开页面之后"):
        sign_offs.confirm(session, submitted, actor=chen, now=LATER, seen=looked_at)
    [outcome] = sign_offs.confirm_many(session, [submitted], actor=chen, now=LATER, seen={submitted.key: looked_at})
    assert isinstance(outcome.refusal, Conflict)
    sign_offs.confirm(session, submitted, actor=chen, now=LATER, seen=submitted.content_digest)
    assert submitted.state is State.CONFIRMED


def test_nothing_of_a_closed_year_is_unsettled(session, submitted, asha, chen):
    submitted.cycle.state = CycleState.CLOSED
    session.flush()
    record = session.scalars(select(evidence.Evidence)).one()

    for verb in (sign_offs.return_, sign_offs.withdraw):
        given = {"reason": "缺页"} if verb is sign_offs.return_ else {}
        with pytest.raises(WrongState, match="已经关闭"):
            verb(session, submitted, actor=chen if given else asha, now=LATER, **given)
    with pytest.raises(WrongState, match="已经关闭"):
        evidence.withdraw(session, record, reason="误传", actor=asha, now=LATER)
    sign_offs.confirm(session, submitted, actor=chen, now=LATER)
    assert submitted.state is State.CONFIRMED
