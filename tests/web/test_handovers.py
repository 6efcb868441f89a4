"""Asha's seat goes to Yue: both see the list and sign it; Omar does not know of it."""

from __future__ import annotations

from datetime import date

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.city import NOW, City
from tests.roster_files import roster
from tests.web.conftest import ClientOf, post
from tracker.db import writing
from tracker.domain.actor import operator
from tracker.models import HandoverSignature
from tracker.services.roster import carry_out, plan_import
from tracker.web import handovers, organizations
from tracker.web import roster as roster_pages

URL = "/handovers/D1-B1.P4-1.H1"


@pytest.fixture(autouse=True)
def pages(app: Flask) -> None:
    for module in (handovers, organizations, roster_pages):
        if module.bp.name not in app.blueprints:
            app.register_blueprint(module.bp)


@pytest.fixture(autouse=True)
def change(pages: None, city: City, session: Session) -> None:
    rows = [
        ("D1-B1", "P4", 1, "asha", "任职", date(2024, 1, 1), date(2026, 5, 10)),
        ("D1-B1", "P4", 1, "bela", "任职", date(2026, 5, 11)),
    ]
    with writing(session) as writer:
        plan = plan_import(writer, roster((), (), rows), today=date(2026, 5, 20))
        carry_out(writer, plan, actor=operator(), now=NOW)


def signers(session: Session) -> dict[str, str]:
    session.rollback()
    return {row.side: row.person.name for row in session.scalars(select(HandoverSignature))}


def test_both_find_the_list_and_sign_it(client_of: ClientOf, session: Session) -> None:
    for who in ("Asha", "Bela"):
        client = client_of(who)
        assert "D1-B1.P4-1" in client.get("/handovers").get_data(as_text=True)
        assert "核对无误，签字" in client.get(URL).get_data(as_text=True)
        assert post(client, URL).status_code == 302
    assert signers(session) == {"out": "Asha", "in": "Bela"}


def test_the_list_shows_titles_periods_and_states(client_of: ClientOf) -> None:
    page = client_of("Bela").get(URL).get_data(as_text=True)
    assert "待提交" in page
    assert "未办结的任务" in page


def test_chen_signs_in_place_of_asha_only_with_a_reason(client_of: ClientOf, session: Session) -> None:
    chen = client_of("Chen")
    refused = post(chen, URL)
    assert refused.status_code == 400
    assert "为什么不能签字" in refused.get_data(as_text=True)
    assert post(chen, URL, {"reason": "已调离本市"}).status_code == 302
    assert signers(session) == {"out": "Chen"}
    assert "上级代签" in chen.get(URL).get_data(as_text=True)


def test_signing_twice_is_a_conflict(client_of: ClientOf) -> None:
    asha = client_of("Asha")
    post(asha, URL)
    assert post(asha, URL).status_code == 409


def test_omar_does_not_know_of_the_list(client_of: ClientOf) -> None:
    assert client_of("Omar").get(URL).status_code == 404
    assert post(client_of("Omar"), URL).status_code == 404


def test_the_organization_names_its_hand_over(client_of: ClientOf) -> None:
    assert "Asha 移交 Bela" in client_of("Chen").get("/organizations/D1-B1").get_data(as_text=True)
