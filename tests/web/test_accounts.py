"""The pages of accounts: what administrators do there, and what everybody does with the own one."""

from __future__ import annotations

import re

import pytest
import time_machine
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.web.conftest import PASSWORD, ClientOf, post, sign_in_by_form
from tracker.models import Account, LogEntry

NEW = "Xiao8he-liu?"


def account(session: Session, name: str) -> Account:
    session.rollback()
    return session.scalars(select(Account).where(Account.username == name.lower())).one()


def text(answer) -> str:
    return answer.get_data(as_text=True)


def code_on(answer) -> str:
    found = re.search(r"[A-Z2-9]{4}(-[A-Z2-9]{4}){3}", text(answer))
    assert found, text(answer)
    return found[0]


# -- administrators ----------------------------------------------------------------------------------------------------


def test_adam_sees_everybody_and_finds_ines(client_of: ClientOf):
    adam = client_of("Adam")
    assert "Asha" in text(adam.get("/accounts/"))
    found = text(adam.get("/accounts/?q=ine"))
    assert "Ines" in found
    assert "督查人员" in found
    assert "Asha" not in found


def test_a_search_that_finds_nobody_says_so(client_of: ClientOf):
    assert "没有符合条件的人员" in text(client_of("Adam").get("/accounts/?q=nobody"))


def test_adam_resets_ashas_password_and_she_must_choose_her_own(client_of: ClientOf, session: Session):
    asha_before = client_of("Asha")
    code = code_on(post(client_of("Adam"), "/accounts/people/asha/reset"))
    assert asha_before.get("/accounts/own").status_code == 302, "her sessions have ended"

    asha = client_of("stranger")
    assert sign_in_by_form(asha, "asha", code).status_code == 302
    assert asha.get("/accounts/own").location == "/accounts/own/password"
    assert "原密码" not in text(asha.get("/accounts/own/password"))

    answer = post(asha, "/accounts/own/password", {"password": NEW, "again": NEW})
    assert answer.status_code == 303
    assert asha.get("/accounts/own").status_code == 200
    assert not account(session, "Asha").must_change_password


def test_a_one_time_code_is_worth_nothing_after_three_days(
    client_of: ClientOf, clock: time_machine.Coordinates
):
    code = code_on(post(client_of("Adam"), "/accounts/people/asha/reset"))
    clock.shift(72 * 3600)
    assert sign_in_by_form(client_of("stranger"), "asha", code).status_code == 200


def test_a_code_opens_nothing_but_the_page_that_replaces_it(client_of: ClientOf):
    code = code_on(post(client_of("Adam"), "/accounts/people/ines/reset"))
    ines = client_of("stranger")
    sign_in_by_form(ines, "ines", code)
    assert ines.get("/accounts/own").location == "/accounts/own/password"
    assert post(ines, "/accounts/own/second-factor/remove").location == "/accounts/own/password"


def test_adam_gives_and_takes_a_role(client_of: ClientOf, session: Session):
    adam = client_of("Adam")
    assert post(adam, "/accounts/people/asha/roles", {"role": "inspector"}).status_code == 303
    assert [role.name for role in account(session, "Asha").roles] == ["inspector"]
    assert post(adam, "/accounts/people/asha/roles", {"role": ""}).status_code == 303
    assert account(session, "Asha").roles == []


def test_a_role_that_does_not_exist_is_refused_with_the_form(client_of: ClientOf, session: Session):
    answer = post(client_of("Adam"), "/accounts/people/asha/roles", {"role": "emperor"})
    assert answer.status_code == 400
    assert "Asha 的账号" in text(answer)
    assert account(session, "Asha").roles == []


def test_adam_cannot_touch_his_own_account(client_of: ClientOf, session: Session):
    adam = client_of("Adam")
    for deed in ("reset", "deactivate", "unlock"):
        answer = post(adam, f"/accounts/people/adam/{deed}")
        assert answer.status_code == 403, deed
        assert "另一位管理员" in text(answer)
    assert account(session, "Adam").active


def test_a_person_who_is_switched_off_is_out_at_once(client_of: ClientOf):
    asha = client_of("Asha")
    post(client_of("Adam"), "/accounts/people/asha/deactivate")
    assert asha.get("/accounts/own").status_code == 302
    assert sign_in_by_form(client_of("stranger"), "asha", PASSWORD).status_code == 200

    post(client_of("Adam"), "/accounts/people/asha/activate")
    assert sign_in_by_form(client_of("stranger"), "asha", PASSWORD).status_code == 302


def test_switching_off_twice_is_a_conflict(client_of: ClientOf):
    adam = client_of("Adam")
    post(adam, "/accounts/people/asha/deactivate")
    assert post(adam, "/accounts/people/asha/deactivate").status_code == 409


def test_an_account_that_is_there_is_not_made_again(client_of: ClientOf):
    assert post(client_of("Adam"), "/accounts/people/asha/create").status_code == 409


def test_what_adam_does_is_in_the_log(client_of: ClientOf, session: Session):
    post(client_of("Adam"), "/accounts/people/asha/roles", {"role": "inspector"})
    entry = session.scalars(select(LogEntry).order_by(LogEntry.id.desc())).first()
    assert (entry.verb, entry.actor, entry.object_key) == ("account.roles_set", "adam", "asha")
    assert entry.request_id


def test_role_changes_ask_for_the_password_again(
    client_of: ClientOf, session: Session, clock: time_machine.Coordinates
):
    adam = client_of("Adam")
    clock.shift(11 * 60)
    came_from = {"Referer": "http://localhost/accounts/people/asha"}
    answer = post(adam, "/accounts/people/asha/roles", {"role": "inspector"}, headers=came_from)
    assert answer.location == "/auth/verify?next=/accounts/people/asha"
    assert account(session, "Asha").roles == []

    again = post(adam, "/auth/verify?next=/accounts/people/asha", {"password": PASSWORD})
    assert again.location == "/accounts/people/asha"
    assert post(adam, "/accounts/people/asha/roles", {"role": "inspector"}).location == "/accounts/people/asha"


# -- the own account ---------------------------------------------------------------------------------------------------


def test_asha_sees_her_own_account(client_of: ClientOf):
    page = text(client_of("Asha").get("/accounts/own"))
    assert "D1-B1 基层组织" in page
    assert "请在 2026-08-18 前更换" in page


def test_asha_changes_her_password_and_stays_in_while_her_phone_is_out(client_of: ClientOf):
    pc, phone = client_of("Asha"), client_of("Asha")
    answer = post(pc, "/accounts/own/password", {"current": PASSWORD, "password": NEW, "again": NEW})
    assert answer.status_code == 303
    assert pc.get("/accounts/own").status_code == 200
    assert phone.get("/accounts/own").status_code == 302


@pytest.mark.parametrize(
    ("entries", "complaint"),
    [
        ({"current": "wrong", "password": NEW, "again": NEW}, "原密码不对"),
        ({"current": PASSWORD, "password": "short", "again": "short"}, "至少 8 位"),
        ({"current": PASSWORD, "password": NEW, "again": NEW + "x"}, "两次输入的新密码不一样"),
        ({"current": PASSWORD, "password": PASSWORD, "again": PASSWORD}, "最近用过"),
        ({"current": PASSWORD}, "请填写新密码"),
    ],
)
def test_a_bad_change_is_refused_beside_its_field(client_of: ClientOf, entries: dict[str, str], complaint: str):
    asha = client_of("Asha")
    answer = post(asha, "/accounts/own/password", entries)
    assert answer.status_code == 400
    assert complaint in text(answer)
    assert NEW not in text(answer), "no password is ever sent back"


def test_guessing_the_current_password_locks_the_account(client_of: ClientOf, session: Session):
    asha = client_of("Asha")
    for _ in range(5):
        post(asha, "/accounts/own/password", {"current": "wrong", "password": NEW, "again": NEW})
    assert account(session, "Asha").locked_until is not None


def test_an_old_password_must_be_changed_before_anything_else(client_of: ClientOf, clock: time_machine.Coordinates):
    clock.shift(90 * 24 * 3600)
    asha = client_of("Asha")
    assert asha.get("/accounts/own").location == "/accounts/own/password"
    page = text(asha.get("/accounts/own/password"))
    assert "原密码" in page
    assert "密码已用满 90 天" in page
    assert "不改了" not in page


