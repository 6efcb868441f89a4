"""The canonical form: one value, one sequence of bytes."""

import json
import unicodedata
from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.canonical import canonical_json, digest, moment

SHANGHAI = timezone(timedelta(hours=8))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).map(lambda t: unicodedata.normalize("NFC", t))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def test_the_form_is_fixed_to_the_byte():
    value = {"题": "会议\n“一”", "b": [1, True, None], "a": date(2026, 5, 8)}
    assert canonical_json(value) == '{"a":"2026-05-08","b":[1,true,null],"题":"会议\\n“一”"}'.encode()


def test_a_moment_is_written_in_utc_with_microseconds():
    at = datetime(2026, 5, 8, 9, 30, tzinfo=SHANGHAI)
    assert canonical_json([at]) == b'["2026-05-08T01:30:00.000000Z"]'


def test_a_moment_without_zone_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        moment(datetime(2026, 5, 8, 9, 30))  # noqa: DTZ001


def test_two_ways_to_type_a_letter_are_one():
    assert canonical_json("e\u0301") == canonical_json("\u00e9")


@pytest.mark.parametrize("value", [1.0, float("nan"), b"x", {1}, object()])
def test_what_has_no_single_form_is_refused(value):
    with pytest.raises(TypeError):
        canonical_json([value])


def test_keys_are_strings_and_differ():
    with pytest.raises(TypeError):
        canonical_json({1: "a"})
    with pytest.raises(ValueError, match="same once normalized"):
        canonical_json({"e\u0301": 1, "\u00e9": 2})


def test_text_that_is_not_unicode_is_refused():
    with pytest.raises(ValueError, match="surrogates"):
        canonical_json("\ud800")


def test_the_digest_is_sha_256():
    assert digest(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@given(VALUES)
def test_the_form_reads_back_as_the_value(value):
    assert json.loads(canonical_json(value)) == value


@given(st.dictionaries(TEXT, VALUES), st.randoms())
def test_the_order_of_keys_is_immaterial(value, random):
    keys = list(value)
    random.shuffle(keys)
    assert canonical_json({key: value[key] for key in keys}) == canonical_json(value)
