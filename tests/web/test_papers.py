"""The papers of a check in a browser: for its team, and for the units that it visits."""

from __future__ import annotations

from io import BytesIO

import pytest
from flask import Flask
from openpyxl import load_workbook
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.web.conftest import ClientOf, post
from tracker.models import AccessLog
from tracker.tasks.papers import KINDS
from tracker.tasks.worker import Worker
from tracker.tasks.works import WORKS


@pytest.fixture
def check(client_of: ClientOf) -> int:
    """A check of the first unit by Ines, with one finding; its number."""
    ines = client_of("Ines")
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
    number = int(post(ines, "/inspections/new", plan).location.rsplit("/", 1)[1])
    finding = {
        "organization": "D1-B1",
        "problem": "应到人数与名册不一致",
        "basis": "《工作条例》第七条",
        "post": "P4",
        "severity": "ordinary",
        "demand": "核对名册并更正",
        "deadline": "2026-06-15",
    }
    assert post(ines, f"/inspections/{number}/findings/new", finding).status_code == 302
    return number


def test_a_problem_list_is_a_spreadsheet_and_the_unit_can_read_who_took_it(
    client_of: ClientOf, session: Session, check: int
) -> None:
    answer = post(client_of("Ines"), f"/papers/inspections/{check}", {"paper": "problem_list", "as": "xlsx"})
    rows = list(load_workbook(BytesIO(answer.data)).worksheets[0].values)
    assert "应到人数与名册不一致" in rows[1]
    session.rollback()
    taken = session.scalars(select(AccessLog).where(AccessLog.verb == "document.export")).all()
    assert [(row.object_kind, row.object_key) for row in taken] == [("problem_list", str(check))]


def test_every_paper_is_printed_by_the_worker(app: Flask, client_of: ClientOf, check: int) -> None:
    ines = client_of("Ines")
    names = sorted(KINDS.keys() - {"self_check_table", "sampling_record", "look_back_record"})  # this check has none
    places = [post(ines, f"/papers/inspections/{check}", {"paper": name, "unit": "D1"}).location for name in names]
    with app.app_context():
        worker = Worker(app.extensions["sqlalchemy"].engine, app.config["TRACKER"], WORKS)
        for key in worker.waiting():
            worker.perform(key)
    for place in places:
        with ines.get(f"{place}/file") as answer:
            assert answer.data.startswith(b"%PDF-"), place


def test_a_unit_gets_what_is_addressed_to_it_and_nothing_else(client_of: ClientOf, check: int) -> None:
    dong, address = client_of("Dong"), f"/papers/units/D1/inspections/{check}"
    post(client_of("Ines"), f"/rectification/inspections/{check}/notify")
    answer = post(dong, address, {"paper": "rectification_notice", "as": "xlsx"})
    assert answer.status_code == 200
    assert post(dong, address, {"paper": "problem_list", "as": "xlsx"}).status_code == 404
    assert post(dong, f"/papers/inspections/{check}", {"paper": "problem_list"}).status_code == 404
    assert post(client_of("Omar"), address, {"paper": "rectification_notice"}).status_code == 404


def test_what_there_is_not_is_refused_with_what_to_do(client_of: ClientOf, check: int) -> None:
    ines, address = client_of("Ines"), f"/papers/inspections/{check}"
    assert "请选择文书" in post(ines, address, {"paper": "letter"}).text
    assert "请在本次督查的被检查单位中选择" in post(ines, address, {"paper": "rectification_notice", "unit": "D2"}).text
