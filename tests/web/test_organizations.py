"""The tree and one organization, as different people see them."""

from __future__ import annotations

from datetime import date

import pytest
from flask import Flask
from sqlalchemy import event
from sqlalchemy.orm import Session

from tests.city import NOW
from tests.web.conftest import ClientOf
from tracker.db import db, writing
from tracker.domain.actor import operator
from tracker.domain.organization import OrganizationFacts
from tracker.services import organizations as services
from tracker.web import handovers, organizations, roster


@pytest.fixture(autouse=True)
def pages(app: Flask) -> None:
    for module in (handovers, organizations, roster):
        if module.bp.name not in app.blueprints:
            app.register_blueprint(module.bp)


def text(client, url: str) -> str:
    page = client.get(url)
    assert page.status_code == 200, url
    return page.get_data(as_text=True)


def test_adam_sees_the_whole_tree_and_the_way_to_import(client_of: ClientOf) -> None:
    page = text(client_of("Adam"), "/organizations")
    assert all(code in page for code in ("D1-B1", "D2-B1", "/roster"))


def test_chen_sees_the_own_subtree_only(client_of: ClientOf) -> None:
    page = text(client_of("Chen"), "/organizations")
    assert "D1-B2" in page
    assert "D2-B1" not in page
    assert "/roster" not in page


def test_an_organization_shows_its_seats_and_who_sits_there(client_of: ClientOf) -> None:
    page = text(client_of("Asha"), "/organizations/D1-B1")
    assert "D1-B1.P4-1" in page
    assert "Asha" in page


def test_another_unit_is_not_found(client_of: ClientOf) -> None:
    assert client_of("Omar").get("/organizations/D1-B1").status_code == 404


def test_strangers_sign_in_first(client_of: ClientOf) -> None:
    assert client_of("stranger").get("/organizations").status_code == 302


def test_a_day_that_is_none_is_refused(client_of: ClientOf) -> None:
    assert client_of("Adam").get("/organizations?on=yesterday").status_code == 400


def test_history_answers_by_day(client_of: ClientOf, session: Session) -> None:
    renamed = OrganizationFacts(
        name="改名后的组织", parent="D1-M", level="L3", tags=("has-committee",), position=5, opened_on=date(2020, 1, 1)
    )
    with writing(session) as writer:
        services.apply(writer, code="D1-B1", facts=renamed, valid_from=date(2026, 5, 1), actor=operator(), now=NOW)
    adam = client_of("Adam")
    assert "<h1>改名后的组织</h1>" in text(adam, "/organizations/D1-B1")
    assert "<h1>D1-B1 基层组织</h1>" in text(adam, "/organizations/D1-B1?on=2026-04-30")


@pytest.mark.parametrize("url", ["/organizations", "/organizations/D1-M"])
def test_pages_take_few_queries(app: Flask, client_of: ClientOf, url: str) -> None:
    client, seen = client_of("Adam"), []
    text(client, url)
    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", lambda *call: seen.append(call[2]))
    text(client, url)
    assert len(seen) <= 15
