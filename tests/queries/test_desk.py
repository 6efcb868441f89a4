"""The queue of the desk: its order, what it says of others, and how little it asks the database."""

from datetime import date, timedelta
from fractions import Fraction

import pytest

from tests.city import NOW, TODAY
from tests.services.test_inspections import planned
from tests.work import CHECKLIST, duty, file, queries_of
from tracker.domain.desk import HOLD, READING, Risk
from tracker.domain.score import Verdict
from tracker.queries.desk import judged, lies_open, queue_of, standings_of
from tracker.services import desk, evidence, inspections, sign_offs

SEAT = "D1-B1.P4-1"


def tick(session, city, one, act_on, *, now=NOW):
    return sign_offs.tick(
        session,
        duties=[one],
        act_on=act_on,
        sentence="开展帮扶",
        counts={},
        files=[file()],
        actor=city.actor("Asha"),
        now=now,
    )


@pytest.fixture
def year(session, city):
    """Five duties: fine, without anything, uploaded long after the act, handed in late, returned once."""
    fine, nothing, far, late, returned = (duty(city, SEAT, "L3-20", "Y", occurrence=number) for number in range(1, 6))
    for one in (fine, nothing, far, returned):
        one.due_on = date(2026, 12, 31)
    late.due_on = date(2026, 5, 1)
    tick(session, city, fine, date(2026, 5, 18))
    tick(session, city, far, date(2026, 5, 1))
    tick(session, city, late, date(2026, 5, 18))
    tick(session, city, returned, date(2026, 5, 18))
    sign_offs.return_(session, returned, reason="请补充", actor=city.actor("Chen"), now=NOW)
    return fine, nothing, far, late, returned


@pytest.fixture
def check(session, city, year):
    return planned(session, city, team=("Ines", "Ivan"), period_ends_on=date(2026, 12, 31), picked=year)


def queue(session, city, check, *, who="Ines", **options):
    return queue_of(session, check, actor=city.actor(who), today=TODAY, now=NOW, **options)


def score_of(session, check, one, item):
    return judged(session, check, one, item)[1]


def test_the_queue_begins_with_what_is_risky_and_says_why(session, city, check, year):
    fine, nothing, far, late, returned = year
    lines = queue(session, city, check)
    assert [line.key for line in lines] == [one.key for one in (returned, late, far, nothing, fine)]
    assert [tuple(why.risk for why in line.why) for line in lines] == [
        (Risk.RETURNED,),
        (Risk.LATE,),
        (Risk.GAP,),
        (Risk.NO_EVIDENCE,),
        (),
    ]
    assert [lines[0].why[0].number, lines[2].why[0].number] == [1, 19]


def test_a_withdrawn_record_is_no_evidence(session, city, check, year):
    _, nothing, *_ = year
    record = evidence.record(
        session,
        duties=[nothing],
        act_on=date(2026, 5, 18),
        sentence="误录",
        counts={},
        files=[],
        actor=city.actor("Asha"),
        now=NOW,
    )
    [line] = [line for line in queue(session, city, check) if line.key == nothing.key]
    assert line.why == ()
    evidence.withdraw(session, record, reason="录错", actor=city.actor("Asha"), now=NOW)
    [line] = [line for line in queue(session, city, check) if line.key == nothing.key]
    assert [why.risk for why in line.why] == [Risk.NO_EVIDENCE]


def test_another_unit_has_another_queue(session, city, check):
    assert len(queue(session, city, check, unit="D1")) == 5
    assert queue(session, city, check, unit="D2") == []


def test_the_queue_tells_who_has_something_open_and_who_judged(session, city, check, year):
    fine, nothing, *_ = year
    desk.hold(session, check, nothing, actor=city.actor("Ivan"), now=NOW)
    desk.judge(session, check, fine, value=Verdict.MET, seen=0, actor=city.actor("Ivan"), now=NOW)
    told = {line.key: (line.verdict, line.judge, line.held_by) for line in queue(session, city, check)}
    assert (told[fine.key], told[nothing.key]) == ((Verdict.MET, "Ivan", None), (None, None, "Ivan"))
    standing = standings_of(session, check, actor=city.actor("Ines"), now=NOW)
    assert {one.key: (one.verdict, one.judge, one.held_by) for one in standing} == {
        fine.key: told[fine.key],
        nothing.key: told[nothing.key],
    }
    mine = standings_of(session, check, actor=city.actor("Ivan"), now=NOW)
    assert [one.key for one in mine] == [fine.key]
    later = standings_of(session, check, actor=city.actor("Ines"), now=NOW + timedelta(hours=1))
    assert [one.key for one in later] == [fine.key]


def test_a_long_queue_takes_as_many_queries_as_a_short_one(session, city, check, year):
    other = planned(session, city, period_ends_on=date(2026, 12, 31), picked=year[:1])
    taken = []
    for one in (check, other):
        actor = city.actor("Ines")
        queue_of(session, one, actor=actor, today=TODAY, now=NOW)
        with queries_of(session) as seen:
            queue_of(session, one, actor=actor, today=TODAY, now=NOW)
        taken.append(len(seen))
    assert taken == [3, 3]


def test_the_score_of_an_item_says_what_was_worked_out_and_what_was_given(session, city, check, year):
    item = CHECKLIST.item["L3-20"]
    assert score_of(session, check, year[0], item).value is None
    desk.judge(session, check, year[0], value=Verdict.MET, seen=0, actor=city.actor("Ines"), now=NOW)
    desk.judge(session, check, year[1], value=Verdict.MISSING, note="没有", seen=0, actor=city.actor("Ines"), now=NOW)
    inspections.overrule(
        session,
        check,
        organization=city.organizations["D1-B1"],
        item=item,
        tenths=5,
        reason="现场补齐",
        actor=city.actor("Ines"),
        now=NOW,
    )
    score = score_of(session, check, year[0], item)
    assert (score.worked_out, score.value) == (Fraction(item.points, 2), Fraction(1, 2))


def test_points_that_an_inspector_gave_lapse_with_the_last_verdict_they_were_about(session, city, check, year):
    fine, ines = year[0], city.actor("Ines")
    given = {"actor": ines, "now": NOW}
    inspections.judge(session, check, fine, value=Verdict.MET, **given)
    item = CHECKLIST.item[fine.item_id]
    branch = {"organization": fine.organization, "item": item}
    inspections.overrule(session, check, **branch, tenths=5, reason="集体研究", **given)
    inspections.judge(session, check, fine, value=Verdict.NOT_APPLICABLE, note="没有党小组", **given)

    assert score_of(session, check, fine, item).value is None


# -- what need not be written ------------------------------------------------------------------------------------------


def lies(session, city, check, one, *, who="Ines", after=timedelta(0)):
    return lies_open(session, check, one, actor=city.actor(who), now=NOW + after)


def test_what_one_has_open_lies_open_until_half_of_the_hold_is_over(session, city, check, year):
    _, nothing, *_ = year
    assert not lies(session, city, check, nothing)
    desk.hold(session, check, nothing, actor=city.actor("Ines"), now=NOW)
    assert lies(session, city, check, nothing)
    assert lies(session, city, check, nothing, after=HOLD / 2 - timedelta(seconds=1))
    assert not lies(session, city, check, nothing, after=HOLD / 2)
    assert not lies(session, city, check, nothing, who="Ivan")


def test_what_is_let_go_or_judged_lies_open_no_more(session, city, check, year):
    _, nothing, *_ = year
    ines = city.actor("Ines")
    desk.hold(session, check, nothing, actor=ines, now=NOW)
    desk.renew(session, check, keep=[], drop=[nothing.key], actor=ines, now=NOW)
    assert not lies(session, city, check, nothing)
    desk.hold(session, check, nothing, actor=ines, now=NOW)
    desk.judge(session, check, nothing, value=Verdict.NOT_APPLICABLE, note="没有党小组", seen=0, actor=ines, now=NOW)
    assert not lies(session, city, check, nothing)


def test_another_check_of_the_same_duty_is_held_by_itself(session, city, check, year):
    _, nothing, *_ = year
    other = planned(session, city, period_ends_on=date(2026, 12, 31), picked=year)
    desk.hold(session, check, nothing, actor=city.actor("Ines"), now=NOW)
    assert not lies(session, city, other, nothing)


def test_what_lies_open_is_noted_as_read_with_every_record_behind_it(session, city, check, year):
    fine, ines, soon = year[0], city.actor("Ines"), timedelta(seconds=20)
    desk.hold(session, check, fine, actor=ines, now=NOW)
    assert not lies(session, city, check, fine)
    desk.note_reading(session, fine, actor=ines, now=NOW)
    assert lies(session, city, check, fine)
    tick_more(session, city, fine)
    assert not lies(session, city, check, fine, after=soon)
    desk.note_reading(session, fine, actor=ines, now=NOW + soon)
    assert lies(session, city, check, fine, after=soon)


def tick_more(session, city, one):
    """One record more behind a duty that was handed in."""
    more = {"act_on": date(2026, 5, 19), "sentence": "补充照片", "counts": {}, "files": [file("more.pdf")]}
    evidence.record(session, duties=[one], **more, actor=city.actor("Asha"), now=NOW)


def test_at_a_closed_check_nothing_is_held_and_reading_is_noted(session, city, check, year):
    fine, ines = year[0], city.actor("Ines")
    for one in year:
        desk.judge(session, check, one, value=Verdict.NOT_APPLICABLE, note="没有党小组", seen=0, actor=ines, now=NOW)
    inspections.close(session, check, actor=ines, now=NOW)
    assert not lies(session, city, check, fine)
    desk.note_reading(session, fine, actor=ines, now=NOW)
    assert lies(session, city, check, fine)
    assert not lies(session, city, check, fine, after=READING)
