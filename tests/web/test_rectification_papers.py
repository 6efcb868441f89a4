"""The rectification ledger on paper and as a spreadsheet, read back by other programs, and equal to the page."""

from __future__ import annotations

import re
import subprocess
from io import BytesIO

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openpyxl import load_workbook

from tests.web.conftest import post
from tests.web.test_inspections import FINDING, PLAN
from tests.web.test_rectification import Do, begin, do, people, planned
from tracker.tasks.worker import Worker
from tracker.tasks.works import WORKS

__all__ = ["do", "people", "planned"]  # fixtures
TEAM, UNIT = "/papers/inspections/1", "/papers/units/D1/inspections/1"


@pytest.fixture
def found(people: dict[str, FlaskClient], do: Do) -> dict[str, FlaskClient]:
    """One finding closed after an extension and a return, one that another check had too, one fixed on the spot."""
    begin(do)
    do("Dong", "ask-extension")
    do("Ivan", "grant-extension", deadline="2026-06-30")
    do("Asha", "report")
    do("Ivan", "return")
    do("Asha", "report", text="已补签到表")
    do("Ivan", "close")
    assert post(people["Ines"], "/inspections/new", PLAN).status_code == 302
    again = {**FINDING, "problem": "四月又没有记录", "item": "L3-02"}
    for number in (2, 1):
        assert post(people["Ines"], f"/inspections/{number}/findings/new", again).status_code == 302
    spot = {"problem": "缺签到表", "severity": "on_the_spot", "fixed": "当场补签", "deadline": "", "organization": "D1"}
    post(people["Ines"], "/inspections/1/findings/new", {**FINDING, **spot})
    return people


def sheet(client: FlaskClient, place: str, paper: str) -> list[dict[str, object]]:
    answer = post(client, place, {"paper": paper, "unit": "D1", "as": "xlsx"})
    assert answer.status_code == 200
    [(headings, *rows)] = [
        rows for one in load_workbook(BytesIO(answer.data)).worksheets if "编号" in (rows := list(one.values))[0]
    ]
    return [dict(zip(headings, row, strict=True)) for row in rows]


def printed(app: Flask, client: FlaskClient, place: str, paper: str) -> str:
    """The text of the PDF without white space, as poppler reads it."""
    job = post(client, place, {"paper": paper, "unit": "D1"}).location
    with app.app_context():
        worker = Worker(app.extensions["sqlalchemy"].engine, app.config["TRACKER"], WORKS)
        for key in worker.waiting():
            worker.perform(key)
    with client.get(f"{job}/file") as answer:
        assert answer.data.startswith(b"%PDF-")
        read = subprocess.run(["pdftotext", "-raw", "-", "-"], input=answer.data, capture_output=True, check=True)
    return re.sub(r"\s", "", read.stdout.decode())


def test_the_spreadsheet_says_what_was_done_row_by_row(found: dict[str, FlaskClient]) -> None:
    first, second, third = sheet(found["Ines"], TEAM, "rectification_ledger")
    assert (first["编号"], first["状态"], str(first["整改期限"])[:10]) == ("1-1", "已销号", "2026-06-30")
    assert first["整改措施"] == "逐月补齐会议记录（计划 2026-06-10 完成）"
    assert first["整改结果"] == "已补签到表"
    assert first["延期情况"] == "；".join(
        ("申请延期到 2026-06-29：材料存在外地档案室", "同意延期到 2026-06-30：情况属实", "原期限 2026-06-12")
    )
    assert first["复核"] == "2026-05-20 Ivan复核销号：核对原件属实"
    assert second["问题"] == "四月又没有记录【一年内重复出现，前一次编号 2-1】"
    assert (second["状态"], third["状态"], third["整改结果"]) == ("未整改", "已整改待核", "当场补签")


def test_the_paper_says_the_same_to_poppler(app: Flask, found: dict[str, FlaskClient]) -> None:
    text = printed(app, found["Ines"], TEAM, "rectification_ledger")
    assert "整改台账" in text
    assert "共有问题3个：未整改1，整改中0，已整改待核1，已销号1；其中超期0个，一年内重复出现1个。" in text
    for said in ("1-1", "1-2", "1-3", "2026-06-30", "已销号", "已整改待核"):
        assert said in text, said


def test_notice_and_report_mark_what_is_repeated(app: Flask, found: dict[str, FlaskClient]) -> None:
    rows = sheet(found["Ines"], TEAM, "rectification_notice")
    assert ["重复出现" in str(row["问题"]) for row in rows] == [False, True, False]
    text = printed(app, found["Ines"], TEAM, "rectification_notice")
    assert ["已销号" in str(row["问题"]) for row in rows] == [True, False, False]
    assert "回执" in text
    assert "前一次编号2-1" in text


def test_the_notice_asks_for_nothing_that_is_already_put_right(app: Flask, found: dict[str, FlaskClient]) -> None:
    rows = sheet(found["Ines"], TEAM, "rectification_notice")
    asked = [row for row in rows if not str(row["问题"]).endswith(("【已整改】", "【已销号】"))]
    assert (len(rows), [row["编号"] for row in asked]) == (3, ["1-2"])
    text = printed(app, found["Ines"], TEAM, "rectification_notice")
    assert "缺签到表【已整改】" in text
    assert "发现下列3项问题，其中2项已经整改，其余1项请逐项整改。" in text
    assert "须整改的问题共1项。" in text
    of_unit = printed(app, found["Dong"], UNIT, "rectification_notice")
    assert "发现下列1项问题，均已整改。" in of_unit
    assert "须整改的问题共0项。" in of_unit


def test_the_unit_prints_the_order_once_it_was_given_and_of_nothing_else(
    people: dict[str, FlaskClient],
) -> None:
    asked = {"paper": "rectification_notice", "unit": "D1"}
    for way in ({}, {"as": "xlsx"}):
        refused = post(people["Dong"], UNIT, {**asked, **way})
        assert refused.status_code == 409
        assert "还没有下达整改通知" in refused.text
    assert "整改通知书（PDF）" not in people["Dong"].get("/rectification/1-1").text
    post(people["Ines"], "/inspections/1/findings/new", {**FINDING, "problem": "四月没有记录"})
    post(people["Ines"], "/rectification/1-2/notify")
    assert [row["编号"] for row in sheet(people["Dong"], UNIT, "rectification_notice")] == ["1-2"]
    assert [row["编号"] for row in sheet(people["Ines"], TEAM, "rectification_notice")] == ["1-1", "1-2"]
    assert "整改通知书（PDF）" in people["Dong"].get("/rectification/1-2").text


def test_the_unit_gets_its_own_ledger_and_nobody_elses(app: Flask, found: dict[str, FlaskClient]) -> None:
    assert len(sheet(found["Dong"], UNIT, "unit_rectification_ledger")) == 3
    assert "清河市林业局整改台账" in printed(app, found["Dong"], UNIT, "unit_rectification_ledger")
    assert post(found["Dong"], UNIT, {"paper": "rectification_ledger", "as": "xlsx"}).status_code == 404
    assert post(found["Omar"], UNIT, {"paper": "unit_rectification_ledger"}).status_code == 404
