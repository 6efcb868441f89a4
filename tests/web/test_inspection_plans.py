"""Planning a check on one page: refusals keep what was typed, a preview writes nothing, and what was shown is saved."""

from __future__ import annotations

import html
import io
import re
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from openpyxl import load_workbook
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from tests.tampering import tamper
from tests.web.conftest import ClientOf, post
from tracker.db import writing
from tracker.models import (
    AccessLog,
    Duty,
    Inspection,
    InspectionDraw,
    InspectionDuty,
    InspectionFact,
    LogEntry,
    Organization,
    StoredFile,
)
from tracker.storage.samples import sample_png
from tracker.tasks.worker import Worker
from tracker.tasks.works import WORKS

NEW = "/inspections/new"
PLAN = {
    "title": "上半年督查",
    "basis": "年度工作安排",
    "kind": "look_back",
    "starts_on": "2026-05-25",
    "ends_on": "2026-06-05",
    "self_check_due_on": "2026-05-22",
    "period_starts_on": "2026-01-01",
    "period_ends_on": "2026-04-30",
    "leader": "ines",
    "members": ["ines", "ivan"],
    "units": ["D1", "D2"],
    "items": ["L3-02"],
    "sample": "drawn",
    "by": ["level"],
    "how": "number",
    "number": "3",
    "seed": "20261128",
    "exclusions": "2026.D1-B2 新成立的支部",
}


@pytest.fixture
def ines(client_of: ClientOf) -> FlaskClient:
    return client_of("Ines")


def previewed(client: FlaskClient, **changes: Any) -> tuple[TestResponse, dict[str, Any]]:
    """The answer to a preview, and the form that the page then holds."""
    answer = post(client, NEW, {**PLAN, **changes, "preview": "1"})
    held = {name: typed(answer.text, name) for name in ("mark", "seed", "exclusions")}
    return answer, {**PLAN, **changes, **held}


def typed(page: str, name: str) -> str:
    """What a field of the page holds."""
    area = re.search(rf'<textarea[^>]*name="{name}"[^>]*>\s?([^<]*)</textarea>', page)
    found = area or re.search(rf'<input[^>]*name="{name}"[^>]*value="([^"]*)"', page)
    return html.unescape(found[1]).strip() if found else ""


def picked_on(page: str) -> list[str]:
    return sorted(re.findall(r'name="out"[^>]*value="([^"]+)"', page))


def saved_sample(session: Session, number: int = 1) -> list[str]:
    session.rollback()
    query = select(Duty.key).join(InspectionDuty, InspectionDuty.duty_id == Duty.id).join(Inspection)
    return sorted(session.scalars(query.where(Inspection.number == number)))


def test_the_page_can_be_opened_by_whoever_may_plan(client_of: ClientOf):
    assert [client_of(who).get(NEW).status_code for who in ("Ines", "Adam", "Asha")] == [200, 200, 403]


def test_a_preview_shows_what_saving_would_take_and_writes_nothing(ines: FlaskClient, session: Session):
    answer, held = previewed(ines)

    assert answer.status_code == 200
    assert "抽样预览（还没有保存）" in answer.text
    assert "范围内 12 项，抽取 3 项" in answer.text
    assert len(picked_on(answer.text)) == 3
    assert not any("D1-B2" in key for key in picked_on(answer.text))
    assert len(held["mark"]) == 129
    for table in (Inspection, InspectionDraw, StoredFile):
        assert session.scalar(select(func.count()).select_from(table)) == 0


def test_exactly_what_was_shown_is_saved(ines: FlaskClient, session: Session):
    answer, held = previewed(ines)
    shown = picked_on(answer.text)
    saved = post(ines, NEW, held)

    assert (saved.status_code, saved.location) == (302, "/inspections/1")
    assert saved_sample(session) == shown
    fact = session.scalars(select(InspectionFact)).one()
    assert (fact.sample, fact.kind, str(fact.self_check_due_on)) == ("drawn", "look_back", "2026-05-22")
    draw = session.scalars(select(InspectionDraw)).one()
    assert (draw.seed, draw.population_size, draw.picked_size) == ("20261128", 12, 3)
    assert {one["reason"] for one in draw.excluded} == {"新成立的支部"}
    assert {one["key"].split(".")[1] for one in draw.excluded} == {"D1-B2"}


def test_what_was_not_shown_is_not_saved(ines: FlaskClient, session: Session):
    answer = post(ines, NEW, PLAN)

    assert answer.status_code == 200
    assert "抽样预览（还没有保存）" in answer.text
    assert session.scalar(select(func.count()).select_from(Inspection)) == 0


def test_a_seed_is_made_where_none_is_given_and_then_stays(ines: FlaskClient, session: Session):
    _, held = previewed(ines, seed="")
    assert re.fullmatch(r"\d{10}", held["seed"])
    again, held_again = previewed(ines, seed=held["seed"])

    assert held_again["mark"] == held["mark"]
    assert post(ines, NEW, held).status_code == 302
    assert saved_sample(session) == picked_on(again.text)


def test_whoever_changes_what_is_drawn_after_the_preview_sees_the_new_one_first(ines: FlaskClient, session: Session):
    _, held = previewed(ines)
    answer = post(ines, NEW, {**held, "seed": "another", "title": "另一个名称"})

    assert answer.status_code == 409
    assert "抽样结果已重新计算" in answer.text
    assert typed(answer.text, "title") == "另一个名称"
    assert typed(answer.text, "exclusions") == PLAN["exclusions"]
    assert typed(answer.text, "mark") not in {"", held["mark"]}
    assert session.scalar(select(func.count()).select_from(Inspection)) == 0
    assert post(ines, NEW, {**held, "seed": "another", "mark": typed(answer.text, "mark")}).status_code == 302
    assert saved_sample(session) == picked_on(answer.text)


def test_a_duty_that_is_gone_since_the_preview_is_a_conflict(ines: FlaskClient, session: Session):
    answer, held = previewed(ines)
    [first, *_] = picked_on(answer.text)
    with writing(session):
        session.scalars(select(Duty).where(Duty.key == first)).one().in_force = False
    refused = post(ines, NEW, held)

    assert refused.status_code == 409
    assert first not in picked_on(refused.text)
    assert len(picked_on(refused.text)) == 3


def test_more_than_there_is_names_every_stratum_that_lacks(ines: FlaskClient, session: Session):
    changes = {"items": [], "number": "40", "exclusions": "", "units": ["D1"], "period_ends_on": "2026-03-31"}
    answer, held = previewed(ines, **changes)

    assert answer.status_code == 400
    refusals = re.findall(r"“([^”]+)”要抽 40 项，可抽的只有 (\d+) 项", answer.text)
    assert len({name for name, _ in refusals}) > 1
    assert all(int(available) < 40 for _, available in refusals)
    assert "不够抽，差" in answer.text
    assert held["mark"] == ""
    assert typed(answer.text, "number") == "40"


def test_a_stratum_may_be_given_a_number_of_its_own(ines: FlaskClient, session: Session):
    changes = {"items": [], "units": ["D1"], "number": "1", "stratum:L3": "4"}
    answer, held = previewed(ines, **changes)
    assert typed(answer.text, "stratum:L3") == "4"
    for other in ({"how": "percent", "percent": "10"}, {"title": ""}):
        assert typed(post(ines, NEW, {**held, **other, "preview": "1"}).text, "stratum:L3") == "4"
    assert post(ines, NEW, held).status_code == 302

    session.rollback()
    draw = session.scalars(select(InspectionDraw)).one()
    assert {tuple(one["values"]): one["picked"] for one in draw.strata}[("L3",)] == 4
    assert draw.rule["numbers"] == [{"stratum": ["L3"], "number": 4}]


def test_duties_are_left_out_by_ticking_them_in_the_preview(ines: FlaskClient, session: Session):
    answer, held = previewed(ines)
    [first, *_] = picked_on(answer.text)
    without = post(ines, NEW, {**held, "out": [first], "preview": "1"})
    assert without.status_code == 400
    assert "请写明剔除所勾任务的理由。" in without.text
    assert re.search(rf'value="{re.escape(first)}"[^>]*checked', without.text)

    after = post(ines, NEW, {**held, "out": [first], "reason": "上月刚检查过", "preview": "1"})
    assert after.status_code == 200
    assert first not in picked_on(after.text)
    assert typed(after.text, "exclusions") == f"{PLAN['exclusions']}\n{first} 上月刚检查过"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"basis": ""}, "basis"),
        ({"units": []}, "units"),
        ({"ends_on": "2026-05-01"}, "ends_on"),
        ({"self_check_due_on": "2026-05-26"}, "self_check_due_on"),
        ({"self_check_due_on": "2026-05-19"}, "self_check_due_on"),
        ({"how": "percent", "percent": ""}, "how"),
        ({"how": "percent", "percent": "NaN"}, "percent"),
        ({"how": "percent", "percent": "33.333"}, "percent"),
        ({"number": "viele"}, "number"),
        ({"stratum:L3": "viele"}, "number"),
        ({"seed": "長" * 65}, "seed"),
        ({"exclusions": "2026.D9 没有这个组织"}, "exclusions"),
        ({"exclusions": "2026.D1-B2"}, "exclusions"),
    ],
)
def test_a_refusal_stands_at_its_field_and_everything_typed_is_kept(
    ines: FlaskClient, session: Session, changes: dict[str, str], field: str
):
    answer = post(ines, NEW, {**PLAN, **changes, "preview": "1"})

    assert answer.status_code == 400
    assert f'href="#{field}"' in answer.text
    assert typed(answer.text, "title") == PLAN["title"]
    assert re.search(r'<input checked[^>]*name="items"[^>]*value="L3-02"', answer.text)
    assert session.scalar(select(func.count()).select_from(Inspection)) == 0


def test_all_units_are_chosen_with_one_tick(ines: FlaskClient, session: Session):
    assert post(ines, NEW, {**PLAN, "units": [], "all_units": "y", "sample": "all"}).status_code == 302

    assert {key.split(".")[1] for key in saved_sample(session)} == {"D1-B1", "D1-B2", "D2-B1"}


def test_all_and_by_hand_can_be_previewed_too(ines: FlaskClient):
    everything = post(ines, NEW, {**PLAN, "sample": "all", "preview": "1"}).text
    by_hand = post(ines, NEW, {**PLAN, "sample": "hand", "preview": "1"}).text

    assert "范围内 12 项，全部核查。" in everything
    assert "范围内 12 项。建立之后，在任务清单中逐项挑选。" in by_hand


def test_whoever_picks_by_hand_goes_on_to_picking(ines: FlaskClient, session: Session):
    assert post(ines, NEW, {**PLAN, "sample": "hand"}).location == "/inspections/1/sample"
    keys = re.findall(r'name="duty" value="([^"]+)"', ines.get("/inspections/1/sample").text)
    assert post(ines, "/inspections/1/sample", {"duty": keys[:3]}).status_code == 302

    assert saved_sample(session) == sorted(keys[:3])
    entries = session.scalars(select(LogEntry).where(LogEntry.verb == "inspection.sample")).all()
    assert len(entries) == len({key.split(".")[1][:2] for key in keys[:3]})


def test_a_duty_that_nobody_may_know_of_is_not_picked(ines: FlaskClient, session: Session):
    post(ines, NEW, {**PLAN, "units": ["D1"], "sample": "hand"})
    [own] = session.scalars(select(Duty.key).where(Duty.key.contains(".D1-B1.P4-1.L3-02.M01")))
    [foreign] = session.scalars(select(Duty.key).where(Duty.key.contains(".D2-B1.P4-1.L3-02.M01")))

    assert post(ines, "/inspections/1/sample", {"duty": [own, foreign]}).status_code == 404
    assert saved_sample(session) == []


# -- the notice --------------------------------------------------------------------------------------------------------


def with_notice(plan: dict[str, Any], content: bytes | None = None, name: str = "督查通知.png") -> dict[str, Any]:
    return {**plan, "files": (io.BytesIO(sample_png(1) if content is None else content), name)}


def kept_in(page: str) -> list[str]:
    return [html.unescape(token) for token in re.findall(r'name="kept"[^>]*value="([^"]+)"', page)]


def test_a_notice_is_carried_from_the_preview_to_the_check(ines: FlaskClient, session: Session, client_of: ClientOf):
    answer = post(ines, NEW, with_notice({**PLAN, "preview": "1"}))
    assert "已收到：督查通知.png" in answer.text
    assert session.scalar(select(func.count()).select_from(StoredFile)) == 0
    held = {**PLAN, "mark": typed(answer.text, "mark"), "kept": kept_in(answer.text)}
    assert post(ines, NEW, held).status_code == 302

    assert "督查通知.png" in ines.get("/inspections/1").text
    for who in ("Ines", "Ivan", "Adam"):
        given = client_of(who).get("/inspections/1/notice")
        assert (given.status_code, given.data) == (200, sample_png(1))
        assert "attachment" in given.headers["Content-Disposition"]
        given.close()
    assert [client_of(who).get("/inspections/1/notice").status_code for who in ("Asha", "Dong", "Ada")] == [404] * 3
    session.rollback()
    read = session.scalars(select(AccessLog).where(AccessLog.object_kind == "inspection")).all()
    assert [(row.actor, row.verb) for row in read] == [(who, "file.download") for who in ("ines", "ivan", "adam")]


def test_a_notice_survives_a_field_that_is_not_filled(ines: FlaskClient):
    answer = post(ines, NEW, with_notice({**PLAN, "title": ""}))
    assert answer.status_code == 400
    again = post(ines, NEW, {**PLAN, "title": "", "kept": kept_in(answer.text)})

    assert "已收到：督查通知.png" in again.text


def test_another_notice_takes_the_place_of_the_first(ines: FlaskClient, session: Session):
    first = post(ines, NEW, with_notice({**PLAN, "preview": "1"}))
    held = {**PLAN, "kept": kept_in(first.text), "preview": "1"}
    second = post(ines, NEW, with_notice(held, sample_png(2), "更正的通知.png"))

    assert len(kept_in(second.text)) == 1
    assert "已收到：更正的通知.png" in second.text


def test_a_notice_that_cannot_be_taken_in_is_refused_by_name(ines: FlaskClient, session: Session):
    answer = post(ines, NEW, with_notice({**PLAN, "sample": "all"}, b"MZ", "通知.exe"))

    assert answer.status_code == 400
    assert "《通知.exe》" in answer.text
    assert typed(answer.text, "title") == PLAN["title"]
    assert session.scalar(select(func.count()).select_from(Inspection)) == 0


def test_a_check_without_notice_or_draw_has_no_such_pages(ines: FlaskClient):
    post(ines, NEW, {**PLAN, "sample": "all"})

    for part in ("notice", "draw", "draw/population"):
        assert ines.get(f"/inspections/1/{part}").status_code == 404
    assert 'value="sampling_record"' not in ines.get("/inspections/1").text
    paper = post(ines, "/papers/inspections/1", {"paper": "sampling_record", "as": "xlsx"})
    assert (paper.status_code, "不是抽签得来的" in paper.text) == (409, True)


# -- the record of the draw --------------------------------------------------------------------------------------------


@pytest.fixture
def drawn(ines: FlaskClient) -> FlaskClient:
    _, held = previewed(ines)
    assert post(ines, NEW, held).status_code == 302
    return ines


def test_the_record_of_a_draw_says_everything_that_drawing_again_takes(drawn: FlaskClient, session: Session):
    page = drawn.get("/inspections/1/draw").text
    draw = session.scalars(select(InspectionDraw)).one()

    assert "结果与建立督查时的样本相同" in page
    for said in (draw.seed, draw.population_sha256, draw.picked_sha256, "新成立的支部", "怎样重抽"):
        assert said in page
    assert "按数量：每层 3 项" in page
    assert all(key in page for key in saved_sample(session))
    shown = drawn.get("/inspections/1").text
    assert "抽签（种子 20261128）" in shown
    assert "自查截止日" in shown
    assert 'href="/inspections/1/draw"' in shown


def test_anybody_can_draw_again_from_the_list_without_the_program(drawn: FlaskClient, session: Session):
    """As the page describes it, in a few lines."""
    answer = drawn.get("/inspections/1/draw/population")
    content = answer.data
    answer.close()
    draw = session.scalars(select(InspectionDraw)).one()
    assert sha256(content).hexdigest() == draw.population_sha256
    out = {one["key"] for one in draw.excluded}
    rows = [line.split("\t") for line in content.decode().split("\n")]
    picked: list[str] = []
    for number, stratum in enumerate(draw.strata, start=1):
        keys = [key for key, place in rows if place == str(number) and key not in out]
        keys.sort(key=lambda key: sha256(f"{draw.seed}\n{key}".encode()).hexdigest())
        picked += keys[: stratum["picked"]]

    assert sorted(picked) == saved_sample(session)
    assert sha256("\n".join(sorted(picked)).encode()).hexdigest() == draw.picked_sha256


def test_the_record_of_a_draw_is_printed_and_a_spreadsheet(app: Flask, drawn: FlaskClient, session: Session):
    place = post(drawn, "/papers/inspections/1", {"paper": "sampling_record"}).location
    sheets = post(drawn, "/papers/inspections/1", {"paper": "sampling_record", "as": "xlsx"})
    with app.app_context():
        worker = Worker(app.extensions["sqlalchemy"].engine, app.config["TRACKER"], WORKS)
        for key in worker.waiting():
            worker.perform(key)
    with drawn.get(f"{place}/file") as answer:
        assert answer.data.startswith(b"%PDF-")
    book = load_workbook(io.BytesIO(sheets.data))
    cells = {sheet.title.split()[-1]: [row[0] for row in sheet.values][1:] for sheet in book.worksheets}

    draw = session.scalars(select(InspectionDraw)).one()
    assert sorted(cells["抽中的任务"]) == saved_sample(session)
    assert len(cells["抽样总体"]) == draw.population_size
    assert cells["剔除的任务"] == [one["key"] for one in draw.excluded]


def test_a_draw_that_was_tampered_with_is_told(drawn: FlaskClient, session: Session):
    with writing(session):
        tamper(session, "inspection_draw", "UPDATE inspection_draw SET seed = '20261129'")

    assert "数据库里的抽样记录被改动过" in drawn.get("/inspections/1/draw").text


def test_what_is_added_by_hand_later_is_told_apart(drawn: FlaskClient):
    [key, *_] = re.findall(r'name="duty" value="([^"]+)"', drawn.get("/inspections/1/sample").text)
    post(drawn, "/inspections/1/sample", {"duty": [key]})
    page = drawn.get("/inspections/1/draw").text

    assert "检查组另逐项加入 1 项" in page
    assert "结果与建立督查时的样本相同" in page


def test_the_record_of_a_past_day_knows_what_was_known_then(
    drawn: FlaskClient, client_of: ClientOf, clock: time_machine.Coordinates
):
    clock.shift(timedelta(days=2))
    ines = client_of("Ines")
    [key, *_] = re.findall(r'name="duty" value="([^"]+)"', ines.get("/inspections/1/sample").text)
    post(ines, "/inspections/1/sample", {"duty": [key]})

    assert "检查组另逐项加入 1 项" in ines.get("/inspections/1/draw").text
    then = ines.get("/inspections/1/draw?as_of=2026-05-20")
    assert then.status_code == 200
    assert "检查组另逐项加入" not in then.text
    assert "结果与建立督查时的样本相同" in then.text
    assert ines.get("/inspections/1/draw?as_of=2026-05-19").status_code == 404


@pytest.mark.parametrize(("who", "status"), [("Ivan", 200), ("Adam", 200), ("Asha", 404), ("Chen", 404), ("Ada", 404)])
def test_the_record_of_a_draw_is_for_those_who_see_the_check(
    drawn: FlaskClient, client_of: ClientOf, who: str, status: int
):
    for part in ("draw", "draw/population"):
        answer = client_of(who).get(f"/inspections/1/{part}")
        assert answer.status_code == status
        answer.close()


def test_a_long_record_is_turned_page_by_page(ines: FlaskClient, session: Session):
    wide = {"items": [], "period_ends_on": "2026-12-31", "ends_on": "2027-01-31", "exclusions": "", "by": []}
    answer, held = previewed(ines, **wide, how="percent", percent="100")
    number = int(re.search(r"抽取 (\d+) 项", answer.text)[1])  # type: ignore[index]
    assert number > 300
    assert len(picked_on(answer.text)) == 300
    assert "只列出按编号排在前面的 300 项" in answer.text
    assert post(ines, NEW, held).status_code == 302

    seen: list[str] = []
    address: str | None = "/inspections/1/draw"
    while address:
        page = ines.get(address).text
        seen += re.findall(r'<td><span class="code">([^<]+)</span></td>', page)
        following = re.search(r'href="([^"]+after=[^"]+)"', page)
        address = html.unescape(following[1]) if following else None
    assert len(seen) == number
    assert sorted(seen) == saved_sample(session)


def test_only_units_are_offered(ines: FlaskClient, session: Session):
    offered = set(re.findall(r'name="units"[^>]*value="([^"]+)"', ines.get(NEW).text))

    assert offered == set(session.scalars(select(Organization.code).where(Organization.is_unit)))
