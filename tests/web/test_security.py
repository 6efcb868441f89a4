"""Signing in and out."""

from __future__ import annotations

from flask import Flask

from tests.web.conftest import PASSWORD, post
from tests.web.conftest import ClientOf


def test_asha_signs_in_with_her_account_and_password(client_of: ClientOf):
    browser = client_of("stranger")

    answer = post(browser, "/auth/login", {"username": " ASHA", "password": PASSWORD})

    assert answer.status_code == 302
    assert browser.get("/auth/verify").status_code == 200


def test_everybody_in_the_fixture_is_signed_in(client_of: ClientOf):
    assert client_of("Chen").get("/auth/verify").status_code == 200
    assert client_of("stranger").get("/auth/verify").status_code == 302


def test_a_page_knows_who_acts(app: Flask, client_of: ClientOf):
    from tracker.web.access import current_actor

    with client_of("Asha") as browser:
        browser.get("/auth/verify")
        assert current_actor().person_key == "asha"
        assert current_actor().sittings[0].seat_key == "D1-B1.P4-1"
