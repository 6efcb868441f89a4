"""What comes of a check on paper: numbers that equal a recount, and units in their official order."""

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.city import NOW
from tests.services.test_inspections import judge, planned
from tests.work import duty
from tracker.domain.errors import NotAllowed
from tracker.domain.score import Verdict
from tracker.models import Verdict as VerdictRow
from tracker.queries.result_papers import circular, problem_list, team_summary, unit_report
from tracker.services.ranking import set_ranking

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def check(session, city):
    """The first unit did badly, the second well."""
    bad = duty(city, "D1-B1.P4-1", "L3-02", "M03")
    good = duty(city, "D2-B1.P4-1", "L3-02", "M03")
    made = planned(session, city, units=("D2", "D1"))
    judge(session, city, made, bad, Verdict.MISSING, note="没有记录")
    judge(session, city, made, good, Verdict.MET)
    return made


def rows(paper, name):
    [table] = [table for table in paper.tables if table.name.startswith(name)]
    return table.rows


def test_units_stay_in_official_order_until_an_administrator_turns_ranking_on(session, city, check):
    paper = circular(session, check, as_of=NOW, words=str)
    assert [row[0] for row in rows(paper, "各层级得分")] == ["清河市林业局", "清河市水务局"]

    with pytest.raises(NotAllowed):
        set_ranking(session, check, ranked=True, actor=city.actor("Ines"), now=LATER)
    set_ranking(session, check, ranked=True, actor=city.actor("Adam"), now=LATER)
    paper = circular(session, check, as_of=LATER, words=str)
    assert [row[:2] for row in rows(paper, "各层级得分")] == [(1, "清河市水务局"), (2, "清河市林业局")]
    [table] = [table for table in paper.tables if table.name.startswith("各层级得分")]
    assert table.headings == ("名次", "单位", "层级", "得分"), "a table prints no name"
    assert [row[2] for row in table.rows] == ["党支部", "党支部"]


def test_the_numbers_equal_a_recount(session, check):
    paper = team_summary(session, check, as_of=NOW, words=str)
    given = Counter(session.scalars(select(VerdictRow.value)))
    counted = [row[2:6] for row in rows(paper, "各单位核查情况")]
    assert [sum(column) for column in zip(*counted, strict=True)] == [given[value] for value in Verdict]


def test_a_report_tells_of_its_unit_alone(session, city, check):
    paper = unit_report(session, check, city.organizations["D1"], as_of=NOW, words=str)
    assert [row[4] for row in rows(paper, "核查结论")] == ["未落实"]
    assert rows(problem_list(session, check, as_of=NOW, words=str), "问题清单") == ()
