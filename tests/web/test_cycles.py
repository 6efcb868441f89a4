from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from tests.city import City
from tests.web.conftest import ClientOf, post
from tests.years import SOURCE
from tracker.models import ChecklistVersion, Cycle, DayOverride, Duty

PAGES = ("/cycles", "/cycles/2026", "/cycles/calendar", "/cycles/2026/close", "/cycles/open", "/checklists/publish")


@pytest.fixture
def adam(client_of: ClientOf) -> FlaskClient:
    return client_of("Adam")


def digest(session: Session) -> str:
    session.rollback()
    return session.scalars(select(ChecklistVersion.sha256)).one()


def text(client: FlaskClient, url: str) -> str:
    page = client.get(url)
    assert page.status_code == 200, url
    return page.get_data(as_text=True)


@pytest.mark.parametrize("url", PAGES)
def test_only_adam_sees_the_pages_of_the_year(client_of: ClientOf, url: str) -> None:
    assert client_of("Adam").get(url).status_code == 200
    assert client_of("Asha").get(url).status_code == 403
    assert client_of("stranger").get(url).status_code == 302


def test_the_burden_page_tells_what_opening_makes_and_writes_nothing(adam: FlaskClient, session: Session) -> None:
    page = text(adam, f"/cycles/open?year=2027&checklist={digest(session)}")
    assert "2027 年度任务量" in page
    assert "减少填报" in page
    assert "确认开启" in page
    assert "确认开启" not in text(adam, f"/cycles/open?year=2026&checklist={digest(session)}")
    assert session.scalars(select(Cycle.year)).all() == [2026]


def test_a_year_without_announced_holidays_is_marked_provisional(adam: FlaskClient, session: Session) -> None:
    assert "暂定" in text(adam, f"/cycles/open?year=2099&checklist={digest(session)}")


def test_adam_opens_a_year_that_was_shown(adam: FlaskClient, session: Session) -> None:
    answer = post(adam, "/cycles/open", {"year": "2027", "checklist": digest(session)})
    assert answer.status_code == 302
    session.rollback()
    cycle = session.scalars(select(Cycle).where(Cycle.year == 2027)).one()
    assert session.scalar(select(func.count()).where(Duty.cycle_id == cycle.id))
    assert "2027" in text(adam, "/cycles")


def test_a_wrong_year_is_told_on_the_form(adam: FlaskClient, session: Session) -> None:
    answer = post(adam, "/cycles/open", {"year": "1", "checklist": digest(session)})
    assert answer.status_code == 400
    assert adam.post("/cycles/open", data={"year": "2027", "checklist": digest(session)}).status_code == 400


def test_adam_ends_the_year_once(adam: FlaskClient, session: Session) -> None:
    assert post(adam, "/cycles/2026/close").status_code == 302
    assert "已结束" in text(adam, "/cycles/2026")
    assert post(adam, "/cycles/2026/close").status_code == 409
    assert adam.get("/cycles/1999").status_code == 404


def test_adam_decides_about_a_day(adam: FlaskClient, session: Session) -> None:
    answer = post(adam, "/cycles/calendar", {"day": "2026-06-02", "is_working": "no", "name": "防汛停工"})
    assert answer.status_code == 302
    session.rollback()
    assert session.scalars(select(DayOverride)).one().is_working is False
    assert "防汛停工" in text(adam, "/cycles/calendar")
    assert post(adam, "/cycles/calendar", {"day": "", "is_working": "no", "name": ""}).status_code == 400


def test_everybody_reads_the_published_list_with_its_notice(client_of: ClientOf, session: Session) -> None:
    asha = client_of("Asha")
    assert "责任清单" in text(asha, "/checklists")
    page = text(asha, f"/checklists/{digest(session)}")
    assert "它不是长春市直机关" in page
    assert "L3-01" in page
    assert asha.get("/checklists/nothing").status_code == 404


def test_a_list_with_errors_is_shown_with_all_of_them(adam: FlaskClient, session: Session) -> None:
    broken = SOURCE.replace(b"level: L3", b"level: L9")
    answer = post(adam, "/checklists/publish", {"file": (io.BytesIO(broken), "broken.yaml")})
    assert answer.status_code == 400
    assert answer.get_data(as_text=True).count("badge-alert") > 5
    assert len(session.scalars(select(ChecklistVersion)).all()) == 1


def test_adam_publishes_a_new_version_and_cannot_change_an_old_one(adam: FlaskClient, session: Session) -> None:
    new = SOURCE.replace(b'version: "2026.1"', b'version: "2026.2"')
    answer = post(adam, "/checklists/publish", {"file": (io.BytesIO(new), "new.yaml")})
    assert answer.status_code == 302
    answer = post(adam, "/checklists/publish", {"file": (io.BytesIO(new + b"# x\n"), "new.yaml")})
    assert answer.status_code == 409
    assert post(adam, "/checklists/publish", {}).status_code == 400


@pytest.fixture
def queries(app: Flask) -> Iterator[list[str]]:
    with app.app_context():
        engine = app.extensions["sqlalchemy"].engine
    seen: list[str] = []

    def note(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith(("PRAGMA", "BEGIN")):
            seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def test_no_page_asks_more_than_fifteen_questions(
    client_of: ClientOf, session: Session, city: City, queries: list[str]
) -> None:
    adam, version = client_of("Adam"), digest(session)
    burden = f"/cycles/open?year=2026&checklist={version}"
    branch = "/assignments/D1-B1"
    plain = ("/cycles", "/cycles/2026", "/cycles/calendar", "/checklists", "/assignments")
    for url in (*plain, f"/checklists/{version}", burden, branch, f"{branch}/decide", f"{branch}/own"):
        queries.clear()
        assert adam.get(url).status_code == 200, url
        assert len(queries) <= 15, (url, len(queries), queries)
