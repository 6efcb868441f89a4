"""Rectification from notice to closing: six people, every refusal, and never a closing without a second person."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from tests.city import NOW, TODAY
from tests.services.test_inspections import planned, problem
from tests.work import duty
from tracker.domain.actor import AppointmentKind
from tracker.domain.errors import Invalid, NotAllowed, RuleError, WrongState
from tracker.domain.inspection import RectificationAction as A
from tracker.domain.inspection import RectificationState as S
from tracker.domain.rectification import DOING, Standing
from tracker.models import Evidence, EvidenceFact, Finding, LogChain, LogEntry, RectificationStep
from tracker.policy import Act, can, findings_to
from tracker.queries import rectification as queries
from tracker.services import inspections, rectification

PEOPLE = ("Asha", "Chen", "Dong", "Omar", "Clara", "Ines", "Ivan", "Adam")


@pytest.fixture
def check(session, city):
    city.appoint("Clara", "D1-B1.P4-1", kind=AppointmentKind.CLERK)
    return planned(session, city, team=("Ines", "Ivan"))


@pytest.fixture
def meeting(city):
    return duty(city, "D1-B1.P4-1", "L3-02", "M03")


def found(session, city, check, meeting, *, who="Ines", now=NOW, **changes):
    return inspections.find(
        session,
        check,
        organization=city.organizations["D1-B1"],
        duty=meeting,
        problem=problem(**changes),
        actor=city.actor(who),
        now=now,
    )


@pytest.fixture
def finding(session, city, check, meeting):
    return found(session, city, check, meeting)


@pytest.fixture
def record(session, city, finding):
    """A record of the branch, entered by its clerk."""
    clara, branch = city.people["Clara"], city.organizations["D1-B1"]
    made = Evidence(
        key="2026.D1-B1.1",
        number=1,
        cycle_id=finding.inspection.cycle_id,
        unit_id=branch.unit_id,
        organization_id=branch.id,
        entered_by_id=clara.id,
        entered_as="clerk",
        entered_at=NOW,
        withdrawn=False,
    )
    session.add(made)
    session.flush()
    session.add(
        EvidenceFact(
            evidence_id=made.id,
            act_on=TODAY,
            sentence="补开了会议",
            sentence_sha256="0" * 64,
            counts={},
            withdrawn=False,
            entered_by_id=clara.id,
            recorded_at=NOW,
        )
    )
    session.flush()
    return made


@pytest.fixture
def act(city, session, finding, record):
    """Take a step as somebody, with everything that it asks for filled in."""
    said = {
        A.NOTIFY: {},
        A.RECEIVE: {},
        A.MEASURE: {"post": "P4", "planned_on": date(2026, 6, 10), "text": "逐月补齐"},
        A.ASK_EXTENSION: {"deadline": date(2026, 6, 30), "text": "材料在外地"},
        A.GRANT_EXTENSION: {"deadline": date(2026, 6, 30), "text": "情况属实"},
        A.REFUSE_EXTENSION: {"text": "时间足够"},
        A.ATTACH: {"evidence": record},
        A.FIX: {"text": "当场补签"},
        A.REPORT: {"text": "已补齐"},
        A.RETURN: {"text": "缺三月记录"},
        A.CLOSE: {"text": "核对属实"},
    }

    def act(who, action, **changes):
        verb = getattr(rectification, "return_" if action is A.RETURN else action.value)
        return verb(session, finding, **{**said[action], **changes}, actor=city.actor(who), now=NOW)

    return act


def begin(act):
    act("Ines", A.NOTIFY)
    act("Asha", A.RECEIVE)
    act("Asha", A.MEASURE)


def test_the_whole_loop(session, city, act, finding):
    begin(act)
    act("Chen", A.ASK_EXTENSION)
    act("Ines", A.GRANT_EXTENSION)
    act("Clara", A.ATTACH)
    act("Asha", A.REPORT)
    act("Ivan", A.RETURN)
    act("Asha", A.REPORT)
    act("Ivan", A.CLOSE)

    row = queries.row_of(session, finding, today=TODAY)
    assert [line.step.action for line in row.steps][-3:] == [A.RETURN, A.REPORT, A.CLOSE]
    assert (row.state, finding.state, row.deadline) == (S.CLOSED, S.CLOSED, date(2026, 6, 30))
    last = row.steps[-1].step
    assert (last.person_id, last.reporter_id, last.finder_id) == tuple(
        city.people[who].id for who in ("Ivan", "Asha", "Ines")
    )
    verbs = session.scalars(
        select(LogEntry.verb)
        .where(LogEntry.object_kind == "finding", LogEntry.object_key == finding.key)
        .order_by(LogEntry.id)
    ).all()
    assert verbs == [f"rectification.{line.step.action.value}" for line in row.steps]


def test_a_fix_on_the_spot_is_one_step_and_somebody_else_closes_it(act, finding):
    act("Ines", A.FIX)
    assert finding.state is S.REPORTED
    with pytest.raises(NotAllowed):
        act("Ines", A.CLOSE)
    act("Ivan", A.CLOSE)
    assert finding.state is S.CLOSED


def test_another_inspector_does_not_fix_it(act):
    with pytest.raises(NotAllowed):
        act("Ivan", A.FIX)


def test_a_clerk_attaches_and_signs_nothing(act, finding):
    begin(act)
    act("Clara", A.ATTACH)
    for action in (A.REPORT, A.MEASURE, A.FIX, A.ASK_EXTENSION):
        with pytest.raises(NotAllowed):
            act("Clara", action)
    assert finding.state is S.UNDER_WAY


@pytest.mark.parametrize("who", ["Omar", "Adam", "Bela"])
def test_others_have_no_part_in_it(act, who):
    begin(act)
    for action in A:
        with pytest.raises(NotAllowed):
            act(who, action)


def test_the_team_goes_on_after_the_check_is_closed(session, act, check, finding):
    check.state = "closed"
    session.flush()
    begin(act)
    act("Asha", A.REPORT)
    act("Ivan", A.CLOSE)
    assert finding.state is S.CLOSED


def test_an_extension_onto_a_day_off_moves_and_stays_visible(session, act, finding):
    begin(act)
    asked = act("Asha", A.ASK_EXTENSION, deadline=date(2026, 6, 27))
    assert (asked.on, asked.moved_from) == (date(2026, 6, 29), date(2026, 6, 27))
    act("Ines", A.REFUSE_EXTENSION)

    row = queries.row_of(session, finding, today=TODAY)
    assert row.deadline == date(2026, 6, 12)
    assert [line.step.deadline for line in row.steps if line.step.action is A.ASK_EXTENSION] == [date(2026, 6, 29)]


@pytest.mark.parametrize("deadline", [date(2026, 6, 12), date(2026, 5, 1)])
def test_an_extension_reaches_behind_the_deadline(act, deadline):
    begin(act)
    with pytest.raises(Invalid, match="晚于"):
        act("Asha", A.ASK_EXTENSION, deadline=deadline)


def test_steps_out_of_turn_are_refused_and_write_nothing(session, act, finding):
    for who, action in [("Asha", A.RECEIVE), ("Asha", A.REPORT), ("Ivan", A.CLOSE), ("Asha", A.MEASURE)]:
        with pytest.raises(WrongState):
            act(who, action)
    assert queries.steps_of(session, finding) == []


def chains_of(session, verb):
    """The chains of the entries of a verb, in the order in which they were written and their heads locked."""
    query = select(LogChain.key).join(LogEntry, LogEntry.chain_id == LogChain.id).where(LogEntry.verb == verb)
    return session.scalars(query.order_by(LogEntry.id)).all()


def test_notice_of_many_locks_the_chains_in_their_order(session, city):
    check = planned(session, city, team=("Ines", "Ivan"), units=("D1", "D2"))
    for code in ("D2-B1", "D1-B1", "D2-B1"):
        place = {"organization": city.organizations[code], "duty": None, "problem": problem()}
        inspections.find(session, check, **place, actor=city.actor("Ines"), now=NOW)
    assert rectification.notify_all(session, check, unit="", actor=city.actor("Ivan"), now=NOW) == 3
    assert chains_of(session, "rectification.notify") == ["D1", "D2", "D2"]


def test_all_notices_are_signed_for_but_those_of_places_where_one_is_a_clerk(session, city, check):
    city.appoint("Asha", "D1-B2.P4-1", kind=AppointmentKind.CLERK)
    one, other = (
        inspections.find(
            session,
            check,
            organization=city.organizations[code],
            duty=None,
            problem=problem(),
            actor=city.actor("Ines"),
            now=NOW,
        )
        for code in ("D1-B1", "D1-B2")
    )
    rectification.notify_all(session, check, actor=city.actor("Ines"), now=NOW)
    assert rectification.receive_all(session, other, actor=city.actor("Asha"), now=NOW) == 1
    assert [queries.steps_of(session, each)[-1].action for each in (one, other)] == [A.RECEIVE, A.NOTIFY]


def test_the_words_of_a_closed_finding_are_not_changed_any_more(session, city, act, finding):
    act("Asha", A.FIX)
    act("Ivan", A.CLOSE)
    with pytest.raises(WrongState, match="已经销号"):
        inspections.correct_finding(session, finding, problem=problem(), actor=city.actor("Ivan"), now=NOW)
    assert queries.finders_of(session, finding) == [city.people["Ines"].id]


def test_after_the_notice_a_deadline_moves_by_an_extension_only(session, city, act, finding):
    said = {"actor": city.actor("Ivan"), "now": NOW}
    inspections.correct_finding(session, finding, problem=problem(deadline=date(2026, 6, 16)), **said)
    act("Ines", A.NOTIFY)
    with pytest.raises(Invalid, match="申请延期") as refusal:
        inspections.correct_finding(session, finding, problem=problem(deadline=date(2026, 12, 15)), **said)
    assert refusal.value.field == "deadline"
    late = {"actor": city.actor("Ivan"), "now": NOW + timedelta(days=60)}
    same = problem(problem="更正的问题", deadline=date(2026, 6, 16))
    inspections.correct_finding(session, finding, problem=same, **late)
    row = queries.row_of(session, finding, today=TODAY)
    assert (row.fact.problem, row.deadline) == ("更正的问题", date(2026, 6, 16))


def test_records_of_another_unit_or_withdrawn_are_not_attached(session, act, record, city):
    begin(act)
    record.withdrawn = True
    session.flush()
    with pytest.raises(Invalid, match="作废"):
        act("Asha", A.ATTACH)


def test_whoever_entered_attached_evidence_does_not_close(session, city, act):
    """An inspector who is a clerk of the branch as well."""
    city.give_role("Clara", "inspector")
    begin(act)
    act("Clara", A.ATTACH)
    act("Asha", A.REPORT)
    with pytest.raises(NotAllowed):
        act("Clara", A.CLOSE)


@pytest.mark.parametrize(
    ("closer", "reporter", "finder"),
    [
        *(("Ines", "Asha", "Ines"), ("Asha", "Asha", "Ines"), ("Ivan", None, "Ines"), ("Ivan", "Asha", None)),
        *(("Ines", "Asha", "Dong"), ("Asha", "Dong", "Ines")),
    ],
    ids=["the finder", "the reporter", "nobody reported", "nobody found", "a lie about the finder", "about the doer"],
)
def test_the_database_refuses_a_row_that_closes_without_a_second_person(
    session, city, act, finding, closer, reporter, finder
):
    begin(act)
    act("Asha", A.REPORT)
    session.add(
        RectificationStep(
            finding_id=finding.id,
            number=9,
            action=A.CLOSE,
            person_id=city.people[closer].id,
            reporter_id=city.people[reporter].id if reporter else None,
            finder_id=city.people[finder].id if finder else None,
            text="",
            at=NOW,
        )
    )
    with pytest.raises(IntegrityError, match="does_not_close"):
        session.flush()


def test_the_database_refuses_a_closing_of_what_nobody_reported(session, city, finding):
    who = {"person_id": city.people["Ivan"].id, "reporter_id": city.people["Asha"].id}
    session.add(
        RectificationStep(
            finding_id=finding.id, number=1, action=A.CLOSE, finder_id=city.people["Ines"].id, text="", at=NOW, **who
        )
    )
    with pytest.raises(IntegrityError, match="does_not_close"):
        session.flush()


STEPS = st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(list(A))), min_size=4, max_size=24)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_nothing_is_closed_without_a_second_person(session, city, act, finding, steps):
    """Whatever sequence of verbs is tried by whomever, after a good beginning so that closing is within reach."""
    taken = len(queries.steps_of(session, finding))
    with session.begin_nested() as undone:
        for who, action in [("Ines", A.NOTIFY), ("Asha", A.RECEIVE), ("Asha", A.MEASURE), *steps]:
            with session.begin_nested() as one:
                try:
                    act(who, action)
                except RuleError:
                    one.rollback()
        rows = queries.steps_of(session, finding)
        assert finding.state is Standing.after([row.action for row in rows]).state
        ines = city.people["Ines"].id
        for place, row in enumerate(rows):
            if row.action in {A.CLOSE, A.RETURN}:
                doers = {earlier.person_id for earlier in rows[:place] if earlier.action in DOING}
                assert doers
                assert row.person_id not in doers | {ines}
        assert len([row for row in rows if row.action is A.CLOSE]) <= 1
        undone.rollback()
    session.expire_all()
    assert len(queries.steps_of(session, finding)) == taken


def test_the_same_item_in_the_same_unit_within_a_year_is_repeated(session, city, check, meeting):
    checks = [check, *(planned(session, city, team=("Ines", "Ivan")) for _ in range(2))]
    days = (366, 364, 0)
    first, second, third = (
        found(session, city, one, meeting, now=NOW - timedelta(days=ago)) for one, ago in zip(checks, days, strict=True)
    )
    assert (first.repeats, second.repeats, third.repeats) == (None, first.key, second.key)
    assert third.item_id == "L3-02"


def test_a_year_later_it_is_not_repeated(session, city, check, meeting):
    found(session, city, check, meeting, now=NOW - timedelta(days=366))
    later = planned(session, city, team=("Ines", "Ivan"))
    assert found(session, city, later, meeting).repeats is None


def test_what_one_check_finds_twice_is_not_repeated(session, city, check, meeting):
    earlier = planned(session, city, team=("Ines", "Ivan"))
    first = found(session, city, earlier, meeting)
    assert found(session, city, earlier, meeting).repeats is None
    assert [found(session, city, check, meeting).repeats for _ in range(2)] == [f"{first.inspection.number}-2"] * 2


def test_a_deadline_on_a_day_off_is_the_next_working_day(session, city, check, meeting):
    finding = found(session, city, check, meeting, deadline=date(2026, 6, 13))
    assert queries.row_of(session, finding, today=TODAY).deadline == date(2026, 6, 15)


def test_the_ledger_is_paged_filtered_and_answers_for_past_days(session, city, check, meeting, act, finding):
    for _ in range(4):
        found(session, city, check, meeting)
    act("Ines", A.NOTIFY)
    late = {"today": date(2026, 6, 16), "size": 2}
    asha, omar = city.actor("Asha"), city.actor("Omar")

    seen, after = [], ""
    while True:
        page = queries.ledger(session, asha, queries.Filters(), after=after, **late)
        seen += [row.finding.key for row in page.rows]
        after = page.following
        if not after:
            break
    assert seen == [f"{check.number}-{n}" for n in range(1, 6)]
    assert queries.ledger(session, omar, queries.Filters(), **late).rows == ()
    act("Asha", A.RECEIVE)
    rows = queries.ledger(session, asha, queries.Filters(state=S.UNDER_WAY), **late).rows
    assert [(row.finding.key, row.overdue) for row in rows] == [(finding.key, True)]
    before = NOW - timedelta(hours=1)
    assert queries.ledger(session, asha, queries.Filters(), as_of=before, **late).rows == ()


def test_the_filters_say_what_the_policy_says(session, city, check, meeting, finding):
    found(session, city, check, None)
    for who in (*PEOPLE, "Du", "Rong", "Bela"):
        actor = city.actor(who)
        for act in (Act.RECTIFY, Act.RECHECK):
            filtered = set(session.scalars(select(Finding.id).where(findings_to(actor, act))))
            allowed = {one.id for one in session.scalars(select(Finding)) if can(session, actor, act, one)}
            assert filtered == allowed, (who, act)


def counts_equal_rows(session, actor, filters, **when):
    counts = queries.counts_of(session, actor, filters, **when)

    def rows(**changes):
        return queries.ledger(session, actor, replace(filters, **changes), **when, size=100).rows

    assert dict(counts.states) == {state: len(rows(state=state)) for state in S}
    assert all(row.state is state for state in S for row in rows(state=state))
    assert counts.total == len(rows(state=None))
    assert counts.overdue == len([row for row in rows() if row.overdue]) == len(rows(overdue=True))
    assert counts.repeated == len([row for row in rows() if row.finding.repeats]) == len(rows(repeated=True))
    return counts


def test_counts_equal_rows_in_every_state_and_on_every_day(session, city, check, meeting, act, finding):
    for _ in range(2):
        found(session, city, planned(session, city, team=("Ines", "Ivan")), meeting)
    begin(act)
    act("Asha", A.ASK_EXTENSION)
    act("Ines", A.GRANT_EXTENSION)
    asha = city.actor("Asha")
    for filters in (
        queries.Filters(),
        queries.Filters(unit="D1"),
        queries.Filters(overdue=True),
        queries.Filters(unit="D2"),
    ):
        for today in (TODAY, date(2026, 6, 16), date(2026, 7, 1)):
            for as_of in (None, NOW, NOW - timedelta(hours=1)):
                counts_equal_rows(session, asha, filters, today=today, as_of=as_of)
    counts = counts_equal_rows(session, asha, queries.Filters(), today=date(2026, 6, 16))
    assert (counts.states[S.UNDER_WAY], counts.states[S.NOT_STARTED], counts.overdue, counts.repeated) == (1, 2, 2, 2)


def test_everybody_is_told_what_waits_for_them(session, city, check, meeting, act, finding):
    found(session, city, check, meeting)

    def waits(who):
        waiting = queries.waiting_for(session, city.actor(who), today=date(2026, 6, 15))
        for mine, number in waiting.numbers.items():
            rows = queries.ledger(session, city.actor(who), queries.Filters(mine=mine), today=TODAY).rows
            assert len(rows) == number
        return {mine.value: number for mine, number in waiting.numbers.items() if number}

    assert (waits("Asha"), waits("Ines"), waits("Bela")) == ({"rectify": 2}, {"notify": 2}, {})
    begin(act)
    act("Asha", A.ASK_EXTENSION)
    assert waits("Ivan") == {"notify": 1, "decide": 1}
    act("Asha", A.REPORT)
    assert (waits("Asha"), waits("Ivan"), waits("Ines")) == (
        {"rectify": 1},
        {"notify": 1, "recheck": 1},
        {"notify": 1},
    )
    waiting = queries.waiting_for(session, city.actor("Dong"), today=date(2026, 6, 15))
    assert (waiting.overdue, waiting.nearest) == (1, date(2026, 6, 12))


def test_a_state_that_was_written_past_the_steps_is_not_believed(session, city, finding):
    """Nobody closes a finding by writing its state: what pages show and count is what the steps say."""
    finding.state = S.CLOSED
    session.flush()
    asha = city.actor("Asha")
    assert queries.row_of(session, finding, today=TODAY).state is S.NOT_STARTED
    assert queries.ledger(session, asha, queries.Filters(state=S.CLOSED), today=TODAY).rows == ()
    assert counts_equal_rows(session, asha, queries.Filters(), today=TODAY).states[S.CLOSED] == 0
