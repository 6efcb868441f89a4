"""The roster page as Adam uses it: template, trial, import; and nobody else."""

from __future__ import annotations

import re
from io import BytesIO

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from tests.roster_files import PEOPLE, SINCE, read, roster_file
from tests.web.conftest import ClientOf, post
from tracker.models import LogEntry, Organization, Person
from tracker.web import handovers, organizations, roster

NEW = [("D1-B3", "D1-M", "第三基层组织", "L3", "", "否", 9, SINCE)]
SITS = [("D1-B3", "P4", 1, "yue", "任职", SINCE)]


@pytest.fixture(autouse=True)
def pages(app: Flask) -> None:
    for module in (handovers, organizations, roster):
        if module.bp.name not in app.blueprints:
            app.register_blueprint(module.bp)


@pytest.fixture
def adam(client_of: ClientOf, pages: None) -> FlaskClient:
    return client_of("Adam")


def try_out(adam: FlaskClient, file: BytesIO, **other: str) -> TestResponse:
    data = {"file": (file, "roster.xlsx"), **other}
    return post(adam, "/roster", data, content_type="multipart/form-data")


def hidden(page: TestResponse) -> dict[str, str]:
    """The file and the plan that the page asks to confirm."""
    found = re.findall(r'name="(file|plan)"[^>]*value="([^"]*)"', page.get_data(as_text=True))
    return dict(found)


def count(session: Session, column) -> int:
    session.rollback()
    return session.scalar(select(func.count(column))) or 0


def test_the_template_comes_as_a_workbook(adam: FlaskClient) -> None:
    answer = adam.get("/roster/template.xlsx")
    assert answer.status_code == 200
    assert "attachment" in answer.headers["Content-Disposition"]
    assert read(BytesIO(answer.data))[1] == []


def test_a_trial_shows_what_would_change_and_changes_nothing(adam: FlaskClient, session: Session) -> None:
    before = count(session, Organization.id), count(session, LogEntry.id)
    page = try_out(adam, roster_file(NEW, PEOPLE, SITS))
    assert page.status_code == 200
    assert "第三基层组织" in page.get_data(as_text=True)
    assert "D1-B3.P4-1" in page.get_data(as_text=True)
    assert (count(session, Organization.id), count(session, LogEntry.id)) == before


def test_what_was_shown_is_imported_without_choosing_the_file_again(adam: FlaskClient, session: Session) -> None:
    page = try_out(adam, roster_file(NEW, (("yue", "0005", "岳"),), SITS))
    answer = post(adam, "/roster/import", hidden(page))
    assert answer.status_code == 302
    session.rollback()
    assert session.scalars(select(Organization.name).where(Organization.code == "D1-B3")).one() == "第三基层组织"
    imported = session.scalars(select(LogEntry).where(LogEntry.verb == "roster.imported")).one()
    assert imported.actor == "adam"


def test_the_second_trial_of_the_same_file_says_that_nothing_changes(adam: FlaskClient) -> None:
    post(adam, "/roster/import", hidden(try_out(adam, roster_file(NEW, PEOPLE[4:], SITS))))
    assert "没有变化" in try_out(adam, roster_file(NEW, PEOPLE[4:], SITS)).get_data(as_text=True)


def test_errors_are_shown_row_by_row_and_offer_no_import(adam: FlaskClient, session: Session) -> None:
    people = count(session, Person.id)
    page = try_out(adam, roster_file([("D1-B3", "NONE", "甲", "L3", "", "", "", "")], [("", "", "乙")], ()))
    text = page.get_data(as_text=True)
    assert page.status_code == 400
    assert "没有代码为 NONE 的上级组织" in text
    assert "账号和工号都没有填" in text
    assert hidden(page) == {}
    assert count(session, Person.id) == people


def test_what_is_no_workbook_is_refused_in_one_sentence(adam: FlaskClient) -> None:
    page = try_out(adam, BytesIO(b"not a workbook"))
    assert page.status_code == 400
    assert "另存为 .xlsx" in page.get_data(as_text=True)


def test_without_a_file_the_form_says_so(adam: FlaskClient) -> None:
    page = post(adam, "/roster")
    assert (page.status_code, "请选择花名册文件" in page.get_data(as_text=True)) == (400, True)


def test_what_changed_since_the_trial_is_a_conflict(adam: FlaskClient) -> None:
    shown = hidden(try_out(adam, roster_file(NEW, PEOPLE[4:], SITS)))
    other = hidden(try_out(adam, roster_file([(*NEW[0][:2], "又名", *NEW[0][3:])], (), ())))
    assert post(adam, "/roster/import", other).status_code == 302
    assert post(adam, "/roster/import", shown).status_code == 409


def test_a_file_that_was_never_tried_out_is_not_found(adam: FlaskClient) -> None:
    assert post(adam, "/roster/import", {"file": "0" * 64, "plan": "0" * 64}).status_code == 404
    assert post(adam, "/roster/import", {"file": "../../etc", "plan": "x"}).status_code == 404


@pytest.mark.parametrize("url", ["/roster", "/roster/template.xlsx"])
@pytest.mark.parametrize(("who", "status"), [("Asha", 403), ("Ines", 403), ("Ada", 403), ("stranger", 302)])
def test_only_administrators_import(client_of: ClientOf, url: str, who: str, status: int) -> None:
    assert client_of(who).get(url).status_code == status


def test_chen_cannot_post_an_import(client_of: ClientOf) -> None:
    assert post(client_of("Chen"), "/roster/import", {"file": "0" * 64, "plan": "0" * 64}).status_code == 403


def test_an_import_without_the_token_is_refused(adam: FlaskClient) -> None:
    assert adam.post("/roster/import", data={"file": "0" * 64, "plan": "0" * 64}).status_code == 400
