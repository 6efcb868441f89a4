"""What a password must be, how long a lock lasts, and what a one-time code looks like."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.errors import Invalid
from tracker.domain.password import (
    LONGEST_PASSWORD,
    PROFILES,
    check_password,
    classes_in,
    code_has_expired,
    has_aged,
    is_common,
    lock_length,
    one_time_code,
    plain_code,
    same_name,
)

GB, ASVS = PROFILES["gb22239"], PROFILES["asvs"]
NOW = datetime(2026, 5, 20, tzinfo=UTC)


@pytest.mark.parametrize("password", ["Kuai7le!", "河流 River 7", "kuai7le!", "A8" + "b" * 5 + "cdefg!"])
def test_the_national_profile_takes_eight_characters_of_three_classes(password: str):
    check_password(password, profile=GB)


@pytest.mark.parametrize(
    ("password", "complaint"),
    [
        ("Ku7le!x", "至少 8 位"),
        ("kuaile77", "至少 3 类"),
        ("K7!" + "uaile" * 26, "最多 128 位"),
        ("P@ssw0rd", "太常见"),
        ("Admin2026!", "太常见"),
        ("!Qwerty123", "太常见"),
        ("Aa123456!", "太常见"),
        ("Aa!1Aa!1", "太常见"),
    ],
)
def test_the_national_profile_says_what_is_wrong(password: str, complaint: str):
    with pytest.raises(Invalid, match=complaint):
        check_password(password, profile=GB)


def test_the_other_profile_wants_length_and_no_composition():
    check_password("河边的柳树每年春天都比人先知道天气", profile=ASVS)
    check_password("four plain small words", profile=ASVS)
    with pytest.raises(Invalid, match="至少 15 位"):
        check_password("Kuai7le!Kuai7l", profile=ASVS)


@pytest.mark.parametrize("password", ["123456789012345", "abcdefghijklmnop", "zzzzzzzzzzzzzzzz", "98765432109876543"])
def test_runs_and_repetitions_are_refused_however_long(password: str):
    assert is_common(password)


def test_a_password_may_not_hold_the_account_name_or_the_name():
    for word in ("asha", "王小河"):
        with pytest.raises(Invalid, match=word):
            check_password(f"Xx7!{word.upper()}-long", profile=GB, context=[word])


def test_words_that_are_too_short_to_matter_are_not_held_against_anybody():
    check_password("Kuai7le!", profile=GB, context=["ai", "河"])


@given(st.text(min_size=LONGEST_PASSWORD + 1))
def test_nothing_longer_than_the_limit_is_taken(password: str):
    with pytest.raises(Invalid):
        check_password(password, profile=ASVS)


def test_four_classes_are_told_apart():
    assert [classes_in(text) for text in ("", "a", "aB", "aB3", "aB3!", "河")] == [0, 1, 2, 3, 4, 1]


def test_locks_grow_and_stay_within_a_day():
    minutes = [lock_length(n) / timedelta(minutes=1) for n in (1, 2, 3, 4, 99)]
    assert minutes == [15, 30, 60, 120, 24 * 60]


def test_a_one_time_code_reads_the_same_however_it_is_typed():
    code = one_time_code()
    assert len(plain_code(code)) == 16
    assert plain_code(code.lower().replace("-", " ")) == plain_code(code)
    assert not set(code) & set("01ILO")
    assert one_time_code() != code


def test_a_one_time_code_dies_after_three_days():
    assert not code_has_expired(NOW - timedelta(hours=71), now=NOW)
    assert code_has_expired(NOW - timedelta(hours=72), now=NOW)
    assert code_has_expired(None, now=NOW)


def test_passwords_age_only_where_the_profile_says_so():
    assert not has_aged(NOW - timedelta(days=89), profile=GB, now=NOW)
    assert has_aged(NOW - timedelta(days=90), profile=GB, now=NOW)
    assert has_aged(None, profile=GB, now=NOW)
    assert not has_aged(NOW - timedelta(days=900), profile=ASVS, now=NOW)


def test_account_names_are_the_same_in_capital_and_in_full_width_letters():
    assert same_name(" Ａｓｈａ ") == same_name("ASHA") == "asha"
