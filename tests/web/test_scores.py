"""Scores on a page: each opens to the sum behind it, and that sum can be done again from what the page says."""

from __future__ import annotations

import re
from datetime import date
from fractions import Fraction

import pytest
from lxml import html
from sqlalchemy import select

from tests.city import NOW
from tests.services.test_inspections import plan_of
from tests.web.conftest import post
from tracker.db import writing
from tracker.domain.score import Verdict, shown
from tracker.models import Cycle, Duty, InspectionDuty
from tracker.queries.inspections import inspection_named
from tracker.services import inspections

HALF = Fraction(1, 2)
# By organization, item and period: meetings of both branches, and a lecture that did not apply.
VERDICTS = {
    ("D1-B1", "L3-02", "M01"): Verdict.MET,
    ("D1-B1", "L3-02", "M02"): Verdict.PARTLY,
    ("D1-B1", "L3-02", "M03"): Verdict.MISSING,
    ("D1-B1", "L3-05", "M01"): Verdict.MET,
    ("D1-B1", "L3-05", "M02"): Verdict.NOT_APPLICABLE,
    ("D1-B1", "L3-10", "M01"): Verdict.NOT_APPLICABLE,
    ("D1-B2", "L3-02", "M01"): Verdict.MET,
    ("D1-B2", "L3-02", "M02"): Verdict.PARTLY,
    ("D1-B2", "L3-10", "M01"): Verdict.MISSING,
}


@pytest.fixture
def check(session, city):
    """A check of the first quarter of D1, in which one item got other points."""
    with writing(session):
        plan = plan_of(city, items=("L3-02", "L3-05", "L3-10"), period_ends_on=date(2026, 3, 31))
        cycle, ines = session.scalars(select(Cycle)).one(), city.actor("Ines")
        made = inspections.plan(session, cycle=cycle, plan=plan, actor=ines, now=NOW)
        for (code, item, period), value in VERDICTS.items():
            duty = session.scalars(select(Duty).where(Duty.key == f"2026.{code}.P4-1.{item}.{period}.1")).one()
            inspections.judge(session, made, duty, value=value, note="看了记录", actor=ines, now=NOW)
    return made.number


def page_of(client, number):
    answer = client.get(f"/inspections/{number}/scores")
    assert answer.status_code == 200
    return html.fromstring(answer.text)


def written(text):
    """A number as the page writes it: 2.25, or 1 2/3."""
    return sum(map(Fraction, text.split()))


def added_up(node):
    """The score of an organization from nothing but what is written on the page: points of items, sum, result."""
    rows = [numbers(row) for row in node.xpath(".//tbody/tr")]
    counted = [(cells[0], written(said)) for cells, said in rows if said != "—"]
    found = re.search(r"：([\d./\s]+) ÷ (\d+) × 100 = ([\d.]+)", node.xpath("./p")[0].text_content())
    assert written(found[1]) == sum(said for _, said in counted)
    assert int(found[2]) == sum(points for points, _ in counted)
    assert shown(written(found[1]) * 100 / int(found[2])) == found[3]
    return found[3]


def numbers(row):
    """Points, the five counts, and the score of a row of the page."""
    cells = [cell.text_content().strip() for cell in row.xpath("./td[contains(@class, 'number')]")]
    return [int(cell) for cell in cells[:6]], cells[6]


def given(row):
    found = re.search(r"改定为 ([\d.]+)", row.text_content())
    return Fraction(found[1]) if found else None


def summary(element):
    return element.xpath("./summary/strong")[0].text_content()


def recomputed(node):
    """The score of an organization, done again from the counts that its table shows; every row is checked."""
    earned, points = Fraction(0), 0
    for row in node.xpath(".//tbody/tr"):
        (worth, met, partly, missing, _not_applicable, _pending), said = numbers(row)
        judged = met + partly + missing
        if not judged:
            assert said == "—"
            continue
        overruled = given(row)
        by_rule = worth * min(Fraction(1), (met + partly * HALF) / judged)
        formula = row.xpath(".//summary")[0].text_content().strip()
        counted, worked = formula.split(" = ")
        assert counted == f"{worth} × ({met} + {partly} × ½) ÷ {judged}"
        assert written(worked) == by_rule
        score = by_rule if overruled is None else overruled
        assert written(said) == score
        earned, points = earned + score, points + worth
    return earned * 100 / points if points else None


@pytest.mark.parametrize("points", [None, "1.5", "0"])
def test_the_sum_can_be_done_again_from_the_numbers_of_the_page(client_of, check, points):
    ines = client_of("Ines")
    if points:
        assert (
            post(ines, f"/inspections/{check}/scores/D1-B1/L3-02", {"points": points, "reason": "x"}).status_code == 302
        )
    [level] = page_of(ines, check).xpath("//details[@data-level='L3']")
    nodes = level.xpath("./details[@data-organization]")
    assert [node.get("data-organization") for node in nodes] == ["D1-B1", "D1-B2"]
    scores = [recomputed(node) for node in nodes]
    assert [summary(node) for node in nodes] == [added_up(node) for node in nodes] == [shown(score) for score in scores]
    assert summary(level) == shown(sum(scores) / len(scores))
    found = re.search(r"平均：\s*\((.+)\) ÷ 2 = ([\d.]+)", level.text_content())
    assert shown(sum(written(part) for part in found[1].split(" + ")) / 2) == found[2] == summary(level)


def test_the_duties_behind_a_number_stand_below_it(client_of, session, check):
    page = page_of(client_of("Ines"), check)
    assert len(page.xpath("//ul[@class='behind']/li")) == len(session.scalars(select(InspectionDuty.id)).all())
    [row] = page.xpath("//details[@data-organization='D1-B1']//tr[contains(., 'L3-02')]")
    (_, met, partly, missing, not_applicable, pending), _ = numbers(row)
    said = [item.text_content() for item in row.xpath(".//li")]
    counted = [sum(f" {word}" in line for line in said) for word in ("落实", "部分落实", "未落实", "不适用", "未核查")]
    assert counted == [met, partly, missing, not_applicable, pending] == [1, 1, 1, 0, 0]


def test_what_is_left_out_says_why(client_of, check):
    page = page_of(client_of("Ines"), check)
    rows = {
        row.xpath("./th/span")[0].text: row for row in page.xpath("//details[@data-organization='D1-B1']//tbody/tr")
    }
    assert "尚未核查，不计入" in rows["L3-10"].text_content()
    assert "left-out" in rows["L3-10"].get("class")


def test_points_that_were_given_stand_beside_the_worked_out_ones_with_the_reason(client_of, check):
    ines = client_of("Ines")
    post(ines, f"/inspections/{check}/scores/D1-B1/L3-02", {"points": "1.5", "reason": "记录不全，但已补正"})
    [node] = page_of(ines, check).xpath("//details[@data-organization='D1-B1']")
    text = " ".join(node.text_content().split())
    assert re.search(r"改定为 1.5（计算得分 [\d.]+）。理由：记录不全，但已补正", text)
    assert "全部按计算得分则为" in text


def test_units_stand_in_their_official_order_and_people_are_not_named(client_of, session, city):
    with writing(session):
        plan = plan_of(city, units=("D2", "D1"), items=("L3-02",), period_ends_on=date(2026, 1, 31))
        cycle, ines = session.scalars(select(Cycle)).one(), city.actor("Ines")
        made = inspections.plan(session, cycle=cycle, plan=plan, actor=ines, now=NOW)
        for key, value in (("D1", Verdict.MISSING), ("D2", Verdict.MET)):
            duty = session.scalars(select(Duty).where(Duty.key == f"2026.{key}-B1.P4-1.L3-02.M01.1")).one()
            inspections.judge(session, made, duty, value=value, note="没有记录", actor=ines, now=NOW)
    page = page_of(client_of("Ines"), made.number)
    assert [head.text_content() for head in page.xpath("//h2")] == ["清河市林业局", "清河市水务局"]
    assert "Asha" not in page.xpath("//main")[0].text_content()


def test_an_administrator_looks_and_is_led_to_no_duty(client_of, check):
    page = page_of(client_of("Adam"), check)
    assert page.xpath("//ul[@class='behind']/li") != []
    assert page.xpath("//ul[@class='behind']//a") == []
    assert page.xpath("//a[contains(@href, '/scores/')]") == []


def test_a_past_day_shows_what_was_judged_by_then(client_of, clock, check, session):
    clock.shift(2 * 24 * 3600)
    ines = client_of("Ines")
    session.rollback()
    answer = ines.get(f"/inspections/{check}/scores?as_of=2026-05-20")
    assert answer.status_code == 200
    assert "/scores/D1-B1" not in answer.text
    assert ines.get(f"/inspections/{check}/scores?as_of=2026-05-19").status_code == 404


def test_points_lapse_once_nothing_is_judged_any_more(client_of, session, city, check):
    ines = client_of("Ines")
    post(ines, f"/inspections/{check}/scores/D1-B2/L3-10", {"points": "1", "reason": "已补正"})
    with writing(session):
        made = inspection_named(session, check)
        duty = session.scalars(select(Duty).where(Duty.key == "2026.D1-B2.P4-1.L3-10.M01.1")).one()
        given = {"note": "支部没有党小组", "actor": city.actor("Ines"), "now": NOW}
        inspections.judge(session, made, duty, value=Verdict.NOT_APPLICABLE, **given)
    page = page_of(ines, check)
    [row] = page.xpath("//details[@data-organization='D1-B2']//tr[contains(., 'L3-10')]")
    assert "改定" not in row.text_content()
