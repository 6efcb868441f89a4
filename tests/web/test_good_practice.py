"""Good practice on pages: inspectors mark it, the unit decides, and then everybody reads it in one place."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from tests.web.conftest import post
from tests.web.test_duties import MEETING, tick
from tracker.models import Evidence, GoodPractice

APRIL = MEETING.replace("M05", "M04")  # it has fallen due, so the sample has it
SAID = {"title": "流动课堂", "text": "把课讲到工地\n每月一次"}


@pytest.fixture
def record(client_of, session):
    """What Asha handed in; its key."""
    tick(client_of("Asha"), key=APRIL, act_on="2026-04-15")
    return session.scalar(select(Evidence.key))


@pytest.fixture
def number(client_of, record):
    """A check of the first unit by Ines."""
    plan = {
        "title": "上半年督查",
        "basis": "年度工作安排",
        "kind": "regular",
        "starts_on": "2026-05-18",
        "ends_on": "2026-05-29",
        "period_starts_on": "2026-01-01",
        "period_ends_on": "2026-06-30",
        "leader": "ines",
        "units": ["D1"],
        "sample": "all",
    }
    return post(client_of("Ines"), "/inspections/new", plan).location.rsplit("/", 1)[1]


@pytest.fixture
def marked(client_of, number, record):
    """What Ines marked; its address."""
    return post(client_of("Ines"), f"/inspections/{number}/good-practice/{record}", SAID).location


def test_the_page_of_a_record_leads_an_inspector_to_the_mark(client_of, number, record):
    address = f"/inspections/{number}/good-practice/{record}"
    assert address in client_of("Ines").get(f"/evidence/{record}").text
    assert address not in client_of("Asha").get(f"/evidence/{record}").text
    assert "推荐亮点做法" in client_of("Ines").get(address).text


def test_before_the_unit_agreed_only_those_concerned_read_it(client_of, marked):
    for who in ("Asha", "Chen", "Dong", "Ines"):
        assert "流动课堂" in client_of(who).get("/good-practice").text
        assert client_of(who).get(marked).status_code == 200
    assert "流动课堂" not in client_of("Omar").get("/good-practice").text
    assert client_of("Omar").get(marked).status_code == 404


def test_only_who_signs_for_the_unit_is_offered_to_decide(client_of, marked):
    assert "同意公开交流</button>" in client_of("Dong").get("/good-practice").text
    for who in ("Asha", "Chen", "Ines", "Adam"):
        assert "同意公开交流</button>" not in client_of(who).get("/good-practice").text
        assert post(client_of(who), f"{marked}/agree").status_code == 403


def test_the_first_page_tells_who_signs_for_the_unit_that_one_waits(client_of, marked):
    told = "有 1 个亮点做法等本单位决定是否同意公开交流。"
    assert told in client_of("Dong").get("/").text
    assert told not in client_of("Asha").get("/").text
    post(client_of("Dong"), f"{marked}/agree")
    assert told not in client_of("Dong").get("/").text


def test_once_agreed_to_every_unit_reads_it_on_one_page_and_not_the_record(client_of, marked, record):
    assert post(client_of("Dong"), f"{marked}/agree").location == marked
    page = client_of("Omar").get("/good-practice").text
    assert "流动课堂" in page
    assert "把课讲到工地\n每月一次" in page
    assert "清河市林业局" in page
    shown = client_of("Omar").get(marked).text
    assert record not in shown
    assert "Ines" not in shown
    assert record in client_of("Asha").get(marked).text
    assert client_of("Omar").get(f"/evidence/{record}").status_code == 404


def test_consent_can_be_taken_back(client_of, marked):
    dong = client_of("Dong")
    post(dong, f"{marked}/agree")
    assert "收回同意" in dong.get(marked).text
    assert post(dong, f"{marked}/decline", {"reason": "还要完善"}).status_code == 302
    assert "流动课堂" not in client_of("Omar").get("/good-practice").text
    assert "还要完善" in dong.get(marked).text


def test_the_team_withdraws_with_a_reason_and_what_was_typed_is_kept(client_of, marked):
    ines = client_of("Ines")
    refused = post(ines, f"{marked}/withdraw", {"reason": " "})
    assert refused.status_code == 400
    assert "请写明撤回的理由" in refused.text
    assert post(client_of("Dong"), f"{marked}/withdraw", {"reason": "x"}).status_code == 403
    assert post(ines, f"{marked}/withdraw", {"reason": "内容有误"}).status_code == 302
    assert post(client_of("Dong"), f"{marked}/agree").status_code == 409


def test_a_second_mark_and_a_mark_without_words_are_refused_beside_what_was_typed(client_of, session, number, record):
    ines, address = client_of("Ines"), f"/inspections/{number}/good-practice/{record}"
    refused = post(ines, address, {"title": "", "text": "把课讲到工地"})
    assert refused.status_code == 400
    assert "把课讲到工地</textarea>" in refused.text.replace("\r\n", "")
    post(ines, address, SAID)
    again = post(ines, address, SAID)
    assert again.status_code == 409
    assert f"{number}-L1" in again.text
    session.rollback()
    assert session.scalars(select(GoodPractice.key)).all() == [f"{number}-L1"]


def test_a_record_of_another_unit_is_not_there(client_of, session, number):
    tick(client_of("Omar"), key=APRIL.replace("D1", "D2"), act_on="2026-04-15")
    foreign = session.scalar(select(Evidence.key).order_by(Evidence.id.desc()))
    assert client_of("Ines").get(f"/inspections/{number}/good-practice/{foreign}").status_code == 404
    assert post(client_of("Ines"), f"/inspections/{number}/good-practice/nothing", SAID).status_code == 404


def test_the_page_is_narrowed_to_a_year(client_of, marked):
    post(client_of("Dong"), f"{marked}/agree")
    assert "流动课堂" in client_of("Omar").get("/good-practice?year=2026").text
    assert "流动课堂" in client_of("Omar").get("/good-practice?year=1999").text


def test_a_past_day_shows_what_units_had_agreed_to_by_then(client_of, clock, marked):
    clock.shift(24 * 3600)
    dong = client_of("Dong")
    post(dong, f"{marked}/agree")
    then = client_of("Dong").get("/good-practice?as_of=2026-05-20").text.partition("<main")[2]
    assert "流动课堂" not in then
    shown = client_of("Dong").get(f"{marked}?as_of=2026-05-20").text
    assert "待单位同意" in shown
    assert '<form method="post" action="/good-practice' not in shown
    clock.shift(24 * 3600)
    assert "流动课堂" in client_of("Omar").get("/good-practice?as_of=2026-05-21").text
    assert client_of("Omar").get(f"{marked}?as_of=2026-05-19").status_code in {404, 400}
