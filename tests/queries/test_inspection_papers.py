"""Notice, order to put right and self-check table: what is recorded, printed and exported, and read back by others."""

from datetime import date, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from openpyxl import load_workbook

from tests.city import NOW
from tests.reporting.printed import Printed
from tests.services.test_self_check_tables import plan
from tests.work import duty
from tracker.config import CHECKOUT
from tracker.domain.errors import WrongState
from tracker.domain.inspection import Severity
from tracker.domain.score import Verdict
from tracker.domain.self_check_table import Answer
from tracker.queries.inspection_papers import inspection_notice, rectification_notice, self_check_table
from tracker.reporting.fonts import load_fonts
from tracker.reporting.render import render_report
from tracker.reporting.spreadsheet import spreadsheet
from tracker.services import inspections
from tracker.services.self_check_tables import hand_in, save_lines

ITEM = "L3-02"
LATER = NOW + timedelta(days=3)
GIVEN = {"words": str, "software_version": "tracker 0"}


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """Print a paper and open it with the tools of a reader."""
    folder = tmp_path_factory.mktemp("papers")
    fonts = load_fonts(folder / "fonts")

    def make(paper):
        path = folder / "paper.pdf"
        templates = Path(CHECKOUT / "templates" / "reports")
        path.write_bytes(render_report(paper, translate=str, fonts=fonts, templates=templates))
        return Printed(path)

    return make


@pytest.fixture
def check(session, city):
    """A check of both units, of a month in which the first one did nothing."""
    for month in ("M03", "M04"):
        duty(city, "D1-B1.P4-1", ITEM, month)
    duty(city, "D2-B1.P4-1", ITEM, "M03")
    return plan(session, city)


@pytest.fixture
def unit(city):
    return city.organizations["D1"]


def exported(paper, name):
    """The rows of a table in the spreadsheet of a paper."""
    book = load_workbook(BytesIO(spreadsheet(paper, translate=str)))
    [rows] = [list(sheet.values) for sheet in book if name in sheet.title]
    return rows


def in_order(text, *parts):
    places = [text.find(part) for part in parts]
    assert -1 not in places, dict(zip(parts, places, strict=True))
    assert places == sorted(places)


def find(session, city, check, problem, *, now=NOW):
    return inspections.find(
        session,
        check,
        organization=city.organizations["D1-B1"],
        duty=None,
        problem=inspections.Problem(
            problem=problem,
            basis="《工作条例》第七条",
            post="P4",
            severity=Severity.SERIOUS,
            demand="核对名册并更正",
            deadline=date(2026, 6, 15),
        ),
        actor=city.actor("Ines"),
        now=now,
    )


def test_a_unit_is_told_why_what_when_by_whom_how_and_until_when(session, check, unit, printed):
    text = printed(inspection_notice(session, check, unit, as_of=NOW, **GIVEN)).squeezed
    in_order(
        text,
        "上半年督查检查通知",
        "清河市林业局：",
        "年度工作安排",
        "2026-01-01—2026-04-30",
        "清单全部事项",
        "2026-05-20—2026-05-29",
        "Ines（组长）",
        "请于2026-05-19前在系统中填写并报送自查表",
        "联系电话：清河市直机关2026年5月20日",
    )
    assert "清河市水务局" not in text


def test_a_check_that_asks_for_no_table_says_so_and_has_none(session, city, unit):
    duty(city, "D1-B1.P4-1", ITEM, "M03")
    check = plan(session, city, due_on=None)
    notice = inspection_notice(session, check, unit, as_of=NOW, **GIVEN)
    assert any("请对照责任清单自查" in getattr(block, "text", "") for block in notice.blocks)
    with pytest.raises(WrongState, match="没有要求报送自查表"):
        self_check_table(session, check, unit, as_of=NOW, **GIVEN)


def test_the_order_names_every_problem_and_carries_a_slip(session, city, check, unit, printed):
    first = find(session, city, check, "三月没有会议记录")
    second = find(session, city, check, "应到人数与名册不一致")
    paper = rectification_notice(session, check, unit, as_of=NOW, **GIVEN)
    text = printed(paper).squeezed
    assert text.count("2026-06-15") == 2, "a deadline stands on one line"
    in_order(
        text,
        "整改通知书",
        "清河市林业局：",
        "发现下列2项问题",
        "三月没有会议记录",
        "应到人数与名册不一致",
        "检查组组长（签字）：",
        "2026年5月20日",
        "回执",
        "须整改的问题共2项。",
        "签收单位：清河市林业局",
        "签收日期：",
    )
    rows = exported(paper, "问题清单")
    assert [row[0] for row in rows[1:]] == [first.key, second.key]
    assert rows[1][3] == "三月没有会议记录"
    assert rows[1][8].date() == date(2026, 6, 15)
    other = rectification_notice(session, check, city.organizations["D2"], as_of=NOW, **GIVEN)
    assert exported(other, "问题清单")[1:] == []


def test_an_order_as_of_a_past_moment_knows_nothing_later(session, city, check, unit):
    find(session, city, check, "三月没有会议记录", now=LATER)
    assert exported(rectification_notice(session, check, unit, as_of=NOW, **GIVEN), "问题清单")[1:] == []
    assert len(exported(rectification_notice(session, check, unit, as_of=LATER, **GIVEN), "问题清单")[1:]) == 1


def test_the_self_check_table_is_blank_until_it_is_handed_in(session, city, check, unit, printed):
    dong, before = city.actor("Dong"), NOW + timedelta(minutes=1)
    save_lines(session, check, unit, [Answer(ITEM, Verdict.PARTLY, 15, "缺一次")], actor=dong, now=NOW)
    blank = self_check_table(session, check, unit, as_of=before, **GIVEN)
    assert exported(blank, "自查内容")[1][3:] == (5, 2, 0, 0, 2, 0, 0, None, None, None)
    page = printed(blank)
    assert page.pages[0].is_wide
    in_order(
        page.squeezed, "清河市林业局自查表", "请于2026-05-19前填写报送", ITEM, "填报人：", "单位主要负责人（签字）："
    )
    assert "缺一次" not in page.squeezed

    draft = self_check_table(session, check, unit, as_of=before, drafts=True, **GIVEN)
    assert exported(draft, "自查内容")[1][10:] == ("部分落实", 1.5, "缺一次")

    hand_in(session, check, unit, actor=dong, now=NOW + timedelta(minutes=2))
    sent = self_check_table(session, check, unit, as_of=LATER, **GIVEN)
    assert exported(sent, "自查内容") == exported(draft, "自查内容")
    text = printed(sent).squeezed
    in_order(text, "第1次报送：2026-05-2010:02（逾期）。", ITEM, "部分落实", "1.5", "缺一次")
    again = self_check_table(session, check, unit, as_of=before, **GIVEN)
    assert exported(again, "自查内容") == exported(blank, "自查内容"), "as of a past moment it is blank again"


def test_what_was_changed_after_handing_in_waits_for_the_next_time(session, city, check, unit):
    dong = city.actor("Dong")
    save_lines(session, check, unit, [Answer(ITEM, Verdict.MET, 20, "每月召开")], actor=dong, now=NOW)
    hand_in(session, check, unit, actor=dong, now=NOW)
    save_lines(session, check, unit, [Answer(ITEM, Verdict.MISSING)], actor=dong, now=NOW + timedelta(hours=1))
    told = self_check_table(session, check, unit, as_of=LATER, **GIVEN)
    own = self_check_table(session, check, unit, as_of=LATER, drafts=True, **GIVEN)
    assert exported(told, "自查内容")[1][10:] == ("落实", 2, "每月召开")
    assert exported(own, "自查内容")[1][10:] == ("未落实", None, None)
    assert "报送后有改动，尚未重新报送。" in told.blocks[1].text
    assert "下表含报送后改动" in own.blocks[1].text
