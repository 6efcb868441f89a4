"""Drawing a sample: the same seed gives the same sample in whatever order the duties come, and never too much."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.errors import Invalid
from tracker.domain.sampling import Candidate, Draw, Exclusion, Rule, Trait, candidates_in, drawn, exclusions_in

TEN = [Candidate(f"2026.D1.{number:02}", ("L2",) if number < 4 else ("L3",)) for number in range(10)]
populations = st.dictionaries(
    st.text("abcdefgh.-0123456789", min_size=1, max_size=12),
    st.tuples(st.sampled_from(["L1", "L2", "L3"]), st.sampled_from("01")),
    min_size=1,
    max_size=60,
).map(lambda found: [Candidate(key, values) for key, values in found.items()])
shares = st.decimals(Decimal("0.1"), 100, places=1)
seeds = st.text("0123456789abcdef", min_size=1, max_size=12)


@given(populations, shares, seeds, st.randoms())
def test_the_same_seed_draws_the_same_in_whatever_order_the_duties_come(population, percent, seed, chance):
    draw = Draw(seed, Rule(percent=percent))
    shuffled = chance.sample(population, len(population))

    assert drawn(draw, shuffled) == drawn(draw, population)


@given(populations, shares, seeds)
def test_every_stratum_gives_its_share_rounded_up(population, percent, seed):
    sample = drawn(Draw(seed, Rule(percent=percent)), population)
    stratum_of = {one.key: one.stratum for one in population}
    given_by = Counter(stratum_of[key] for key in sample.picked)

    for values, held in Counter(stratum_of.values()).items():
        assert given_by[values] == ceil(held * percent / 100)
    assert list(sample.picked) == sorted(set(sample.picked))


@given(populations, shares, seeds)
def test_what_is_stored_draws_the_same_again(population, percent, seed):
    draw = Draw(seed, Rule(percent=percent))
    sample = drawn(draw, population)
    stored = candidates_in(sample.lines, [stratum.values for stratum in sample.strata])

    assert drawn(Draw(seed, Rule.read(draw.rule.told())), stored) == sample


@given(populations, seeds, st.data())
def test_what_is_left_out_is_never_drawn_and_the_rest_keeps_its_order(population, seed, data):
    out = data.draw(st.sampled_from(population)).key
    rule = Rule(percent=Decimal(100))
    sample = drawn_or_none(Draw(seed, rule, (Exclusion(out, "已撤并"),)), population)

    assert sample is None or set(sample.picked) == {one.key for one in population} - {out}


def drawn_or_none(draw, population):
    try:
        return drawn(draw, population)
    except Invalid:
        assert len(population) == 1
        return None


def test_another_seed_draws_others():
    picks = {drawn(Draw(str(seed), Rule(number=2)), TEN).picked for seed in range(20)}

    assert len(picks) > 10


def test_the_sample_of_a_seed_is_the_same_for_all_time():
    sample = drawn(Draw("20261128", Rule(by=(Trait.LEVEL,), number=2)), TEN)

    assert sample.picked == ("2026.D1.01", "2026.D1.03", "2026.D1.05", "2026.D1.07")


def test_more_than_there_is_names_the_stratum_and_both_numbers():
    with pytest.raises(Invalid) as refused:
        drawn(Draw("1", Rule(number=5)), TEN)

    assert refused.value.values == {"stratum": "L2", "asked": 5, "available": 4}


def test_what_is_left_out_cannot_be_asked_for():
    draw = Draw("1", Rule(number=4), (Exclusion("2026.D1.00", "已撤并"),))

    with pytest.raises(Invalid, match="可抽的只有 3 项"):
        drawn(draw, TEN)


def test_a_single_stratum_may_give_another_number():
    sample = drawn(Draw("1", Rule(number=5, numbers={("L2",): 0})), TEN)

    assert [one.asked for one in sample.strata] == [0, 5]
    assert all(key >= "2026.D1.04" for key in sample.picked)


@pytest.mark.parametrize(
    ("draw", "field"),
    [
        (Draw(" ", Rule(number=1)), "seed"),
        (Draw("a\nb", Rule(number=1)), "seed"),
        (Draw("1" * 65, Rule(number=1)), "seed"),
        (Draw("1", Rule()), "how"),
        (Draw("1", Rule(percent=Decimal(5), number=1)), "how"),
        (Draw("1", Rule(percent=Decimal(0))), "percent"),
        (Draw("1", Rule(percent=Decimal("100.1"))), "percent"),
        (Draw("1", Rule(percent=Decimal("33.333"))), "percent"),
        (Draw("1", Rule(percent=Decimal("1E-999999"))), "percent"),
        (Draw("1", Rule(percent=Decimal("NaN"))), "percent"),
        (Draw("1", Rule(percent=Decimal("Infinity"))), "percent"),
        (Draw("1", Rule(number=-1)), "number"),
        (Draw("1", Rule(number=0)), "number"),
        (Draw("1", Rule(number=1, numbers={("L2",): -1})), "number"),
        (Draw("1", Rule(number=1), (Exclusion("elsewhere", "已撤并"),)), "exclusions"),
        (Draw("1", Rule(number=1), (Exclusion("2026.D1.00", " "),)), "exclusions"),
        (Draw("1", Rule(number=1), (Exclusion("2026.D1.00", "长" * 201),)), "exclusions"),
    ],
)
def test_what_cannot_be_right_is_refused_at_its_field(draw, field):
    with pytest.raises(Invalid) as refused:
        drawn(draw, TEN)

    assert refused.value.field == field


def test_nothing_can_be_drawn_from_nothing():
    with pytest.raises(Invalid) as refused:
        drawn(Draw("1", Rule(number=1)), [])

    assert refused.value.field == "units"


KEYS = ["2026.D1-B1.P4-1.L3-02.M01.1", "2026.D1-B1.P4-1.L3-02.M02.1", "2026.D1-B10.P4-1.L3-02.M01.1"]


@pytest.mark.parametrize(
    ("text", "left_out"),
    [
        ("", ()),
        (f"{KEYS[1]} 已撤并", (Exclusion(KEYS[1], "已撤并"),)),
        ("2026.D1-B1\u3000新 成立\n\n", (Exclusion(KEYS[0], "新 成立"), Exclusion(KEYS[1], "新 成立"))),
        (f"{KEYS[0]} 甲\n2026.D1-B1 乙", (Exclusion(KEYS[0], "甲"), Exclusion(KEYS[1], "乙"))),
        ("2026.D1-B1", (Exclusion(KEYS[0], ""), Exclusion(KEYS[1], ""))),
        ("2026.D9 写错了", (Exclusion("2026.D9", "写错了"),)),
    ],
)
def test_what_is_left_out_is_named_by_keys_or_by_what_they_begin_with(text, left_out):
    assert exclusions_in(text, reversed(KEYS)) == left_out
