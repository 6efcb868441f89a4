"""What comes of a check, printed and exported, and read back by other programs."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from io import BytesIO
from itertools import pairwise

import pytest
from openpyxl import load_workbook

from tests.city import NOW
from tests.reporting.printed import Printed
from tests.services.test_good_practice import mark, ticked
from tests.services.test_inspections import judge, planned, problem
from tests.work import CHECKLIST, duty
from tracker.config import CHECKOUT
from tracker.domain.score import Verdict
from tracker.reporting.render import render_report
from tracker.reporting.spreadsheet import spreadsheet
from tracker.services import circulars, good_practice, inspections
from tracker.services.circulars import Parts
from tracker.tasks.papers import paper_values

RESULTS = ("unit_report", "team_summary", "circular", "problem_list")
LONG = "检查组听取了情况介绍，查看了会议记录和台账，同有关人员谈了话，对照清单逐项核对了办理情况。" * 4
WORDS = Parts(LONG + "\n总的看，落实较好。", "把课讲到工地。", "三月没有会议记录。", "六月中旬前补齐。")


@pytest.fixture
def check(session, city):
    """A check of both units: what was met, partly met and missing, one problem, one good practice, points given."""
    record = ticked(session, city, "D1-B1.P4-1", "Asha")
    duties = [duty(city, "D1-B1.P4-1", "L3-02", "M03"), duty(city, "D2-B1.P4-1", "L3-02", "M03")]
    made = planned(session, city, units=("D1", "D2"))
    judge(session, city, made, duties[0], Verdict.PARTLY, note="缺签到表")
    judge(session, city, made, duties[1], Verdict.MET)
    ines = city.actor("Ines")
    node, item = city.organizations["D1-B1"], CHECKLIST.item["L3-02"]
    inspections.find(session, made, organization=node, duty=duties[0], problem=problem(), actor=ines, now=NOW)
    given = {"tenths": 30, "reason": "签到表后补，内容完整"}
    inspections.overrule(session, made, organization=node, item=item, actor=ines, now=NOW, **given)
    practice = mark(session, city, made, record)
    good_practice.agree(session, practice, actor=city.actor("Dong"), now=NOW)
    for paper in ("circular", "summary"):
        circulars.save(session, made, paper=paper, parts=WORDS, seen=None, actor=ines, now=NOW)
    return made


@pytest.fixture
def values(session, check):
    """The values of a paper of the check."""

    def values(paper):
        unit = "D1" if paper == "unit_report" else None
        return paper_values(session, paper=paper, number=check.number, unit=unit, as_of=NOW, language="zh")

    return values


@pytest.fixture
def printed(values, prepared_fonts, tmp_path):
    """A paper of the check as a PDF."""

    def printed(paper):
        path = tmp_path / f"{paper}.pdf"
        folder = CHECKOUT / "templates" / "reports"
        path.write_bytes(render_report(values(paper), translate=str, fonts=prepared_fonts, templates=folder))
        return Printed(path)

    return printed


def in_order(text, parts):
    place = 0
    for part in parts:
        place = text.find(part, place)
        assert place >= 0, f"no {part} where it belongs in {text}"


def as_read(cell):
    """A value of a paper as a spreadsheet gives it back."""
    return float(cell) if isinstance(cell, Decimal) else cell


@pytest.mark.parametrize("paper", RESULTS)
def test_a_spreadsheet_has_the_values_of_every_table(values, paper):
    made = values(paper)
    book = load_workbook(BytesIO(spreadsheet(made, translate=str)))
    for number, table in enumerate(made.tables, start=1):
        [sheet] = [sheet for sheet in book.worksheets if sheet.title.startswith(f"{number} ")]
        found = [tuple(cell.date() if hasattr(cell, "date") else cell for cell in row) for row in sheet.values]
        assert found == [table.headings, *(tuple(as_read(cell) for cell in row) for row in table.rows)]


def test_the_spreadsheet_of_the_circular_has_its_words(values):
    book = load_workbook(BytesIO(spreadsheet(values("circular"), translate=str)))
    lines = [row[0] for row in book["正文"].values]
    assert lines[:3] == ["一、总体情况", LONG, "总的看，落实较好。"]
    assert lines[-2:] == ["四、整改要求", "六月中旬前补齐。"]


def test_the_circular_reads_from_the_addressee_to_the_annexes(printed):
    made = printed("circular")
    in_order(
        made.squeezed,
        [
            "关于上半年督查情况的通报",
            "各有关单位：",
            "一、总体情况",
            "总的看，落实较好。",
            "二、亮点做法",
            "把课讲到工地。",
            "三、存在问题",
            "三月没有会议记录。",
            "四、整改要求",
            "六月中旬前补齐。",
            "附件：1.亮点做法",
            "2.各单位得分（按规定次序排列）",
            "2026年5月20日",
            "附件1",
            "流动课堂",
            "附件2",
            "清河市林业局",
            "清河市水务局",
        ],
    )
    signed, first, second = (made.page_with(line).number for line in ("2026年5月20日", "附件1", "附件2"))
    assert (first, second) == (signed + 1, signed + 2)


def test_the_circular_is_laid_out_after_the_standard(printed):
    page = printed("circular").pages[0]
    assert (round(page.width), round(page.height)) == (595, 842)
    full = [line for line in page.lines if line.text and line.text in LONG]
    # 28 to a line; a mark that may not begin one takes a character with it.
    assert {len(line.text) for line in full[1:-1]} <= {27, 28}
    assert [after.top - before.top for before, after in pairwise(full)] == pytest.approx(
        [28.95] * (len(full) - 1), abs=0.1
    )
    assert sum(word.top > 37 * 72 / 25.4 - 4 for word in page.lines) <= 22 + 1  # and the page number


def test_the_report_of_a_unit_shows_sums_and_both_numbers_where_points_were_given(printed):
    text = printed("unit_report").squeezed
    in_order(
        text,
        [
            "清河市林业局督查结果报告",
            "一、督查情况",
            "二、得分",
            "5×(0+1×½)÷1=2.5",
            "3.0",
            "签到表后补，内容完整",
            "三、核查结论",
            "缺签到表",
            "四、存在问题",
            "三月没有会议记录",
            "五、亮点做法",
            "流动课堂",
        ],
    )
    assert "清河市水务局" not in text


def test_the_summary_and_the_list_of_problems_tell_of_all_units(printed):
    text = printed("team_summary").squeezed
    in_order(text, ["检查组工作小结", "总的看，落实较好。", "五、各单位核查情况", "清河市水务局", "六、得分"])
    problems = printed("problem_list")
    assert problems.pages[0].is_wide
    in_order(
        problems.squeezed, ["问题清单", "1-1", "三月没有会议记录", "补齐记录，说明原因", date(2026, 6, 12).isoformat()]
    )
