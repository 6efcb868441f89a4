"""What people read about duties: their lists, what else a record serves, and what was known when."""

from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from tests.city import BEGIN, NOW, TODAY, City
from tests.work import ACT, PRESENT, cycle_of, duty, file, queries_of
from tracker.db import engine_options, prepare
from tracker.domain.duty import ClaimKind, State, Timeliness
from tracker.domain.errors import RuleError
from tracker.models import Base, Duty, Evidence
from tracker.queries.duties import Section, duties_as_of, section_of, suggested_duties, timeliness_of_duty, to_do
from tracker.services import evidence, sign_offs

TICK = {"act_on": ACT, "sentence": "开展帮扶", "counts": {}, "now": NOW}


@pytest.fixture
def seat(city):
    return city.seats["D1-B1.P4-1"].id


def keys(listed):
    return [".".join(line.key.rsplit(".", 2)[1:]) for line in listed.lines]


def test_the_list_is_read_as_returned_overdue_this_month_later(session, city, seat):
    march = duty(city, "D1-B1.P4-1", "L3-02", "M03")
    duty(city, "D1-B1.P4-1", "L3-02", "M04")
    may = duty(city, "D1-B1.P4-1", "L3-02", "M05")
    may.due_on = date(2026, 5, 29)
    duty(city, "D1-B1.P4-1", "L3-02", "M06")
    asha = city.actor("Asha")
    sign_offs.tick(session, duties=[march], files=[file()], actor=asha, **TICK | {"counts": PRESENT})
    sign_offs.return_(session, march, reason="缺页", actor=city.actor("Chen"), now=NOW)
    found = to_do(session, seats=[seat], today=TODAY)
    assert {section: keys(listed) for section, listed in found.items()} == {
        Section.RETURNED: ["M03.1"],
        Section.OVERDUE: ["M04.1"],
        Section.THIS_MONTH: ["M05.1"],
        Section.LATER: ["M06.1"],
        Section.HANDED_IN: [],
    }


def test_a_confirmed_duty_that_changed_waits_for_its_holder_again(session, city, seat):
    helped, asha = duty(city, "D1-B1.P4-1", "L3-20", "Y"), city.actor("Asha")
    record = sign_offs.tick(session, duties=[helped], actor=asha, **TICK)
    sign_offs.confirm(session, helped, actor=city.actor("Chen"), now=NOW)
    assert to_do(session, seats=[seat], today=TODAY)[Section.HANDED_IN].total == 1
    evidence.add_files(session, record, files=[file()], actor=asha, now=NOW)
    found = to_do(session, seats=[seat], today=TODAY)
    assert (found[Section.RETURNED].total, found[Section.HANDED_IN].total) == (1, 0)


def test_what_was_returned_stands_with_its_reason_before_what_changed_after_signing(session, city, seat):
    asha, chen = city.actor("Asha"), city.actor("Chen")
    changed, returned = (duty(city, "D1-B1.P4-1", "L3-20", "Y", occurrence=number) for number in (1, 2))
    record = sign_offs.tick(session, duties=[changed], actor=asha, **TICK)
    evidence.add_files(session, record, files=[file()], actor=asha, now=NOW)
    sign_offs.tick(session, duties=[returned], actor=asha, **TICK)
    for reason in ("缺签到", "仍缺签到"):
        sign_offs.return_(session, returned, reason=reason, actor=chen, now=NOW)
        if reason == "缺签到":
            sign_offs.submit(session, returned, actor=asha, now=NOW)
    first = to_do(session, seats=[seat], today=TODAY, limit=1)[Section.RETURNED]
    rest = section_of(session, Section.RETURNED, seats=[seat], today=TODAY, after=first.after)
    assert [(line.occurrence, line.sent_back, line.waits_again) for line in first.lines + rest.lines] == [
        (2, "仍缺签到", False),
        (1, None, True),
    ]


def test_what_was_handed_in_is_read_from_the_latest_on(session, city, seat):
    for number in (1, 2, 3):
        helped = duty(city, "D1-B1.P4-1", "L3-20", "Y", occurrence=number)
        at = NOW + timedelta(minutes=number // 2)
        sign_offs.tick(session, duties=[helped], actor=city.actor("Asha"), **TICK | {"now": at})
    read, after = [], ""
    for _ in range(3):
        part = section_of(session, Section.HANDED_IN, seats=[seat], today=TODAY, after=after, limit=1)
        read, after = read + [line.occurrence for line in part.lines], part.after
    assert (read, after) == ([2, 3, 1], None)


def test_a_place_that_cannot_be_is_the_beginning(session, city, seat):
    helped = duty(city, "D1-B1.P4-1", "L3-20", "Y")
    assert section_of(session, Section.LATER, seats=[seat], today=TODAY, after="x~y").total == 1
    sign_offs.tick(session, duties=[helped], actor=city.actor("Asha"), **TICK)
    assert section_of(session, Section.HANDED_IN, seats=[seat], today=TODAY, after="x~y").total == 1


def test_a_long_section_is_read_part_by_part_and_its_total_stays(session, city, seat):
    for number in range(1, 8):
        duty(city, "D1-B1.P4-1", "L3-20", "Y", occurrence=number)
    first = to_do(session, seats=[seat], today=TODAY, limit=3)[Section.LATER]
    read, after = list(first.lines), first.after
    while after:
        part = section_of(session, Section.LATER, seats=[seat], today=TODAY, after=after, limit=3)
        assert part.total == 7
        read, after = read + list(part.lines), part.after
    assert [line.occurrence for line in read] == [1, 2, 3, 4, 5, 6, 7]


def test_duties_of_others_and_duties_no_longer_owed_are_not_listed(session, city, seat):
    duty(city, "D1-B2.P4-1", "L3-20", "Y")
    duty(city, "D1-B1.P4-1", "L3-20", "Y").in_force = False
    session.flush()
    assert sum(listed.total for listed in to_do(session, seats=[seat], today=TODAY).values()) == 0


def test_the_list_takes_as_many_queries_for_forty_duties_as_for_one(session, city, seat):
    taken = []
    for numbers in (range(1, 2), range(2, 41)):
        for number in numbers:
            duty(city, "D1-B1.P4-1", "L3-20", "Y", occurrence=number)
        session.expire_all()
        with queries_of(session) as seen:
            to_do(session, seats=[seat], today=TODAY)
        taken.append(len(seen))
    assert taken[0] == taken[1] <= 5


def test_what_happens_together_in_the_period_is_suggested_first(session, city, seat):
    ticked = duty(city, "D1-B1.P4-1", "L3-04", "H1")
    duty(city, "D1-B1.P4-1", "L3-04", "H1", occurrence=2)
    duty(city, "D1-B1.P4-1", "L3-05", "M05")
    duty(city, "D1-B1.P4-1", "L3-05", "M04")
    duty(city, "D1-B1.P4-1", "L3-05", "M06")
    duty(city, "D1-B1.P4-1", "L3-02", "M05")
    duty(city, "D1-B2.P4-1", "L3-05", "M05")
    found = suggested_duties(session, ticked, seats=[seat], act_on=ACT)
    assert [(s.item.id, s.period) for s in found] == [("L3-05", "M05"), ("L3-05", "M04"), ("L3-02", "M05")]


VERBS = ("tick", "record", "submit", "confirm", "return", "withdraw", "claim", "accept", "refuse", "reopen")
RECORD_VERBS = ("add_files", "correct", "void", "unlink", "link")
STEPS = st.lists(st.tuples(st.sampled_from(VERBS + RECORD_VERBS), st.integers(0, 2), st.integers(0, 3)), max_size=25)


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """A SQLite database with the city and three duties, from which every history starts anew."""
    url = f"sqlite:///{tmp_path_factory.mktemp('town')}/t.sqlite3"
    engine = create_engine(url, **engine_options(url))
    prepare(engine)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        city = City.build(session)
        for item_id, period in (("L3-02", "M05"), ("L3-20", "Y"), ("L3-05", "M04")):
            duty(city, "D1-B1.P4-1", item_id, period)
        session.commit()
        people = {name: city.actor(name) for name in ("Asha", "Chen")}
    yield engine, people
    engine.dispose()


def act(session, people, verb, which, number, now):
    """Do something that the rules may refuse."""
    duties = session.scalars(select(Duty).order_by(Duty.id)).all()
    one, asha, chen = duties[which], people["Asha"], people["Chen"]
    said = {"act_on": ACT - timedelta(days=number), "sentence": f"第{number}次", "counts": PRESENT}
    held = {"actor": asha, "now": now}
    judged = {"actor": chen, "now": now}
    records = session.scalars(select(Evidence).order_by(Evidence.id)).all()
    record = records[number % len(records)] if records else None
    if verb in RECORD_VERBS and record is None:
        return
    {
        "tick": lambda: sign_offs.tick(session, duties=duties[: which + 1], files=[file()], **said, **held),
        "record": lambda: evidence.record(session, duties=[one], files=[file(str(number))], **said, **held),
        "submit": lambda: sign_offs.submit(session, one, reason="有补充", **held),
        "confirm": lambda: sign_offs.confirm(session, one, **judged),
        "return": lambda: sign_offs.return_(session, one, reason="缺页", **judged),
        "withdraw": lambda: sign_offs.withdraw(session, one, **held),
        "claim": lambda: sign_offs.claim(session, one, kind=list(ClaimKind)[number % 2], reason="防汛", **held),
        "accept": lambda: sign_offs.accept(session, one, **judged),
        "refuse": lambda: sign_offs.refuse(session, one, reason="不成立", **judged),
        "reopen": lambda: sign_offs.reopen(session, one, reason="有误", **judged),
        "add_files": lambda: evidence.add_files(session, record, files=[file(f"加{number}")], **held),
        "correct": lambda: evidence.correct(session, record, **said, **held),
        "void": lambda: evidence.withdraw(session, record, reason="传错", **held),
        "unlink": lambda: evidence.unlink(session, record, one, **held),
        "link": lambda: evidence.link(session, record, [one], **held),
    }[verb]()


def shown(duties):
    """What pages show of duties now, from their caches; or what a replay says of them."""
    return {
        d.key: (d.state, d.content_digest, d.signed_digest, d.is_changed, d.act_on, d.first_submitted_on, d.due_on)
        for d in duties
    }


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_what_was_shown_at_every_moment_is_what_a_replay_says_later(town, steps):
    engine, people = town
    with engine.connect() as connection:
        outer = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            seen = {}
            for minute, (verb, which, number) in enumerate(steps):
                now = NOW + timedelta(minutes=minute)
                try:
                    with session.begin_nested():
                        act(session, people, verb, which, number, now)
                except RuleError:
                    session.expire_all()
                seen[now] = shown(session.scalars(select(Duty)))
            cycle = cycle_of(session)
            for moment, then in seen.items():
                assert shown(duties_as_of(session, cycle=cycle, as_of=moment)) == then
            before = duties_as_of(session, cycle=cycle, as_of=BEGIN)
            assert {d.state for d in before} == {State.OPEN}
        outer.rollback()


def test_replaying_a_unit_takes_as_many_queries_for_twenty_duties_as_for_one(session, city):
    taken, asha = [], city.actor("Asha")
    for numbers in (range(1, 2), range(2, 21)):
        made = [duty(city, "D1-B1.P4-1", "L3-20", "Y", occurrence=n) for n in numbers]
        sign_offs.tick(session, duties=made, actor=asha, **TICK)
        session.expire_all()
        cycle = cycle_of(session)
        with queries_of(session) as seen:
            duties_as_of(session, cycle=cycle, as_of=NOW, units=[city.organizations["D1"].id])
        taken.append(len(seen))
    assert taken[0] == taken[1]


def test_a_claim_after_a_return_leaves_nothing_handed_in(session, city):
    """What was handed in and sent back makes nobody punctual who then says that it could not be done."""
    march = duty(city, "D1-B1.P4-1", "L3-02", "M03")
    asha, chen, later = city.actor("Asha"), city.actor("Chen"), NOW + timedelta(days=1)
    in_time = TICK | {"act_on": date(2026, 3, 12), "counts": PRESENT, "now": NOW - timedelta(days=60)}
    sign_offs.tick(session, duties=[march], files=[file()], actor=asha, **in_time)
    assert timeliness_of_duty(march, today=TODAY) is Timeliness.IN_TIME
    sign_offs.return_(session, march, reason="不是会议记录", actor=chen, now=NOW)
    sign_offs.claim(session, march, kind=ClaimKind.EXCUSED, reason="未能召开", actor=asha, now=NOW)
    assert timeliness_of_duty(march, today=TODAY) is Timeliness.OVERDUE
    sign_offs.accept(session, march, actor=chen, now=NOW)
    assert timeliness_of_duty(march, today=TODAY) is Timeliness.OVERDUE
    [then] = duties_as_of(session, cycle=march.cycle, as_of=later)
    assert then.timeliness(today=TODAY) is Timeliness.OVERDUE
