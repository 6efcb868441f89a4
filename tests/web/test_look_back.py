"""The look-back in a browser: drawn by a seed that is printed, judged by others than who closed it."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.city import NOW, City
from tests.web.conftest import ClientOf, post
from tests.web.test_inspections import FINDING
from tests.web.test_rectification import planned
from tests.web.test_rectification_papers import printed, sheet
from tracker.domain.inspection import InspectionKind, MemberRole
from tracker.models import Cycle, Finding, Inspection, LookBackVerdict
from tracker.services import inspections
from tracker.services.accounts import ensure_account

__all__ = ["planned"]  # a fixture
URL = "/inspections/2/look-back"


@pytest.fixture
def title() -> str:
    """What the check is called."""
    return "下半年回头看"


@pytest.fixture
def iris(client_of: ClientOf, planned: Inspection, session: Session, city: City, title: str) -> FlaskClient:
    """Two findings that Ivan closed; Iris and Ivan look back at the unit. The browser of Iris."""
    ines, ivan = client_of("Ines"), client_of("Ivan")
    for number in (1, 2):
        spot = {"severity": "on_the_spot", "fixed": "当场补签", "item": "L3-02"}
        assert post(ines, "/inspections/1/findings/new", {**FINDING, **spot}).status_code == 302
        assert post(ivan, f"/rectification/1-{number}/close", {"close-text": "核对属实"}).status_code == 302
    session.rollback()
    account = city.give_role("Iris", "inspector")
    ensure_account(session, city.people["Iris"], now=NOW)
    account.password_changed_at = NOW
    plan = inspections.Plan(
        title=title,
        basis="年度工作安排",
        kind=InspectionKind.LOOK_BACK,
        starts_on=NOW.date(),
        ends_on=NOW.date(),
        period_starts_on=NOW.date().replace(month=1, day=1),
        period_ends_on=NOW.date(),
        team=[(city.people["Iris"], MemberRole.LEADER), (city.people["Ivan"], MemberRole.MEMBER)],
        units=[city.organizations["D1"]],
        picked=(),
    )
    cycle = session.scalars(select(Cycle)).one()
    inspections.plan(session, cycle=cycle, plan=plan, actor=city.actor("Iris"), now=NOW)
    session.commit()
    return client_of("Iris")


def draw(client: FlaskClient, **changes: str) -> str:
    said = {"how": "percent", "percent": "100", "seed": "20261101", **changes}
    return post(client, f"{URL}/draw", said, follow_redirects=True).text


def test_it_is_reached_from_the_check_and_says_how_much_there_is(iris: FlaskClient) -> None:
    assert f'href="{URL}"' in iris.get("/inspections/2").text
    assert "有 2 个已销号的问题" in iris.get(URL).text


def test_it_is_drawn_by_a_seed_that_stands_on_the_page_and_on_paper(app: Flask, iris: FlaskClient) -> None:
    page = draw(iris)
    assert "20261101" in page
    assert "用同一种子重抽，结果一致" in page
    text = printed(app, iris, "/papers/inspections/2", "look_back_record")
    assert "抽样种子：20261101。" in text
    assert "抽取2个" in text
    rows = sheet(iris, "/papers/inspections/2", "look_back_record")
    assert [(row["编号"], row["核查结论"]) for row in rows] == [("1-1", "未核查"), ("1-2", "未核查")]


@pytest.mark.parametrize(
    ("title", "called"),
    [("下半年回头看", "下半年回头看记录"), ("下半年督查", "下半年督查回头看记录")],
)
def test_the_record_is_called_a_look_back_once(app: Flask, iris: FlaskClient, called: str) -> None:
    draw(iris)
    text = printed(app, iris, "/papers/inspections/2", "look_back_record")
    assert called in text
    assert "回头看回头看" not in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"percent": "101"}, "抽取比例须大于 0、不超过 100"),
        ({"percent": ""}, "二者填一项"),
        ({"how": "number", "number": "3"}, "要抽 3 个问题，已销号的只有 2 个"),
    ],
)
def test_what_cannot_be_drawn_is_refused_and_what_was_typed_is_kept(
    iris: FlaskClient, changes: dict[str, str], said: str
) -> None:
    page = draw(iris, **changes)
    assert said in page
    assert "20261101" in page
    assert "已抽取" not in page


def test_each_is_judged_and_what_came_back_becomes_a_repeated_finding(iris: FlaskClient, session: Session) -> None:
    draw(iris)
    missing = post(iris, f"{URL}/1-1", {"1-1-value": "came_back", "1-1-note": ""})
    assert missing.status_code == 400
    assert "请写明现在的情况" in missing.text
    assert re.search(r'<input checked[^>]*value="came_back"', missing.text)
    post(iris, f"{URL}/1-1", {"1-1-value": "came_back", "1-1-note": "六月又缺签到表"})
    post(iris, f"{URL}/1-2", {"1-2-value": "held", "1-2-note": ""})
    page = iris.get(URL).text
    assert "六月又缺签到表" in page
    link = re.search(r'href="(/inspections/2/findings/new\?[^"]+)"', page)
    assert link
    form = iris.get(link[1].replace("&amp;", "&")).text
    assert '<option selected value="L3-02">' in form
    assert '<option selected value="D1-B1">' in form
    post(iris, link[1].replace("&amp;", "&"), {**FINDING, "item": "L3-02"})
    session.rollback()
    assert session.scalars(select(Finding.repeats).where(Finding.key == "2-1")).one() == "1-2"
    assert post(iris, "/inspections/2/close").status_code == 302


def test_what_was_said_stands_with_the_finding_once_the_look_back_is_closed(
    iris: FlaskClient, client_of: ClientOf
) -> None:
    dong = client_of("Dong")
    draw(iris)
    post(iris, f"{URL}/1-1", {"1-1-value": "came_back", "1-1-note": "六月又缺签到表"})
    post(iris, f"{URL}/1-2", {"1-2-value": "held", "1-2-note": ""})
    for place in ("/rectification", "/rectification/1-1"):
        assert "回头看：" not in dong.get(place).text
    assert post(iris, "/inspections/2/close").status_code == 302
    page = dong.get("/rectification/1-1").text
    assert "回头看：问题反弹" in page
    assert "六月又缺签到表" in page
    assert "回头看：没有反弹" in dong.get("/rectification/1-2").text
    ledger = dong.get("/rectification").text
    assert (ledger.count("回头看：问题反弹"), ledger.count("回头看：没有反弹")) == (1, 1)


def test_whoever_closed_it_does_not_judge_it(iris: FlaskClient, client_of: ClientOf, session: Session) -> None:
    draw(iris)
    answer = post(client_of("Ivan"), f"{URL}/1-1", {"1-1-value": "held", "1-1-note": "看过了"})
    assert answer.status_code == 403
    assert "看过了" in answer.text
    assert session.scalars(select(LookBackVerdict)).all() == []


def test_the_team_sees_what_it_looks_back_at_once_it_is_drawn_and_takes_no_step_on_it(iris: FlaskClient) -> None:
    assert iris.get("/rectification/1-1").status_code == 404
    draw(iris)
    assert iris.get("/rectification/1-1").status_code == 200
    assert post(iris, "/rectification/1-1/return", {"return-text": "不行"}).status_code == 403


def test_others_do_not_see_it(iris: FlaskClient, client_of: ClientOf) -> None:
    for who in ("Ines", "Asha", "Dong", "Omar"):
        assert client_of(who).get(URL).status_code == 404
        assert post(client_of(who), f"{URL}/draw", {"how": "percent", "percent": "100"}).status_code == 404


def test_an_ordinary_check_draws_nothing(iris: FlaskClient, client_of: ClientOf) -> None:
    page = client_of("Ines").get("/inspections/1/look-back").text
    assert "不抽取已销号的问题" in page
    assert (
        "没有回头看记录"
        in post(client_of("Ines"), "/papers/inspections/1", {"paper": "look_back_record", "as": "xlsx"}).text
    )
