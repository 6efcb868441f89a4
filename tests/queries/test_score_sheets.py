"""Scores with the sums behind them equal those on paper, in both databases and on a past day."""

from __future__ import annotations

import re
from datetime import date, timedelta
from fractions import Fraction

from tests.city import NOW
from tests.services.test_inspections import judge, planned
from tests.work import CHECKLIST, duty
from tracker.domain.score import Verdict, shown
from tracker.queries.inspection_report import check_then
from tracker.queries.report_scores import score_lines, scores_in
from tracker.queries.result_papers import unit_report
from tracker.queries.score_sheets import score_sheets

LEVELS = [level.id for level in CHECKLIST.levels]


def sheets(session, check, **narrowed):
    return score_sheets(session, check, items=CHECKLIST.item, levels=LEVELS, **narrowed)


def test_the_page_and_the_paper_have_the_same_scores(session, city):
    made = [
        duty(city, seat, item, "M03")
        for seat in ("D2-B1.P4-1", "D1-B1.P4-1", "D1-B2.P4-1")
        for item in ("L3-02", "L3-05")
    ]
    check = planned(session, city, units=("D2", "D1"))
    values = (Verdict.MET, Verdict.PARTLY, Verdict.MISSING, Verdict.MET, Verdict.NOT_APPLICABLE, Verdict.PARTLY)
    for one, value in zip(made, values, strict=True):
        judge(session, city, check, one, value, note="看了记录")

    checked = check_then(session, check, as_of=NOW, words=str)
    lines = score_lines(checked.setting, scores_in(checked.setting, check, checked.duties, checked.verdicts))
    on_page = [
        (unit.name, len(level.counted), shown(level.mean)) for unit in sheets(session, check) for level in unit.levels
    ]
    assert on_page == [(line.unit, line.organizations, str(line.score)) for line in lines]
    assert [unit.code for unit in sheets(session, check)] == ["D1", "D2"]


def written(text):
    """A number as it is printed: 2.25, or 1 2/3."""
    return sum(map(Fraction, text.split()))


def test_the_sums_come_out_as_they_are_printed(session, city):
    """Points with thirds and quarters: rounded parts would add up to something else than what is printed."""
    values = {
        "L3-02": (Verdict.MET, Verdict.MISSING, Verdict.MISSING),
        "L3-05": (Verdict.PARTLY, Verdict.MET, Verdict.MET),
        "L3-10": (Verdict.MET, Verdict.PARTLY),
    }
    made = [
        (duty(city, "D1-B1.P4-1", item, f"M0{n}"), value)
        for item in values
        for n, value in enumerate(values[item], start=1)
    ]
    check = planned(session, city, units=("D1",), period_starts_on=date(2026, 1, 1), period_ends_on=date(2026, 3, 31))
    for one, value in made:
        judge(session, city, check, one, value, note="看了记录")
    report = unit_report(session, check, city.organizations["D1"], as_of=NOW, words=str)
    tables = {table.name: table for table in report.tables}
    printed = [written(row[3]) for row in tables["各事项得分"].rows]
    for formula, points in zip((row[2] for row in tables["各事项得分"].rows), printed, strict=True):
        worth, met, partly, judged, said = re.fullmatch(
            r"(\d+) × \((\d+) \+ (\d+) × ½\) ÷ (\d+) = (.+)", formula
        ).groups()
        assert int(worth) * (int(met) + Fraction(int(partly), 2)) / int(judged) == written(said) == points
    [row] = tables["各层级得分"].rows
    earned, points, score = re.fullmatch(r"(.+) ÷ (\d+) × 100 = ([\d.]+)", row[4]).groups()
    assert written(earned) == sum(printed)
    assert shown(written(earned) * 100 / int(points)) == score == str(row[3])


def test_before_the_check_was_planned_there_is_nothing(session, city):
    one = duty(city, "D1-B1.P4-1", "L3-02", "M03")
    check = planned(session, city)
    judge(session, city, check, one, Verdict.MET)
    assert sheets(session, check, as_of=NOW - timedelta(hours=1)) == []
    [unit] = sheets(session, check)
    assert shown(unit.levels[0].mean) == "100.0"
