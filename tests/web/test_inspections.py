"""Supervision checks in a browser: plan, judge, find, score, close; others see nothing of it."""

from __future__ import annotations

import html
import re
from datetime import date

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.web.conftest import ClientOf, post
from tracker.models import Duty, Finding, Inspection, InspectionDuty, Overrule, Person

PLAN = {
    "title": "上半年督查",
    "basis": "年度工作安排",
    "kind": "regular",
    "starts_on": "2026-05-18",
    "ends_on": "2026-05-29",
    "period_starts_on": "2026-03-01",
    "period_ends_on": "2026-03-31",
    "leader": "ines",
    "units": ["D1"],
    "dimensions": ["E"],
    "sample": "all",
}
FINDING = {
    "organization": "D1-B1",
    "problem": "三月没有会议记录",
    "post": "P4",
    "severity": "ordinary",
    "demand": "补齐并说明",
    "deadline": "2026-06-12",
}


@pytest.fixture
def ines(client_of: ClientOf) -> FlaskClient:
    client = client_of("Ines")
    assert post(client, "/inspections/new", PLAN).status_code == 302
    return client


def first_to_judge(client: FlaskClient) -> str:
    found = re.search(r'data-duty="([^"]+)"', client.get("/inspections/1/desk").text)
    assert found
    return found[1]


def judge(client: FlaskClient, key: str, value: str, note: str = "") -> None:
    answer = post(client, f"/inspections/1/desk/{key}/judge", {"value": value, "note": note, "seen": "0"})
    assert answer.status_code == 302


def test_a_plan_with_an_empty_field_comes_back_filled_in(client_of: ClientOf) -> None:
    client = client_of("Ines")
    answer = post(client, "/inspections/new", {**PLAN, "basis": ""})

    assert answer.status_code == 400
    assert "上半年督查" in answer.text
    assert 'href="#basis"' in answer.text


def test_a_finding_appears_in_the_list_of_problems(ines: FlaskClient, session: Session) -> None:
    duty = first_to_judge(ines)
    elsewhere = post(ines, f"/inspections/1/findings/new?duty={duty}", FINDING)
    assert (elsewhere.status_code, duty.split(".")[1]) == (400, "D1")
    assert "不是该任务所属的组织" in elsewhere.text
    assert '<select id="organization"' not in elsewhere.text
    assert '<input type="hidden" name="organization" value="D1">' in elsewhere.text
    assert '<select id="organization"' in ines.get("/inspections/1/findings/new").text
    there = FINDING | {"organization": "D1"}
    assert post(ines, f"/inspections/1/findings/new?duty={duty}", there).status_code == 302

    assert "三月没有会议记录" in ines.get("/inspections/1").text
    assert session.scalars(select(Finding.key)).all() == ["1-1"]


def test_points_are_changed_with_a_reason(ines: FlaskClient, session: Session) -> None:
    judge(ines, first_to_judge(ines), "partly", "不全")
    link = re.search(r'href="(/inspections/1/scores/[^"]+)"', ines.get("/inspections/1/scores").text)
    assert link
    assert post(ines, link[1], {"points": "99", "reason": "现场补齐"}).status_code == 400
    assert post(ines, link[1], {"points": "1.5", "reason": "现场补齐"}).status_code == 302
    assert session.scalars(select(Overrule.tenths)).all() == [15]


def test_a_check_that_is_not_finished_is_not_closed(ines: FlaskClient, session: Session) -> None:
    answer = post(ines, "/inspections/1/close")

    assert answer.status_code == 409
    assert "没有核查结论" in answer.text
    assert session.scalars(select(Inspection.state)).one() == "open"


def test_before_a_check_is_closed_a_page_says_what_does_not_go_together(ines: FlaskClient, session: Session) -> None:
    keys = re.findall(r'<li data-key="([^"]+)"', ines.get("/inspections/1/desk").text)
    there = FINDING | {"organization": keys[2].split(".")[1]}
    post(ines, f"/inspections/1/findings/new?duty={keys[2]}", there)
    judge(ines, keys[0], "missing", "没有记录")
    page = ines.get("/inspections/1/close").text
    assert f"<dd>{len(keys) - 1}</dd>" in page  # without a verdict
    assert "确认结束本次督查" not in page
    for key in keys[1:]:
        judge(ines, key, "met")

    assert re.search(
        r'href="/inspections/1/close">\s*<svg.*?</svg>\s*结束本次督查', ines.get("/inspections/1").text, re.S
    )
    page = ines.get("/inspections/1/close").text
    assert "不能撤销" in page
    assert re.search(r"<dt>没有核查结论的抽查任务</dt>\s*<dd>0</dd>", page)
    assert re.search(r"<dt>未销号的问题</dt>\s*<dd>1</dd>", page)
    assert re.search(r"2026-05-29\s*<strong>还有 9 天</strong>", page)
    without, together = page.index("而没有登记问题的任务（1 项）"), page.index("结论不是部分落实、未落实的任务（1 项）")
    assert without < page.index(f"duty={keys[0]}") < together < page.index(f"duty={keys[2]}")
    assert session.scalars(select(Inspection.state)).one() == "open"
    assert post(ines, "/inspections/1/close").location == "/inspections/1"
    session.rollback()
    assert session.scalars(select(Inspection.state)).one() == "closed"


def test_the_report_is_asked_for_and_waits_for_a_worker(ines: FlaskClient) -> None:
    answer = post(ines, "/documents/inspections/1")

    assert answer.status_code == 302
    assert "排队中" in ines.get(answer.location).text
    assert "第1号督查报告（督查未结束）" in ines.get("/documents").text


def test_the_report_of_a_closed_check_has_another_name_than_the_interim_one(ines: FlaskClient) -> None:
    for key in re.findall(r'<li data-key="([^"]+)"', ines.get("/inspections/1/desk").text):
        judge(ines, key, "met")
    post(ines, "/inspections/1/close")
    assert "<h1>第1号督查报告</h1>" in ines.get(post(ines, "/documents/inspections/1").location).text


@pytest.mark.parametrize(("who", "status"), [("Asha", 404), ("Ivan", 404), ("Adam", 200), ("Ines", 200)])
def test_a_check_is_seen_by_its_team_and_by_administrators(
    ines: FlaskClient, client_of: ClientOf, who: str, status: int
) -> None:
    assert client_of(who).get("/inspections/1").status_code == status


def test_the_sample_can_be_narrowed_to_what_has_no_verdict(ines: FlaskClient) -> None:
    judged = first_to_judge(ines)
    judge(ines, judged, "met")

    assert judged in ines.get("/inspections/1/duties?unit=D1").text
    assert judged not in ines.get("/inspections/1/duties?pending=1&unit=D1").text


def test_duties_are_picked_by_hand(client_of: ClientOf, session: Session) -> None:
    client = client_of("Ines")
    post(client, "/inspections/new", {**PLAN, "sample": "hand"})
    keys = re.findall(r'name="duty" value="([^"]+)"', client.get("/inspections/1/sample").text)
    post(client, "/inspections/1/sample", {"duty": keys[:2]})

    shown = client.get("/inspections/1/duties").text
    assert [key for key in keys if key in shown] == keys[:2]


def test_an_administrator_changes_the_team_and_a_refusal_keeps_what_was_chosen(
    ines: FlaskClient, client_of: ClientOf, session: Session
) -> None:
    adam, people = client_of("Adam"), {p.name: p.key for p in session.scalars(select(Person))}
    assert "/inspections/1/team" in adam.get("/inspections/1").text
    assert client_of("Ivan").get("/inspections/1").status_code == 404

    refused = post(adam, "/inspections/1/team", {"members": [people["Ivan"]]})
    assert refused.status_code == 400
    assert re.search(rf'value="{people["Ivan"]}"[^>]*checked|checked[^>]*value="{people["Ivan"]}"', refused.text)

    saved = post(adam, "/inspections/1/team", {"leader": people["Ines"], "members": [people["Ivan"]]})
    assert saved.status_code == 302
    assert client_of("Ivan").get("/inspections/1").status_code == 200
    assert "/inspections/1/team" not in ines.get("/inspections/1").text


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/inspections/{}", 404),
        ("/self-checks/{}/D1", 404),
        ("/inspections/1/duties?after={}", 200),
        ("/rectification?inspection={}", 200),
        ("/good-practice?year={}", 200),
    ],
)
def test_a_number_that_no_row_can_have_is_no_fault_of_the_program(ines: FlaskClient, address: str, status: int) -> None:
    post(ines, "/inspections/new", PLAN)
    for number in (2**31, 10**20):
        assert ines.get(address.format(number)).status_code == status


@pytest.mark.parametrize("day", ["", "?as_of=2026-05-20"])
def test_a_long_sample_is_turned_page_by_page(client_of: ClientOf, session: Session, day: str) -> None:
    client = client_of("Ines")
    wide = {"dimensions": [], "period_starts_on": "2026-01-01", "period_ends_on": "2026-12-31"}
    assert post(client, "/inspections/new", {**PLAN, **wide, "ends_on": "2027-01-31"}).status_code == 302
    seen: list[str] = []
    address: str | None = f"/inspections/1/duties{day}"
    while address:
        page = client.get(address).text
        seen += re.findall(r'<a href="[^"]*(?:duties/|duty=)([^"?]+)[^"]*"><span class="code">', page)
        following = re.search(r'href="([^"]+after=[^"]+)"', page)
        address = html.unescape(following[1]) if following else None
    sampled = session.scalars(select(Duty.key).join(InspectionDuty, InspectionDuty.duty_id == Duty.id)).all()
    assert len(sampled) > 200
    assert sorted(seen) == sorted(sampled)


def test_only_what_falls_due_before_the_end_of_the_check_is_offered_for_the_sample(
    client_of: ClientOf, session: Session
) -> None:
    client = client_of("Ines")
    whole_year = {"period_starts_on": "2026-01-01", "period_ends_on": "2026-12-31"}
    post(client, "/inspections/new", {**PLAN, **whole_year, "sample": "hand"})
    page = client.get("/inspections/1/sample?unit=D1").text
    offered = set(re.findall(r'name="duty" value="([^"]+)"', page))
    due = session.scalars(select(Duty.due_on).where(Duty.key.in_(offered))).all()
    later = select(Duty.key).where(Duty.due_on > date(2026, 5, 29), Duty.key.startswith("2026.D1"))

    assert session.scalars(later).first()
    assert due
    assert max(due) <= date(2026, 5, 29)
    assert re.search(r"<label[^>]*>\s*<input[^>]*data-check-all[^>]*>\s*全选本页\s*</label>", page)
    assert "到期最早" not in page


def test_an_inspector_is_told_that_the_board_counts_the_checks_only(client_of: ClientOf, ines: FlaskClient) -> None:
    said = "所参加督查范围内的任务，不是各单位全年的全部任务"
    own_unit = re.search(r'href="(/board/units/[^"?]+)', ines.get("/board").text)
    assert own_unit
    for path in ("/board", "/board/items", own_unit[1]):
        assert said in ines.get(path).text
        assert said not in client_of("Dong").get(path).text
