"""The self-check table: what is counted adds up, what the unit says fits, and the digest covers every line."""

from datetime import date
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.duty import Timeliness
from tracker.domain.errors import Invalid, WrongState
from tracker.domain.score import Verdict
from tracker.domain.self_check_table import (
    STATEMENT_LIMIT,
    Answer,
    Counts,
    Line,
    checked,
    counted,
    is_late,
    require_complete,
    table_digest,
)


def line(item="A", **changes):
    answer = {"value": Verdict.MET, "tenths": 20, "statement": "已办"} | changes
    return Line(item, "事项", "L", 3, Counts(required=2, in_time=2), Answer(item, **answer))


@given(st.lists(st.none() | st.sampled_from(Timeliness)))
def test_every_duty_is_counted_once(times):
    counts = counted(times)

    assert counts.set_aside == times.count(None)
    assert counts.required == len(times) - times.count(None)
    assert counts.not_due == times.count(Timeliness.NOT_YET_DUE) + times.count(Timeliness.DUE_SOON)
    assert counts.done + counts.missing + counts.not_due == counts.required


def test_a_late_duty_is_done_and_late():
    counts = counted([Timeliness.IN_TIME, Timeliness.RECORDED_LATE, Timeliness.MADE_UP, Timeliness.OVERDUE])
    assert (counts.in_time, counts.late, counts.missing, counts.done) == (1, 2, 1, 3)


def test_a_sentence_comes_to_one_line():
    assert checked(Answer("A", statement=" 一\n 二 "), points=3).statement == "一 二"


@pytest.mark.parametrize(
    ("answer", "fits"),
    [
        (Answer("A", Verdict.MET, 30), True),
        (Answer("A", Verdict.MET, 31), False),
        (Answer("A", Verdict.MET, -1), False),
        (Answer("A", Verdict.NOT_APPLICABLE, 0), False),
        (Answer("A", Verdict.NOT_APPLICABLE), True),
        (Answer("A", statement="字" * STATEMENT_LIMIT), True),
        (Answer("A", statement="字" * (STATEMENT_LIMIT + 1)), False),
    ],
)
def test_what_a_unit_says_fits_the_item_or_is_refused(answer, fits):
    if fits:
        assert checked(answer, points=3) == answer
    else:
        with pytest.raises(Invalid) as refusal:
            checked(answer, points=3)
        assert refusal.value.field == "A"


def test_a_table_with_an_open_line_is_not_complete():
    require_complete([line()])
    with pytest.raises(WrongState, match="B"):
        require_complete([line(), line("B", value=None)])
    with pytest.raises(WrongState):
        require_complete([])


@given(st.randoms(use_true_random=False))
def test_the_digest_does_not_depend_on_the_order(random: Random):
    lines = [line("A"), line("B"), line("C")]
    before = table_digest(lines, inspection=1, unit="U")
    random.shuffle(lines)
    assert table_digest(lines, inspection=1, unit="U") == before


@pytest.mark.parametrize("changes", [{"value": Verdict.PARTLY}, {"tenths": 19}, {"tenths": None}, {"statement": ""}])
def test_the_digest_covers_what_the_unit_said(changes):
    assert table_digest([line(**changes)], inspection=1, unit="U") != table_digest([line()], inspection=1, unit="U")


def test_late_is_after_the_day():
    assert not is_late(date(2026, 5, 20), due_on=date(2026, 5, 20))
    assert is_late(date(2026, 5, 21), due_on=date(2026, 5, 20))
    assert not is_late(date(2026, 5, 21), due_on=None)
