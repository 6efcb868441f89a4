"""Accounts: who may make, lock, reset and change them, and what a password has to have been."""

from __future__ import annotations

from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from tests.city import NOW, City
from tracker.domain.actor import RoleName, operator
from tracker.domain.canonical import digest
from tracker.domain.errors import Conflict, Invalid, NotAllowed, WrongState
from tracker.domain.password import PROFILES
from tracker.models import Account, LogEntry, LogPayload, Person
from tracker.queries.accounts import account_named, account_of, holders, is_locked
from tracker.services import accounts
from tracker.services.password_hash import Hasher

QUICK = Hasher("salt", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
GB = PROFILES["gb22239"]


def verbs(session) -> list[str]:
    return list(session.scalars(select(LogEntry.verb).order_by(LogEntry.id)))


def account_with_password(city: City, who: str, password: str = "Kuai7le!") -> Account:
    account = accounts.ensure_account(city.session, city.people[who], now=NOW)
    account.password, account.password_changed_at, account.must_change_password = QUICK.hash(password), NOW, False
    return account


def try_to_sign_in(city: City, account: Account | None, *, fits: bool, now=NOW, step: str = "password", **more) -> bool:
    return accounts.attempt(city.session, account, fits=fits, step=step, actor=operator(), now=now, **more)


def change(city: City, who: str, current: str | None, new: str, *, profile=GB, now=NOW) -> None:
    account = account_of(city.session, city.people[who])
    accounts.change_password(
        city.session, account, current=current, new=new, hasher=QUICK, profile=profile, actor=city.actor(who), now=now
    )


# -- making accounts ---------------------------------------------------------------------------------------------------


def test_adam_makes_an_account_and_nobody_can_sign_in_to_it_yet(city: City):
    account = accounts.create_account(city.session, city.people["Asha"], actor=city.actor("Adam"), now=NOW)

    assert account.username == "asha"
    assert account.password is None
    assert not accounts.knows_password(account, "", hasher=QUICK)
    assert verbs(city.session) == ["account.created"]


def test_asha_makes_no_accounts(city: City):
    with pytest.raises(NotAllowed):
        accounts.create_account(city.session, city.people["Bela"], actor=city.actor("Asha"), now=NOW)


def test_a_second_account_for_one_person_is_refused(city: City):
    with pytest.raises(WrongState, match="已有账号"):
        accounts.create_account(city.session, city.people["Ines"], actor=city.actor("Adam"), now=NOW)


def test_making_sure_of_an_account_twice_makes_one(city: City):
    asha = city.people["Asha"]
    assert accounts.ensure_account(city.session, asha, now=NOW) is accounts.ensure_account(city.session, asha, now=NOW)


def test_two_account_names_that_differ_in_capitals_only_are_refused(city: City):
    twin = Person(key="INES", account_name="INES", staff_number=None, name="另一位")
    city.session.add(twin)
    city.session.flush()

    with pytest.raises(Conflict, match="ines"):
        accounts.ensure_account(city.session, twin, now=NOW)


def test_a_known_password_is_set_in_a_demo_and_nowhere_else(city: City):
    account = accounts.ensure_account(city.session, city.people["Asha"], now=NOW)
    with pytest.raises(NotAllowed, match="演示环境"):
        accounts.set_demo_password(
            city.session, account, password="demo", hasher=QUICK, demo=False, actor=operator(), now=NOW
        )
    accounts.set_demo_password(
        city.session, account, password="demo", hasher=QUICK, demo=True, actor=operator(), now=NOW
    )
    assert accounts.knows_password(account, "demo", hasher=QUICK)
    assert not account.must_change_password


# -- codes -------------------------------------------------------------------------------------------------------------


def test_a_one_time_code_opens_the_account_however_it_is_typed(city: City):
    account = account_with_password(city, "Asha")
    sessions_before = account.fs_uniquifier

    code = accounts.issue_code(city.session, account, hasher=QUICK, actor=city.actor("Adam"), now=NOW)

    assert accounts.knows_password(account, code.lower().replace("-", " "), hasher=QUICK)
    assert not accounts.knows_password(account, "Kuai7le!", hasher=QUICK)
    assert account.must_change_password
    assert account.fs_uniquifier != sessions_before


def test_the_code_stands_nowhere_in_the_log(city: City):
    account = account_with_password(city, "Asha")
    code = accounts.issue_code(city.session, account, hasher=QUICK, actor=city.actor("Adam"), now=NOW)
    bodies = b"".join(city.session.scalars(select(LogPayload.body)))
    assert code.encode() not in bodies
    assert account.password.encode() not in bodies


def test_adam_cannot_reset_his_own_account(city: City):
    adam = account_of(city.session, city.people["Adam"])
    with pytest.raises(NotAllowed, match="另一位管理员"):
        accounts.issue_code(city.session, adam, hasher=QUICK, actor=city.actor("Adam"), now=NOW)


def test_chen_cannot_reset_ashas_account(city: City):
    account = account_with_password(city, "Asha")
    with pytest.raises(NotAllowed):
        accounts.issue_code(city.session, account, hasher=QUICK, actor=city.actor("Chen"), now=NOW)


# -- signing in --------------------------------------------------------------------------------------------------------


def test_five_failures_lock_for_a_quarter_of_an_hour_even_for_the_right_password(city: City):
    account = account_with_password(city, "Asha")
    assert [try_to_sign_in(city, account, fits=False) for _ in range(5)] == [False] * 5

    assert is_locked(account, now=NOW + timedelta(minutes=14))
    assert not try_to_sign_in(city, account, fits=True, now=NOW + timedelta(minutes=14))
    assert try_to_sign_in(city, account, fits=True, now=NOW + timedelta(minutes=15))


def test_the_second_lock_in_a_row_lasts_twice_as_long(city: City):
    account = account_with_password(city, "Asha")
    for start in (NOW, NOW + timedelta(minutes=15)):
        for _ in range(5):
            try_to_sign_in(city, account, fits=False, now=start)
    assert account.locked_until == NOW + timedelta(minutes=45)


def test_attempts_while_locked_do_not_make_the_lock_longer(city: City):
    account = account_with_password(city, "Asha")
    for _ in range(20):
        try_to_sign_in(city, account, fits=False)
    assert account.locked_until == NOW + timedelta(minutes=15)


def test_wrong_codes_count_together_with_wrong_passwords(city: City):
    account = account_with_password(city, "Asha")
    for step in ("password", "code", "code", "again", "code"):
        try_to_sign_in(city, account, fits=False, step=step)
    assert is_locked(account, now=NOW)


def test_a_right_password_alone_forgets_no_failures_and_being_in_does(city: City):
    account = account_with_password(city, "Asha")
    try_to_sign_in(city, account, fits=False)
    try_to_sign_in(city, account, fits=True)
    assert account.failed_sign_ins == 1

    accounts.signed_in(city.session, account, actor=city.actor("Asha"), now=NOW)
    assert account.failed_sign_ins == 0


def test_a_code_is_used_up(city: City):
    account = account_with_password(city, "Asha")
    assert try_to_sign_in(city, account, fits=True, step="code", counter=100)
    assert not try_to_sign_in(city, account, fits=True, step="code", counter=100)
    assert not try_to_sign_in(city, account, fits=True, step="code", counter=99)
    assert try_to_sign_in(city, account, fits=True, step="code", counter=101)


def test_failures_and_locks_are_logged_and_an_unknown_name_is_not_repeated(city: City):
    account = account_with_password(city, "Asha")
    for _ in range(6):
        try_to_sign_in(city, account, fits=False)
    try_to_sign_in(city, None, fits=False)

    assert verbs(city.session) == [
        *["account.sign_in_failed"] * 5,
        "account.locked",
        "account.sign_in_refused",
        "account.sign_in_unknown",
    ]
    assert city.session.scalars(select(LogEntry.object_key).order_by(LogEntry.id.desc())).first() == "?"


def test_adam_ends_a_lock_and_the_password_stays(city: City):
    account = account_with_password(city, "Asha")
    for _ in range(5):
        try_to_sign_in(city, account, fits=False)
    accounts.unlock(city.session, account, actor=city.actor("Adam"), now=NOW)
    assert try_to_sign_in(city, account, fits=True)


def test_a_switched_off_account_lets_nobody_in_until_it_is_switched_on(city: City):
    account = account_with_password(city, "Asha")
    sessions_before = account.fs_uniquifier
    accounts.deactivate(city.session, account, actor=city.actor("Adam"), now=NOW)
    assert not try_to_sign_in(city, account, fits=True)
    assert account.fs_uniquifier != sessions_before

    accounts.activate(city.session, account, actor=city.actor("Adam"), now=NOW)
    assert try_to_sign_in(city, account, fits=True)


def test_signing_out_ends_every_session(city: City):
    account = account_with_password(city, "Asha")
    before = account.fs_uniquifier
    accounts.sign_out(city.session, account, actor=city.actor("Asha"), now=NOW)
    assert account.fs_uniquifier != before


def test_nobody_signs_somebody_else_out(city: City):
    account = account_with_password(city, "Asha")
    with pytest.raises(NotAllowed):
        accounts.sign_out(city.session, account, actor=city.actor("Omar"), now=NOW)


# -- passwords ---------------------------------------------------------------------------------------------------------


def test_asha_changes_her_password_and_all_sessions_end(city: City):
    account = account_with_password(city, "Asha")
    before = account.fs_uniquifier
    change(city, "Asha", "Kuai7le!", "Xiao8he?")
    assert accounts.knows_password(account, "Xiao8he?", hasher=QUICK)
    assert account.fs_uniquifier != before
    assert account.password_changed_at == NOW


def test_a_wrong_current_password_changes_nothing(city: City):
    account_with_password(city, "Asha")
    with pytest.raises(Invalid, match="原密码不对"):
        change(city, "Asha", "Kuai8le!", "Xiao8he?")


def test_nobody_changes_the_password_of_somebody_else(city: City):
    account = account_with_password(city, "Asha")
    with pytest.raises(NotAllowed):
        accounts.change_password(
            city.session,
            account,
            current="Kuai7le!",
            new="Xiao8he?",
            hasher=QUICK,
            profile=GB,
            actor=city.actor("Adam"),
            now=NOW,
        )


def test_the_last_five_passwords_do_not_come_back_and_the_sixth_may(city: City):
    account_with_password(city, "Asha", "Kuai7le!0")
    for number in range(1, 6):
        change(city, "Asha", f"Kuai7le!{number - 1}", f"Kuai7le!{number}")
    for number in range(1, 6):
        with pytest.raises(Invalid, match="最近用过"):
            change(city, "Asha", "Kuai7le!5", f"Kuai7le!{number}")
    change(city, "Asha", "Kuai7le!5", "Kuai7le!0")


def test_a_reset_does_not_let_the_old_password_back_in(city: City):
    account = account_with_password(city, "Asha")
    accounts.issue_code(city.session, account, hasher=QUICK, actor=city.actor("Adam"), now=NOW)
    with pytest.raises(Invalid, match="最近用过"):
        change(city, "Asha", None, "Kuai7le!")
    change(city, "Asha", None, "Xiao8he?")
    assert not account.must_change_password


def test_a_password_with_the_own_account_name_is_refused(city: City):
    account_with_password(city, "Asha")
    with pytest.raises(Invalid, match="asha"):
        change(city, "Asha", "Kuai7le!", "Asha-2026!x")


def test_a_hash_made_with_weaker_settings_is_renewed(city: City):
    account = account_with_password(city, "Asha")
    strong = Hasher("salt", PasswordHasher(time_cost=2, memory_cost=64, parallelism=1))
    assert strong.is_outdated(account.password)
    accounts.renew_hash(account, "Kuai7le!", hasher=strong)
    assert not strong.is_outdated(account.password)
    assert strong.verify("Kuai7le!", account.password)


def test_a_hash_of_another_installation_fits_no_password():
    assert not QUICK.verify("Kuai7le!", Hasher("pepper").hash("Kuai7le!"))
    assert not QUICK.verify("Kuai7le!", None)
    assert not QUICK.verify("Kuai7le!", digest(b"no hash at all"))


# -- second factors ----------------------------------------------------------------------------------------------------


def test_asha_sets_up_a_second_factor_once_and_may_give_it_up(city: City):
    account, asha = account_with_password(city, "Asha"), city.actor("Asha")
    accounts.set_second_factor(city.session, account, secret="{}", counter=7, actor=asha, now=NOW)
    with pytest.raises(WrongState, match="已经设置"):
        accounts.set_second_factor(city.session, account, secret="{}", counter=8, actor=asha, now=NOW)

    accounts.remove_second_factor(city.session, account, actor=asha, now=NOW)
    assert (account.tf_primary_method, account.tf_totp_secret, account.tf_last_counter) == (None, None, None)
    with pytest.raises(WrongState, match="没有设置"):
        accounts.remove_second_factor(city.session, account, actor=asha, now=NOW)


def test_adam_removes_the_second_factor_of_a_lost_phone_and_omar_does_not(city: City):
    account = account_with_password(city, "Asha")
    accounts.set_second_factor(city.session, account, secret="{}", counter=7, actor=city.actor("Asha"), now=NOW)
    with pytest.raises(NotAllowed):
        accounts.remove_second_factor(city.session, account, actor=city.actor("Omar"), now=NOW)
    accounts.remove_second_factor(city.session, account, actor=city.actor("Adam"), now=NOW)
    assert account.tf_totp_secret is None


# -- roles -------------------------------------------------------------------------------------------------------------


def test_a_role_counts_from_the_moment_it_is_given(city: City):
    account = account_with_password(city, "Asha")
    accounts.set_roles(city.session, account, roles=[RoleName.INSPECTOR], actor=city.actor("Adam"), now=NOW)
    assert city.actor("Asha").roles == {RoleName.INSPECTOR}
    accounts.set_roles(city.session, account, roles=[], actor=city.actor("Adam"), now=NOW)
    assert city.actor("Asha").roles == frozenset()
    assert verbs(city.session) == ["account.roles_set", "account.roles_set"]


def test_giving_the_same_role_again_writes_nothing(city: City):
    ines = account_of(city.session, city.people["Ines"])
    accounts.set_roles(city.session, ines, roles=[RoleName.INSPECTOR], actor=city.actor("Adam"), now=NOW)
    assert verbs(city.session) == []


def test_one_account_cannot_both_administer_and_audit(city: City):
    account = account_with_password(city, "Asha")
    with pytest.raises(Invalid, match="不同的人"):
        accounts.set_roles(
            city.session,
            account,
            roles=[RoleName.ADMINISTRATOR, RoleName.AUDITOR],
            actor=city.actor("Adam"),
            now=NOW,
        )


def test_nobody_changes_the_own_roles(city: City):
    adam = account_of(city.session, city.people["Adam"])
    with pytest.raises(NotAllowed, match="另一位管理员"):
        accounts.set_roles(city.session, adam, roles=[RoleName.AUDITOR], actor=city.actor("Adam"), now=NOW)


def test_the_last_administrator_stays(city: City):
    adam = account_of(city.session, city.people["Adam"])
    with pytest.raises(WrongState, match="最后一位管理员"):
        accounts.set_roles(city.session, adam, roles=[], actor=operator(), now=NOW)
    with pytest.raises(WrongState, match="最后一位管理员"):
        accounts.deactivate(city.session, adam, actor=operator(), now=NOW)


# -- reading -----------------------------------------------------------------------------------------------------------


def test_an_account_is_found_however_its_name_is_typed(city: City):
    assert account_named(city.session, " ＩNES") is account_of(city.session, city.people["Ines"])


def test_adam_finds_people_with_and_without_accounts(city: City):
    found = holders(city.session, city.actor("Adam"), wanted="in").rows
    assert [(row.person.name, row.account is None) for row in found] == [("Ines", False), ("Lin", True)]


def test_a_percent_sign_is_a_letter_like_any_other(city: City):
    assert holders(city.session, city.actor("Adam"), wanted="%").rows == []


def test_asha_finds_herself_and_nobody_of_the_other_unit(city: City):
    assert [row.person.name for row in holders(city.session, city.actor("Asha")).rows] == ["Asha"]
