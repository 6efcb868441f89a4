"""The words of a team's papers: a draft that says the numbers, rows that are kept, and nobody written over."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.city import NOW
from tests.services.test_good_practice import mark, ticked
from tests.services.test_inspections import judge, plan_of, planned, problem
from tests.work import cycle_of
from tracker.domain.errors import Conflict, Invalid, NotAllowed
from tracker.domain.score import Verdict
from tracker.models import CircularText, Duty, LogEntry
from tracker.queries.circulars import draft, text_of, words_of
from tracker.queries.inspection_report import check_then
from tracker.services import circulars, good_practice, inspections
from tracker.services.circulars import Parts

LATER = NOW + timedelta(hours=1)
PARTS = Parts("总体良好。", "流动课堂。", "名册不一致。", "六月底前核对。")


@pytest.fixture
def record(session, city):
    """What Asha did, in the sample of the check."""
    return ticked(session, city, "D1-B1.P4-1", "Asha")


@pytest.fixture
def check(session, city, record):
    """A check by Ines and Ivan of the first unit."""
    return planned(session, city, team=("Ines", "Ivan"))


def save(session, city, check, *, who="Ines", seen=None, now=NOW, paper="circular", **changes):
    parts = Parts(**{**vars(PARTS), **changes})
    return circulars.save(session, check, paper=paper, parts=parts, seen=seen, actor=city.actor(who), now=now)


def words(session, check, *, as_of=LATER):
    return words_of(check_then(session, check, as_of=as_of, words=str), "circular")


def test_the_draft_equals_a_recount(session, city, check, record):
    sampled = session.scalars(select(Duty)).one()
    judge(session, city, check, sampled, Verdict.PARTLY, note="缺签到表")
    inspections.find(
        session,
        check,
        organization=city.organizations["D1-B1"],
        duty=sampled,
        problem=problem(),
        actor=city.actor("Ines"),
        now=NOW,
    )
    made = mark(session, city, check, record)
    said = draft(session, check, words=str)
    assert "检查1个单位，抽查任务1项，已核查1项：落实0项，部分落实1项" in said.overall
    assert said.good_practice == "经单位同意交流的亮点做法0项。"
    assert said.problems == "登记问题1项，其中立行立改0项，一般问题1项，突出问题0项。"

    good_practice.agree(session, made, actor=city.actor("Dong"), now=NOW)
    said = draft(session, check, words=str)
    assert said.good_practice == "经单位同意交流的亮点做法1项：清河市林业局“流动课堂”。"
    assert draft(session, check, words=str, as_of=NOW - timedelta(hours=1)).problems.startswith("登记问题0项")


def test_what_is_saved_is_printed_then_and_the_earlier_words_are_kept(session, city, check):
    assert words(session, check).recorded_at is None
    first = save(session, city, check)
    save(session, city, check, who="Ivan", seen=first.recorded_at, now=LATER, overall="另一种说法。")

    assert words(session, check, as_of=NOW).overall == "总体良好。"
    assert words(session, check, as_of=LATER).overall == "另一种说法。"
    assert session.scalars(select(CircularText.overall).order_by(CircularText.id)).all() == [
        "总体良好。",
        "另一种说法。",
    ]
    assert session.scalars(select(LogEntry.verb).order_by(LogEntry.id.desc())).first() == "circular.save"


def test_two_papers_have_words_of_their_own(session, city, check):
    save(session, city, check)
    save(session, city, check, paper="summary", overall="小结。")
    assert text_of(session, check, "circular").overall == "总体良好。"
    assert text_of(session, check, "summary").overall == "小结。"


def test_nobody_writes_over_what_they_have_not_seen(session, city, check):
    first = save(session, city, check)
    for seen in (None, NOW - timedelta(hours=1)):
        with pytest.raises(Conflict):
            save(session, city, check, who="Ivan", seen=seen, now=LATER, overall="另一种说法。")
    assert text_of(session, check, "circular").overall == "总体良好。"
    save(session, city, check, who="Ivan", seen=first.recorded_at, now=LATER)


@pytest.mark.parametrize("who", ["Asha", "Dong", "Adam", "Omar"])
def test_only_the_team_writes(session, city, check, who):
    with pytest.raises(NotAllowed):
        save(session, city, check, who=who)


def test_an_inspector_of_another_check_does_not_write(session, city, record):
    plan = plan_of(city)
    check = inspections.plan(session, cycle=cycle_of(session), plan=plan, actor=city.actor("Ines"), now=NOW)
    with pytest.raises(NotAllowed):
        save(session, city, check, who="Ivan")


@pytest.mark.parametrize(("part", "text"), [("overall", " \n"), ("demands", ""), ("problems", "字" * 5001)])
def test_a_part_that_is_empty_or_too_long_is_refused_at_its_field(session, city, check, part, text):
    with pytest.raises(Invalid) as refusal:
        save(session, city, check, **{part: text})
    assert refusal.value.field == part
    assert session.scalars(select(CircularText)).all() == []
