"""The desk: one duty is judged by one person at a time, on what they saw; frequent reasons are kept, never lost."""

from collections import Counter
from datetime import date, timedelta

import pytest
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import Session

from tests.city import NOW, City
from tests.services.test_concurrency import PROCESSES, several, shared_url  # noqa: F401  a fixture
from tests.services.test_inspections import planned
from tests.work import duty, file
from tracker.db import engine_options, prepare, writing
from tracker.domain.desk import HOLD, READING
from tracker.domain.errors import Conflict, Invalid, NotAllowed, RuleError, WrongState
from tracker.domain.score import Verdict
from tracker.models import (
    AccessLog,
    DeskHold,
    Duty,
    FrequentReason,
    Inspection,
    InspectionDuty,
    LogEntry,
    Organization,
    Seat,
)
from tracker.models import Verdict as VerdictRow
from tracker.queries.desk import reasons_dropped, reasons_in_use
from tracker.services import desk, evidence, inspections

SOON = NOW + timedelta(minutes=1)
LAPSED = NOW + HOLD + timedelta(seconds=1)


@pytest.fixture
def meetings(session, city):
    return [duty(city, "D1-B1.P4-1", "L3-02", f"M0{month}") for month in (3, 4)]


@pytest.fixture
def check(session, city, meetings):
    """A check of Ines and Ivan with two duties."""
    return planned(session, city, team=("Ines", "Ivan"))


def judge(session, city, check, one, value=Verdict.MET, *, who="Ines", seen=0, now=NOW, note=""):
    return desk.judge(session, check, one, value=value, note=note, seen=seen, actor=city.actor(who), now=now)


def verdicts(session):
    return session.scalars(select(VerdictRow).order_by(VerdictRow.id)).all()


def test_what_another_has_open_is_not_opened_and_not_judged(session, city, check, meetings):
    desk.hold(session, check, meetings[0], actor=city.actor("Ines"), now=NOW)
    for act in (
        lambda: desk.hold(session, check, meetings[0], actor=city.actor("Ivan"), now=SOON),
        lambda: judge(session, city, check, meetings[0], who="Ivan", now=SOON),
    ):
        with pytest.raises(Conflict) as refusal:
            act()
        assert refusal.value.values == {"who": "Ines"}
    assert verdicts(session) == []
    judge(session, city, check, meetings[1], who="Ivan", now=SOON)


def test_a_hold_runs_out_and_is_renewed_by_whoever_still_looks(session, city, check, meetings):
    ines, ivan = city.actor("Ines"), city.actor("Ivan")
    for one in meetings:
        desk.hold(session, check, one, actor=ines, now=NOW)
    desk.renew(session, check, keep=[meetings[0].key], actor=ines, now=SOON)
    desk.hold(session, check, meetings[1], actor=ivan, now=LAPSED)
    with pytest.raises(Conflict):
        desk.hold(session, check, meetings[0], actor=ivan, now=LAPSED)
    desk.renew(session, check, keep=[one.key for one in meetings], actor=ines, now=LAPSED)
    holders = dict(session.execute(select(DeskHold.duty_id, DeskHold.person_id)).all())
    assert holders == {meetings[0].id: ines.person_id, meetings[1].id: ivan.person_id}


def test_what_is_let_go_is_free_at_once(session, city, check, meetings):
    desk.hold(session, check, meetings[0], actor=city.actor("Ines"), now=NOW)
    desk.renew(session, check, keep=[], drop=[meetings[0].key], actor=city.actor("Ines"), now=SOON)
    desk.hold(session, check, meetings[0], actor=city.actor("Ivan"), now=SOON)


def test_a_verdict_lets_go_of_the_duty(session, city, check, meetings):
    desk.hold(session, check, meetings[0], actor=city.actor("Ines"), now=NOW)
    judge(session, city, check, meetings[0], now=SOON)
    judge(session, city, check, meetings[0], Verdict.PARTLY, who="Ivan", seen=1, now=SOON, note="缺签到表")
    assert [(row.value, row.superseded_at is None) for row in verdicts(session)] == [
        (Verdict.MET, False),
        (Verdict.PARTLY, True),
    ]


def test_a_verdict_of_another_since_the_page_was_opened_is_not_passed_over(session, city, check, meetings):
    judge(session, city, check, meetings[0], who="Ivan")
    with pytest.raises(Conflict) as refusal:
        judge(session, city, check, meetings[0], Verdict.MISSING, now=SOON, note="没有记录")
    assert refusal.value.values == {"who": "Ivan", "at": "05-20 10:00", "label": "落实"}
    assert [row.value for row in verdicts(session)] == [Verdict.MET]


def test_ones_own_verdict_from_another_tab_is_not_passed_over_either(session, city, check, meetings):
    judge(session, city, check, meetings[0])
    with pytest.raises(Conflict, match="您已于"):
        judge(session, city, check, meetings[0], now=SOON)
    judge(session, city, check, meetings[0], Verdict.NOT_APPLICABLE, seen=1, now=SOON, note="没有支委会")


def test_more_verdicts_than_there_are_is_not_what_anybody_saw(session, city, check, meetings):
    with pytest.raises(Conflict, match="对不上"):
        judge(session, city, check, meetings[0], seen=3)


def test_a_duty_outside_the_sample_is_neither_opened_nor_judged(session, city, check):
    elsewhere = duty(city, "D2-B1.P4-1", "L3-02", "M03")
    with pytest.raises(Invalid, match="不在本次抽查范围内"):
        desk.hold(session, check, elsewhere, actor=city.actor("Ines"), now=NOW)
    with pytest.raises(Invalid, match="不在本次抽查范围内"):
        judge(session, city, check, elsewhere)
    assert (verdicts(session), session.scalars(select(DeskHold)).all()) == ([], [])


@pytest.mark.parametrize("who", ["Asha", "Adam", "Ada"])
def test_whoever_is_not_in_the_team_does_nothing_at_the_desk(session, city, check, meetings, who):
    for act in (
        lambda: desk.hold(session, check, meetings[0], actor=city.actor(who), now=NOW),
        lambda: desk.renew(session, check, keep=[meetings[0].key], actor=city.actor(who), now=NOW),
        lambda: judge(session, city, check, meetings[0], who=who),
    ):
        with pytest.raises(NotAllowed):
            act()
    assert verdicts(session) == []


def test_after_closing_the_refusal_says_so(session, city, check, meetings):
    for one in meetings:
        judge(session, city, check, one)
    inspections.close(session, check, actor=city.actor("Ines"), now=SOON)
    with pytest.raises(WrongState, match="已经结束"):
        judge(session, city, check, meetings[0], Verdict.MISSING, seen=1, note="没有记录", now=SOON)
    with pytest.raises(WrongState, match="已经结束"):
        desk.hold(session, check, meetings[0], actor=city.actor("Ines"), now=SOON)
    assert [row.value for row in verdicts(session)] == [Verdict.MET, Verdict.MET]


def test_a_page_that_is_loaded_again_is_no_new_reading(session, city, meetings):
    asha, one = city.actor("Asha"), meetings[0]
    said = {"act_on": date(2026, 3, 20), "sentence": "召开会议", "counts": {}, "files": [file()]}
    record = evidence.record(session, duties=[one], **said, actor=asha, now=NOW)
    for who, after in (("Ines", 0), ("Ines", 1), ("Ivan", 1), ("Ines", READING.seconds)):
        desk.note_reading(session, one, actor=city.actor(who), now=NOW + timedelta(seconds=after))
    noted = session.execute(select(AccessLog.actor, AccessLog.object_key).order_by(AccessLog.at, AccessLog.id)).all()
    assert noted == [("ines", record.key), ("ivan", record.key), ("ines", record.key)]


def test_a_reason_is_edited_by_a_new_row_and_dropped_by_none(session, city):
    adam, ines = city.actor("Adam"), city.actor("Ines")
    first = desk.add_reason(session, value=Verdict.MISSING, text=" 没有会议记录 ", actor=ines, now=NOW)
    desk.add_reason(session, value=Verdict.PARTLY, text="签到表不全", actor=adam, now=NOW)
    desk.edit_reason(session, first, value=Verdict.MISSING, text="没有会议记录和签到", actor=ines, now=SOON)
    assert [(one.key, one.text) for one in reasons_in_use(session)] == [
        ("R002", "签到表不全"),
        ("R001", "没有会议记录和签到"),
    ]
    desk.drop_reason(session, reasons_in_use(session)[1], actor=adam, now=SOON)
    assert [one.text for one in reasons_in_use(session)] == ["签到表不全"]
    assert [one.text for one in reasons_dropped(session)] == ["没有会议记录和签到"]
    rows = session.scalar(select(func.count()).select_from(FrequentReason))
    told = session.scalars(select(LogEntry.verb).order_by(LogEntry.id)).all()
    assert (rows, told) == (3, ["reason.add", "reason.add", "reason.edit", "reason.drop"])


def test_an_edit_of_a_reason_that_was_changed_meanwhile_is_refused(session, city):
    ines = city.actor("Ines")
    first = desk.add_reason(session, value=Verdict.MISSING, text="没有记录", actor=ines, now=NOW)
    desk.edit_reason(session, first, value=Verdict.MISSING, text="没有会议记录", actor=ines, now=NOW)
    with pytest.raises(Conflict):
        desk.drop_reason(session, first, actor=ines, now=SOON)


@pytest.mark.parametrize(("text", "why"), [("  ", "请填写理由"), ("长" * 201, "超过"), ("没有记录", "同样的理由")])
def test_a_reason_that_says_nothing_too_much_or_the_same_is_refused(session, city, text, why):
    ines = city.actor("Ines")
    desk.add_reason(session, value=Verdict.MISSING, text="没有记录", actor=ines, now=NOW)
    with pytest.raises(Invalid, match=why):
        desk.add_reason(session, value=Verdict.MISSING, text=text, actor=ines, now=NOW)


def test_a_branch_secretary_writes_no_frequent_reasons(session, city):
    with pytest.raises(NotAllowed):
        desk.add_reason(session, value=Verdict.MET, text="很好", actor=city.actor("Asha"), now=NOW)


# -- several processes -------------------------------------------------------------------------------------------------

QUEUE = 12


def _engine(url):
    engine = create_engine(url, **engine_options(url))
    prepare(engine)
    return engine


def _judge_the_queue(url, actor, number, barrier, results):
    """Go through the whole queue: open what is free, judge what was opened as it was seen."""
    engine = _engine(url)
    done = Counter()
    with Session(engine) as session:
        check = session.scalars(select(Inspection)).one()
        sampled = select(Duty.id).join(InspectionDuty, InspectionDuty.duty_id == Duty.id)
        ids = list(session.scalars(sampled.order_by(Duty.key)))
        session.rollback()
        barrier.wait(timeout=60)
        for duty_id in ids:
            one = session.get_one(Duty, duty_id)
            seen = session.scalar(select(func.count()).where(VerdictRow.duty_id == duty_id))
            done["looked"] += 1
            if seen:
                continue
            steps = (
                ("held", lambda one=one: desk.hold(session, check, one, actor=actor, now=NOW)),
                ("judged", lambda one=one: judge_as(session, check, one, actor)),
            )
            for name, step in steps:
                try:
                    with writing(session):
                        step()
                except RuleError:
                    done[f"not {name}"] += 1
                    break
                done[name] += 1
    engine.dispose()
    results.put((number, done))


def judge_as(session, check, one, actor):
    desk.judge(session, check, one, value=Verdict.MET, seen=0, actor=actor, now=NOW)


def _city_of(session):
    """The small city that is in the database already."""
    found = City(session)
    found.organizations = {node.code: node for node in session.scalars(select(Organization))}
    found.seats = {seat.key: seat for seat in session.scalars(select(Seat))}
    return found


def test_four_processes_share_a_queue_and_judge_no_duty_twice(shared_url):  # noqa: F811
    url, _ = shared_url
    engine = _engine(url)
    with Session(engine) as session, session.begin():
        city = _city_of(session)
        for number in range(4, QUEUE + 1):
            duty(city, "D1-B1.P4-1", "L3-20", "Y", occurrence=number)
        team = tuple(f"Inspector{number}" for number in range(PROCESSES))
        for who in team:
            city.give_role(who, "inspector")
        everything = session.scalars(select(Duty)).all()
        planned(session, city, team=team, period_ends_on=date(2026, 12, 31), picked=everything)
        actors = [city.actor(who) for who in team]
    engine.dispose()
    context = several()
    barrier, results = context.Barrier(PROCESSES), context.Queue()
    workers = [
        context.Process(target=_judge_the_queue, args=(url, actor, number, barrier, results))
        for number, actor in enumerate(actors)
    ]
    for worker in workers:
        worker.start()
    done = sum((results.get(timeout=120)[1] for _ in workers), Counter())
    for worker in workers:
        worker.join(timeout=60)
    assert (done["looked"], done["judged"]) == (QUEUE * PROCESSES, QUEUE)
    assert done["held"] == QUEUE + done["not judged"]
    engine = _engine(url)
    with Session(engine) as session:
        rows = session.execute(select(VerdictRow.duty_id, func.count()).group_by(VerdictRow.duty_id)).all()
        assert [number for _, number in rows] == [1] * QUEUE
        told = session.scalar(select(func.count()).where(LogEntry.verb == "inspection.judge"))
        assert told == QUEUE
    engine.dispose()
