"""Signing in and out: what is closed, what ends, and what a stranger can learn from it."""

from __future__ import annotations

import re
import time
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from passlib.totp import TOTP
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.web.conftest import PASSWORD, SALT, ClientOf, post, sign_in_by_form
from tracker.app import create_app
from tracker.config import load_settings
from tracker.db import writing
from tracker.models import Account, LogEntry
from tracker.web.access import current_actor
from tracker.web.security import FRESH, IDLE, LONGEST

WRONG = "not her password"


def text(answer) -> str:
    return answer.get_data(as_text=True)


def shown_complaint(answer) -> str:
    found = re.search(r'<div class="problems".*?</div>', text(answer), re.DOTALL)
    assert found, text(answer)
    return found[0]


def is_in(browser: FlaskClient) -> bool:
    return browser.get("/accounts/own").status_code == 200


def verbs(session: Session) -> list[str]:
    session.rollback()
    return list(session.scalars(select(LogEntry.verb).where(LogEntry.object_kind == "account").order_by(LogEntry.id)))


def fail(browser: FlaskClient, times: int, username: str = "asha") -> None:
    for _ in range(times):
        assert sign_in_by_form(browser, username, WRONG).status_code == 200


# -- in ----------------------------------------------------------------------------------------------------------------


def test_asha_signs_in_with_her_account_and_password(client_of: ClientOf, session: Session):
    browser = client_of("stranger")
    answer = sign_in_by_form(browser, " ASHA", PASSWORD)
    assert (answer.status_code, answer.location) == (302, "/")
    assert is_in(browser)
    assert verbs(session) == ["account.signed_in"]


def test_after_signing_in_asha_is_where_she_wanted_to_go(client_of: ClientOf):
    browser = client_of("stranger")
    assert browser.get("/accounts/own").location == "/auth/login?next=/accounts/own"
    answer = sign_in_by_form(browser, "asha", PASSWORD, query_string={"next": "/accounts/own"})
    assert answer.location == "/accounts/own"


@pytest.mark.parametrize("target", ["https://elsewhere.example/", "//elsewhere.example/", "/\\elsewhere.example"])
def test_nobody_is_sent_elsewhere_after_signing_in(client_of: ClientOf, target: str):
    answer = sign_in_by_form(client_of("stranger"), "asha", PASSWORD, query_string={"next": target})
    assert urlsplit(answer.location or "").netloc == ""
    assert not (answer.location or "").startswith(("//", "/\\"))


def test_everybody_in_the_fixture_is_signed_in(client_of: ClientOf):
    assert is_in(client_of("Chen"))
    assert not is_in(client_of("stranger"))


def test_a_page_knows_who_acts(client_of: ClientOf):
    with client_of("Asha") as browser:
        browser.get("/accounts/own")
        assert current_actor().person_key == "asha"
        assert current_actor().sittings[0].seat_key == "D1-B1.P4-1"


def test_signing_in_without_a_name_asks_for_it_and_counts_nothing(client_of: ClientOf, session: Session):
    answer = sign_in_by_form(client_of("stranger"), "", "")
    assert "请填写账号和密码" in text(answer)
    assert verbs(session) == []


def test_a_token_in_the_address_or_a_header_opens_nothing(client_of: ClientOf, app: Flask, session: Session):
    with app.app_context():
        uniquifier = session.scalar(select(Account.fs_uniquifier).where(Account.username == "asha"))
        token = app.extensions["security"].remember_token_serializer.dumps({"ver": "5", "uid": uniquifier, "exp": 0})
    browser = client_of("stranger")
    assert browser.get(f"/accounts/own?auth_token={token}").status_code == 302
    assert browser.get("/accounts/own", headers={"Authentication-Token": token}).status_code == 302


# -- locks and silence -------------------------------------------------------------------------------------------------


def test_five_wrong_passwords_lock_and_then_the_right_one_is_not_even_tried(
    client_of: ClientOf, clock: time_machine.Coordinates, session: Session
):
    browser = client_of("stranger")
    fail(browser, 5)
    assert sign_in_by_form(browser, "asha", PASSWORD).status_code == 200
    assert verbs(session)[-2:] == ["account.locked", "account.sign_in_refused"]

    clock.shift(15 * 60)
    assert sign_in_by_form(browser, "asha", PASSWORD).status_code == 302


def test_a_locked_an_unknown_and_a_switched_off_account_answer_alike(client_of: ClientOf, session: Session):
    with writing(session):
        session.scalars(select(Account).where(Account.username == "omar")).one().active = False
    browser = client_of("stranger")
    fail(browser, 5)
    answers = {
        shown_complaint(sign_in_by_form(browser, name, password))
        for name, password in (("asha", PASSWORD), ("omar", PASSWORD), ("nobody", PASSWORD), ("chen", WRONG))
    }
    assert len(answers) == 1


def test_an_unknown_account_takes_as_long_as_a_known_one(client_of: ClientOf, clock: time_machine.Coordinates):
    browser = client_of("stranger")

    def seconds(name: str) -> float:
        begin = time.perf_counter()
        sign_in_by_form(browser, name, WRONG)
        return time.perf_counter() - begin

    fail(browser, 1, "warm-up")
    known = median(seconds(name) for name in ("chen", "cao", "dong"))
    unknown = median(seconds(name) for name in ("nobody", "no-one", "none"))
    assert unknown > known / 2


def test_too_many_attempts_from_one_place_are_put_off(client_of: ClientOf):
    browser = client_of("stranger")
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', text(browser.get("/auth/login")))[1]
    entries = {"csrf_token": token, "username": "", "password": ""}
    statuses = [browser.post("/auth/login", data=entries).status_code for _ in range(31)]
    assert statuses[-1] == 429
    assert set(statuses[:30]) == {200}


# -- the second step ---------------------------------------------------------------------------------------------------


@pytest.fixture
def phone_of_asha(client_of: ClientOf, clock: time_machine.Coordinates) -> TOTP:
    """Asha's phone, set up through the page."""
    browser = client_of("Asha")
    page = text(browser.get("/accounts/own/second-factor"))
    key = re.search(r'<p class="code">([A-Z2-7-]+)</p>', page)[1]
    phone = TOTP(key)
    assert post(browser, "/accounts/own/second-factor", {"code": phone.generate().token}).status_code == 303
    clock.shift(60)
    return phone


def at_second_step(browser: FlaskClient) -> FlaskClient:
    answer = sign_in_by_form(browser, "asha", PASSWORD)
    assert answer.location.startswith("/auth/tf-validate")
    assert not is_in(browser)
    return browser


def enter(browser: FlaskClient, code: str):
    return post(browser, "/auth/tf-validate", {"code": code}, page="/auth/tf-validate")


def test_asha_signs_in_with_password_and_code(client_of: ClientOf, phone_of_asha: TOTP):
    browser = at_second_step(client_of("stranger"))
    assert enter(browser, phone_of_asha.generate().token).status_code == 302
    assert is_in(browser)


def test_a_code_works_once(client_of: ClientOf, phone_of_asha: TOTP):
    code = phone_of_asha.generate().token
    assert enter(at_second_step(client_of("stranger")), code).status_code == 302
    thief = at_second_step(client_of("stranger"))
    assert "已用过" in text(enter(thief, code))
    assert not is_in(thief)


def test_the_code_that_set_the_phone_up_is_used_up_too(client_of: ClientOf):
    browser = client_of("Asha")
    key = re.search(r'<p class="code">([A-Z2-7-]+)</p>', text(browser.get("/accounts/own/second-factor")))[1]
    code = TOTP(key).generate().token
    post(browser, "/accounts/own/second-factor", {"code": code})
    assert enter(at_second_step(client_of("stranger")), code).status_code == 200


def test_an_old_code_does_not_work(client_of: ClientOf, phone_of_asha: TOTP, clock: time_machine.Coordinates):
    code = phone_of_asha.generate().token
    clock.shift(90)
    assert enter(at_second_step(client_of("stranger")), code).status_code == 200


def test_five_wrong_codes_lock_and_then_the_right_one_does_not_help(
    client_of: ClientOf, phone_of_asha: TOTP, session: Session
):
    browser = at_second_step(client_of("stranger"))
    wrong = f"{(int(phone_of_asha.generate().token) + 500_000) % 1_000_000:06}"
    for _ in range(5):
        assert enter(browser, wrong).status_code == 200
    assert enter(browser, phone_of_asha.generate().token).status_code == 200
    assert not is_in(browser)
    assert verbs(session)[-2:] == ["account.locked", "account.sign_in_refused"]


def test_a_code_of_letters_is_refused_before_it_counts(client_of: ClientOf, phone_of_asha: TOTP, session: Session):
    browser = at_second_step(client_of("stranger"))
    assert "6 位数字" in text(enter(browser, "abcdef"))
    assert "account.sign_in_failed" not in verbs(session)


def test_nobody_begins_at_the_second_step(client_of: ClientOf):
    assert client_of("stranger").get("/auth/tf-validate").status_code == 302
    signed_in = client_of("Chen")
    assert signed_in.get("/auth/tf-validate").location == "/"
    assert is_in(signed_in)


def test_the_secret_is_stored_encrypted(phone_of_asha: TOTP, session: Session):
    session.rollback()
    stored = session.scalar(select(Account.tf_totp_secret).where(Account.username == "asha"))
    assert "enckey" in stored
    assert phone_of_asha.base32_key not in stored


def test_roles_that_need_a_second_factor_set_it_up_first(app: Flask, client_of: ClientOf):
    app.config["TRACKER"] = app.config["TRACKER"].model_copy(update={"second_factor_roles": "administrator, auditor"})
    assert client_of("Adam").get("/accounts/").location == "/accounts/own/second-factor"
    assert client_of("Adam").get("/accounts/own/second-factor").status_code == 200
    assert client_of("Ines").get("/accounts/own").status_code == 200


# -- sessions ----------------------------------------------------------------------------------------------------------


def test_half_an_hour_without_a_click_ends_the_session(client_of: ClientOf, clock: time_machine.Coordinates):
    asha = client_of("Asha")
    clock.shift(IDLE - 60)
    assert is_in(asha)
    clock.shift(IDLE + 60)
    answer = asha.get("/accounts/own")
    assert answer.location == "/auth/login?next=/accounts/own"
    assert "请重新登录" in text(asha.get("/auth/login"))


def test_a_form_that_comes_too_late_is_answered_with_401(client_of: ClientOf, clock: time_machine.Coordinates):
    asha = client_of("Asha")
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', text(asha.get("/accounts/own")))[1]
    clock.shift(IDLE + 60)
    assert asha.post("/accounts/own/second-factor/remove", data={"csrf_token": token}).status_code == 401


def test_twelve_hours_end_the_session_however_busy(client_of: ClientOf, clock: time_machine.Coordinates):
    asha = client_of("Asha")
    for _ in range(LONGEST // (IDLE - 60)):
        assert is_in(asha)
        clock.shift(IDLE - 60)
    clock.shift(10 * 60)
    assert not is_in(asha)


def test_signing_out_ends_the_session_on_the_server(client_of: ClientOf, session: Session):
    asha, thief = client_of("Asha"), client_of("Asha")
    answer = post(asha, "/auth/logout")
    assert answer.status_code == 302
    assert answer.headers["Clear-Site-Data"] == '"cache", "cookies", "storage"'
    assert "其他电脑和手机上的登录也已同时结束" in asha.get(answer.location).get_data(as_text=True)
    assert "同时结束" not in asha.get("/auth/login").get_data(as_text=True)
    assert not is_in(asha)
    assert not is_in(thief), "a copied cookie is worth nothing any more"
    assert verbs(session) == ["account.signed_out"]


def test_a_link_cannot_sign_anybody_out(client_of: ClientOf):
    asha = client_of("Asha")
    assert 'title="退出会同时结束' in asha.get("/").get_data(as_text=True)
    assert asha.get("/auth/logout").location == "/"
    assert asha.post("/auth/logout").status_code == 400
    assert is_in(asha)


def test_the_password_is_asked_again_after_a_while(client_of: ClientOf, clock: time_machine.Coordinates):
    asha = client_of("Asha")
    assert asha.get("/accounts/own/second-factor").status_code == 200
    clock.shift(FRESH + 60)
    assert asha.get("/accounts/own/second-factor").location == "/auth/verify?next=/accounts/own/second-factor"
    answer = post(asha, "/auth/verify?next=/accounts/own/second-factor", {"password": PASSWORD})
    assert answer.location == "/accounts/own/second-factor"
    assert asha.get("/accounts/own/second-factor").status_code == 200


def test_guessing_when_asked_again_locks(client_of: ClientOf, session: Session):
    asha = client_of("Asha")
    for _ in range(5):
        assert post(asha, "/auth/verify", {"password": WRONG}).status_code == 200
    assert verbs(session)[-1] == "account.locked"


def test_over_http_the_cookie_is_hidden_from_scripts_and_other_sites(client_of: ClientOf):
    answer = client_of("stranger").get("/auth/login")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("tracker-http=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_over_https_the_cookie_belongs_to_this_host_alone(filled_database: Path, tmp_path: Path):
    url = f"sqlite:///{filled_database}"
    app = create_app(load_settings(data_dir=tmp_path, database_url=url, password_salt=SALT, secret_key="k", https=True))
    cookie = app.test_client().get("/auth/login", base_url="https://localhost").headers["Set-Cookie"]
    assert cookie.startswith("__Host-tracker=")
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()


# -- what Flask-Security brings along and nobody uses ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tf-setup", "tf-rescue", "tf-select", "fs-static/js/base64.js"])
def test_what_is_not_used_is_closed(client_of: ClientOf, name: str):
    assert client_of("stranger").get(f"/auth/{name}").status_code == 403
    assert client_of("Adam").get(f"/auth/{name}").status_code == 403


def test_flask_security_brings_no_commands(app: Flask):
    assert not {"users", "roles"} & set(app.cli.commands)
