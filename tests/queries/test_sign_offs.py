"""Who has to decide next, and what lies in their queue."""

from datetime import timedelta

import pytest

from tests.city import NOW, TODAY
from tests.work import ACT, CHECKLIST, duty, file, queries_of
from tracker.domain.actor import AppointmentKind
from tracker.domain.duty import Action, ClaimKind
from tracker.queries.sign_offs import history_of, prospect_of, waiting_count, waiting_for
from tracker.services import evidence, sign_offs

TICK = {"act_on": ACT, "sentence": "开展帮扶", "counts": {}, "now": NOW}
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def five(session, city):
    """Five duties of Asha's, handed in with one record."""
    made = [duty(city, "D1-B1.P4-1", "L3-20", "Y", occurrence=n) for n in range(1, 6)]
    sign_offs.tick(session, duties=made, files=[file()], actor=city.actor("Asha"), **TICK)
    return made


@pytest.fixture
def seats(city):
    return [city.seats["D1-M.P3-1"].id]


def test_the_queue_is_read_part_by_part_and_its_total_stays(session, five, seats):
    first = waiting_for(session, seats=seats, today=TODAY, limit=3)
    second = waiting_for(session, seats=seats, today=TODAY, after=first.after, limit=3)
    assert (first.total, second.total, second.after) == (5, 5, None)
    assert [w.occurrence for w in (*first.lines, *second.lines)] == [1, 2, 3, 4, 5]


def test_a_place_behind_which_nothing_waits_any_more_leads_to_what_waits_before_it(session, five, seats):
    found = waiting_for(session, seats=seats, today=TODAY, after="2099-01-01~K", limit=3)
    assert (found.total, [w.occurrence for w in found.lines]) == (5, [1, 2, 3])


def test_a_line_of_the_queue_says_what_there_is_to_judge_by(session, five, seats):
    line = waiting_for(session, seats=seats, today=TODAY).lines[0]
    assert (line.sentences, line.files, line.submitted_by, line.act_on) == (("开展帮扶",), 1, "Asha", ACT)


def test_a_claim_in_the_queue_carries_its_reason(session, city, seats):
    one = duty(city, "D1-B1.P4-1", "L3-20", "Y")
    sign_offs.claim(session, one, kind=ClaimKind.EXCUSED, reason="防汛", actor=city.actor("Asha"), now=NOW)
    [line] = waiting_for(session, seats=seats, today=TODAY).lines
    assert (line.claim, line.reason) == (ClaimKind.EXCUSED, "防汛")


def test_what_changed_after_signing_waits_for_its_holder_and_not_in_the_queue(session, city, five, seats):
    evidence.record(session, duties=five[:1], actor=city.actor("Asha"), **TICK)
    assert waiting_count(session, seats=seats) == 4


def test_the_queue_takes_as_many_queries_for_five_as_for_one(session, five, seats):
    taken = []
    for limit in (1, 5):
        session.expire_all()
        with queries_of(session) as seen:
            waiting_for(session, seats=seats, today=TODAY, limit=limit)
        taken.append(len(seen))
    assert taken[0] == taken[1]


def prospect(session, city, one, who):
    return prospect_of(
        session, one, item=CHECKLIST.item[one.item_id], checklist=CHECKLIST, actor=city.actor(who), today=TODAY
    )


@pytest.mark.parametrize(
    ("who", "actions"),
    [
        ("Asha", (Action.WITHDRAW,)),
        ("Chen", (Action.CONFIRM, Action.RETURN)),
        ("Dong", ()),
        ("Omar", ()),
    ],
)
def test_everybody_is_offered_what_is_theirs(session, city, five, who, actions):
    found = prospect(session, city, five[0], who)
    assert found.actions == actions
    assert (found.seat, found.post, found.names) == ("D1-M.P3-1", "P3", ("Chen",))


def test_whoever_had_a_hand_in_it_is_not_named_as_deciding(session, city):
    city.appoint("Chen", "D1-B1.P4-1", kind=AppointmentKind.ACTING)
    one = duty(city, "D1-B1.P4-1", "L3-20", "Y")
    sign_offs.tick(session, duties=[one], actor=city.actor("Chen"), **TICK)
    assert prospect(session, city, one, "Chen").names == ("Dong",)
    assert Action.CONFIRM not in prospect(session, city, one, "Chen").actions


def test_a_history_tells_who_did_what_in_which_post(session, city, five):
    sign_offs.return_(session, five[0], reason="缺页", actor=city.actor("Chen"), now=LATER)
    told = [(row.action, row.person, row.post, row.reason) for row in history_of(session, five[0].id)]
    assert told == [(Action.SUBMIT, "Asha", "P4", None), (Action.RETURN, "Chen", "P3", "缺页")]
