"""A whole check as six people go it: planned and drawn, judged, put right and looked at again, told to all, closed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from openpyxl import load_workbook
from playwright.sync_api import Browser
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.browser.installation import Installation
from tests.browser.visitor import LOOK, PASSWORD, Visitor, visit
from tests.city import City
from tests.prepared import lend
from tests.scene import play
from tracker.db import writing
from tracker.domain.actor import AppointmentKind
from tracker.models import Organization, Person, Seat
from tracker.reporting.fonts import FontSet

CHECK = 2  # the scene has one already
BRANCH = "D1-B1"
PROBLEM, FIXED = "四月的会议没有原始记录", "签到表人数填错一处"
MEASURES, TOO_LITTLE, ENOUGH = "补齐原始记录，指定专人负责", "只补了通知，没有记录", "记录已补齐，属实"
MEETING = "2026.D1-B1.P4-1.L3-02.M05.1"  # Asha has handed it in, with a file
PRACTICE = "把课堂搬到护林点上"
DEMANDS = "请各单位在六月底以前举一反三，逐项核对。"
SUNDAY, MONDAY, LATER = "2026-06-14", "2026-06-15", "2026-06-30"


@dataclass(frozen=True)
class People:
    """Six people, and somebody of another unit, each at a browser of their own."""

    planner: Visitor
    finder: Visitor
    second: Visitor
    clerk: Visitor
    secretary: Visitor
    leader: Visitor
    stranger: Visitor


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, prepared_fonts: FontSet) -> Iterator[Installation]:
    """A city in mid-year, in whose first unit somebody prepares for the leader."""
    installation = Installation(tmp_path_factory.mktemp("loop"))
    lend(prepared_fonts, installation.folder)
    engine = installation.engine()
    with Session(engine) as session, writing(session):
        play(session, installation.settings, password=PASSWORD)
        city = City(session)
        city.organizations = {node.code: node for node in session.scalars(select(Organization))}
        city.people = {person.name: person for person in session.scalars(select(Person))}
        city.seats = {seat.key: seat for seat in session.scalars(select(Seat))}
        city.appoint("Bela", "D1.P1-1", kind=AppointmentKind.CLERK)
    engine.dispose()
    installation.start()
    yield installation
    installation.stop()


@pytest.fixture
def people(installed: Installation, browser: Browser) -> Iterator[People]:
    """Everybody signed in."""
    url = installed.url
    with (
        visit(browser, url) as planner,
        visit(browser, url) as finder,
        visit(browser, url) as second,
        visit(browser, url) as clerk,
        visit(browser, url) as secretary,
        visit(browser, url) as leader,
        visit(browser, url) as stranger,
    ):
        everybody = People(planner, finder, second, clerk, secretary, leader, stranger)
        for who, visitor in vars(everybody).items():
            visitor.sign_in(ACCOUNTS[who])
            visitor.page.get_by_role("button", name="退出").wait_for()
        yield everybody


ACCOUNTS = {
    "planner": "adam",
    "finder": "ines",
    "second": "ivan",
    "clerk": "bela",
    "secretary": "asha",
    "leader": "dong",
    "stranger": "du",
}


def test_a_check_from_its_plan_to_the_last_closed_finding(people: People, tmp_path: Path) -> None:
    plan(people.planner)
    pick_one_more(people.finder)
    fill_in_the_self_check(people.clerk)
    hand_in_the_self_check(people.leader)
    judged = judge_by_turns(people.finder, people.second)
    note_a_finding(people.finder)
    note_one_that_is_fixed(people.finder)
    give_notice_and_sign_for_it(people.finder, people.leader)
    put_it_right(people.secretary, people.clerk, people.finder)
    look_again(people.finder, people.second, people.secretary)
    read_the_ledger(people.second)
    mark_good_practice(people.finder, people.leader, people.stranger)
    write_the_circular(people.finder)
    take_papers_along(people.finder, tmp_path)
    see_who_read(people.secretary)
    look_back_a_day(people.planner)
    close(people.finder, judged)


# ---- the plan


def plan(planner: Visitor) -> None:
    planner.go("/inspections/new")
    page = planner.page
    values = {"title": "春季专项督查", "basis": "年度工作安排", "starts_on": "2026-05-25", "ends_on": "2026-05-29"}
    values |= {"self_check_due_on": "2026-05-22", "period_starts_on": "2026-04-01", "period_ends_on": "2026-05-31"}
    values |= {"number": "2", "seed": "春季2026"}
    page.locator("[name=sample][value=drawn]").check()
    page.locator("[name=how][value=number]").check()
    for name, value in values.items():
        page.locator(f"[name={name}]").fill(value)
    page.locator("[name=leader]").select_option("ines")
    for name, value in (("kind", "special"), ("members", "ivan"), ("units", "D1"), ("by", "level")):
        page.locator(f"[name={name}][value={value}]").check()
    with page.expect_navigation():
        page.locator("button[name=preview]").click()
    planner.reads("抽样预览（还没有保存）")
    shown = page.locator("[name=out]").evaluate_all("boxes => boxes.map((box) => box.value)")
    assert 2 <= len(shown) <= 6
    planner.press("建立督查")
    planner.reads(f"已建立第 {CHECK} 号督查", "抽签（种子 春季2026）")
    planner.follow("抽样记录")
    planner.reads("结果与建立督查时的样本相同", *shown)


def pick_one_more(finder: Visitor) -> None:
    finder.go(f"/inspections/{CHECK}/sample")
    finder.page.locator(f"[name=duty][value='{MEETING}']").check()
    finder.press("加入抽查")
    finder.reads("已加入抽查")


def fill_in_the_self_check(clerk: Visitor) -> None:
    clerk.go("/")
    clerk.page.locator(f"main a[href='/self-checks/{CHECK}/D1']").first.click()
    page = clerk.page
    page.locator("form.self-check button").last.wait_for()  # the whole form, not only what arrived first
    for number in range(page.locator("main select").count()):
        page.locator("main select").nth(number).select_option("met")
    page.get_by_role("button", name="保存", exact=True).first.click()
    clerk.reads("已保存")
    assert page.get_by_role("button", name="保存并报送").count() == 0  # a clerk prepares, and does not sign


def hand_in_the_self_check(leader: Visitor) -> None:
    leader.go(f"/self-checks/{CHECK}/D1")
    leader.press("保存并报送")
    leader.reads("已报送")


# ---- the desk


def at_desk(inspector: Visitor) -> str:
    inspector.go(f"/inspections/{CHECK}/desk")
    inspector.page.locator("[data-reasons]:not([hidden]), .desk-nothing").first.wait_for(state="attached")
    inspector.page.wait_for_timeout(LOOK)
    return on_desk(inspector)


def on_desk(inspector: Visitor) -> str:
    """The duty on the desk, or nothing where none is free."""
    if inspector.page.locator(".desk-nothing").count():
        return ""
    return str(inspector.page.locator("[data-duty]").get_attribute("data-duty"))


def judge_by_turns(finder: Visitor, second: Visitor) -> str:
    """Both open the desk; each gets another duty, and judges it by a key, until nothing is left. A duty of them."""
    begun = at_desk(finder)
    assert at_desk(second) != begun
    for _ in range(12):
        for inspector in (finder, second):
            found = at_desk(inspector)
            if everything_judged(inspector):
                forget_what_was_held(finder, second)
                return begun
            if found:  # else the other one has open what is left
                done = int(str(inspector.page.locator("progress").get_attribute("value")))
                inspector.page.keyboard.press("m")
                inspector.page.wait_for_function("(done) => document.querySelector('progress').value > done", arg=done)
    raise AssertionError("the queue does not end")


def forget_what_was_held(*inspectors: Visitor) -> None:
    """That a duty which was to be loaded ahead is open at the other desk is an answer (409) and no fault."""
    for inspector in inspectors:
        inspector.troubles[:] = [one for one in inspector.troubles if not one.endswith("/open answered 409")]


def everything_judged(inspector: Visitor) -> bool:
    bar = inspector.page.locator("progress")
    return bar.get_attribute("value") == bar.get_attribute("max")


# ---- findings


def fill_in_a_finding(finder: Visitor, problem: str) -> None:
    finder.go(f"/inspections/{CHECK}/findings/new")
    page = finder.page
    page.locator("[name=organization]").select_option(BRANCH)
    page.locator("[name=problem]").fill(problem)
    page.locator("[name=post]").select_option("P4")
    page.locator("[name=demand]").fill("补齐记录，今后指定专人")


def note_a_finding(finder: Visitor) -> None:
    fill_in_a_finding(finder, PROBLEM)
    finder.page.locator("[name=item]").select_option("L3-02")
    finder.page.locator("[name=deadline]").fill(SUNDAY)
    finder.press("登记")
    finder.reads("已登记问题", MONDAY)


def note_one_that_is_fixed(finder: Visitor) -> None:
    fill_in_a_finding(finder, FIXED)
    finder.page.locator("[name=severity][value=on_the_spot]").check()
    finder.page.locator("[name=fixed]").fill("当场更正并核对")
    finder.press("登记")
    finder.reads("已登记问题")


def finding(visitor: Visitor, number: int = 1) -> None:
    visitor.go(f"/rectification/{CHECK}-{number}")


def step(visitor: Visitor, name: str, **values: str) -> None:
    """Open a step of the finding on the page, fill it in and take it."""
    page = visitor.page
    box = page.locator("details.step").filter(has=page.locator("summary", has_text=name)).first
    if box.get_attribute("open") is None:
        box.locator("summary").click()
    for field, value in values.items():
        found = box.locator(f"[name='{field}'], [name$='-{field}']")
        if field == "evidence":
            found.first.check()
        elif field == "post":
            found.select_option(value)
        else:
            found.fill(value)
    box.get_by_role("button", name=name, exact=True).click()


def give_notice_and_sign_for_it(finder: Visitor, leader: Visitor) -> None:
    finding(finder)
    step(finder, "下达整改通知")
    leader.go("/rectification")
    leader.reads(PROBLEM, "未整改")
    finding(leader)
    step(leader, "签收")
    leader.reads("整改中")


def put_it_right(secretary: Visitor, clerk: Visitor, finder: Visitor) -> None:
    finding(secretary)
    step(secretary, "提出整改措施", post="P4", planned_on="2026-06-12", text=MEASURES)
    step(secretary, "申请延期", deadline=LATER, text="须与党员大会合并")
    finding(clerk)
    step(clerk, "补充整改佐证", evidence="first")
    clerk.reads("佐证 2026.D1-B")
    finding(finder)
    step(finder, "同意延期", deadline=LATER, text="理由属实")
    finding(secretary)
    secretary.reads(f"已延期，原期限 {MONDAY}")
    step(secretary, "报告整改结果", text="已补齐")
    secretary.reads("已整改待核")


def look_again(finder: Visitor, second: Visitor, secretary: Visitor) -> None:
    """Whoever noted it sees who has to look again, and cannot; the other one returns it once, then closes it."""
    finding(finder)
    finder.reads("等", "Ivan")
    assert finder.page.get_by_role("button", name="复核销号", exact=True).count() == 0
    finding(second)
    step(second, "退回重新整改", text=TOO_LITTLE)
    finding(secretary)
    secretary.reads(TOO_LITTLE)
    step(secretary, "报告整改结果", text="原始记录已补齐")
    finding(second)
    step(second, "复核销号", text=ENOUGH)
    second.reads("已销号", "这个问题已经销号")
    finding(second, 2)
    step(second, "复核销号", text=ENOUGH)
    second.reads("已销号")


def read_the_ledger(second: Visitor) -> None:
    second.go(f"/rectification?inspection={CHECK}")
    rows = second.page.locator("main table.ledger tbody tr")
    assert [rows.filter(has_text=text).count() for text in (PROBLEM, FIXED)] == [1, 1]
    assert rows.filter(has_text="已销号").count() == 2


# ---- results


def mark_good_practice(finder: Visitor, leader: Visitor, stranger: Visitor) -> None:
    """A record behind a duty of the sample is marked, agreed to by its unit, and read by another one."""
    finder.go(f"/inspections/{CHECK}/desk?duty={MEETING}")
    finder.follow("推荐亮点做法")
    finder.fill("亮点做法名称", PRACTICE)
    finder.fill("好在哪里、怎样做的", "每月一课，课后逐项解决。")
    finder.press("推荐")
    leader.go("/good-practice")
    leader.follow(PRACTICE)
    leader.press("同意公开交流")
    stranger.go("/good-practice")
    stranger.reads(PRACTICE)


def write_the_circular(finder: Visitor) -> None:
    finder.go(f"/inspections/{CHECK}/circulars/circular")
    finder.reads("还没有人保存过")
    finder.fill("四、整改要求", DEMANDS)
    finder.press("保存")
    finder.reads("最近由Ines")


def take_papers_along(finder: Visitor, folder: Path) -> None:
    """Papers as PDF and as a spreadsheet, read back by other programs."""
    ask_for(finder, "circular", folder / "circular.pdf")
    prints(folder / "circular.pdf", "关于春季专项督查情况的通报", PRACTICE, "登记问题2项", DEMANDS)
    ask_for(finder, "rectification_ledger", folder / "ledger.pdf")
    prints(folder / "ledger.pdf", PROBLEM, FIXED, "已销号")
    finder.go(f"/inspections/{CHECK}")
    finder.page.locator("#paper").select_option("rectification_ledger")
    with finder.page.expect_download() as waiting:
        finder.page.locator("#papers").get_by_role("button", name="下载表格（xlsx）").click()
    waiting.value.save_as(folder / "ledger.xlsx")
    book = load_workbook(folder / "ledger.xlsx", read_only=True)
    cells = {str(cell) for sheet in book for row in sheet.iter_rows(values_only=True) for cell in row}
    assert any(PROBLEM in cell for cell in cells)


def ask_for(finder: Visitor, paper: str, file: Path) -> None:
    finder.go(f"/inspections/{CHECK}")
    finder.page.locator("#paper").select_option(paper)
    finder.page.locator("#papers").get_by_role("button", name="生成 PDF").click()
    finder.page.get_by_role("link", name="下载 PDF").wait_for(timeout=90_000)
    with finder.page.expect_download() as waiting:
        finder.follow("下载 PDF")
    waiting.value.save_as(file)


def prints(file: Path, *sentences: str) -> None:
    """See that a PDF says this, whatever its lines are."""
    printed = subprocess.run(["pdftotext", file, "-"], capture_output=True, text=True, check=True).stdout
    text = "".join(printed.split())
    for sentence in sentences:
        assert sentence in text, f"{file.name} does not say {sentence!r}:\n{printed}"


def see_who_read(secretary: Visitor) -> None:
    """The secretary sees that inspectors opened a record of the branch."""
    secretary.go("/evidence/2026.D1-B1.2")
    secretary.reads("谁查阅过", "Ines")


def look_back_a_day(planner: Visitor) -> None:
    """Yesterday nothing of this was there, and nothing can be done there."""
    planner.go(f"/inspections/{CHECK}")
    planner.reads("春季专项督查")
    assert planner.go("/board?as_of=2026-05-19").status == 200
    planner.reads("2026-05-19")
    assert planner.page.locator("main form[method=post]").count() == 0
    assert planner.go(f"/inspections/{CHECK}?as_of=2026-05-19").status == 404


def close(finder: Visitor, judged: str) -> None:
    """The check is closed, and what was judged stands."""
    finder.go(f"/inspections/{CHECK}")
    finder.follow("结束本次督查")
    finder.press("确认结束本次督查")
    finder.reads("本次督查已结束")
    finder.go(f"/inspections/{CHECK}/desk?duty={judged}")
    assert finder.page.get_by_role("button", name="未落实").count() == 0
    finder.reads("本次督查已经结束，核查结论不再变动")
