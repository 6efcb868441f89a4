"""The order of the queue: risk by risk, and never without a word why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.desk import GAP_DAYS, HOLD, LATE, Risk, Signs, is_fresh, rank, risks_of
from tracker.domain.duty import State, Timeliness

CALM = Signs(returned=0, timeliness=Timeliness.IN_TIME, gap=0, records=1, state=State.CONFIRMED)
BAD = {
    Risk.RETURNED: {"returned": 1},
    Risk.LATE: {"timeliness": Timeliness.RECORDED_LATE},
    Risk.GAP: {"gap": GAP_DAYS},
    Risk.NO_EVIDENCE: {"records": 0},
}


def signs(*risks: Risk) -> Signs:
    values = {name: value for risk in risks for name, value in BAD[risk].items()}
    return CALM._replace(**values)


def test_what_is_returned_comes_before_late_before_a_gap_before_nothing_at_all() -> None:
    every = [signs(risk) for risk in reversed(Risk)] + [CALM]
    found = sorted(every, key=lambda one: rank(risks_of(one)))
    assert [tuple(why.risk for why in risks_of(one)) for one in found] == [(risk,) for risk in Risk] + [()]


@pytest.mark.parametrize("present", list(product((False, True), repeat=4)))
def test_every_risk_that_is_there_is_named_and_no_other(present: tuple[bool, ...]) -> None:
    wanted = [risk for risk, there in zip(Risk, present, strict=True) if there]
    assert [why.risk for why in risks_of(signs(*wanted))] == wanted


def test_the_same_first_risk_is_decided_by_the_next() -> None:
    both, one = signs(Risk.RETURNED, Risk.NO_EVIDENCE), signs(Risk.RETURNED)
    assert rank(risks_of(both)) < rank(risks_of(one))
    assert rank(risks_of(one)) < rank(risks_of(signs(Risk.LATE, Risk.GAP, Risk.NO_EVIDENCE)))


def test_a_day_less_than_a_week_is_no_gap() -> None:
    assert risks_of(CALM._replace(gap=GAP_DAYS - 1)) == ()


@pytest.mark.parametrize("state", [State.CLAIMED, State.NOT_APPLICABLE, State.EXCUSED])
def test_a_claim_needs_no_evidence(state: State) -> None:
    assert risks_of(CALM._replace(records=0, state=state)) == ()


@given(
    st.builds(
        Signs,
        returned=st.integers(0, 5),
        timeliness=st.sampled_from(Timeliness),
        gap=st.integers(-30, 400),
        records=st.integers(0, 3),
        state=st.sampled_from(State),
    )
)
def test_who_stands_in_front_of_a_calm_duty_says_why(found: Signs) -> None:
    why = risks_of(found)
    assert (rank(why) < rank(())) == bool(why)
    assert (found.timeliness in LATE) == any(one.risk is Risk.LATE for one in why)
    assert all(one.number > 0 for one in why if "%(n)s" in one.sentence)


def test_a_hold_is_renewed_once_half_of_it_is_over() -> None:
    until, second = datetime(2026, 5, 20, 2, tzinfo=UTC), timedelta(seconds=1)
    assert is_fresh(until, now=until - HOLD)
    assert is_fresh(until, now=until - HOLD / 2 - second)
    assert not is_fresh(until, now=until - HOLD / 2)
    assert not is_fresh(until, now=until + second)
