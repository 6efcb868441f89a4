"""Scores: the formula of the report, to the last fraction."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.errors import Invalid
from tracker.domain.score import (
    VERDICT_NAMES,
    LevelScore,
    Verdict,
    exact,
    item_score,
    level_score,
    mean_formula,
    recorded_score,
    shown,
    unit_level_score,
)

MET, PARTLY, MISSING, NOT_APPLICABLE = Verdict.MET, Verdict.PARTLY, Verdict.MISSING, Verdict.NOT_APPLICABLE
APART = "\N{NO-BREAK SPACE}" * 2
VERDICTS = st.lists(st.sampled_from(Verdict), max_size=12)


def test_partly_counts_half():
    score = item_score(5, [MET, MET, PARTLY, MISSING])
    assert score.value == Fraction(25, 8)
    assert score.formula == "5 × (2 + 1 × ½) ÷ 4 = 3.125"


def test_what_did_not_apply_is_not_judged():
    score = item_score(6, [MET, NOT_APPLICABLE, MISSING])
    assert (score.judged, score.not_applicable, score.value) == (2, 1, 3)


@pytest.mark.parametrize("verdicts", [[], [NOT_APPLICABLE]])
def test_an_item_with_nothing_judged_leaves_the_sum(verdicts):
    empty = item_score(40, verdicts)
    assert empty.value is None
    assert empty.formula == ""
    assert level_score([empty]) is None
    assert level_score([empty, item_score(60, [MET])]).value == 100


def test_the_rest_is_scaled_to_a_hundred():
    score = level_score([item_score(50, [MET]), item_score(30, [PARTLY]), item_score(20, [])])
    assert score.value == Fraction(6500, 80)
    assert score.formula == "65.0 ÷ 80 × 100 = 81.3"


def test_an_inspectors_own_number_counts_and_the_formula_stays_beside_it():
    item = item_score(10, [MET, MISSING], overruled=Decimal("7.5"))
    assert (item.value, item.worked_out) == (Fraction(15, 2), 5)
    score = level_score([item])
    assert (score.value, score.worked_out) == (75, 50)


@pytest.mark.parametrize("number", [-1, Decimal("10.1")])
def test_an_inspectors_own_number_stays_within_the_points(number):
    with pytest.raises(Invalid, match="10"):
        item_score(10, [MET], overruled=number)


def test_nothing_judged_cannot_be_overruled():
    with pytest.raises(Invalid, match="核查结论"):
        item_score(10, [NOT_APPLICABLE], overruled=5)


def test_a_unit_has_the_mean_of_its_organizations():
    full, half = level_score([item_score(10, [MET])]), level_score([item_score(4, [PARTLY])])
    assert unit_level_score([full, half, None]) == 75
    assert unit_level_score([None]) is None


def test_items_without_points_do_not_divide_by_zero():
    assert level_score([item_score(0, [MET])]) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [(Fraction(1745, 20), "87.3"), (Fraction(0), "0.0"), (Fraction(9995, 100), "100.0"), (Fraction(1, 3), "0.3")],
)
def test_numbers_are_rounded_half_up_when_they_are_shown(value, text):
    assert shown(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(9, 4), "2.25"),
        (Fraction(5), "5.0"),
        (Fraction(5, 3), f"1{APART}2/3"),
        (Fraction(2, 3), "2/3"),
    ],
)
def test_what_is_added_up_is_not_rounded(value, text):
    assert exact(value) == text


@given(st.fractions(0, 100, max_denominator=60))
def test_an_exact_number_is_read_back_as_it_was(value):
    assert sum(map(Fraction, exact(value).split())) == value


@given(st.lists(st.fractions(0, 100, max_denominator=60), min_size=1, max_size=6))
def test_a_mean_comes_out_as_written(rows):
    totals = [LevelScore(value, value, 100) for value in rows]
    parts, said = mean_formula(totals).removeprefix("(").split(f") ÷ {len(totals)} = ")
    written = [sum(map(Fraction, part.split())) for part in parts.split(" + ")]
    assert [shown(one) for one in written] == [shown(total.value) for total in totals]
    assert shown(sum(written) / len(written)) == said == shown(unit_level_score(totals))


def test_a_mean_that_no_decimals_make_true_is_written_in_fractions():
    totals = [LevelScore(Fraction(value), Fraction(1), 100) for value in ("262/3", "262/3", "1045/12")]
    assert mean_formula(totals) == "(87 1/3 + 87 1/3 + 87 1/12) ÷ 3 = 87.3".replace(" 1/", f"{APART}1/")


def test_a_number_is_shown_with_the_places_asked_for():
    assert (shown(Fraction(5, 2), places=0), shown(Fraction(1, 3), places=2)) == ("3", "0.33")


def test_every_verdict_has_a_chinese_name():
    assert set(VERDICT_NAMES) == set(Verdict)


@given(st.integers(0, 100), VERDICTS)
def test_a_score_lies_between_nothing_and_the_points(points, verdicts):
    value = item_score(points, verdicts).value
    assert value is None or 0 <= value <= points


@given(st.integers(1, 100), VERDICTS.filter(bool))
def test_a_better_verdict_never_lowers_the_score(points, verdicts):
    worse, better = (item_score(points, [*verdicts, last]).value for last in (MISSING, MET))
    assert worse <= better


@given(st.lists(st.tuples(st.integers(0, 20), VERDICTS), max_size=8))
def test_a_level_lies_between_nothing_and_a_hundred(rows):
    score = level_score(item_score(points, verdicts) for points, verdicts in rows)
    assert score is None or 0 <= score.value <= 100


def test_a_recorded_number_lapses_once_nothing_is_judged_any_more():
    met, lapsed = [MET], [NOT_APPLICABLE]
    assert recorded_score(5, met, overruled=Fraction(2)).value == 2
    assert recorded_score(5, lapsed, overruled=Fraction(2)).value is None
    with pytest.raises(Invalid):
        item_score(5, lapsed, overruled=Fraction(2))
